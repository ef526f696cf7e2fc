use super::*;

fn at(second: i64) -> Moment {
    Moment::at(second)
}

fn ban(text: &str, until: Option<i64>) -> Ban {
    let (network, until) = (network(text).ok(), until.map(|second| at(second).wall));
    Ban { network, name: None, key: None, until, reason: String::new() }
}

fn bans(texts: &[&str]) -> Bans {
    let mut bans = Bans::default();
    for text in texts {
        bans.add(ban(text, None), at(0)).unwrap();
    }
    bans
}

fn many(count: usize) -> impl Iterator<Item = Ban> {
    let addresses = (0..u32::try_from(count).unwrap()).map(std::net::Ipv4Addr::from_bits);
    addresses.map(|address| ban(&address.to_string(), None))
}

#[test]
fn an_address_is_banned_by_itself_and_by_its_networks() {
    let bans = bans(&["192.0.2.7", "198.51.100.0/24", "2001:db8:0:1::/64"]);
    let banned = |address: &str| bans.is_banned(address.parse().unwrap(), at(0));
    for address in ["192.0.2.7", "198.51.100.0", "198.51.100.255", "2001:db8:0:1::9"] {
        assert!(banned(address), "{address}");
    }
    for address in ["192.0.2.8", "198.51.101.0", "2001:db8:0:2::9", "::1", "::c000:207"] {
        assert!(!banned(address), "{address}");
    }
}

#[test]
fn a_ban_ends_at_its_time() {
    let mut bans = Bans::default();
    bans.add(ban("192.0.2.7", Some(10)), at(0)).unwrap();
    let banned = |bans: &Bans, now| bans.is_banned([192, 0, 2, 7].into(), at(now));
    assert!(banned(&bans, 9) && !banned(&bans, 10));
    assert_eq!(bans.in_force(at(10)).count(), 0);
    bans.add(ban("192.0.2.8", None), at(10)).unwrap();
    assert_eq!(bans, self::bans(&["192.0.2.8"]), "what has ended is forgotten");
}

#[test]
fn the_last_entry_for_a_network_wins_and_expired_ones_do_not_count() {
    let listed = || [ban("192.0.2.7", None), ban("192.0.2.7", Some(10))];
    assert_eq!(Bans::of(listed(), at(9)).unwrap().in_force(at(9)).count(), 1);
    assert!(Bans::of(listed(), at(10)).unwrap().is_empty());
    let ended = |address: Ban| Ban { until: Some(at(10).wall), ..address };
    let listed = many(MOST + 1).map(ended).chain([ban("198.51.100.1", None)]);
    assert_eq!(Bans::of(listed, at(10)).unwrap(), bans(&["198.51.100.1"]));
}

#[test]
fn the_last_word_on_a_network_holds() {
    let mut bans = bans(&["192.0.2.0/24"]);
    bans.add(ban("192.0.2.0/24", Some(5)), at(0)).unwrap();
    assert!(!bans.is_banned([192, 0, 2, 1].into(), at(6)));
    assert!(bans.remove(network("192.0.2.99/24").unwrap()));
    assert!(!bans.remove(network("192.0.2.0/24").unwrap()));
    assert!(bans.is_empty() && bans.lengths.is_empty());
}

#[test]
fn the_number_of_bans_is_bounded() {
    let mut bans = Bans::of(many(MOST), at(0)).unwrap();
    assert_eq!(Bans::of(many(MOST + 1), at(0)), Err(TooMany));
    assert_eq!(bans.add(ban("192.0.2.1", None), at(0)), Err(TooMany));
    assert_eq!(bans.add(ban("0.0.0.5", None), at(0)), Ok(()));
}

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

#[test]
fn a_name_is_banned_with_those_that_look_like_it_and_together_with_an_address_only_from_there() {
    let [home, away] = ["192.0.2.7", "198.51.100.1"].map(|text| text.parse().unwrap());
    let mut bans = Bans::default();
    bans.add(Ban { name: Some(name("Bob")), network: None, ..ban("", None) }, at(0)).unwrap();
    let kicked = Ban { name: Some(name("l1")), ..ban("192.0.2.7", Some(60)) };
    bans.add(kicked, at(0)).unwrap();
    let banned = |text, address| bans.is_name_banned(&name(text), address, at(9));
    for likeness in ["bob", "BOB", "bоb", "ｂｏｂ"] {
        assert!(banned(likeness, home) && banned(likeness, away), "{likeness}");
    }
    assert!(!banned("bobby", home));
    assert!(banned("L1", home) && !banned("l1", away) && !banned("II", home));
    assert!(!bans.is_banned(home, at(9)), "others from there may come");
    assert!(!bans.is_name_banned(&name("l1"), home, at(60)));
    assert!(bans.remove_name(&name("BOB")) && !bans.remove_name(&name("bob")));
    assert!(bans.remove_name(&name("l1")) && bans.by_skeleton.is_empty());
}

#[test]
fn a_key_is_banned_and_no_name_or_address_with_it() {
    let text = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    let Ok(BanTarget::Key(key)) = named(text) else { panic!("{text}") };
    let mut bans = Bans::default();
    let banned = Ban { network: None, key: Some(key), ..ban("", Some(60)) };
    assert_eq!(banned.to_string(), text);
    bans.add(banned, at(0)).unwrap();
    assert!(bans.is_key_banned(key, at(59)) && !bans.is_key_banned(key, at(60)));
    assert!(!bans.is_banned([192, 0, 2, 7].into(), at(0)));
    assert!(!bans.is_name_banned(&name("bob"), [192, 0, 2, 7].into(), at(0)));
    assert!(bans.remove_key(key) && !bans.remove_key(key) && bans.is_empty());
}

#[test]
fn a_clock_that_is_set_forward_and_back_ends_no_ban() {
    let mut bans = Bans::default();
    bans.add(ban("192.0.2.7", Some(60)), at(0)).unwrap();
    let set_forward = Moment { wall: at(1_000_000).wall, steady: at(10).steady };
    bans.expire(set_forward);
    let banned = |now| bans.is_banned([192, 0, 2, 7].into(), now);
    assert!(banned(set_forward) && banned(at(59)) && !banned(at(60)));
}

#[test]
fn networks_are_read_without_regard_to_how_they_are_written() {
    let read = |text| network(text).unwrap().to_string();
    assert_eq!(read("192.0.2.7"), "192.0.2.7/32");
    assert_eq!(read("192.0.2.7/24"), "192.0.2.0/24");
    assert_eq!(read("::ffff:192.0.2.7"), "192.0.2.7/32");
    assert_eq!(read("::ffff:192.0.2.0/120"), "192.0.2.0/24");
    assert_eq!(read("2001:db8::1"), "2001:db8::1/128");
    assert!(matches!(network("alice"), Err(NotANetwork::Unknown(_))));
    assert!(matches!(network("0.0.0.0/0"), Err(NotANetwork::AllAddresses(_))));
    assert!(matches!(network("::/0"), Err(NotANetwork::AllAddresses(_))));
    assert!(matches!(network("::ffff:0.0.0.0/96"), Err(NotANetwork::AllAddresses(_))));
}
