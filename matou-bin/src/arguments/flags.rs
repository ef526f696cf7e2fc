//! The settings that arguments give.

use super::{ClientArguments, JoinArguments, ReceiveArguments, ServerArguments};
use crate::settings::Flag;

impl ServerArguments {
    /// The settings given by flags.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        flags([("--listen", "network.listen", self.listen.as_ref())])
    }
}

impl ClientArguments {
    /// The settings given by flags.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        flags([
            ("--server", "client.server", list(&self.server).as_ref()),
            ("--username", "client.username", self.username.as_ref()),
            ("--downloads", "files.downloads", self.downloads.as_ref()),
            ("--accept-files", "files.accept", self.accept_files.as_ref()),
            ("--accept-private", "private.accept", self.accept_private.as_ref()),
        ])
    }
}

impl JoinArguments {
    /// The settings given by flags.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        flags([("--server", "client.server", list(&self.server).as_ref())])
    }
}

impl ReceiveArguments {
    /// The settings given by flags.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let to = self.to.as_ref().filter(|_| !self.is_to_output());
        let mut flags = flags([("--to", "files.downloads", to)]);
        flags.extend(self.join.flags());
        flags
    }

    /// Whether a file is received for standard output.
    pub(crate) fn is_to_output(&self) -> bool {
        self.to.as_deref() == Some("-")
    }
}

/// A list as the text that sets it.
fn list(entries: &[String]) -> Option<String> {
    (!entries.is_empty()).then(|| entries.join(","))
}

fn flags<'a>(
    given: impl IntoIterator<Item = (&'static str, &'static str, Option<&'a String>)>,
) -> Vec<Flag> {
    let given = given.into_iter();
    given.filter_map(|(name, key, value)| Some(Flag { name, key, value: value?.clone() })).collect()
}
