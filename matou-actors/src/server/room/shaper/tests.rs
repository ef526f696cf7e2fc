use std::net::IpAddr;

use super::*;
use crate::protocol::{MessageText, Username};
use crate::server::ids::{ConnectionId, Route};
use crate::server::settings::Limits;

const SECOND: Duration = Duration::from_secs(1);

/// A run of `texts` messages of 100 bytes each, from a client of 192.0.2.`host`.
fn run(host: u8, client: u64, texts: usize) -> Publish {
    let text = MessageText::parse(&"x".repeat(100)).unwrap();
    Publish {
        route: Route { shard: 0, id: ConnectionId(client) },
        from: Username::parse("x").unwrap(),
        address: IpAddr::from([192, 0, 2, host]).into(),
        texts: vec![text; texts],
        action: false,
        at: Instant::now(),
        resumes: true,
    }
}

/// The frame of such a message: type, two sizes, name and text.
const FRAME: u32 = 4 + 4 + 1 + 4 + 100;

fn shaper(change: impl FnOnce(&mut Limits)) -> Shaper {
    Shaper::new(rates(change))
}

fn rates(change: impl FnOnce(&mut Limits)) -> RoomRates {
    let mut limits = Limits {
        messages_per_second: 0,
        bytes_per_second: 0,
        room_bytes_per_second: 0,
        ..Limits::default()
    };
    change(&mut limits);
    RoomRates::new(&limits)
}

/// Ten messages a second and address, and ten at once.
fn ten_messages(limits: &mut Limits) {
    (limits.messages_per_second, limits.message_burst, limits.rates_per_address) = (5, 5, 2);
}

/// Ten messages a second in all, and ten at once.
fn ten_in_all(limits: &mut Limits) {
    limits.room_bytes_per_second = 10 * (FRAME + 64);
    limits.room_byte_burst = limits.room_bytes_per_second;
}

/// The members admitted by `until`, when asked at each time that the shaper names.
fn admitted(shaper: &mut Shaper, mut now: Instant, until: Instant) -> Vec<u64> {
    let mut admitted = Vec::new();
    loop {
        while let Some(said) = shaper.next(now) {
            admitted.push(said.route.id.0);
        }
        match shaper.next_at(now).filter(|&at| at <= until) {
            Some(at) => {
                assert!(at > now, "nothing is ready now");
                now = at;
            }
            None => return admitted,
        }
    }
}

#[test]
fn the_clients_of_an_address_share_its_rates() {
    let (mut shaper, now) = (shaper(ten_messages), Instant::now());
    for client in 0..=10 {
        assert!(shaper.admit(run(1, client, 1), now).is_ok(), "the burst and one over it");
    }
    for client in 11..40 {
        assert_eq!(shaper.admit(run(1, client, 1), now).err(), Some(Limit::Address));
    }
    assert!(shaper.admit(run(2, 99, 1), now).is_ok(), "another address does not wait");
    let within = (1..=10).map(|tenths| now + tenths * SECOND / 10);
    for (client, at) in (11..).zip(within) {
        assert_eq!(admitted(&mut shaper, now, at), [client], "one in a tenth of a second");
    }
    assert_eq!(admitted(&mut shaper, now, now + 10 * SECOND).len(), 19);
    assert_eq!(shaper.next_at(now), None);
}

#[test]
fn bytes_count_as_the_others_read_them() {
    let limits = |limits: &mut Limits| {
        (limits.bytes_per_second, limits.byte_burst) = (FRAME, FRAME);
        limits.rates_per_address = 1;
    };
    let (mut shaper, now) = (shaper(limits), Instant::now());
    assert!(shaper.admit(run(1, 1, 3), now).is_ok(), "the burst lets a whole run in");
    assert!(shaper.admit(run(1, 2, 1), now).is_err());
    let rests = shaper.next_at(now).unwrap() - now;
    assert_eq!(rests.as_millis(), 1999, "three seconds for three messages, but for the burst");
}

#[test]
fn one_address_that_floods_does_not_keep_the_others_out_of_the_room() {
    let (mut shaper, now) = (shaper(ten_in_all), Instant::now());
    assert!(shaper.admit(run(1, 0, 20), now).is_ok());
    for client in 1..1000 {
        assert_eq!(shaper.admit(run(1, client, 20), now).err(), Some(Limit::Room));
    }
    assert!(shaper.admit(run(2, 5000, 1), now).is_err());
    let first = admitted(&mut shaper, now, now + SECOND * 7 / 5);
    assert_eq!(first, [5000, 1], "it waits for what is in already, not for what waits");
    // As long as both have something, each gets half.
    let mut served = [0, 0];
    let mut at = now + SECOND;
    while served[1] < 200 {
        let _ = shaper.admit(run(2, 5000, 1), at);
        at = shaper.next_at(at).unwrap().max(at);
        while let Some(said) = shaper.next(at) {
            served[usize::from(said.route.id.0 == 5000)] += said.texts.len();
            if said.route.id.0 == 5000 {
                let _ = shaper.admit(run(2, 5000, 1), at);
            }
        }
    }
    assert!(served[0].abs_diff(served[1]) <= 40, "{served:?}");
}

#[test]
fn a_client_that_says_little_hardly_waits_while_many_addresses_flood() {
    let (mut shaper, mut now) = (shaper(ten_in_all), Instant::now());
    for host in 0..60 {
        for client in 0..10 {
            let _ = shaper.admit(run(host, u64::from(host) * 10 + client, 20), now);
        }
    }
    let mut waited = None;
    for round in 0..6000 {
        now = shaper.next_at(now).unwrap();
        // A sixtieth of what is said is a message in fifteen times four.
        if round % 16 == 15 && waited.is_none() {
            let _ = shaper.admit(run(99, 5000, 1), now);
            waited = Some(0);
        }
        let next = shaper.next(now).unwrap();
        if next.route.id.0 == 5000 {
            waited = None;
        } else {
            waited = waited.map(|pieces| pieces + 1);
            assert!(waited.is_none_or(|pieces| pieces <= 16), "{round}");
            if next.resumes {
                let host = u8::try_from(next.route.id.0 / 10).unwrap();
                let _ = shaper.admit(run(host, next.route.id.0, 20), now);
            }
        }
    }
}

#[test]
fn a_quiet_client_hardly_waits_for_others_of_its_address() {
    let (mut shaper, now) = (shaper(ten_messages), Instant::now());
    for client in 0..1000 {
        let _ = shaper.admit(run(1, client, 20), now);
    }
    let _ = shaper.admit(run(1, 5000, 1), now);
    let first = admitted(&mut shaper, now, now + 2 * SECOND);
    assert_eq!(first.first(), Some(&5000), "{first:?}");
}

#[test]
fn the_rate_of_the_room_holds_however_many_addresses_there_are() {
    let (mut shaper, now) = (shaper(ten_in_all), Instant::now());
    let mut at_once = 0;
    for host in 0..200 {
        at_once += usize::from(shaper.admit(run(host, host.into(), 1), now).is_ok());
    }
    assert_eq!(at_once, 11, "the burst, and the one that exceeds it");
    let later = admitted(&mut shaper, now, now + 10 * SECOND).len();
    assert!((99..=101).contains(&later), "{later} in ten seconds");
}

#[test]
fn runs_that_wait_enter_piece_by_piece_in_turn_and_only_the_last_piece_resumes() {
    let (mut shaper, now) = (shaper(ten_messages), Instant::now());
    for client in 0..3 {
        let _ = shaper.admit(run(1, client, 11), now);
    }
    let later = now + 60 * SECOND;
    let mut entered = Vec::new();
    while let Some(at) = shaper.next_at(now).filter(|at| *at < later) {
        let said = shaper.next(at).unwrap();
        entered.push((said.route.id.0, said.texts.len(), said.resumes));
    }
    let pieces = [(4, false), (4, false), (3, true)];
    let in_turn = pieces.into_iter().flat_map(|(texts, last)| [(1, texts, last), (2, texts, last)]);
    assert_eq!(entered, in_turn.collect::<Vec<_>>());
}

#[test]
fn waiting_messages_of_a_departed_member_are_dropped() {
    let (mut shaper, now) = (shaper(ten_messages), Instant::now());
    for client in 0..14 {
        let _ = shaper.admit(run(1, client, 1), now);
    }
    for client in [11, 12] {
        shaper.forget(ConnectionId(client).into());
    }
    assert_eq!(admitted(&mut shaper, now, now + 10 * SECOND), [13]);
    let _ = shaper.admit(run(1, 14, 20), now + 10 * SECOND);
    let _ = shaper.admit(run(1, 15, 1), now + 10 * SECOND);
    shaper.forget(ConnectionId(15).into());
    assert_eq!(admitted(&mut shaper, now, now + 60 * SECOND), [] as [u64; 0]);
    assert!(shaper.waiting.is_empty() && shaper.resting.is_empty() && shaper.ready.is_empty());
    assert!(shaper.admit(run(1, 16, 1), now + 60 * SECOND).is_ok(), "others are not affected");
}

#[test]
fn new_rates_apply_to_waiting_messages() {
    let (mut shaper, now) = (shaper(ten_messages), Instant::now());
    for client in 0..40 {
        let _ = shaper.admit(run(1, client, 1), now);
    }
    shaper.set_rates(
        rates(|limits| {
            ten_messages(limits);
            limits.messages_per_second = 50;
        }),
        now,
    );
    assert_eq!(admitted(&mut shaper, now, now + SECOND / 10).len(), 10);
    shaper.set_rates(RoomRates::default(), now + SECOND / 10);
    let at_once = std::iter::from_fn(|| shaper.next(now + SECOND / 10)).count();
    assert_eq!((at_once, shaper.next_at(now)), (19, None));
}

#[test]
fn addresses_with_a_full_budget_are_forgotten() {
    let (mut shaper, now) = (shaper(ten_messages), Instant::now());
    for number in 0..10_000_u32 {
        let said = Publish {
            address: IpAddr::from(number.to_be_bytes()).into(),
            ..run(0, number.into(), 1)
        };
        assert!(shaper.admit(said, now + number * SECOND / 100).is_ok());
        assert!(shaper.sources.len() <= 128, "a message is forgotten after a tenth of a second");
    }
}

#[test]
fn by_default_two_forties_talk_behind_one_address_without_waiting() {
    let (mut shaper, now) = (Shaper::new(RoomRates::new(&Limits::default())), Instant::now());
    for second in 0..60 {
        for client in 0..80 {
            // Each says something every other second, and all at the same moment.
            if second % 2 == client % 2 {
                assert!(
                    shaper
                        .admit(run(1, client, 1), now + SECOND * second.try_into().unwrap())
                        .is_ok()
                );
            }
        }
    }
}

#[test]
fn random_walks_lose_nothing_exceed_no_rate_and_end_empty() {
    for seed in 0..30 {
        let mut random = fastrand::Rng::with_seed(seed);
        let with_rates = |limits: &mut Limits| {
            ten_messages(limits);
            ten_in_all(limits);
            limits.room_bytes_per_second *= 3;
        };
        let (mut shaper, start) = (shaper(with_rates), Instant::now());
        // How much of the run of each has not entered yet.
        let (mut now, mut left) = (start, vec![0; 40]);
        let mut entered = 0;
        for _ in 0..3000 {
            let client = random.usize(0..left.len());
            let left_of_it = &mut left[client];
            let member = u64::try_from(client).unwrap();
            let host = u8::try_from(client % 7).unwrap();
            match random.u8(0..10) {
                0..=4 if *left_of_it == 0 => {
                    let texts = random.usize(1..12);
                    match shaper.admit(run(host, member, texts), now) {
                        Ok(said) => entered += said.texts.len(),
                        Err(_) => *left_of_it = texts,
                    }
                }
                5 => {
                    shaper.forget(ConnectionId(member).into());
                    *left_of_it = 0;
                }
                6 => now += Duration::from_millis(random.u64(0..400)),
                _ => {
                    if let Some(said) = shaper.next(now) {
                        let left = &mut left[usize::try_from(said.route.id.0).unwrap()];
                        assert!(said.texts.len() <= *left, "of a client that waits");
                        *left -= said.texts.len();
                        assert_eq!(said.resumes, *left == 0);
                        entered += said.texts.len();
                    }
                }
            }
            // A burst of ten, 30 a second, and a run that exceeds it.
            let most = 10 + 30 * usize::try_from((now - start).as_millis()).unwrap() / 1000 + 12;
            assert!(entered <= most, "{entered} instead of {most}");
        }
        while let Some(at) = shaper.next_at(now) {
            now = at.max(now);
            while let Some(said) = shaper.next(now) {
                left[usize::try_from(said.route.id.0).unwrap()] -= said.texts.len();
            }
        }
        assert!(left.iter().all(|left| *left == 0), "everything has entered");
        assert!(shaper.waiting.is_empty());
        assert!(shaper.sources.values().all(|source| !source.is_scheduled));
    }
}
