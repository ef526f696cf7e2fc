//! Progress bars on standard error; none if it is not a terminal.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::Path;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use matou_actors::client::{Event, TransferId};

use crate::client::sizes::{moved, pace};
use crate::client::words::shown;
use crate::sanitize::sanitize;

const TEMPLATE: &str = "{prefix} {wide_bar} {msg}";
/// Transfers that have a bar at the same time.
const MOST_BARS: usize = 20;

/// The bars, and the lines above them.
pub(super) struct Bars {
    all: MultiProgress,
    bars: HashMap<TransferId, ProgressBar>,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self { all: MultiProgress::new(), bars: HashMap::new() }
    }

    /// Prints `text` on a separate line.
    pub(super) fn say(&self, text: &str) {
        // Without a standard error there is no reader.
        self.all.suspend(|| {
            let _ = writeln!(io::stderr(), "matou: {}", sanitize(text));
        });
    }

    /// Keeps the terminal free of bars while `write` writes to standard output.
    pub(super) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.all.suspend(write)
    }

    pub(super) fn on_event(&mut self, event: &Event) {
        match event {
            Event::FileStarted(info) if self.bars.len() < MOST_BARS => {
                let bar = self.all.add(new_bar(info.size));
                if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                    bar.set_style(style);
                }
                bar.set_prefix(info.path.as_deref().map(label).unwrap_or_default());
                self.bars.insert(info.id, bar);
            }
            Event::FileProgress { id, bytes, size: all, rate } => {
                if let Some(bar) = self.bars.get(id) {
                    all.map(|all| bar.set_length(all));
                    bar.set_position(*bytes);
                    bar.set_message(moved(*bytes, *all) + &pace(*bytes, *all, *rate));
                }
            }
            Event::FileReceived { id, .. }
            | Event::FileSent { id, .. }
            | Event::FileFailed { id, .. } => {
                if let Some(bar) = self.bars.remove(id) {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
    }

    /// Removes all bars.
    pub(super) fn clear(&mut self) {
        for (_, bar) in self.bars.drain() {
            bar.finish_and_clear();
        }
    }
}

/// A pipe, whose size is not known, has no bar, only the text after it.
fn new_bar(size: Option<u64>) -> ProgressBar {
    size.map_or_else(ProgressBar::no_length, ProgressBar::new)
}

/// The text in front of a bar: the name, without the ending of an incomplete file.
fn label(path: &Path) -> String {
    let name = match path.extension().and_then(OsStr::to_str) {
        Some("part") => path.file_stem(),
        _ => path.file_name(),
    };
    let name = name.map_or_else(|| shown(path), |name| name.to_string_lossy().into_owned());
    sanitize(&name).chars().take(30).collect()
}
