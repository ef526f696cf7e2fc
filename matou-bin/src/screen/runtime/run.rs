//! Opens the screen, and cleans up after it is closed.
//!
//! It has a thread and a runtime of its own: a terminal that does not read delays no actor, and no
//! actor delays a key.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use matou_actors::client::{Command, Events, Handle};
use matou_actors::protocol::Username;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::{Notify as Wake, oneshot};

use crate::sanitize::sanitize;
use crate::screen::config::settings::ScreenSettings;
use crate::screen::config::theme::TerminalHints;
use crate::screen::runtime::disk::{self, Disk};
use crate::screen::runtime::error::ScreenError;
use crate::screen::runtime::event_loop::{EventLoop, now};
use crate::screen::runtime::signals::ScreenSignals;
use crate::screen::runtime::terminal::{Screen, restore};
use crate::screen::state::app::{App, AppStart};
use crate::screen::state::event::UiEvent;
use crate::screen::state::modal::ServerChoice;
use crate::screen::state::server_labels::ServerLabels;
use crate::screen::text::short_names::ShortNames;

/// How long the client may take to sign out after the screen is gone.
const SIGN_OUT: Duration = Duration::from_secs(3);
/// How long the disk may take for the jobs that wait then.
const DISK_END: Duration = Duration::from_secs(2);
/// What the screen needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Section `screen` of the configuration.
    pub(crate) settings: ScreenSettings,
    /// The name, when it is known; else the screen asks for it.
    pub(crate) username: Option<Username>,
    /// The server, as the user named it; empty while it is to be chosen.
    pub(crate) server: String,
    /// What there is to choose from then.
    pub(crate) servers: Vec<ServerChoice>,
    /// Under which names servers were found.
    pub(crate) named: ServerLabels,
    /// What `~` is.
    pub(crate) home: Option<PathBuf>,
}

/// Shows the screen until the user leaves; `Some` is a signal that ended it.
pub(crate) async fn run(
    options: Options,
    (handle, events): (Handle, Events),
) -> Result<Option<&'static str>, ScreenError> {
    let (done, ended) = oneshot::channel();
    let body = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(show(options, handle, events))
    };
    let thread = std::thread::Builder::new().name("screen".into()).spawn(move || {
        // The receiver is gone only when the whole program ends.
        let _ = done.send(body());
    })?;
    // A panic drops the sender.
    let outcome = ended.await.unwrap_or(Err(ScreenError::Panicked));
    if thread.join().is_err() {
        return Err(ScreenError::Panicked);
    }
    outcome
}

async fn show(
    options: Options,
    handle: Handle,
    events: Events,
) -> Result<Option<&'static str>, ScreenError> {
    let folder = state_folder();
    // Before the terminal and the signals are taken: while a disk hangs, Ctrl-C still ends this.
    let history = match &folder {
        Some(folder) if options.settings.history => disk::history(folder),
        _ => Ok(Vec::new()),
    };
    let unreadable =
        history.as_ref().err().map(|error| format!("Cannot read the history file: {error}."));
    let panicked = restore_on_panic();
    let signals = ScreenSignals::new()?;
    let mut screen = Screen::take(options.settings.mouse)?;
    let started = Instant::now();
    let app = App::new(AppStart {
        settings: options.settings,
        hints: TerminalHints::from_environment(),
        short_names: ShortNames::random(),
        size: screen.size()?,
        now: now(started),
        username: options.username,
        server: options.server,
        servers: options.servers,
        named: options.named,
        home: options.home,
        history: history.unwrap_or_default(),
    })?;
    let (answers, disk_events) = unbounded_channel();
    if let Some(problem) = unreadable {
        // The receiver is held here.
        let _ = answers.send(UiEvent::DiskFailed(problem));
    }
    let disk = Disk::start(folder, answers.clone())?;
    let mut event_loop =
        EventLoop { app, screen: &mut screen, disk, answers, handle, started, suspend: false };
    let outcome = event_loop.turn(events, disk_events, signals, panicked).await;
    let EventLoop { mut app, disk, handle, .. } = event_loop;
    // Before anything that may hang.
    drop(screen);
    let (outcome, events) = outcome;
    let (closed, written) =
        tokio::join!(sign_out(&mut app, &handle, events), disk.finish(DISK_END));
    if !written {
        print_line(
            "the disk is not responding: the end of the history and chat log may be missing",
        );
    }
    let words = app.last_words(closed);
    if matches!(outcome, Ok(None)) && !words.is_empty() {
        return Err(ScreenError::Unsent(words.join("\n")));
    }
    for line in &words {
        print_line(line);
    }
    outcome
}

/// Prints a line after the screen is closed.
fn print_line(line: &str) {
    let _ = writeln!(io::stderr(), "matou: {}", sanitize(line));
}

/// Signs out, whatever ended the screen; waits only a moment. False when
/// that was too short.
async fn sign_out(app: &mut App, handle: &Handle, events: Option<Events>) -> bool {
    let Some(mut events) = events else {
        return true;
    };
    app.part();
    // After the queued commands. Not received when the client has ended.
    let _ = handle.send_now(Command::Quit);
    let all = async {
        while let Some(event) = events.recv().await {
            app.track_delivery(&event);
        }
    };
    // A client that hangs is left to the end of the process.
    tokio::time::timeout(SIGN_OUT, all).await.is_ok()
}

/// From now on a panic, wherever it is, restores the terminal before it is printed.
fn restore_on_panic() -> Arc<Wake> {
    let panicked = Arc::new(Wake::new());
    let notify = Arc::clone(&panicked);
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore();
        print(panic);
        notify.notify_one();
    }));
    panicked
}

/// `~/.local/state/matou`, or where the environment puts it.
fn state_folder() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    let folders = etcetera::choose_base_strategy().ok()?;
    Some(folders.state_dir()?.join("matou"))
}
