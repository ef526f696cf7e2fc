//! What prevents a connection between two computers, as lines.

use matou_actors::client::{Diagnosis, Direction, NetworkReport};

/// Each address with what became of it, then what that means.
pub(crate) fn describe_diagnosis(diagnosis: &Diagnosis) -> Vec<String> {
    let Diagnosis { with, attempts, verdict, .. } = diagnosis;
    let line = |attempt: &matou_actors::client::Attempt| {
        let (address, result) = (attempt.address, attempt.result.words());
        match attempt.direction {
            Direction::Outgoing => format!("from here to {address}: {result}"),
            Direction::Incoming => format!("from {with} to {address}: {result}"),
        }
    };
    let mut lines: Vec<_> = attempts.iter().map(line).collect();
    if attempts.iter().all(|attempt| attempt.direction == Direction::Outgoing) {
        lines.push(format!("what {with} tried is not known"));
    }
    lines.extend(verdict.iter().cloned());
    lines
}

/// What the server shows of the network of this computer.
pub(crate) fn describe_network(network: &NetworkReport) -> Vec<String> {
    let NetworkReport { server, address, ports, verdict } = network;
    let reached = address.map(|at| format!("server {server}: reached at {at}"));
    let mut lines = vec![reached.unwrap_or_else(|| format!("server {server}: not reached"))];
    lines.extend(ports.iter().map(|port| match port.outside {
        Some(outside) => format!("port {} of this computer: seen as {outside}", port.port),
        None => format!("port {} of this computer: not seen", port.port),
    }));
    lines.extend(verdict.iter().cloned());
    lines
}

#[cfg(test)]
mod tests {
    use matou_actors::client::{Attempt, AttemptResult};
    use matou_actors::protocol::Username;

    use super::*;

    #[test]
    fn each_direction_has_its_lines_before_the_verdict() {
        let attempt = |direction, result| Attempt {
            direction,
            address: "192.0.2.7:5000".parse().unwrap(),
            result,
        };
        let mut diagnosis = Diagnosis {
            with: Username::parse("Bea").unwrap(),
            connected: false,
            attempts: vec![attempt(Direction::Outgoing, AttemptResult::Silent)],
            verdict: vec!["A firewall.".into()],
        };
        let out = "from here to 192.0.2.7:5000: silent";
        let unknown = "what Bea tried is not known";
        assert_eq!(describe_diagnosis(&diagnosis), [out, unknown, "A firewall."]);
        diagnosis.attempts.push(attempt(Direction::Incoming, AttemptResult::Refused));
        let back = "from Bea to 192.0.2.7:5000: refused";
        assert_eq!(describe_diagnosis(&diagnosis), [out, back, "A firewall."]);
    }
}
