use super::*;

const A: MemberId = MemberId(1);
const B: MemberId = MemberId(2);
const C: MemberId = MemberId(3);
const LIFETIME: Duration = Duration::from_secs(120);

fn requests(pending_per_target: usize, rate: Option<Rate>) -> (Requests, Instant) {
    let limits = RequestLimits {
        lifetime: LIFETIME,
        pending_per_target,
        rate,
        address_rate: None,
        pair_rate: None,
    };
    (Requests::new(limits), Instant::now())
}

fn at(last: u8, id: MemberId) -> Party {
    let address: std::net::IpAddr = [192, 0, 2, last].into();
    Party { id, address: address.into() }
}

#[test]
fn one_address_does_not_crowd_out_another_one() {
    let (mut requests, now) = requests(10, None);
    for stranger in 10..20 {
        requests.ask(at(1, MemberId(stranger)), B, now).unwrap();
    }
    assert_eq!(requests.ask(at(1, C), B, now), Err(Ignored::TargetBusy));
    assert_eq!(requests.ask(at(2, A), B, now), Ok(()), "a friend from elsewhere");
    assert_eq!(requests.pending(), 10);
    assert_eq!(requests.accept(at(9, B), A, now), Ok(()));
    assert_eq!(requests.accept(at(9, B), MemberId(10), now), Ok(()), "the oldest one stays");
    assert_eq!(requests.accept(at(9, B), MemberId(19), now), Err(Ignored::NotPending));
}

#[test]
fn strangers_of_many_addresses_do_not_keep_a_friend_out() {
    let (mut requests, now) = requests(10, None);
    requests.ask(at(1, A), B, now).unwrap();
    requests.accept(at(2, B), A, now).unwrap();
    requests.forget(A);
    for stranger in 10..20 {
        requests.ask(at(stranger, MemberId(stranger.into())), B, now).unwrap();
    }
    assert_eq!(requests.ask(at(30, C), B, now), Err(Ignored::TargetBusy), "another stranger");
    let back = MemberId(4);
    assert_eq!(requests.ask(at(1, back), B, now), Ok(()), "the friend, back under a new id");
    assert_eq!(requests.pending(), 10);
    assert_eq!(
        requests.accept(at(2, B), MemberId(19), now),
        Err(Ignored::NotPending),
        "the newest"
    );
    let again = MemberId(5);
    assert_eq!(requests.ask(at(1, again), B, now), Err(Ignored::TargetBusy), "one place, not all");
    assert_eq!(requests.ask(at(31, C), B, now), Err(Ignored::TargetBusy));
    assert_eq!(requests.accept(at(2, B), back, now), Ok(()), "no stranger took it away");
}

#[test]
fn an_accepted_request_makes_friends_until_one_leaves() {
    let (mut requests, now) = requests(1, None);
    requests.ask(at(1, A), B, now).unwrap();
    requests.accept(at(2, B), A, now).unwrap();
    requests.offer_ports(A, B, now).unwrap();
    requests.ask(at(3, C), A, now).unwrap();
    assert_eq!(requests.ask(at(2, B), A, now), Ok(()), "instead of the stranger");
    requests.forget(A);
    requests.ask(at(3, C), A, now).unwrap();
    assert_eq!(requests.ask(at(2, B), A, now), Err(Ignored::TargetBusy));
}

#[test]
fn an_unanswered_request_frees_its_place_and_can_still_be_accepted() {
    let (mut requests, now) = requests(1, None);
    requests.ask(at(1, A), B, now).unwrap();
    let later = now + Duration::from_secs(29);
    assert_eq!(requests.ask(at(1, C), B, later), Err(Ignored::TargetBusy));
    let later = now + Duration::from_secs(30);
    assert_eq!(requests.ask(at(1, C), B, later), Ok(()));
    assert_eq!(requests.accept(at(9, B), A, later), Ok(()));
}

#[test]
fn asking_again_after_a_while_is_a_new_request() {
    for accepted in [false, true] {
        let (mut requests, now) = requests(10, None);
        requests.ask(at(1, A), B, now).unwrap();
        if accepted {
            requests.accept(at(9, B), A, now).unwrap();
        }
        let soon = now + Duration::from_secs(4);
        assert_eq!(requests.ask(at(1, A), B, soon), Err(Ignored::Repeated));
        let later = now + Duration::from_secs(5);
        assert_eq!(requests.ask(at(1, A), B, later), Ok(()), "declined and withdrawn");
        assert_eq!((requests.pending(), requests.accepted()), (1, 0));
        assert_eq!(requests.accept(at(9, B), A, later), Ok(()));
    }
}

#[test]
fn joining_asking_and_leaving_does_not_get_around_the_rate_of_the_address() {
    let mut requests = Requests::new(RequestLimits::new(&PrivateSettings::default()));
    let start = Instant::now();
    let mut admitted = 0;
    for number in 100..4600 {
        let now = start + Duration::from_millis(number * 10 / 45);
        admitted += u32::from(requests.ask(at(1, MemberId(number)), B, now).is_ok());
        requests.forget(MemberId(number));
    }
    assert!(admitted <= 11, "{admitted} requests in a second");
    assert_eq!(requests.ask(at(2, A), B, start), Ok(()), "others may ask");
    assert!(requests.pair_rates.len() <= 2 && requests.address_rates.len() <= 2);
}

#[test]
fn each_step_works_once_and_in_order() {
    let (mut requests, now) = requests(10, None);
    assert_eq!(requests.accept(at(9, B), A, now), Err(Ignored::NotPending));
    assert_eq!(requests.ask(at(1, A), B, now), Ok(()));
    assert_eq!(requests.offer_ports(A, B, now), Err(Ignored::NotAccepted));
    assert_eq!(requests.ask(at(1, A), B, now), Err(Ignored::Repeated));
    assert_eq!(
        requests.accept(at(9, A), B, now),
        Err(Ignored::NotPending),
        "not the other way round"
    );
    assert_eq!(requests.accept(at(9, B), A, now), Ok(()));
    assert_eq!(requests.accept(at(9, B), A, now), Err(Ignored::AlreadyAccepted));
    assert_eq!((requests.pending(), requests.accepted()), (1, 1));
    assert_eq!(requests.offer_ports(B, A, now), Err(Ignored::NotPending));
    assert_eq!(requests.offer_ports(A, B, now), Ok(()));
    assert_eq!(requests.offer_ports(A, B, now), Err(Ignored::NotPending));
    assert_eq!((requests.pending(), requests.accepted()), (0, 0));
    assert_eq!(requests.ask(at(1, A), B, now), Ok(()), "a new request after the old one is done");
}

#[test]
fn no_one_requests_a_session_with_oneself() {
    let (mut requests, now) = requests(10, None);
    assert_eq!(requests.ask(at(1, A), A, now), Err(Ignored::Oneself));
}

#[test]
fn both_may_ask_and_each_request_stands_alone() {
    let (mut requests, now) = requests(10, None);
    requests.ask(at(1, A), B, now).unwrap();
    requests.ask(at(1, B), A, now).unwrap();
    requests.accept(at(9, B), A, now).unwrap();
    requests.offer_ports(A, B, now).unwrap();
    assert_eq!(requests.offer_ports(B, A, now), Err(Ignored::NotAccepted));
    assert_eq!(requests.accept(at(9, A), B, now), Ok(()));
}

#[test]
fn a_request_dies_with_either_client_at_every_step() {
    for leaver in [A, B] {
        for steps in 1..=2 {
            let (mut requests, now) = requests(10, None);
            requests.ask(at(1, A), B, now).unwrap();
            if steps == 2 {
                requests.accept(at(9, B), A, now).unwrap();
            }
            requests.forget(leaver);
            assert_eq!(requests.accept(at(9, B), A, now), Err(Ignored::NotPending));
            assert_eq!(requests.offer_ports(A, B, now), Err(Ignored::NotPending));
            assert!(requests.by_source.is_empty() && requests.by_target.is_empty());
        }
    }
}

#[test]
fn a_request_dies_after_its_time_and_a_new_one_lives_its_own() {
    let (mut requests, now) = requests(10, None);
    requests.ask(at(1, A), B, now).unwrap();
    assert_eq!(requests.accept(at(9, B), A, now + LIFETIME), Err(Ignored::NotPending));
    requests.ask(at(1, A), B, now + LIFETIME).unwrap();
    requests.accept(at(9, B), A, now + LIFETIME).unwrap();
    assert_eq!(requests.offer_ports(A, B, now + 2 * LIFETIME), Err(Ignored::NotPending));
}

#[test]
fn an_old_expiry_does_not_end_a_newer_request() {
    let (mut requests, now) = requests(10, None);
    let half = LIFETIME / 2;
    requests.ask(at(1, C), B, now + half).unwrap();
    requests.ask(at(1, A), B, now).unwrap();
    requests.forget(A);
    requests.ask(at(1, A), B, now + half).unwrap();
    assert_eq!(requests.accept(at(9, B), A, now + LIFETIME), Ok(()));
}

#[test]
fn a_shorter_lifetime_holds_for_requests_made_after_it_was_set() {
    let (mut requests, now) = requests(10, None);
    requests.ask(at(1, A), B, now).unwrap();
    let limits = RequestLimits { lifetime: LIFETIME / 10, ..requests.limits };
    requests.set_limits(limits);
    requests.ask(at(1, C), B, now).unwrap();
    assert_eq!(requests.accept(at(9, B), C, now + LIFETIME / 10), Err(Ignored::NotPending));
    assert_eq!(requests.accept(at(9, B), A, now + LIFETIME / 10), Ok(()), "keeps the one it had");
}

#[test]
fn finished_requests_are_forgotten_while_others_wait() {
    let (mut requests, now) = requests(10, None);
    requests.ask(at(1, C), B, now).unwrap();
    for _ in 0..100 {
        requests.ask(at(1, A), B, now).unwrap();
        requests.accept(at(9, B), A, now).unwrap();
        requests.offer_ports(A, B, now).unwrap();
    }
    assert_eq!((requests.pending(), requests.expiries.len()), (1, 1));
}

#[test]
fn pending_requests_of_a_target_are_bounded() {
    let (mut requests, now) = requests(1, None);
    requests.ask(at(1, A), B, now).unwrap();
    assert_eq!(requests.ask(at(1, C), B, now), Err(Ignored::TargetBusy));
    assert_eq!(requests.ask(at(1, C), A, now), Ok(()));
}

#[test]
fn a_sender_asks_so_often_and_no_oftener() {
    let (mut requests, now) = requests(10, Rate::new(1, Duration::from_secs(60), 1));
    assert_eq!(requests.ask(at(1, A), B, now), Ok(()));
    assert_eq!(requests.ask(at(1, A), C, now), Err(Ignored::TooOften));
    assert_eq!(requests.ask(at(1, A), C, now + Duration::from_secs(60)), Ok(()));
}
