//! Signals, while the screen has the terminal.

use std::io;

use rustix::process::{Signal as Number, getpid, getsid, kill_current_process_group, kill_process};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::screen) enum Signal {
    /// To end: the name of the signal.
    End(&'static str),
    /// To stop until continued.
    Stop,
    /// The program was continued without having been stopped here.
    Continue,
    /// The terminal may have another size.
    Resize,
}

/// The signals that the screen catches.
pub(in crate::screen) struct ScreenSignals {
    terminate: Stream,
    hang_up: Stream,
    interrupt: Stream,
    quit: Stream,
    abort: Stream,
    stop: Stream,
    go_on: Stream,
    resize: Stream,
}

impl ScreenSignals {
    /// Catches them from now on.
    pub(in crate::screen) fn new() -> io::Result<Self> {
        let raw = |number: Number| signal(SignalKind::from_raw(number.as_raw()));
        Ok(Self {
            terminate: raw(Number::TERM)?,
            hang_up: raw(Number::HUP)?,
            interrupt: raw(Number::INT)?,
            quit: raw(Number::QUIT)?,
            abort: raw(Number::ABORT)?,
            stop: raw(Number::TSTP)?,
            go_on: raw(Number::CONT)?,
            resize: raw(Number::WINCH)?,
        })
    }

    /// The next one. Nothing is lost when the future is dropped.
    pub(in crate::screen) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::End("SIGTERM"),
            _ = self.hang_up.recv() => Signal::End("SIGHUP"),
            _ = self.interrupt.recv() => Signal::End("SIGINT"),
            _ = self.quit.recv() => Signal::End("SIGQUIT"),
            _ = self.abort.recv() => Signal::End("SIGABRT"),
            _ = self.stop.recv() => Signal::Stop,
            _ = self.go_on.recv() => Signal::Continue,
            _ = self.resize.recv() => Signal::Resize,
        }
    }

    /// Waits until the program is continued.
    pub(in crate::screen) async fn continued(&mut self) {
        self.go_on.recv().await;
    }
}

/// Asks the whole job of the shell, this program included, to stop, as the key does where the
/// terminal handles it. False when there is no shell that could continue it.
pub(in crate::screen) fn stop_group() -> bool {
    let leads_session = getsid(None).is_ok_and(|session| session == getpid());
    !leads_session && kill_current_process_group(Number::TSTP).is_ok()
}

/// Stops this process. Returns at once or when it is continued: wait for that by
/// [`ScreenSignals::continued`].
pub(in crate::screen) fn stop_self() -> io::Result<()> {
    kill_process(getpid(), Number::STOP).map_err(io::Error::from)
}
