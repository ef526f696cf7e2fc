//! A program in a pseudo-terminal, with an emulator that knows what its user would see.

use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty};

use super::DEADLINE;

/// A terminal and what runs in it.
pub(crate) struct Terminal {
    /// The program.
    pub(crate) child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    /// Kept open so that the terminal outlives the program, as under a shell.
    _slave: Box<dyn SlavePty + Send>,
    writer: Box<dyn Write + Send>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

/// The program's output so far.
struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    /// The test is over: the reader must release the terminal.
    hung_up: bool,
}

/// The modes that a program may switch on and has to switch off.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "that is what modes are")]
pub(crate) struct Modes {
    termios: String,
    alternate_screen: bool,
    bracketed_paste: bool,
    hidden_cursor: bool,
    mouse: String,
    focus_events: bool,
}

impl Terminal {
    /// Runs `program` with `arguments` in `columns` x `rows`, with these variables only.
    pub(crate) fn run(
        (columns, rows): (u16, u16),
        program: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = portable_pty::native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        for (name, value) in variables {
            command.env(name, value);
        }
        let parser = vt100::Parser::new(rows, columns, 0);
        let seen = Arc::new((
            Mutex::new(Seen { parser, bytes: Vec::new(), hung_up: false }),
            Condvar::new(),
        ));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let sink = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                let mut seen = sink.0.lock().unwrap();
                seen.parser.process(&bytes[..count]);
                seen.bytes.extend(&bytes[..count]);
                sink.1.notify_all();
                if seen.hung_up {
                    break;
                }
            }
            drop(reader);
            sink.0.lock().unwrap().hung_up = false;
            sink.1.notify_all();
        });
        let writer = pair.master.take_writer().unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        Self { child, master: Some(pair.master), _slave: pair.slave, writer, seen }
    }

    /// Types `keys`, as bytes that a terminal sends.
    pub(crate) fn types(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Waits until the screen fits `wanted`; returns the screen.
    pub(crate) fn wait(&self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) -> String {
        let start = Instant::now();
        let mut seen = self.seen.0.lock().unwrap();
        loop {
            if wanted(seen.parser.screen()) {
                return seen.parser.screen().contents();
            }
            let left = DEADLINE.saturating_sub(start.elapsed());
            let screen = seen.parser.screen().contents();
            assert!(!left.is_zero(), "no {what}; the screen is\n{screen}");
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Waits until `text` was written this many times, visible or not.
    pub(crate) fn puts_out(&self, text: &str, times: usize) {
        let start = Instant::now();
        let mut seen = self.seen.0.lock().unwrap();
        while String::from_utf8_lossy(&seen.bytes).matches(text).count() < times {
            let left = DEADLINE.saturating_sub(start.elapsed());
            let screen = seen.parser.screen().contents();
            assert!(!left.is_zero(), "not {times} times {text:?}; the screen is\n{screen}");
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Waits until `text` is on the screen.
    pub(crate) fn shows(&self, text: &str) -> String {
        self.wait(text, |screen| screen.contents().contains(text))
    }

    /// Waits until the last row, where text is typed, is `text`.
    pub(crate) fn input_is(&self, text: &str) {
        self.wait(&format!("input {text:?}"), |screen| {
            let contents = screen.contents();
            contents.lines().last().is_some_and(|row| row.trim_end() == text)
        });
    }

    /// All output so far.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.seen.0.lock().unwrap().bytes.clone()
    }

    /// Resizes the terminal.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.seen.0.lock().unwrap().parser.screen_mut().set_size(rows, columns);
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().unwrap().resize(size).unwrap();
    }

    /// How the terminal is set at the moment.
    pub(crate) fn modes(&self) -> Modes {
        let termios = self.master.as_ref().unwrap().get_termios().unwrap();
        let seen = self.seen.0.lock().unwrap();
        let screen = seen.parser.screen();
        Modes {
            termios: format!("{termios:?}"),
            alternate_screen: screen.alternate_screen(),
            bracketed_paste: screen.bracketed_paste(),
            hidden_cursor: screen.hide_cursor(),
            mouse: format!("{:?}", screen.mouse_protocol_mode()),
            focus_events: last_is_on(&seen.bytes, "1004"),
        }
    }

    /// Takes the terminal away, as a closed window does.
    pub(crate) fn hang_up(&mut self) {
        let path = self.master.take().unwrap().tty_name().unwrap();
        self.writer = Box::new(std::io::sink());
        let mut seen = self.seen.0.lock().unwrap();
        seen.hung_up = true;
        // The reader sees that only when it reads something.
        std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all(b"x").unwrap();
        let start = Instant::now();
        while seen.hung_up {
            let left = DEADLINE.saturating_sub(start.elapsed());
            assert!(!left.is_zero(), "the terminal is still held");
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Waits until the program has ended and everything it wrote was seen.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.drain();
                return status;
            }
            assert!(start.elapsed() < DEADLINE, "the program did not end");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Sends `signal` to the program.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let id = self.child.process_id().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(id.try_into().unwrap()), signal).unwrap();
    }

    /// The group of processes that has the terminal.
    #[allow(dead_code, reason = "not every test has a shell")]
    pub(crate) fn foreground(&self) -> nix::unistd::Pid {
        let group = self.master.as_ref().unwrap().process_group_leader().unwrap();
        nix::unistd::Pid::from_raw(group)
    }

    /// A mark written by the terminal's own side follows everything that the program wrote.
    fn drain(&mut self) {
        const MARK: &[u8] = b"\x1b[0mEND-OF-OUTPUT";
        if let Some(master) = &self.master
            && let Some(path) = master.tty_name()
            && let Ok(mut terminal) = std::fs::OpenOptions::new().write(true).open(path)
        {
            terminal.write_all(MARK).unwrap();
            let start = Instant::now();
            let mut seen = self.seen.0.lock().unwrap();
            while !seen.bytes.ends_with(MARK) {
                let left = DEADLINE.saturating_sub(start.elapsed());
                assert!(!left.is_zero(), "the output has no end");
                seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether private mode `mode` was switched on last, and not off.
fn last_is_on(bytes: &[u8], mode: &str) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let on = text.rfind(&format!("\u{1b}[?{mode}h"));
    let off = text.rfind(&format!("\u{1b}[?{mode}l"));
    on > off
}
