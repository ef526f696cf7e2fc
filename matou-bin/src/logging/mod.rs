//! The log: one line per event, written by a dedicated thread; never blocks an actor.

mod escape;
mod lines;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use jiff::{Timestamp, Zoned};
use matou_actors::server::{LogFormat, LogLevel};
use slog::{Drain, FnValue, Level, Logger, PushFnValue, o};
use slog_async::{Async, AsyncGuard, OverflowStrategy};
use slog_json::Json;
use slog_term::{FullFormat, PlainDecorator, TermDecorator};

use escape::{EscapingDecorator, escape_json};
use lines::LogLines;

use crate::paths;

/// The capacity of the queue, in lines; more are dropped and counted.
const QUEUE: usize = 8192;
/// How long [`Log::finish`] waits for a stalled output.
const FINISH_TIMEOUT: Duration = Duration::from_millis(500);

/// The destination of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LogTarget<'a> {
    /// Standard error, coloured if it is a terminal that supports it.
    Stderr,
    /// Standard error, without escape sequences.
    PlainStderr,
    /// A file, opened for appending.
    File(&'a Path),
    /// Nowhere.
    Nowhere,
}

/// A running log. [`Log::finish`] flushes it.
pub(crate) struct Log {
    /// The logger.
    pub(crate) logger: Logger,
    guard: Option<AsyncGuard>,
    /// The current level, as numbered by slog.
    level: Arc<AtomicUsize>,
}

impl Log {
    /// Starts logging at `level`.
    pub(crate) fn start(
        level: LogLevel,
        format: LogFormat,
        target: LogTarget<'_>,
    ) -> io::Result<Self> {
        let level = Arc::new(AtomicUsize::new(slog_level(level).as_usize()));
        Ok(match (target, format) {
            (LogTarget::Nowhere, _) => {
                Self { logger: Logger::root(slog::Discard, o!()), guard: None, level }
            }
            (LogTarget::File(path), LogFormat::Json) => Self::json(level, open(path)?),
            (LogTarget::File(path), LogFormat::Text) => {
                Self::text(level, PlainDecorator::new(LogLines::plain(open(path)?)))
            }
            (_, LogFormat::Json) => Self::json(level, io::stderr()),
            (LogTarget::Stderr, LogFormat::Text) if coloured() => {
                Self::text(level, TermDecorator::new().stderr().build())
            }
            (_, LogFormat::Text) => {
                Self::text(level, PlainDecorator::new(LogLines::plain(io::stderr())))
            }
        })
    }

    /// Changes the level.
    pub(crate) fn set_level(&self, level: LogLevel) {
        self.level.store(slog_level(level).as_usize(), Relaxed);
    }

    /// Flushes the log, within a time limit.
    pub(crate) fn finish(self) {
        let Some(guard) = self.guard else { return };
        let (done, wait) = mpsc::channel();
        // Dropping the guard joins the writer thread, which blocks while its terminal is stopped.
        thread::spawn(move || {
            drop(guard);
            let _ = done.send(());
        });
        let _ = wait.recv_timeout(FINISH_TIMEOUT);
    }

    fn json(level: Arc<AtomicUsize>, out: impl Write + Send + 'static) -> Self {
        let drain = Json::new(LogLines::finished(out, escape_json))
            .set_flush(true)
            .add_key_value(o!(
                "time" => FnValue(|_| format!("{:.3}", Timestamp::now())),
                "level" => FnValue(|record| record.level().as_str().to_lowercase()),
                "message" => PushFnValue(|record, serializer| serializer.emit(record.msg())),
            ))
            .build();
        Self::queued(level, drain)
    }

    fn text(
        level: Arc<AtomicUsize>,
        decorator: impl slog_term::Decorator + Send + 'static,
    ) -> Self {
        let drain = FullFormat::new(EscapingDecorator(decorator))
            .use_custom_timestamp(|out| {
                write!(out, "{}", Zoned::now().strftime("%Y-%m-%d %H:%M:%S%.3f"))
            })
            .use_original_order()
            .build();
        Self::queued(level, drain)
    }

    fn queued<D>(level: Arc<AtomicUsize>, drain: D) -> Self
    where
        D: Drain + Send + 'static,
    {
        let (queue, guard) = Async::new(drain.ignore_res())
            .chan_size(QUEUE)
            .overflow_strategy(OverflowStrategy::DropAndReport)
            .thread_name("log".into())
            .build_with_guard();
        let current = Arc::clone(&level);
        let drain = queue.filter(move |record| record.level().as_usize() <= current.load(Relaxed));
        Self { logger: Logger::root(drain.ignore_res(), o!()), guard: Some(guard), level }
    }
}

/// `level` raised by `steps` (or, if negative, lowered).
pub(crate) fn shifted(level: LogLevel, steps: i16) -> LogLevel {
    const LEVELS: [LogLevel; 5] =
        [LogLevel::Error, LogLevel::Warning, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
    let at = LEVELS.iter().position(|&other| other == level).unwrap_or_default();
    let wanted = i16::try_from(at).unwrap_or_default().saturating_add(steps).clamp(0, 4);
    usize::try_from(wanted).ok().and_then(|at| LEVELS.get(at)).copied().unwrap_or(level)
}

fn slog_level(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::Error,
        LogLevel::Warning => Level::Warning,
        LogLevel::Info => Level::Info,
        LogLevel::Debug => Level::Debug,
        LogLevel::Trace => Level::Trace,
    }
}

/// Opens the log file for appending, readable by its owner only: it contains names and addresses.
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    paths::open(File::options().append(true).create(true).mode(0o600), path)
}

fn coloured() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stderr().is_terminal() && !set("NO_COLOR") && !dumb
}

#[cfg(test)]
mod tests {
    use slog::info;

    use super::*;

    #[test]
    fn hostile_text_is_sanitized_to_one_line() {
        let folder = tempfile::tempdir().unwrap();
        for format in [LogFormat::Text, LogFormat::Json] {
            let path = folder.path().join(format!("{format:?}"));
            let log = Log::start(LogLevel::Info, format, LogTarget::File(&path)).unwrap();
            let hostile = "a\nb\u{1b}[2J\u{9b}1m\u{202e}\u{200b}";
            info!(log.logger, "said {}", hostile; "reason" => hostile, "why" => %hostile);
            log.finish();
            let written = std::fs::read_to_string(&path).unwrap();
            assert_eq!(written.lines().count(), 1, "{written}");
            let line = written.trim_end_matches('\n');
            assert!(!line.chars().any(crate::sanitize::is_hidden), "{line}");
        }
    }

    #[test]
    fn a_json_line_round_trips() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = Log::start(LogLevel::Info, LogFormat::Json, LogTarget::File(&path)).unwrap();
        info!(log.logger, "listening"; "address" => "\u{202e}[::]:1", "count" => 3);
        slog::debug!(log.logger, "below the level");
        log.finish();
        let line = std::fs::read_to_string(&path).unwrap();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], "listening");
        assert_eq!(value["level"], "info");
        assert_eq!(value["address"], "\u{202e}[::]:1");
        assert_eq!(value["count"], 3);
        value["time"].as_str().unwrap().parse::<Timestamp>().unwrap();
    }

    #[test]
    fn each_line_is_one_write() {
        struct Writes(mpsc::Sender<Vec<u8>>);
        impl Write for Writes {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _ = self.0.send(bytes.to_vec());
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let level = || Arc::new(AtomicUsize::new(Level::Info.as_usize()));
        let (text, text_writes) = mpsc::channel();
        let (json, json_writes) = mpsc::channel();
        let logs = [
            Log::text(level(), PlainDecorator::new(LogLines::plain(Writes(text)))),
            Log::json(level(), Writes(json)),
        ];
        for log in logs {
            info!(log.logger, "joined"; "name" => "ann", "address" => "[::1]:7");
            info!(log.logger, "left"; "name" => "ann");
            log.finish();
        }
        for writes in [text_writes, json_writes] {
            let written: Vec<Vec<u8>> = writes.try_iter().collect();
            assert_eq!(written.len(), 2, "{written:?}");
            assert!(written.iter().all(|line| line.ends_with(b"\n")), "{written:?}");
        }
    }

    #[test]
    fn the_level_can_change_at_runtime() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = Log::start(LogLevel::Info, LogFormat::Text, LogTarget::File(&path)).unwrap();
        slog::debug!(log.logger, "one");
        log.set_level(LogLevel::Debug);
        slog::debug!(log.logger, "two");
        log.set_level(LogLevel::Error);
        info!(log.logger, "three");
        log.finish();
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written.lines().count() == 1 && written.contains("two"), "{written}");
    }

    #[test]
    fn shifted_levels_are_clamped() {
        assert_eq!(shifted(LogLevel::Info, 1), LogLevel::Debug);
        assert_eq!(shifted(LogLevel::Info, 9), LogLevel::Trace);
        assert_eq!(shifted(LogLevel::Warning, -1), LogLevel::Error);
        assert_eq!(shifted(LogLevel::Warning, -9), LogLevel::Error);
    }
}
