//! What a received file is called: the frame has no name, so sender and time make one.

use std::fmt;

use jiff::civil::DateTime;

use crate::protocol::Username;

/// The stem of a received file's name, such as `alice-2026-11-23-140501`.
///
/// A username is letters and digits only, so nothing chosen by the sender can leave the folder or
/// hide the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStamp(String);

impl FileStamp {
    /// The stem for a file that `sender` sent at `time` (local).
    pub fn new(sender: &Username, time: DateTime) -> Self {
        Self(format!("{sender}-{}", time.strftime("%Y-%m-%d-%H%M%S")))
    }

    /// The name to try after `tries` names were found taken: `STEM.EXTENSION`, `STEM-2.EXTENSION`
    /// and so on.
    pub fn name(&self, extension: &str, tries: u32) -> String {
        match tries {
            0 => format!("{self}.{extension}"),
            more => format!("{self}-{}.{extension}", u64::from(more) + 1),
        }
    }
}

impl fmt::Display for FileStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_after_sender_and_time_and_counts_up() {
        let alice = Username::parse("alice").unwrap();
        let stamp = FileStamp::new(&alice, jiff::civil::date(2026, 11, 23).at(14, 5, 1, 0));
        assert_eq!(stamp.name("png", 0), "alice-2026-11-23-140501.png");
        assert_eq!(stamp.name("png", 1), "alice-2026-11-23-140501-2.png");
        assert_eq!(stamp.name("part", 9), "alice-2026-11-23-140501-10.part");
    }
}
