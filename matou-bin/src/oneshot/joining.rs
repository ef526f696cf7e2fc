//! Under which name a one-shot command joins.

use matou_actors::client::{Command, Event};
use matou_actors::protocol::Username;

use crate::exit::Failure;

/// Who cannot be called after their login is called so.
const ANYBODY: &str = "guest";
/// How many names are tried.
const MOST_ATTEMPTS: u32 = 50;

/// The way into the room.
#[derive(Debug)]
pub(super) struct Joining {
    base: String,
    attempt: u32,
    /// No other name will do.
    is_fixed: bool,
    /// The name of the other side, which has to stay free.
    except: Option<Username>,
    joined: bool,
    /// The server presented another key than the known one.
    is_key_refused: bool,
}

/// What an event means for joining.
#[derive(Debug)]
pub(super) enum JoinProgress {
    /// It is another matter.
    Other,
    /// Try this.
    Retry(Command),
    /// Give up.
    Failed(Failure),
}

impl Joining {
    /// `given` is the only name that will do; `usual` is the first that is tried.
    pub(super) fn new(
        given: Option<Username>,
        usual: Option<Username>,
        except: Option<&Username>,
    ) -> Self {
        let is_fixed = given.is_some();
        let base = given.or(usual).or_else(login).map_or(ANYBODY.into(), |name| name.to_string());
        let mut joining = Self {
            base,
            attempt: 1,
            is_fixed,
            except: except.cloned(),
            joined: false,
            is_key_refused: false,
        };
        joining.skip_excepted();
        joining
    }

    /// The name to sign in with.
    pub(super) fn name(&self) -> Username {
        let suffix = if self.attempt > 1 { self.attempt.to_string() } else { String::new() };
        numbered(&self.base, &suffix)
    }

    pub(super) fn on_event(&mut self, event: &Event) -> JoinProgress {
        match event {
            Event::Connected { .. } => self.joined = true,
            Event::Refused { username, reason } => {
                if self.is_fixed || self.joined || self.attempt >= MOST_ATTEMPTS {
                    return JoinProgress::Failed(Failure::refused(username, reason.clone()));
                }
                self.attempt += 1;
                self.skip_excepted();
                return JoinProgress::Retry(Command::SignIn(self.name()));
            }
            Event::ServerKeyRefused { .. } => self.is_key_refused = true,
            Event::Disconnected { reason } | Event::Reconnecting { reason, .. }
                if !self.joined && self.is_key_refused =>
            {
                return JoinProgress::Failed(Failure::Runtime(reason.clone()));
            }
            Event::Disconnected { reason } | Event::Reconnecting { reason, .. } if !self.joined => {
                let advice = if reason.starts_with("cannot reach") {
                    "; check --server HOST[:PORT], and that the server is running"
                } else {
                    ""
                };
                return JoinProgress::Failed(Failure::Unreachable(format!("{reason}{advice}")));
            }
            _ => {}
        }
        JoinProgress::Other
    }

    fn skip_excepted(&mut self) {
        let is_theirs = |name: &Username| self.name().folded() == name.folded();
        if !self.is_fixed && self.except.as_ref().is_some_and(is_theirs) {
            self.attempt += 1;
        }
    }
}

/// `base` followed by `suffix`, shortened so that it is a name.
fn numbered(base: &str, suffix: &str) -> Username {
    let mut base = base;
    loop {
        if let Ok(name) = Username::parse(&format!("{base}{suffix}")) {
            return name;
        }
        let mut shorter = base.chars();
        if shorter.next_back().is_none() {
            base = ANYBODY;
            continue;
        }
        base = shorter.as_str();
    }
}

/// The login name, if it can be a name.
fn login() -> Option<Username> {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok()??;
    let letters: String = user.name.chars().filter(|c| c.is_alphanumeric()).collect();
    Username::parse(&letters).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    fn refused(joining: &mut Joining) -> JoinProgress {
        joining.on_event(&Event::Refused { username: joining.name(), reason: None })
    }

    #[test]
    fn a_usual_name_that_is_taken_gets_a_number_and_a_given_one_does_not() {
        let mut joining = Joining::new(None, Some(name("Ada")), None);
        assert_eq!(joining.name(), name("Ada"));
        assert!(
            matches!(refused(&mut joining), JoinProgress::Retry(Command::SignIn(it)) if it == name("Ada2"))
        );
        assert!(matches!(refused(&mut joining), JoinProgress::Retry(_)));
        assert_eq!(joining.name(), name("Ada3"));
        let mut fixed = Joining::new(Some(name("Ada")), None, None);
        assert!(matches!(refused(&mut fixed), JoinProgress::Failed(Failure::Refused(_))));
    }

    #[test]
    fn the_name_of_the_other_side_stays_free_and_a_long_name_is_shortened() {
        let joining = Joining::new(None, Some(name("Ada")), Some(&name("ADA")));
        assert_eq!(joining.name(), name("Ada2"));
        let long = "a".repeat(32);
        let mut joining = Joining::new(None, Some(name(&long)), None);
        refused(&mut joining);
        assert_eq!(joining.name(), name(&format!("{}2", "a".repeat(31))));
    }

    #[test]
    fn a_loss_is_a_failure_only_before_the_client_has_joined() {
        let lost = Event::Disconnected { reason: "gone".into() };
        let mut joining = Joining::new(None, Some(name("Ada")), None);
        assert!(matches!(joining.on_event(&lost), JoinProgress::Failed(Failure::Unreachable(_))));
        let mut joining = Joining::new(None, Some(name("Ada")), None);
        joining.on_event(&Event::Connected { server: "s:1".into(), username: name("Ada") });
        assert!(matches!(joining.on_event(&lost), JoinProgress::Other));
    }
}
