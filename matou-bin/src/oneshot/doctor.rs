//! `matou-bin doctor`: what prevents private sessions, with one person or with all.

use std::time::Duration;

use matou_actors::client::{Command, Diagnosis, Event, NetworkReport, RequestState};
use matou_actors::protocol::Username;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::task::{Task, TaskEffect};
use crate::diagnosis::{describe_diagnosis, describe_network};
use crate::exit::Failure;

/// The examination of the way to one person.
#[derive(Debug)]
pub(super) struct Doctor {
    with: Username,
    network: NetworkReport,
    as_json: bool,
    wait: Duration,
    deadline: Instant,
    /// The person is here, and was asked.
    asked: bool,
    /// The outcome; `None` until there is one.
    outcome: Option<Result<(), Failure>>,
}

/// The output about the network of this computer, and about the way to a person.
pub(super) fn report(
    network: &NetworkReport,
    diagnosis: Option<&Diagnosis>,
    as_json: bool,
) -> String {
    if as_json {
        let mut report = json!(network);
        if let (Value::Object(fields), Some(diagnosis)) = (&mut report, diagnosis) {
            fields.insert("diagnosis".into(), json!(diagnosis));
        }
        return report.to_string();
    }
    let mut lines = describe_network(network);
    lines.extend(diagnosis.into_iter().flat_map(describe_diagnosis));
    lines.join("\n")
}

impl Doctor {
    pub(super) fn new(
        with: Username,
        network: NetworkReport,
        as_json: bool,
        wait: Duration,
        now: Instant,
    ) -> Self {
        let (deadline, outcome) = (now + wait, None);
        Self { with, network, as_json, wait, deadline, asked: false, outcome }
    }

    fn is_meant(&self, name: &Username) -> bool {
        name.folded() == self.with.folded()
    }

    fn end(&mut self, outcome: Result<(), Failure>) -> Vec<TaskEffect> {
        self.outcome = Some(outcome);
        vec![TaskEffect::Command(Command::Quit)]
    }

    /// Nothing was tried with the person; the facts about this computer are useful all the same.
    fn untried(&mut self, failure: Failure) -> Vec<TaskEffect> {
        let mut effects = vec![TaskEffect::PrintText(report(&self.network, None, self.as_json))];
        effects.extend(self.end(Err(failure)));
        effects
    }

    fn diagnosed(&mut self, diagnosis: &Diagnosis) -> Vec<TaskEffect> {
        let text = report(&self.network, Some(diagnosis), self.as_json);
        let outcome = if diagnosis.connected {
            Ok(())
        } else {
            let with = &self.with;
            Err(Failure::Cut(format!("{with} cannot be reached at the moment; see above")))
        };
        let mut effects = vec![TaskEffect::PrintText(text)];
        effects.extend(self.end(outcome));
        effects
    }
}

impl Task for Doctor {
    fn on_event(&mut self, event: &Event, _: Instant) -> Vec<TaskEffect> {
        if self.outcome.is_some() {
            return Vec::new();
        }
        match event {
            Event::Joined { username, .. } if self.is_meant(username) && !self.asked => {
                self.asked = true;
                vec![TaskEffect::Command(Command::Diagnose(username.clone()))]
            }
            Event::PrivateState { with, state: RequestState::Asked } if self.is_meant(with) => {
                vec![TaskEffect::Say(format!("{with} is here; waiting for them to accept"))]
            }
            Event::Diagnosis(diagnosis) if self.is_meant(&diagnosis.with) => {
                self.diagnosed(diagnosis)
            }
            Event::PrivateClosed { with, reason } if self.is_meant(with) => {
                self.untried(Failure::Declined(format!("nothing was tried: {reason}")))
            }
            Event::Error { message, .. } if self.asked => {
                self.untried(Failure::Runtime(message.clone()))
            }
            _ => Vec::new(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.outcome.is_none().then_some(self.deadline)
    }

    fn on_deadline(&mut self) -> Vec<TaskEffect> {
        let (with, seconds) = (&self.with, self.wait.as_secs());
        let reason = if self.asked {
            format!("{with} did not accept within {seconds} s; ask {with}, and try again")
        } else {
            format!(
                "no user called {with} was in the room within {seconds} s; check the name, or wait longer \
                 with --wait SECONDS"
            )
        };
        self.untried(Failure::Absent(reason))
    }

    fn on_signal(&mut self, signal: &str) {
        self.outcome.get_or_insert(Err(Failure::Runtime(format!("stopped by {signal}"))));
    }

    fn outcome(self) -> Result<(), Failure> {
        self.outcome
            .unwrap_or_else(|| Err(Failure::Runtime("the client ended unexpectedly".into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bea() -> Username {
        Username::parse("Bea").unwrap()
    }

    fn doctor(as_json: bool) -> Doctor {
        let network = NetworkReport {
            server: "localhost:6286".into(),
            address: None,
            ports: Vec::new(),
            verdict: vec!["A router.".into()],
        };
        Doctor::new(bea(), network, as_json, Duration::from_secs(60), Instant::now())
    }

    fn diagnosis(connected: bool) -> Event {
        let verdict = vec!["A firewall.".into()];
        Event::Diagnosis(Diagnosis { with: bea(), connected, attempts: Vec::new(), verdict })
    }

    #[test]
    fn the_person_is_asked_once_and_the_diagnosis_ends_it() {
        let (mut doctor, now) = (doctor(true), Instant::now());
        let came = Event::Joined { username: bea(), present: true };
        let asked = [TaskEffect::Command(Command::Diagnose(bea()))];
        assert_eq!(doctor.on_event(&came, now), asked);
        assert_eq!(doctor.on_event(&came, now), []);
        let effects = doctor.on_event(&diagnosis(true), now);
        let [TaskEffect::PrintText(text), TaskEffect::Command(Command::Quit)] = &effects[..] else {
            panic!("{effects:?}")
        };
        let printed: Value = serde_json::from_str(text).unwrap();
        assert_eq!(printed["verdict"][0], "A router.");
        assert_eq!(printed["diagnosis"]["verdict"][0], "A firewall.");
        assert!(doctor.outcome().is_ok());
    }

    #[test]
    fn obstacles_and_absent_users_are_failures() {
        let now = Instant::now();
        let mut blocked = doctor(false);
        blocked.on_event(&diagnosis(false), now);
        assert!(matches!(blocked.outcome(), Err(Failure::Cut(_))));
        let mut absent = doctor(false);
        let effects = absent.on_deadline();
        let [TaskEffect::PrintText(network), TaskEffect::Command(Command::Quit)] = &effects[..]
        else {
            panic!("{effects:?}")
        };
        assert!(network.contains("A router."), "{network}");
        assert!(matches!(absent.outcome(), Err(Failure::Absent(_))));
        let mut declined = doctor(false);
        let closed = Event::PrivateClosed { with: bea(), reason: "Bea declined".into() };
        declined.on_event(&closed, now);
        assert!(matches!(declined.outcome(), Err(Failure::Declined(_))));
    }
}
