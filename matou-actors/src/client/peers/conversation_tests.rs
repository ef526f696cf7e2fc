use crate::client::ids::{RequestId, SessionNumber, TransferId};
use crate::client::peers::conversation::Conversation;
use crate::client::peers::outcome::{Item, Opened, Pursuit, Remains, Requested};
use crate::protocol::{MessageText, Username};

const A: SessionNumber = SessionNumber(1);
const B: SessionNumber = SessionNumber(2);

fn bob() -> Conversation {
    Conversation::new(Username::parse("bob").unwrap())
}

fn text(text: &str) -> Item {
    Item::Text(MessageText::parse(text).unwrap().into())
}

#[test]
fn waiting_items_are_delivered_in_order_once_the_session_opens() {
    let mut bob = bob();
    assert_eq!(bob.pursue(RequestId(1)), Pursuit::Ask);
    let items = [text("one"), Item::File(TransferId(1)), text("two")];
    for item in items.clone() {
        bob.wait(item).unwrap();
        assert_eq!(bob.pursue(RequestId(2)), Pursuit::Pending);
    }
    assert!(bob.peer_accepted(A));
    assert_eq!(bob.opened(A), Opened::First);
    assert_eq!(bob.take_waiting(), items);
    assert_eq!(bob.pursue(RequestId(3)), Pursuit::Open);
}

#[test]
fn no_session_is_set_up_unless_the_user_wanted_it() {
    let mut bob = bob();
    assert!(!bob.peer_accepted(A), "PVCOESTASRC without a request of the own");
    assert!(!bob.peer_listening(A), "PVCOESTADST without an accepted request");
    assert_eq!(bob.requested(RequestId(1)), Requested::Undecided);
    assert!(!bob.peer_listening(A), "PVCOESTADST for a request that waits for the user");
    assert!(bob.decline());
    assert!(!bob.peer_listening(A), "PVCOESTADST for a declined request");
    assert_eq!(bob.pursue(RequestId(2)), Pursuit::Ask);
    assert!(!bob.peer_listening(A), "PVCOESTADST while the own request waits");
}

#[test]
fn each_tuple_works_once() {
    let mut bob = bob();
    bob.pursue(RequestId(1));
    assert!(bob.peer_accepted(A) && !bob.peer_accepted(B));
    let mut bob = self::bob();
    bob.requested(RequestId(1));
    assert!(bob.accept(RequestId(2)) && !bob.accept(RequestId(3)));
    assert!(bob.peer_listening(A) && !bob.peer_listening(B));
}

#[test]
fn requests_that_cross_are_both_wanted_and_the_first_session_is_talked_on() {
    let mut bob = bob();
    bob.pursue(RequestId(1));
    assert_eq!(bob.requested(RequestId(2)), Requested::Wanted);
    assert_eq!(bob.requested(RequestId(3)), Requested::Repeat);
    assert!(bob.peer_listening(A) && bob.peer_accepted(B));
    assert_eq!(bob.opened(A), Opened::First);
    assert_eq!(bob.opened(B), Opened::Another);
    assert_eq!(bob.sessions(), [A, B]);
    assert_eq!(bob.ended(A), Remains::More);
    assert_eq!(bob.ended(B), Remains::Over(Vec::new()));
    assert!(bob.is_idle());
}

#[test]
fn a_session_that_is_asked_for_later_is_talked_on() {
    let mut bob = bob();
    bob.pursue(RequestId(1));
    bob.peer_accepted(A);
    bob.opened(A);
    assert_eq!(bob.requested(RequestId(2)), Requested::Wanted, "they talk already");
    bob.peer_listening(B);
    bob.opened(B);
    assert_eq!(bob.sessions(), [B, A]);
}

#[test]
fn opening_a_session_with_a_user_who_asked_accepts_their_request() {
    let mut bob = bob();
    bob.requested(RequestId(1));
    assert_eq!(bob.pursue(RequestId(2)), Pursuit::Accept);
    assert_eq!(bob.expired(RequestId(1)), Remains::Nothing, "the old limit is void");
    assert_eq!(bob.expired(RequestId(2)), Remains::Over(Vec::new()));
}

#[test]
fn undeliverable_items_are_handed_back() {
    for end in [Conversation::unreachable, |bob: &mut Conversation| bob.expired(RequestId(1))] {
        let mut bob = bob();
        bob.pursue(RequestId(1));
        bob.wait(text("hi")).unwrap();
        assert_eq!(end(&mut bob), Remains::Over(vec![text("hi")]));
        assert!(bob.is_idle());
    }
    let mut bob = bob();
    bob.pursue(RequestId(1));
    bob.wait(text("hi")).unwrap();
    bob.peer_accepted(A);
    assert_eq!(bob.unreachable(), Remains::Nothing, "the tuples are exchanged already");
    assert_eq!(bob.ended(A), Remains::Over(vec![text("hi")]));
}

#[test]
fn an_open_session_does_not_depend_on_the_roster() {
    let mut bob = bob();
    bob.pursue(RequestId(1));
    bob.peer_accepted(A);
    bob.opened(A);
    assert_eq!(bob.unreachable(), Remains::Nothing);
    assert_eq!(bob.sessions(), [A]);
}

#[test]
fn closing_ends_attempts_too() {
    let mut bob = bob();
    bob.pursue(RequestId(1));
    bob.requested(RequestId(2));
    bob.peer_accepted(A);
    bob.peer_listening(B);
    bob.wait(text("hi")).unwrap();
    assert_eq!(bob.close(), Some((vec![A, B], vec![text("hi")])));
    assert!(bob.is_idle());
    assert_eq!(bob.ended(A), Remains::Nothing);
}

#[test]
fn closing_nothing_leaves_a_request_to_the_user() {
    let mut bob = bob();
    assert_eq!(bob.requested(RequestId(1)), Requested::Undecided);
    assert_eq!(bob.close(), None);
    assert!(bob.accept(RequestId(2)), "it still waits");
}

#[test]
fn closing_a_session_leaves_a_request_beside_it_to_the_user() {
    let mut bob = bob();
    bob.pursue(RequestId(1));
    bob.peer_accepted(A);
    bob.opened(A);
    bob.unreachable(); // The next to ask may be another bob.
    assert_eq!(bob.requested(RequestId(2)), Requested::Undecided);
    assert_eq!(bob.close(), Some((vec![A], vec![])));
    assert_eq!(bob.ended(A), Remains::Nothing);
    assert!(bob.accept(RequestId(3)), "it still waits");
}

#[test]
fn items_for_a_further_session_are_handed_back_if_none_opens() {
    let mut bob = bob();
    bob.pursue(RequestId(1));
    assert!(bob.peer_accepted(A));
    assert_eq!(bob.opened(A), Opened::First);
    let file = Item::File(TransferId(1));
    bob.wait(file.clone()).unwrap();
    assert_eq!(bob.pursue_another(RequestId(2)), Pursuit::Ask);
    assert_eq!(bob.expired(RequestId(2)), Remains::Undelivered(vec![file]));
    assert!(!bob.has_waiting() && bob.sessions() == [A]);
}

#[test]
fn the_new_owner_of_a_released_name_is_another_person() {
    let mut bob = bob();
    bob.pursue(RequestId(1));
    assert!(bob.peer_accepted(A));
    assert_eq!(bob.opened(A), Opened::First);
    assert_eq!(bob.requested(RequestId(2)), Requested::Wanted, "bob himself");
    bob.expired(RequestId(2));
    bob.unreachable();
    assert!(bob.is_given_up());
    assert_eq!(bob.requested(RequestId(3)), Requested::Undecided);
    assert_eq!(bob.sessions(), [A]);
    assert!(bob.accept(RequestId(4)) && bob.peer_listening(B));
    bob.wait(text("to the former one")).unwrap();
    let waiting = vec![text("to the former one")];
    assert_eq!(bob.opened(B), Opened::Renewed { former: vec![A], waiting });
    assert_eq!(bob.sessions(), [B]);
    assert_eq!(bob.requested(RequestId(5)), Requested::Wanted);
}

#[test]
fn an_attempt_from_before_does_not_make_the_new_owner_known() {
    let mut bob = bob();
    bob.pursue(RequestId(1));
    assert!(bob.peer_accepted(A));
    bob.unreachable();
    assert_eq!(
        bob.requested(RequestId(2)),
        Requested::Undecided,
        "although the user waits for bob"
    );
    assert_eq!(bob.opened(A), Opened::First);
    assert!(bob.is_given_up());
    assert!(bob.accept(RequestId(3)) && bob.peer_listening(B));
    assert!(matches!(bob.opened(B), Opened::Renewed { .. }));
}

#[test]
fn a_late_session_with_the_former_owner_of_a_name_does_not_open() {
    let mut bob = bob();
    bob.pursue(RequestId(1));
    assert!(bob.peer_accepted(A));
    bob.unreachable();
    bob.requested(RequestId(2));
    assert!(bob.accept(RequestId(3)) && bob.peer_listening(B));
    assert!(matches!(bob.opened(B), Opened::Renewed { .. }));
    let late = text("said meanwhile");
    bob.wait(late.clone()).unwrap();
    assert_eq!(bob.opened(A), Opened::Late);
    assert_eq!(bob.sessions(), [B]);
    assert_eq!(bob.ended(A), Remains::Undelivered(vec![late]), "it waited for that attempt");
}

#[test]
fn requests_that_crossed_before_do_not_put_a_new_owner_behind_the_former_one() {
    let mut bob = bob();
    bob.pursue(RequestId(1));
    bob.requested(RequestId(2));
    assert!(bob.peer_accepted(A));
    assert_eq!(bob.opened(A), Opened::First);
    bob.unreachable();
    bob.requested(RequestId(3));
    assert!(bob.accept(RequestId(4)) && bob.peer_listening(B));
    assert!(matches!(bob.opened(B), Opened::Renewed { .. }));
    assert_eq!(bob.sessions(), [B]);
}

#[test]
fn a_peer_does_not_open_sessions_without_end() {
    let mut bob = bob();
    bob.pursue(RequestId(1));
    assert!(bob.peer_accepted(SessionNumber(1)));
    assert_eq!(bob.opened(SessionNumber(1)), Opened::First);
    for number in 2..=8 {
        assert_eq!(bob.requested(RequestId(number)), Requested::Wanted);
        assert!(bob.peer_listening(SessionNumber(number)));
        bob.opened(SessionNumber(number));
    }
    assert_eq!(bob.requested(RequestId(9)), Requested::Undecided);
}

#[test]
fn a_name_that_was_given_up_twice_had_three_owners() {
    let mut bob = bob();
    bob.pursue(RequestId(1));
    assert!(bob.peer_accepted(A));
    assert_eq!(bob.opened(A), Opened::First);
    bob.unreachable();
    bob.requested(RequestId(2));
    assert!(bob.accept(RequestId(3)) && bob.peer_listening(B));
    bob.unreachable();
    let opened = bob.opened(B);
    assert_eq!(opened, Opened::Renewed { former: vec![A], waiting: Vec::new() });
    assert_eq!(bob.requested(RequestId(4)), Requested::Undecided, "the third one");
}
