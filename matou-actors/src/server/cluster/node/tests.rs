use super::*;
use crate::protocol::v2::LeaveReason;
use crate::protocol::{MessageText, Username};
use crate::server::ids::MemberId;

const OWN: Epoch = Epoch(1);
const OTHER: Epoch = Epoch(2);

/// One node and the stream that the test writes.
struct Stage {
    node: Node,
    now: Instant,
    position: u64,
    other: u64,
}

impl Stage {
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
        let mut stage = Self::start();
        let hello = stage.published().remove(0);
        stage.reads(&hello);
        assert!(stage.node.is_serving());
        stage.outputs();
        stage
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.node.output()).collect()
    }

    /// The messages that the node publishes.
    fn published(&mut self) -> Vec<Bytes> {
        let payload = |output| match output {
            Output::Publish { payload, .. } => Some(payload),
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
    let mut stage = Stage::start();
    stage.node.propose(leave(1), stage.now);
    let published = stage.published();
    assert_eq!(published.len(), 1);
    assert_eq!(records(&published[0]), [Record::Hello { node: "n".into() }]);
    assert!(!stage.node.is_serving());
    stage.reads(&published[0]);
    assert!(stage.node.is_serving());
    assert_eq!(records(&stage.published()[0]), [leave(1)], "and then what waited");
}

#[test]
fn one_message_is_on_its_way_and_gathers_what_follows() {
    let mut stage = Stage::serving();
    for text in ["a", "b", "c"] {
        stage.node.propose(say(text), stage.now);
    }
    let first = stage.published();
    assert_eq!(first.len(), 1);
    stage.node.acknowledged(OWN, 2, 2, stage.now);
    let second = stage.published();
    assert_eq!(records(&second[0]), [say("b"), say("c")]);
    // Read before the acknowledgement, which may be lost.
    stage.reads(&first[0]);
    stage.reads(&second[0]);
    stage.node.propose(say("d"), stage.now);
    assert_eq!(records(&stage.published()[0]), [say("d")]);
}

#[test]
fn a_message_holds_64_kib_of_records_at_most() {
    let mut stage = Stage::serving();
    for _ in 0..400 {
        stage.node.propose(say(&"x".repeat(512)), stage.now);
    }
    stage.published();
    stage.node.acknowledged(OWN, 2, 2, stage.now);
    let length = stage.published()[0].len();
    assert!((48 * 1024..=64 * 1024).contains(&length), "{length}");
}

#[test]
fn what_may_be_lost_is_published_again_as_it_was() {
    let mut stage = Stage::serving();
    stage.node.propose(say("a"), stage.now);
    let first = stage.published();
    stage.node.publish_failed(OWN, 2);
    assert_eq!(stage.published(), first);
    stage.reads(&first[0]);
    stage.node.publish_failed(OWN, 2);
    assert!(stage.published().is_empty(), "it is in the stream");
}

#[test]
fn a_sign_of_life_comes_five_seconds_after_the_last_was_read() {
    let mut stage = Stage::serving();
    stage.passes(4);
    assert!(stage.published().is_empty());
    stage.passes(1);
    let sign = stage.published();
    assert!(matches!(records(&sign[0])[..], [Record::Alive { position: 1, .. }]));
    stage.passes(10);
    assert!(stage.published().is_empty(), "no second one while the first was not read");
    stage.reads(&sign[0]);
    stage.passes(4);
    assert!(stage.published().is_empty());
    stage.passes(1);
    assert_eq!(stage.published().len(), 1);
}

#[test]
fn a_node_is_silent_twelve_seconds_after_it_sent_the_last_sign_that_it_has_read() {
    let mut stage = Stage::serving();
    stage.passes(11);
    assert!(stage.node.is_serving());
    let sign = stage.published();
    stage.passes(1);
    assert!(!stage.node.is_serving());
    // Sent one second ago, so it counts from then.
    stage.reads(&sign[0]);
    assert!(stage.node.is_serving());
    stage.passes(10);
    assert!(stage.node.is_serving());
    stage.passes(1);
    assert!(!stage.node.is_serving());
}

#[test]
fn a_node_that_was_taken_for_gone_goes_on_under_another_epoch() {
    let mut stage = Stage::serving();
    stage.other_says(vec![Record::Hello { node: "m".into() }]);
    stage.node.propose(say("lost"), stage.now);
    for _ in 0..4 {
        stage.other_says(vec![alive(0, 0)]);
    }
    let outputs = stage.outputs();
    assert!(outputs.iter().any(|output| matches!(output, Output::Expelled)), "{outputs:?}");
    assert!(!stage.node.is_serving());
    stage.node.begin_again(Epoch(9), stage.now);
    let published = stage.published();
    assert_eq!(records(&published[0]), [Record::Hello { node: "n".into() }]);
    stage.reads(&published[0]);
    assert!(stage.node.is_serving());
    assert!(stage.published().is_empty(), "what was proposed before is void");
}

#[test]
fn what_is_missing_is_asked_for_and_read_in_order() {
    let mut stage = Stage::serving();
    let missing = stage.of_other(vec![Record::Hello { node: "m".into() }]);
    let late = stage.of_other(vec![say("x")]);
    stage.node.received(3, EntryKind::Message, late, stage.now);
    assert_eq!(stage.node.replica().position(), 1);
    stage.passes(1);
    let outputs = stage.outputs();
    assert!(matches!(outputs[..], [Output::Fetch { from: 2, until: 2 }]), "{outputs:?}");
    stage.node.received(2, EntryKind::Message, missing, stage.now);
    assert_eq!(stage.node.replica().position(), 3);
}

#[test]
fn nodes_that_differ_end() {
    let mut stage = Stage::serving();
    stage.other_says(vec![Record::Hello { node: "m".into() }]);
    let hash = stage.node.replica().hash();
    stage.other_says(vec![alive(2, hash)]);
    assert!(!stage.outputs().iter().any(|output| matches!(output, Output::Fatal(_))));
    stage.other_says(vec![alive(2, hash ^ 1)]);
    let fatal = Fatal::Diverged { node: OTHER.0, position: 2 };
    assert!(
        stage.outputs().iter().any(|output| matches!(output, Output::Fatal(it) if *it == fatal))
    );
}

#[test]
fn a_stream_that_was_replaced_or_shortened_ends_the_node() {
    let mut stage = Stage::serving();
    let other = stage.of_other(vec![]);
    stage.node.received(1, EntryKind::Message, other, stage.now);
    let fatal = stage.outputs();
    assert!(matches!(fatal[..], [Output::Fatal(Fatal::Replaced { position: 1 })]), "{fatal:?}");
    let mut stage = Stage::serving();
    stage.node.stream_begins(7);
    let fatal = stage.outputs();
    assert!(matches!(fatal[..], [Output::Fatal(Fatal::Deleted { position: 2 })]), "{fatal:?}");
}

#[test]
fn bye_is_the_last_record() {
    let mut stage = Stage::serving();
    stage.node.propose(say("a"), stage.now);
    stage.node.stop(0, stage.now);
    let first = stage.published();
    stage.reads(&first[0]);
    let bye = stage.published();
    assert_eq!(records(&bye[0]), [Record::Bye { at: 0 }]);
    stage.reads(&bye[0]);
    let outputs = stage.outputs();
    assert!(outputs.iter().any(|output| matches!(output, Output::Stopped)), "{outputs:?}");
}
