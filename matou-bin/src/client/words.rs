//! Names of topics, offers and files in lines, on the screen and in the one-shot commands.

use std::path::Path;

use matou_actors::client::{Direction, TransferId};
use matou_actors::protocol::Username;

/// The topic, as a sentence for the user.
pub(crate) fn describe_topic(topic: &str, changed: bool) -> String {
    match (topic, changed) {
        ("", true) => "The topic was removed.".into(),
        ("", false) => "The room has no topic.".into(),
        (topic, true) => format!("The topic is now: {topic}"),
        (topic, false) => format!("Topic: {topic}"),
    }
}

/// The offer, in front of its number.
pub(crate) fn describe_offer(name: Option<&str>, entries: Option<u32>) -> String {
    match (name, entries) {
        (Some(name), None) => format!("file {name:?} "),
        (Some(name), Some(1)) => format!("folder {name:?} (1 entry) "),
        (Some(name), Some(entries)) => format!("folder {name:?} ({entries} entries) "),
        (None, _) => "file ".into(),
    }
}

/// What a file is called where it failed: its number, its peer and, if it has one, its name.
pub(crate) fn describe_file(
    id: TransferId,
    direction: Direction,
    with: &Username,
    path: Option<&Path>,
) -> String {
    let way = match direction {
        Direction::Incoming => "from",
        Direction::Outgoing => "to",
    };
    let name = path.and_then(Path::file_name).map(|name| name.to_string_lossy());
    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
    format!("file #{id} {way} {with}{name}")
}

/// A path as it is shown.
pub(crate) fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
