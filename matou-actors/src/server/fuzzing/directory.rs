//! The directory beside a list of who is here, with names that are made to be confused.

use std::net::{IpAddr, Ipv4Addr};

use crate::fuzzing::Choices;
use crate::protocol::{ClaimedName, Username};
use crate::server::accept::bans::Moment;
use crate::server::ids::{ConnectionId, MemberId, Route};
use crate::server::registry::bound_names::BoundNames;
use crate::server::registry::directory::{Addresses, Directory, Member};
use crate::server::registry::refused::Refused;

/// Letters that look like, fold to, or decompose into each other, and some that are not allowed.
const LETTERS: [&str; 32] = [
    "a", "A", "а", "А", "ａ", "α", "Α", "l", "I", "1", "І", "O", "0", "о", "Ο", "０", "rn", "m",
    "é", "É", "ß", "ss", "ﬁ", "fi", "К", "K", "\u{212a}", "가", "ᄀ", " ", "_", "🐈",
];
const USERS: usize = 6;
const RESERVED: &str = "Server";

/// Takes random steps, each of which [`Directory`] must judge as a list would.
///
/// # Panics
///
/// When it does not.
pub fn directory(bytes: &[u8]) {
    walk(&mut Choices::new(bytes));
}

fn walk(choices: &mut Choices<'_>) -> Option<()> {
    let reserved = Username::parse(RESERVED).ok();
    let mut directory = Directory::new(reserved.as_ref(), BoundNames::default());
    let now = Moment::now();
    let mut here: Vec<(Option<MemberId>, Username)> =
        reserved.into_iter().map(|name| (None, name)).collect();
    loop {
        let id = MemberId(u64::try_from(choices.below(USERS)?).map_or(0, |user| user + 1));
        let claimed = name(choices)?;
        match choices.below(4)? {
            0 => {
                let left = directory.leave(id, now).map(|member| member.name);
                let at = here.iter().position(|(holder, _)| *holder == Some(id));
                assert_eq!(left, at.map(|at| here.remove(at).1));
            }
            1 => {
                let found = directory.find(&claimed).map(Member::id);
                let holder = claimed.parse().ok().and_then(|name| {
                    here.iter()
                        .find(|(_, held)| held.folded() == name.folded())
                        .and_then(|found| found.0)
                });
                assert_eq!(found, holder, "{}", claimed.as_str());
            }
            // A connection joins once: another COREQ never gets as far as the directory.
            _ if directory.member(id).is_some() => {}
            _ => {
                let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
                let addresses = Addresses { peer: unspecified, local: unspecified };
                let route = Route { shard: 0, id: ConnectionId(id.0) };
                let joined = directory.join(route, &claimed, addresses, None, now);
                let joined = joined.map(|member| member.name.clone());
                let expected = judge(&here, &claimed);
                assert_eq!(joined, expected, "{} among {here:?}", claimed.as_str());
                here.extend(joined.into_iter().map(|name| (Some(id), name)));
            }
        }
    }
}

/// Whether a name may be had: by the words of the protocol, one pair at a time.
fn judge(
    here: &[(Option<MemberId>, Username)],
    claimed: &ClaimedName,
) -> Result<Username, Refused> {
    let name = claimed.parse()?;
    let skeletons = name.skeletons();
    let taken = here.iter().any(|(_, held)| {
        let some_are_not_ascii = !held.is_ascii() || !name.is_ascii();
        let look_alike = || held.skeletons().iter().any(|it| skeletons.contains(it));
        held.folded() == name.folded() || (some_are_not_ascii && look_alike())
    });
    if taken {
        return Err(Refused::Taken);
    }
    let mut scripts: Vec<char> = name.as_str().chars().filter_map(script).collect();
    scripts.sort_unstable();
    scripts.dedup();
    match scripts[..] {
        [] | [_] | ['H', 'L'] => Ok(name),
        _ => Err(Refused::MixedScripts),
    }
}

/// The script of one of [`LETTERS`]: Cyrillic, Greek, Hangul or Latin; digits have none.
fn script(letter: char) -> Option<char> {
    match letter {
        '0'..='9' | '０'..='９' => None,
        '\u{370}'..='\u{3ff}' => Some('G'),
        '\u{400}'..='\u{4ff}' => Some('C'),
        '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7a3}' => Some('H'),
        _ => Some('L'),
    }
}

fn name(choices: &mut Choices<'_>) -> Option<ClaimedName> {
    if choices.below(16)? == 0 {
        return ClaimedName::unchecked(["server", "ＳＥＲＶＥＲ", "Ѕervеr"][choices.below(3)?]);
    }
    let mut name = String::new();
    for _ in 0..=choices.below(3)? {
        name.push_str(LETTERS[choices.below(LETTERS.len())?]);
    }
    ClaimedName::unchecked(&name)
}
