use super::*;
use crate::protocol::v2::LeaveReason;
use crate::protocol::{MessageText, Username};
use crate::server::ids::MemberId;

const OWN: Epoch = Epoch(1);
const OTHER: Epoch = Epoch(2);

/// One node and the stream that the test writes.
struct Fixture {
    node: Node,
    now: Instant,
    position: u64,
    other: u64,
}

impl Fixture {
    /// A node that has published HELLO.
    fn start() -> Self {
        let now = Instant::now();
        let mut node = Node::new(OWN, "n", Replica::default(), 0, now);
        // The stream is empty.
        node.fetched(now);
        Self { node, now, position: 0, other: 0 }
    }

    /// A node that serves.
    fn serving() -> Self {
        let mut fixture = Self::start();
        let hello = fixture.published().remove(0);
        fixture.reads(&hello);
        assert!(fixture.node.is_serving());
        fixture.outputs();
        fixture
    }

    fn outputs(&mut self) -> Vec<NodeOutput> {
        std::iter::from_fn(|| self.node.output()).collect()
    }

    /// The messages that the node publishes.
    fn published(&mut self) -> Vec<Bytes> {
        let payload = |output| match output {
            NodeOutput::Publish { payload, .. } => Some(payload),
            _ => None,
        };
        self.outputs().into_iter().filter_map(payload).collect()
    }

    /// The next position of the stream is these bytes.
    fn reads(&mut self, payload: &Bytes) {
        self.position += 1;
        self.node.received(self.position, EntryKind::Message, payload.clone(), self.now);
    }

    /// The next message of the other node.
    fn of_other(&mut self, records: Vec<Record>) -> Bytes {
        self.other += 1;
        encode(&Message { from: OTHER, number: self.other, records })
    }

    fn other_says(&mut self, records: Vec<Record>) {
        let payload = self.of_other(records);
        self.reads(&payload);
    }

    fn passes(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.node.tick(0, self.now);
    }
}

fn leave(member: u64) -> Record {
    Record::Leave { member: MemberId(member), reason: LeaveReason::SignedOut, at: 0 }
}

fn say(text: &str) -> Record {
    let (from, texts) = (Username::parse("ann").unwrap(), vec![MessageText::parse(text).unwrap()]);
    Record::Say { from, texts, action: false, at: 0 }
}

fn alive(position: u64, hash: u64) -> Record {
    Record::Alive { position, hash, at: 0 }
}

fn records(payload: &Bytes) -> Vec<Record> {
    decode::<Message>(payload).unwrap().records
}

#[test]
fn nothing_is_served_before_the_node_has_read_its_own_hello() {
    let mut fixture = Fixture::start();
    fixture.node.propose(leave(1), fixture.now);
    let published = fixture.published();
    assert_eq!(published.len(), 1);
    assert_eq!(records(&published[0]), [Record::Hello { node: "n".into() }]);
    assert!(!fixture.node.is_serving());
    fixture.reads(&published[0]);
    assert!(fixture.node.is_serving());
    assert_eq!(records(&fixture.published()[0]), [leave(1)], "and then what waited");
}

#[test]
fn one_message_is_in_flight_while_proposals_gather() {
    let mut fixture = Fixture::serving();
    for text in ["a", "b", "c"] {
        fixture.node.propose(say(text), fixture.now);
    }
    let first = fixture.published();
    assert_eq!(first.len(), 1);
    fixture.node.acknowledged(OWN, 2, 2, fixture.now);
    let second = fixture.published();
    assert_eq!(records(&second[0]), [say("b"), say("c")]);
    // Read before the acknowledgement, which may be lost.
    fixture.reads(&first[0]);
    fixture.reads(&second[0]);
    fixture.node.propose(say("d"), fixture.now);
    assert_eq!(records(&fixture.published()[0]), [say("d")]);
}

#[test]
fn a_message_holds_64_kib_of_records_at_most() {
    let mut fixture = Fixture::serving();
    for _ in 0..400 {
        fixture.node.propose(say(&"x".repeat(512)), fixture.now);
    }
    fixture.published();
    fixture.node.acknowledged(OWN, 2, 2, fixture.now);
    let length = fixture.published()[0].len();
    assert!((48 * 1024..=64 * 1024).contains(&length), "{length}");
}

#[test]
fn a_possibly_lost_message_is_published_again_unchanged() {
    let mut fixture = Fixture::serving();
    fixture.node.propose(say("a"), fixture.now);
    let first = fixture.published();
    fixture.node.publish_failed(OWN, 2);
    assert_eq!(fixture.published(), first);
    fixture.reads(&first[0]);
    fixture.node.publish_failed(OWN, 2);
    assert!(fixture.published().is_empty(), "it is in the stream");
}

#[test]
fn a_sign_of_life_is_sent_five_seconds_after_the_last_was_read() {
    let mut fixture = Fixture::serving();
    fixture.passes(4);
    assert!(fixture.published().is_empty());
    fixture.passes(1);
    let sign = fixture.published();
    assert!(matches!(records(&sign[0])[..], [Record::Alive { position: 1, .. }]));
    fixture.passes(10);
    assert!(fixture.published().is_empty(), "no second one while the first was not read");
    fixture.reads(&sign[0]);
    fixture.passes(4);
    assert!(fixture.published().is_empty());
    fixture.passes(1);
    assert_eq!(fixture.published().len(), 1);
}

#[test]
fn a_node_is_silent_twelve_seconds_after_it_sent_the_last_sign_that_it_has_read() {
    let mut fixture = Fixture::serving();
    fixture.passes(11);
    assert!(fixture.node.is_serving());
    let sign = fixture.published();
    fixture.passes(1);
    assert!(!fixture.node.is_serving());
    // Sent one second ago, so it counts from then.
    fixture.reads(&sign[0]);
    assert!(fixture.node.is_serving());
    fixture.passes(10);
    assert!(fixture.node.is_serving());
    fixture.passes(1);
    assert!(!fixture.node.is_serving());
}

#[test]
fn an_expelled_node_continues_under_another_epoch() {
    let mut fixture = Fixture::serving();
    fixture.other_says(vec![Record::Hello { node: "m".into() }]);
    fixture.node.propose(say("lost"), fixture.now);
    for _ in 0..4 {
        fixture.other_says(vec![alive(0, 0)]);
    }
    let outputs = fixture.outputs();
    assert!(outputs.iter().any(|output| matches!(output, NodeOutput::Expelled)), "{outputs:?}");
    assert!(!fixture.node.is_serving());
    fixture.node.begin_again(Epoch(9), fixture.now);
    let published = fixture.published();
    assert_eq!(records(&published[0]), [Record::Hello { node: "n".into() }]);
    fixture.reads(&published[0]);
    assert!(fixture.node.is_serving());
    assert!(fixture.published().is_empty(), "what was proposed before is void");
}

#[test]
fn missing_messages_are_fetched_and_read_in_order() {
    let mut fixture = Fixture::serving();
    let missing = fixture.of_other(vec![Record::Hello { node: "m".into() }]);
    let late = fixture.of_other(vec![say("x")]);
    fixture.node.received(3, EntryKind::Message, late, fixture.now);
    assert_eq!(fixture.node.replica().position(), 1);
    fixture.passes(1);
    let outputs = fixture.outputs();
    assert!(matches!(outputs[..], [NodeOutput::Fetch { from: 2, until: 2 }]), "{outputs:?}");
    fixture.node.received(2, EntryKind::Message, missing, fixture.now);
    assert_eq!(fixture.node.replica().position(), 3);
}

#[test]
fn nodes_that_differ_end() {
    let mut fixture = Fixture::serving();
    fixture.other_says(vec![Record::Hello { node: "m".into() }]);
    let hash = fixture.node.replica().hash();
    fixture.other_says(vec![alive(2, hash)]);
    assert!(!fixture.outputs().iter().any(|output| matches!(output, NodeOutput::Fatal(_))));
    fixture.other_says(vec![alive(2, hash ^ 1)]);
    let fatal = Fatal::Diverged { node: OTHER.0, position: 2 };
    assert!(
        fixture
            .outputs()
            .iter()
            .any(|output| matches!(output, NodeOutput::Fatal(it) if *it == fatal))
    );
}

#[test]
fn a_stream_that_was_replaced_or_shortened_ends_the_node() {
    let mut fixture = Fixture::serving();
    let other = fixture.of_other(vec![]);
    fixture.node.received(1, EntryKind::Message, other, fixture.now);
    let fatal = fixture.outputs();
    assert!(matches!(fatal[..], [NodeOutput::Fatal(Fatal::Replaced { position: 1 })]), "{fatal:?}");
    let mut fixture = Fixture::serving();
    fixture.node.stream_begins(7);
    let fatal = fixture.outputs();
    assert!(matches!(fatal[..], [NodeOutput::Fatal(Fatal::Deleted { position: 2 })]), "{fatal:?}");
}

#[test]
fn bye_is_the_last_record() {
    let mut fixture = Fixture::serving();
    fixture.node.propose(say("a"), fixture.now);
    fixture.node.stop(0, fixture.now);
    let first = fixture.published();
    fixture.reads(&first[0]);
    let bye = fixture.published();
    assert_eq!(records(&bye[0]), [Record::Bye { at: 0 }]);
    fixture.reads(&bye[0]);
    let outputs = fixture.outputs();
    assert!(outputs.iter().any(|output| matches!(output, NodeOutput::Stopped)), "{outputs:?}");
}
