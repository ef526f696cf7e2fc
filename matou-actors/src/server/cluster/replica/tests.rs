use super::*;

const A: Epoch = Epoch(1);
const B: Epoch = Epoch(2);

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn join(member: u64, text: &str, key: Option<u8>) -> Record {
    let name = name(text);
    Record::Join(Box::new(Join {
        member: MemberId(member),
        forms: crate::server::registry::names::NameForms::of(&name),
        name,
        key: key.map(|byte| PublicKey([byte; 32])),
        at: 5,
    }))
}

fn leave(member: u64) -> Record {
    Record::Leave { member: MemberId(member), reason: LeaveReason::SignedOut, at: 6 }
}

fn not_here(from: Epoch, member: u64) -> Effect {
    Effect::NotHere { from, member: MemberId(member), reason: LeaveReason::SignedOut }
}

fn say(from: &str, texts: &[&str]) -> Record {
    let texts = texts.iter().map(|text| MessageText::parse(text).unwrap()).collect();
    Record::Say { from: name(from), texts, action: false, at: 7 }
}

fn alive() -> Record {
    Record::Alive { position: 0, hash: 0, at: 9 }
}

/// Two nodes in a stream.
struct Room {
    replica: Replica,
    numbers: BTreeMap<Epoch, u64>,
}

impl Room {
    fn new() -> Self {
        let mut room = Self { replica: Replica::default(), numbers: BTreeMap::new() };
        for epoch in [A, B] {
            room.publish(epoch, vec![Record::Hello { node: "n".into() }]);
        }
        room
    }

    fn publish(&mut self, from: Epoch, records: Vec<Record>) -> Vec<Effect> {
        let number = self.numbers.entry(from).or_default();
        *number += 1;
        let message = Message { from, number: *number, records };
        self.replica.apply(b"bytes", message)
    }
}

#[test]
fn the_first_join_in_the_stream_gets_the_name() {
    let mut room = Room::new();
    let joined = room.publish(A, vec![join(1, "Ann", None)]);
    assert!(matches!(joined[..], [Effect::Joined { sequence: 0, replaces: None, .. }]));
    // Cyrillic а and н look like a and h; ANN is the same name in capitals.
    for (member, like) in [(2, "Ann"), (3, "ANN"), (4, "Аnn")] {
        let refused = room.publish(B, vec![join(member, like, None)]);
        assert_eq!(refused, [Effect::Refused { from: B, member: MemberId(member) }], "{like}");
    }
    room.publish(A, vec![leave(1)]);
    let joined = room.publish(B, vec![join(5, "ann", None)]);
    assert!(matches!(joined[..], [Effect::Joined { sequence: 2, .. }]));
}

#[test]
fn the_same_user_takes_over_from_another_node_without_an_event() {
    let mut room = Room::new();
    room.publish(A, vec![join(1, "Ann", Some(7))]);
    let refused = room.publish(B, vec![join(2, "Ann", Some(8))]);
    assert!(matches!(refused[..], [Effect::Refused { .. }]), "another key");
    let joined = room.publish(B, vec![join(3, "Ann", Some(7)), say("Ann", &["a", "b"])]);
    let [
        Effect::Joined { replaces: Some(MemberId(1)), sequence: 1, .. },
        Effect::Said { sequence: 1, .. },
    ] = joined[..]
    else {
        panic!("{joined:?}")
    };
    assert_eq!(room.publish(A, vec![leave(1)]), [not_here(A, 1)]);
    assert_eq!(room.replica.events(), 3);
}

#[test]
fn a_node_takes_out_its_own_members_only() {
    let mut room = Room::new();
    room.publish(A, vec![join(1, "Ann", None)]);
    assert_eq!(room.publish(B, vec![leave(1)]), [not_here(B, 1)]);
}

#[test]
fn the_members_of_a_node_that_is_gone_have_left_and_its_later_messages_do_not_count() {
    let mut room = Room::new();
    room.publish(A, vec![join(1, "Ann", None), join(2, "Al", None)]);
    for _ in 0..3 {
        let changes = room.publish(B, vec![alive()]);
        assert!(matches!(changes[..], [Effect::Hash { .. }]));
    }
    let gone = room.publish(B, vec![alive()]);
    let left = |member, sequence| Effect::Left {
        from: None,
        member: MemberId(member),
        reason: LeaveReason::ConnectionLost,
        sequence,
        at: 9,
    };
    assert_eq!(gone[1..], [left(1, 2), left(2, 3), Effect::Gone { node: A }]);
    assert_eq!(room.publish(A, vec![say("Ann", &["late"])]), []);
    assert_eq!(room.replica.events(), 4);
}

#[test]
fn bye_lets_the_members_leave_at_once() {
    let mut room = Room::new();
    room.publish(A, vec![join(1, "Ann", None)]);
    let gone = room.publish(A, vec![Record::Bye { at: 8 }]);
    assert!(matches!(gone[..], [Effect::Left { from: None, at: 8, .. }, Effect::Gone { node: A }]));
    let joined = room.publish(B, vec![join(9, "Ann", None)]);
    assert!(matches!(joined[..], [Effect::Joined { .. }]));
}

#[test]
fn a_message_published_twice_counts_once() {
    let mut room = Room::new();
    room.publish(A, vec![join(1, "Ann", None)]);
    let message = Message { from: A, number: 2, records: vec![say("Ann", &["again"])] };
    assert_eq!(room.replica.apply(b"bytes", message), []);
}

#[test]
fn a_node_that_starts_from_a_roster_has_what_the_others_have() {
    let mut room = Room::new();
    for member in 0..4_500 {
        room.publish(A, vec![join(member, &format!("n{member}"), None)]);
    }
    room.publish(B, vec![join(1 << 40, "Bea", Some(1)), say("Bea", &["x"])]);
    let (roster, parts) = room.replica.roster();
    assert_eq!(parts.len(), 3);
    let mut late = Replica::restored(roster, parts, 4_444);
    let next = |replica: &mut Replica| {
        let records = vec![join(7_777, "BEA", None), leave(3), say("Bea", &["y"])];
        replica.apply(b"next", Message { from: A, number: 4_502, records })
    };
    let changes = next(&mut late);
    assert!(matches!(changes[0], Effect::Refused { .. }));
    assert_eq!(changes, next(&mut room.replica));
    let facts = |it: &Replica| (it.position(), it.hash(), it.events(), it.members().count());
    assert_eq!(facts(&late), facts(&room.replica));
    assert_eq!(late.nodes(), room.replica.nodes());
}

#[test]
fn a_roster_is_due_after_a_number_of_messages() {
    let mut room = Room::new();
    let mut due = 0;
    for message in 3..=2 * ROSTER_EVERY {
        let changes = room.publish(A, vec![]);
        if changes == [Effect::RosterDue { by: A }] {
            due += 1;
            assert!(message.is_multiple_of(ROSTER_EVERY), "{message}");
        }
    }
    assert_eq!(due, 2, "one that was not written is due again");
    room.replica.pass(b"roster", true);
    assert_eq!(room.publish(B, vec![]), []);
}

#[test]
fn the_topic_has_its_place_among_the_events_and_is_in_the_roster() {
    let mut room = Room::new();
    let topic = MessageText::parse("Be kind.").ok();
    room.publish(A, vec![say("ann", &["one"])]);
    let set = room.publish(B, vec![Record::Topic { topic: topic.clone(), at: 8 }]);
    assert_eq!(set, [Effect::Topic { from: B, topic: topic.clone(), sequence: 1, at: 8 }]);
    let (roster, parts) = room.replica.roster();
    let restored = Replica::restored(roster, parts, 9);
    assert_eq!((restored.topic(), restored.events()), (topic.as_ref(), 2));
    room.publish(A, vec![Record::Topic { topic: None, at: 9 }]);
    assert_eq!(room.replica.topic(), None);
}
