//! What protects a connection, in words.

use matou_actors::client::{Event, KeyStanding, LinkSecurity};
use matou_actors::protocol::Username;

/// What to do about the password that `server` asks for.
pub(crate) fn password_needed(server: &str, wrong: bool) -> String {
    let what = if wrong { "refused the password" } else { "asks for a password" };
    let next = if wrong { "correct" } else { "set" };
    format!(
        "{server} {what}; {next} client.password_file or MATOU_CLIENT_PASSWORD, and start again"
    )
}

/// A line about the connection to `server`, and whether it is a warning.
pub(crate) fn describe(server: &str, security: &LinkSecurity) -> (String, bool) {
    match security {
        LinkSecurity::Plain => (
            format!(
                "Not encrypted: anyone on the network between you and {server} can read and change \
                 what you send and receive."
            ),
            true,
        ),
        LinkSecurity::Encrypted { fingerprint, key: KeyStanding::New } => (
            format!(
                "Encrypted. First connection to {server}; its key is {fingerprint}. Compare it with \
                 the fingerprint that the server's operator sees, to rule out interception."
            ),
            false,
        ),
        LinkSecurity::Encrypted { key: KeyStanding::Known | KeyStanding::Compared, .. } => {
            (format!("Encrypted; {server} presented the same key as before."), false)
        }
        LinkSecurity::Encrypted { key: KeyStanding::Named, .. } => {
            (format!("Encrypted; {server} presented the key given in its address."), false)
        }
    }
}

/// What protects a private session with `with`, to follow the line about the session.
pub(crate) fn describe_session(with: &Username, security: &LinkSecurity) -> String {
    match security {
        LinkSecurity::Plain => "not encrypted".into(),
        LinkSecurity::Encrypted { key: KeyStanding::New, .. } => format!(
            "encrypted; first session with this key of {with}, so /verify {with} rules out \
             interception"
        ),
        LinkSecurity::Encrypted { key: KeyStanding::Known | KeyStanding::Named, .. } => {
            format!("encrypted; same key as before, never compared: /verify {with}")
        }
        LinkSecurity::Encrypted { key: KeyStanding::Compared, .. } => {
            "encrypted; you have compared the key".into()
        }
    }
}

/// The same in a word or two, for a narrow place.
pub(crate) fn session_mark(security: &LinkSecurity) -> &'static str {
    match security {
        LinkSecurity::Plain => "NOT ENCRYPTED",
        LinkSecurity::Encrypted { key: KeyStanding::Compared, .. } => "encrypted, compared",
        LinkSecurity::Encrypted { key: KeyStanding::New, .. } => "encrypted, new key",
        LinkSecurity::Encrypted { .. } => "encrypted, not compared",
    }
}

/// What two users read to each other.
pub(crate) fn describe_words(with: &Username, words: &str) -> String {
    format!(
        "Ask {with}, by voice or face to face, which words /verify shows on their side. Yours: \
         {words}. If they \
         are the same, type /verify {with} yes; if not, the connection is being intercepted"
    )
}

/// The facts about a user, as lines.
pub(crate) fn describe_user(event: &Event) -> Vec<String> {
    let Event::Whois { username, here, key, known, since, compared, changed, address } = event
    else {
        return Vec::new();
    };
    let mut lines = vec![match (here, key) {
        (true, Some(_)) => format!("{username} is here and can encrypt"),
        (true, None) => format!("{username} is here and cannot encrypt (an old program)"),
        (false, _) => format!("{username} is not here"),
    }];
    if let Some(key) = key {
        lines.push(format!("their key: {key}"));
    }
    match (known, since, compared) {
        (Some(known), Some(since), _) if *changed => lines.push(format!(
            "this is NOT the key known since {since} ({known}); /trust {username} accepts it"
        )),
        (Some(_), Some(since), Some(compared)) => {
            lines.push(format!("known since {since}, compared on {compared}"));
        }
        (Some(known), Some(since), None) if key.is_none() => {
            lines.push(format!("known key: {known}, since {since}, never compared"));
        }
        (Some(_), Some(since), None) => {
            lines.push(format!("known since {since}, never compared; /verify {username} does"));
        }
        _ if key.is_some() => lines.push("no private session so far".into()),
        _ => {}
    }
    if let Some(address) = address {
        lines.push(format!("private session open with {address}"));
    }
    lines
}
