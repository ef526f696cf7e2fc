//! What the user wants of another user: texts and files delivered, a session, or silence.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::conversation::Conversation;
use super::encrypted::Road;
use super::outcome::{Item, Pursuit};
use super::{Peers, Situation};
use crate::client::api::event::{ErrorCode, Event};
use crate::client::messages::{PrivateText, SessionCommand};
use crate::protocol::{FoldedName, Username};
use crate::transfer::ChosenFile;

impl Peers {
    pub(crate) fn deliver_text(
        &mut self,
        to: &Username,
        text: PrivateText,
        at: &Situation<'_>,
    ) -> Option<oneshot::Receiver<()>> {
        let key = match self.reachable(to, at) {
            Ok(key) => key,
            Err((problem, advice)) => {
                let reason = format!("{problem}{advice}");
                let texts = vec![text.into_plain()];
                self.keep_undelivered(to, &texts);
                self.emit(Event::Undelivered { to: to.clone(), texts, reason });
                return None;
            }
        };
        let session = self.conversation(&key).and_then(|with| with.sessions().first().copied());
        if let Some(session) = session {
            return Some(self.send_text(session, text));
        }
        self.wait_for_session(&key, Item::Text(text), at);
        None
    }

    /// A session that is open says it; nothing is kept for a later one.
    pub(super) fn send_typing(&mut self, to: &Username, active: bool) {
        let with = self.conversation(&to.folded());
        let session = with.and_then(|with| with.sessions().first().copied());
        self.command(session, SessionCommand::Typing(active));
    }

    pub(crate) fn deliver_file(
        &mut self,
        to: &Username,
        path: PathBuf,
        file: Arc<ChosenFile>,
        at: &Situation<'_>,
    ) {
        let so = format!("{} was not sent", path.display());
        let Some(key) = self.reach(to, &so, at) else { return };
        if file.is_folder() && !self.talks_encrypted(&key, to, at) {
            let message = format!(
                "{so}: it is a folder, and {to}'s program only accepts files; pack it into one \
                 file, such as with `tar -czf FILE.tar.gz FOLDER`, and send that"
            );
            self.error(ErrorCode::File, message);
            return self.tidy(&key);
        }
        if file.is_pipe() && !self.talks_encrypted(&key, to, at) {
            let message = format!(
                "{so}: {to}'s program needs to know the size in advance; write it to a file, and send that"
            );
            self.error(ErrorCode::File, message);
            return self.tidy(&key);
        }
        let Some(name) = self.conversation(&key).map(|with| with.name().clone()) else { return };
        if !self.talks_encrypted(&key, to, at) {
            self.notice(format!(
                "{to}'s program is not told the names of files: it chooses one for {}",
                path.display()
            ));
        }
        let info = self.transfers.outgoing(name, path, file);
        let id = info.id;
        self.emit(Event::FileStarted(info));
        if self.conversation(&key).is_some_and(|with| !with.sessions().is_empty()) {
            self.send_file(&key, id, at);
        } else {
            self.wait_for_session(&key, Item::File(id), at);
        }
    }

    /// Whether this user is reached over a session of revision 2.
    fn talks_encrypted(&self, key: &FoldedName, name: &Username, at: &Situation<'_>) -> bool {
        let open = self.conversation(key).and_then(|with| with.sessions().first());
        match open.and_then(|id| self.sessions.get(id)) {
            Some(live) => live.key.is_some(),
            None => matches!(self.road(name, at), Ok(Road::Encrypted)),
        }
    }

    fn wait_for_session(&mut self, key: &FoldedName, item: Item, at: &Situation<'_>) {
        let refused = self.conversations.get_mut(key).and_then(|with| with.wait(item).err());
        if let Some(item) = refused {
            let Some(to) = self.conversation(key).map(|with| with.name().clone()) else { return };
            return self.undelivered(to, vec![item], "too much is queued already");
        }
        self.pursue(key, at);
    }

    pub(crate) fn open(&mut self, name: &Username, at: &Situation<'_>) {
        let Some(key) = self.reach(name, "no private session was requested", at) else { return };
        match self.pursue(&key, at) {
            Some(Pursuit::Open) => {
                self.notice(format!("the private session with {name} is already open"));
            }
            Some(Pursuit::Pending) => {
                self.notice(format!("a private session with {name} is already being opened"));
            }
            _ => {}
        }
    }

    /// The conversation with `name`, begun if need be; an error to the user when they cannot be
    /// reached, ending in `so`.
    fn reach(&mut self, name: &Username, so: &str, at: &Situation<'_>) -> Option<FoldedName> {
        match self.reachable(name, at) {
            Ok(key) => Some(key),
            Err((problem, advice)) => {
                self.error(ErrorCode::User, format!("{problem}, so {so}{advice}"));
                None
            }
        }
    }

    /// The conversation with `name`, begun if need be; else why there is none, and what to do.
    fn reachable(
        &mut self,
        name: &Username,
        at: &Situation<'_>,
    ) -> Result<FoldedName, (String, &'static str)> {
        let key = name.folded();
        if at.me.is_some_and(|me| me.folded() == key) {
            return Err((format!("{name} is you"), ""));
        }
        if self.conversations.get(&key).is_some_and(|with| !with.is_idle()) {
            return Ok(key);
        }
        if !at.joined {
            return Err(("not connected to the server".into(), "; /reconnect"));
        }
        let here = match at.roster.find(&key) {
            Some(here) => here.clone(),
            None if !at.roster.may_be_here(&key) => {
                return Err((format!("no user here is called {name}"), "; /who lists who is here"));
            }
            None => {
                self.notice(format!(
                    "the server did not say who was here before you, so {name} may not be here; \
                     asking anyway"
                ));
                name.clone()
            }
        };
        self.conversations.insert(key.clone(), Conversation::new(here));
        Ok(key)
    }

    pub(crate) fn ignore(&mut self, name: &Username, at: &Situation<'_>) {
        if at.me.is_some_and(|me| me.folded() == name.folded()) {
            return self
                .error(ErrorCode::User, format!("{name} is you; you cannot ignore yourself"));
        }
        self.ignored.insert(name.folded());
        self.notice(format!("{name} is ignored; /unignore {name} undoes it"));
    }

    pub(crate) fn unignore(&mut self, name: &Username, at: &Situation<'_>) {
        if !self.ignored.remove(&name.folded()) {
            return self.error(ErrorCode::User, format!("{name} is not ignored"));
        }
        self.notice(format!("{name} is no longer ignored"));
        self.present_offers_of(&name.folded(), at);
    }

    /// Accepts whatever this user asks for and offers, as long as the name is theirs.
    pub(crate) fn allow(&mut self, name: &Username, at: &Situation<'_>) {
        let key = name.folded();
        if at.me.is_some_and(|me| me.folded() == key) {
            return self.error(ErrorCode::User, format!("{name} is you; name another person"));
        }
        let Some(here) = at.roster.find(&key).cloned() else {
            let problem = format!("no user here is called {name}, so nothing was allowed");
            return self.error(ErrorCode::User, format!("{problem}; /who lists who is here"));
        };
        if self.conversations.get(&key).is_some_and(Conversation::is_given_up) {
            return self.error(ErrorCode::User, format!(
                "{name} left meanwhile, and the name may belong to another person now; /close {name} \
                 first, then allow them"
            ));
        }
        self.notice(format!(
            "private requests and files from {here} are accepted without asking; /disallow {here} \
             undoes it"
        ));
        self.allowed.insert(key.clone(), here);
        if self.conversations.get(&key).is_some_and(|with| with.is_asked() && !with.is_moving()) {
            self.accept(name, at);
        }
        if !self.ignored.contains(&key) {
            self.take_offers_of(&key, at);
        }
    }

    pub(crate) fn disallow(&mut self, name: &Username) {
        match self.allowed.remove(&name.folded()) {
            Some(name) => {
                self.notice(format!(
                    "you will be asked about requests and files from {name} again"
                ));
            }
            None => self.error(ErrorCode::User, format!("{name} is not on your allow list")),
        }
    }
}
