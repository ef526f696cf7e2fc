//! Whose keys are known: what a key means, comparing it, and accepting another one.

use super::known_keys::KnownKeys;
use super::{PeerAction, Peers, Situation};
use crate::client::api::event::{ErrorCode, Event, KeyStanding, LinkSecurity};
use crate::protocol::Username;
use crate::protocol::v2::PublicKey;
use crate::trust::{Fingerprint, KnownPeople, Person};

impl Peers {
    /// Uses the keys that were seen before; an error says why they cannot be read.
    pub(crate) fn with_people(mut self, people: Result<KnownPeople, String>) -> Self {
        self.keys = match people {
            Ok(people) => KnownKeys { people, unreadable: None },
            Err(reason) => KnownKeys { people: KnownPeople::default(), unreadable: Some(reason) },
        };
        self
    }

    /// What is known of the present owner of this name.
    fn person(&self, name: &Username, at: &Situation<'_>) -> Option<&Person> {
        let server = at.server_key?.to_string();
        self.keys.people.get(&server, &name.folded())
    }

    /// How far this key of that user is known; an error for the user when it is not the one that
    /// was seen before.
    pub(super) fn standing(
        &self,
        name: &Username,
        key: &PublicKey,
        at: &Situation<'_>,
    ) -> Result<KeyStanding, String> {
        if let Some(reason) = &self.keys.unreadable {
            return Err(format!("{reason}; no private session can be opened without it"));
        }
        let Some(person) = self.person(name, at) else { return Ok(KeyStanding::New) };
        let shown = Fingerprint::of(key);
        if shown != person.fingerprint {
            return Err(format!(
                "{name} presented a different key than before ({shown}, before {}, known since \
                 {}): {name} uses another computer or lost the key, someone else has the name \
                 now, or the connection is being intercepted. Nothing was sent. Ask {name} by \
                 other means; if the key is theirs, accept it: /trust {name} in the client, or \
                 matou-bin identity forget --person {name} in a shell",
                person.fingerprint, person.since
            ));
        }
        Ok(match person.compared {
            Some(_) => KeyStanding::Compared,
            None => KeyStanding::Known,
        })
    }

    /// Whether this user, of whom the server announces no key, may be talked with in plain.
    pub(super) fn may_be_plain(&self, name: &Username, at: &Situation<'_>) -> Result<(), String> {
        // Without the list any name may be one whose key is known on this server.
        if let (Some(reason), Some(_)) = (&self.keys.unreadable, at.server_key) {
            return Err(format!("{reason}; no private session can be opened without it"));
        }
        if let Some(person) = self.person(name, at) {
            return Err(format!(
                "the server says that {name} cannot encrypt, but the key of {name} has been known \
                 since {}: {name} uses an old program, someone else has the name now, or the \
                 server lies. Nothing was sent",
                person.since
            ));
        }
        if self.settings.require_private_encryption {
            return Err(format!(
                "{name} cannot encrypt, which private.encryption = \"require\" demands; nothing was sent"
            ));
        }
        Ok(())
    }

    /// What protects a session with this user, whose key was proved; it is known from now on.
    pub(super) fn note_key(
        &mut self,
        name: &Username,
        key: &PublicKey,
        at: &Situation<'_>,
    ) -> LinkSecurity {
        let standing = self.standing(name, key, at).unwrap_or(KeyStanding::New);
        let fingerprint = Fingerprint::of(key);
        if standing == KeyStanding::New {
            self.remember(name, fingerprint, None, at);
        }
        LinkSecurity::Encrypted { fingerprint: fingerprint.to_string(), key: standing }
    }

    fn remember(
        &mut self,
        name: &Username,
        fingerprint: Fingerprint,
        compared: Option<String>,
        at: &Situation<'_>,
    ) {
        // Without it the session was established on another server than this one.
        let Some(server) = at.server_key.map(|key| key.to_string()) else { return };
        let known = self.keys.people.get(&server, &name.folded());
        let same = known.filter(|person| person.fingerprint == fingerprint);
        let since = same.map_or_else(|| at.today.to_string(), |person| person.since.clone());
        let person = Person { name: name.clone(), fingerprint, since, compared };
        self.keys.people.set(&server, person.clone());
        self.actions.push(PeerAction::Remember { server, person });
    }

    /// The key of this user: of the one in the room, or the one that an open session proved.
    fn current_key(&self, name: &Username, at: &Situation<'_>) -> Option<PublicKey> {
        let key = name.folded();
        let open = self.conversations.get(&key).and_then(|with| with.sessions().first());
        let proved = open.and_then(|id| self.sessions.get(id)?.key);
        proved.or_else(|| at.roster.key(&key))
    }

    /// Whether this is the user's own name, whose key there is nothing to learn about: the user reads
    /// which one it is.
    fn is_me(&mut self, name: &Username, at: &Situation<'_>) -> bool {
        let is_me = at.me.is_some_and(|me| me.folded() == name.folded());
        if is_me {
            let key = self.own_key().as_ref().map(Fingerprint::of);
            let key = key.map_or(String::new(), |key| format!("; your key is {key}"));
            self.notice(format!("{name} is you{key}"));
        }
        is_me
    }

    /// The user accepts the key that this user has now.
    pub(crate) fn trust(&mut self, name: &Username, at: &Situation<'_>) {
        if self.is_me(name, at) {
            return;
        }
        let Some(key) = at.roster.key(&name.folded()) else {
            return self.no_key(name, "nothing was accepted");
        };
        let standing = self.standing(name, &key, at);
        if matches!(standing, Ok(KeyStanding::Known | KeyStanding::Compared)) {
            return self.notice(format!("the key of {name} is already the known one"));
        }
        let fingerprint = Fingerprint::of(&key);
        self.remember(name, fingerprint, None, at);
        self.notice(format!(
            "from now on {name} is expected to have the key {fingerprint}; /verify {name} compares it"
        ));
    }

    /// The user wants to compare the key of this user.
    pub(crate) fn verify(&mut self, name: &Username, at: &Situation<'_>) {
        if self.is_me(name, at) {
            return;
        }
        let (Some(theirs), Some(own)) = (self.current_key(name, at), self.own_key()) else {
            return self.no_key(name, "there is nothing to compare");
        };
        match self.standing(name, &theirs, at) {
            Err(reason) => self.error(ErrorCode::Key, reason),
            Ok(standing) => {
                if standing == KeyStanding::New {
                    self.remember(name, Fingerprint::of(&theirs), None, at);
                }
                self.actions.push(PeerAction::Verify { name: name.clone(), own, theirs });
            }
        }
    }

    /// The user has compared the key of this user.
    pub(crate) fn compared(&mut self, name: &Username, at: &Situation<'_>) {
        if self.is_me(name, at) {
            return;
        }
        let Some(theirs) = self.current_key(name, at) else {
            return self.no_key(name, "there is nothing to compare");
        };
        if let Err(reason) = self.standing(name, &theirs, at) {
            return self.error(ErrorCode::Key, reason);
        }
        self.remember(name, Fingerprint::of(&theirs), Some(at.today.to_string()), at);
        let fingerprint = Fingerprint::of(&theirs).to_string();
        let (with, key) = (name.clone(), KeyStanding::Compared);
        self.emit(Event::KeyStanding { username: with, fingerprint, key });
    }

    /// This user is in the room: whether the user has compared their key.
    pub(crate) fn arrived(&mut self, name: &Username, at: &Situation<'_>) {
        let Some(key) = at.roster.key(&name.folded()) else { return };
        if self.standing(name, &key, at) == Ok(KeyStanding::Compared) {
            let (username, key_standing) = (name.clone(), KeyStanding::Compared);
            let fingerprint = Fingerprint::of(&key).to_string();
            self.emit(Event::KeyStanding { username, fingerprint, key: key_standing });
        }
    }

    /// What is known of this user.
    pub(crate) fn whois(&mut self, name: &Username, at: &Situation<'_>) {
        if self.is_me(name, at) {
            return;
        }
        let key = self.current_key(name, at);
        let person = self.person(name, at).cloned();
        let address = self.talk_address(&name.folded());
        let here = at.roster.find(&name.folded()).cloned();
        if here.is_none() && person.is_none() && address.is_none() {
            return self.error(
                ErrorCode::User,
                format!("no user here is called {name}; /who lists who is here"),
            );
        }
        let changed = key.is_some_and(|key| {
            person.as_ref().is_some_and(|person| person.fingerprint != Fingerprint::of(&key))
        });
        self.emit(Event::Whois {
            username: here.clone().unwrap_or_else(|| name.clone()),
            here: here.is_some(),
            key: key.map(|key| Fingerprint::of(&key).to_string()),
            known: person.as_ref().map(|person| person.fingerprint.to_string()),
            since: person.as_ref().map(|person| person.since.clone()),
            compared: person.and_then(|person| person.compared),
            changed,
            address,
        });
    }

    fn own_key(&self) -> Option<PublicKey> {
        self.settings.identity.as_ref().map(|identity| identity.public_key())
    }

    fn no_key(&mut self, name: &Username, so: &str) {
        self.error(
            ErrorCode::Key,
            format!("no key of {name} is known: they are not here, or cannot encrypt; {so}"),
        );
    }
}
