//! The loop that brings events to the state and effects to the world.
//!
//! It has a thread and a runtime of its own: a terminal that does not read delays no actor, and
//! no actor delays a key.

use std::io::{self, Write};
use std::iter;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::{Event as TerminalEvent, KeyCode, MouseEvent, MouseEventKind};
use jiff::Zoned;
use matou_actors::client::{Command, Events, Handle};
use matou_actors::protocol::Username;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify as Wake, oneshot};

use super::app::{App, Start};
use super::disk::{self, Disk, Job};
use super::event::{Effect, Now, UiEvent};
use super::keyboard::Keyboard;
use super::settings::ScreenSettings;
use super::signals::{Signal, Signals};
use super::terminal::{Screen, restore};
use super::theme::TerminalHints;
use crate::visible::visible;

/// At most 60 frames a second.
pub(super) const FRAME: Duration = Duration::from_nanos(16_666_667);
/// Chat events that are taken in before keys are looked at again.
pub(super) const BATCH: usize = 256;
/// How long the client may take to sign out after the screen is gone.
const SIGN_OUT: Duration = Duration::from_secs(3);
/// How long the disk may take to do what waits for it then.
const DISK_END: Duration = Duration::from_secs(2);
/// Set to `screen` or `thread`, it makes F12 panic there, to test that the terminal survives.
const PANIC_SWITCH: &str = "MATOU_TEST_PANIC";

/// What the screen needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Section `screen` of the configuration.
    pub(crate) settings: ScreenSettings,
    /// The name, when it is known; else the screen asks for it.
    pub(crate) username: Option<Username>,
    /// The server, as the user named it.
    pub(crate) server: String,
    /// What `~` is.
    pub(crate) home: Option<PathBuf>,
}

/// Why the screen ended other than by the user's wish.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScreenError {
    /// The terminal cannot be used, or is gone.
    #[error("the terminal cannot be used: {0}; --plain works without a screen")]
    Terminal(#[from] io::Error),
    /// A setting is impossible (they are checked before).
    #[error(transparent)]
    Setting(#[from] super::settings::WrongSetting),
    /// The client has ended by itself.
    #[error("{0}")]
    Client(String),
    /// Not all that was typed went out; a line for each.
    #[error("{0}")]
    Unsent(String),
    /// Something panicked; the panic itself is printed above.
    #[error("a part of the program failed; what it said stands above")]
    Panicked,
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
    let panicked = restore_on_panic();
    let signals = Signals::new()?;
    let folder = state_folder();
    let mut screen = Screen::take(options.settings.mouse)?;
    let started = Instant::now();
    let history = match &folder {
        Some(folder) if options.settings.history => disk::history(folder),
        _ => Vec::new(),
    };
    let app = App::new(Start {
        settings: options.settings,
        hints: TerminalHints::from_environment(),
        size: screen.size()?,
        now: now(started),
        username: options.username,
        server: options.server,
        home: options.home,
        history,
    })?;
    let (answers, disk_events) = unbounded_channel();
    let disk = Disk::start(folder, answers.clone())?;
    let commands = forward(handle);
    let mut session =
        Session { app, screen: &mut screen, disk, answers, commands, started, suspend: false };
    let outcome = session.turn(events, disk_events, signals, panicked).await;
    let Session { mut app, disk, commands, .. } = session;
    // Before anything that may hang.
    drop(screen);
    let (outcome, events) = outcome;
    let (closed, written) =
        tokio::join!(sign_out(&mut app, &commands, events), disk.finish(DISK_END));
    if !written {
        tell("the disk hangs: the end of history and chat log may be missing");
    }
    let words = app.last_words(closed);
    if matches!(outcome, Ok(None)) && !words.is_empty() {
        return Err(ScreenError::Unsent(words.join("\n")));
    }
    for line in &words {
        tell(line);
    }
    outcome
}

/// Tells whoever still reads what the program says after the screen.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "matou: {}", visible(line));
}

/// Whatever ended the screen, the server is told; not waited for longer than a moment. False when
/// that was too short.
async fn sign_out(
    app: &mut App,
    commands: &UnboundedSender<Command>,
    events: Option<Events>,
) -> bool {
    let Some(mut events) = events else {
        return true;
    };
    app.part();
    // Behind what was typed. Nobody takes it when the client has ended.
    let _ = commands.send(Command::Quit);
    let all = async {
        while let Some(event) = events.recv().await {
            app.heard(&event);
        }
    };
    // A client that hangs is left to the end of the process.
    tokio::time::timeout(SIGN_OUT, all).await.is_ok()
}

/// What ends the loop, with the events while the client has not closed.
type Ended = (Result<Option<&'static str>, ScreenError>, Option<Events>);

struct Session<'a> {
    app: App,
    screen: &'a mut Screen,
    disk: Disk,
    answers: UnboundedSender<UiEvent>,
    commands: UnboundedSender<Command>,
    started: Instant,
    /// The shell is to get the terminal.
    suspend: bool,
}

/// How the loop goes on.
enum Flow {
    On,
    Exit(Option<String>),
}

impl Session<'_> {
    async fn turn(
        &mut self,
        mut events: Events,
        mut disk_events: UnboundedReceiver<UiEvent>,
        mut signals: Signals,
        panicked: Arc<Wake>,
    ) -> Ended {
        let mut keyboard = match Keyboard::new() {
            Ok(keyboard) => keyboard,
            Err(error) => return (Err(error.into()), Some(events)),
        };
        let mut drawn = Instant::now().checked_sub(FRAME).unwrap_or_else(Instant::now);
        let mut pending = true;
        let mut open = true;
        loop {
            let since = drawn.elapsed();
            pending |= self.app.take_dirty();
            let due = pending && !self.app.is_bare();
            if due && since >= FRAME {
                if let Err(error) = self.draw() {
                    return (Err(error.into()), open.then_some(events));
                }
                (pending, drawn) = (false, Instant::now());
                continue;
            }
            let idle = self.app.idle_for();
            let wait = if due { FRAME.saturating_sub(since).min(idle) } else { idle };
            let step = tokio::select! {
                biased;
                () = panicked.notified() => return (Err(ScreenError::Panicked), open.then_some(events)),
                signal = signals.next() => {
                    pending = true;
                    match signal {
                        Signal::End(name) => return (Ok(Some(name)), open.then_some(events)),
                        Signal::Stop => self.stop(&mut signals).await,
                        Signal::Continue => self.enter(),
                        Signal::Resize => self.resize(),
                    }
                }
                event = keyboard.next() => self.take_input(event, &mut keyboard),
                Some(event) = disk_events.recv() => self.update(event),
                event = events.recv(), if open => {
                    open = event.is_some();
                    let event = event.unwrap_or(matou_actors::client::Event::Closed);
                    self.take_chat(event, &mut events)
                }
                () = tokio::time::sleep(wait) => self.update(UiEvent::Tick),
            };
            match step {
                Ok(Flow::On) => {}
                Ok(Flow::Exit(None)) => return (Ok(None), open.then_some(events)),
                Ok(Flow::Exit(Some(reason))) => {
                    return (Err(ScreenError::Client(reason)), open.then_some(events));
                }
                Err(error) => return (Err(error.into()), open.then_some(events)),
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        // A resize may be seen here before it is told.
        let _ = self.resize()?;
        self.app.take_dirty();
        self.screen.draw(&self.app)
    }

    /// Takes over the size that the terminal has; bare text is shown anew.
    fn resize(&mut self) -> io::Result<Flow> {
        let (columns, rows) = self.screen.size()?;
        self.update(UiEvent::Resize(columns, rows))
    }

    /// Takes the terminal again.
    fn enter(&mut self) -> io::Result<Flow> {
        self.screen.enter()?;
        self.resize()
    }

    /// Keys that are there already are taken in together.
    fn take_input(
        &mut self,
        event: io::Result<TerminalEvent>,
        keyboard: &mut Keyboard,
    ) -> io::Result<Flow> {
        for event in batch(event, || keyboard.ready()) {
            let event = event?;
            force_panic(&event);
            if let Some(event) = translated(event)
                && let flow @ Flow::Exit(_) = self.update(event)?
            {
                return Ok(flow);
            }
            if self.suspend {
                break;
            }
        }
        if std::mem::take(&mut self.suspend) && !super::signals::stop_group() {
            self.app.no_shell();
        }
        Ok(Flow::On)
    }

    fn take_chat(
        &mut self,
        event: matou_actors::client::Event,
        events: &mut Events,
    ) -> io::Result<Flow> {
        for event in batch(event, || events.try_recv()) {
            if let flow @ Flow::Exit(_) = self.update(UiEvent::Chat(event))? {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn update(&mut self, event: UiEvent) -> io::Result<Flow> {
        for effect in self.app.update(event, now(self.started)) {
            match effect {
                Effect::Send(command) => drop(self.commands.send(command)),
                Effect::Remember(line) => self.disk(Job::Remember(line)),
                Effect::Log { file, line } => self.disk(Job::Log(file, line)),
                Effect::List(folder) => self.disk(Job::List(folder)),
                Effect::StorePaste { to, text } => self.disk(Job::StorePaste(to, text)),
                Effect::RemovePaste(path) => self.disk(Job::RemovePaste(path)),
                Effect::Notify(how, text) => self.screen.notify(how, &text)?,
                Effect::Mouse(wanted) => self.screen.mouse(wanted)?,
                Effect::Bare(lines) => self.screen.bare(&lines)?,
                Effect::EndBare => self.screen.end_bare()?,
                Effect::Redraw => self.screen.redraw()?,
                Effect::Suspend => self.suspend = true,
                Effect::Exit(reason) => return Ok(Flow::Exit(reason)),
            }
        }
        Ok(Flow::On)
    }

    fn disk(&mut self, job: Job) {
        if let Some(told) = self.disk.add(job) {
            // The receiver lives as long as the loop.
            let _ = self.answers.send(told);
        }
    }

    /// Gives the terminal to the shell until the program is continued.
    async fn stop(&mut self, signals: &mut Signals) -> io::Result<Flow> {
        self.screen.leave();
        super::signals::stop_self()?;
        signals.continued().await;
        self.enter()
    }
}

/// `first` and what is there already, at most [`BATCH`]; takes out no more than it hands out.
fn batch<T>(first: T, more: impl FnMut() -> Option<T>) -> impl Iterator<Item = T> {
    iter::once(first).chain(iter::from_fn(more)).take(BATCH)
}

/// Commands wait here while the client is busy; they are as many as one person types.
fn forward(handle: Handle) -> UnboundedSender<Command> {
    let (sender, mut queue) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(command) = queue.recv().await {
            if handle.send(command).await.is_err() {
                break;
            }
        }
    });
    sender
}

/// From now on a panic, wherever it is, gives the terminal back before it is printed.
fn restore_on_panic() -> Arc<Wake> {
    let panicked = Arc::new(Wake::new());
    let told = Arc::clone(&panicked);
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore();
        print(panic);
        told.notify_one();
    }));
    panicked
}

fn force_panic(event: &TerminalEvent) {
    let is_f12 = matches!(event, TerminalEvent::Key(key) if key.code == KeyCode::F(12));
    if !is_f12 {
        return;
    }
    match std::env::var(PANIC_SWITCH).as_deref() {
        Ok("screen") => panic!("forced by {PANIC_SWITCH}"),
        Ok("thread") => {
            // Nobody waits for it: the hook alone has to end the screen.
            drop(std::thread::spawn(|| panic!("forced by {PANIC_SWITCH}")));
        }
        _ => {}
    }
}

fn translated(event: TerminalEvent) -> Option<UiEvent> {
    Some(match event {
        TerminalEvent::Key(key) => UiEvent::Key(key),
        TerminalEvent::Paste(text) => UiEvent::Paste(text),
        // Nothing follows the mouse: only the wheel and what is pressed.
        TerminalEvent::Mouse(MouseEvent {
            kind: MouseEventKind::Moved | MouseEventKind::Drag(_) | MouseEventKind::Up(_),
            ..
        }) => return None,
        TerminalEvent::Mouse(mouse) => UiEvent::Mouse(mouse),
        TerminalEvent::Resize(columns, rows) => UiEvent::Resize(columns, rows),
        TerminalEvent::FocusGained => UiEvent::Focus(true),
        TerminalEvent::FocusLost => UiEvent::Focus(false),
    })
}

fn now(started: Instant) -> Now {
    Now { elapsed: started.elapsed(), wall: Zoned::now().datetime() }
}

/// `~/.local/state/matou`, or where the environment puts it.
fn state_folder() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    let folders = etcetera::choose_base_strategy().ok()?;
    Some(folders.state_dir()?.join("matou"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_in_a_batch_is_left_for_the_next() {
        let mut waiting = 1..;
        let taken: Vec<_> = batch(0, || waiting.next()).collect();
        assert_eq!(taken, (0..BATCH).collect::<Vec<_>>());
        assert_eq!(waiting.next(), Some(BATCH));
    }
}
