//! How quickly keys show, and how much memory it takes, while the room is in uproar.

use std::io;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use matou_actors::client::Event;
use matou_bin::screen_testing::{BATCH, FRAME, LiveScreen, TestScreen, name, text};

/// What is put on the screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Columns and rows.
    pub(crate) size: (u16, u16),
    /// Lines of scrollback before it begins.
    pub(crate) lines: u32,
    /// Bytes of each message.
    pub(crate) bytes: usize,
    /// People in the room.
    pub(crate) people: u32,
    /// Messages a second.
    pub(crate) rate: u32,
    /// How long.
    pub(crate) duration: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Report {
    /// From the press of a key to the end of the frame that shows it.
    pub(crate) latencies: Vec<Latency>,
    /// Messages that were taken in.
    pub(crate) messages: u64,
    /// Frames that were drawn.
    pub(crate) frames: u64,
    /// Entries in the scrollback at the end.
    pub(crate) held: u64,
    /// Share of one processor that was used, when known.
    pub(crate) busy: f64,
}

/// How long a key took to show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Latency {
    /// By the clock on the wall.
    pub(crate) wall: Duration,
    /// Processor time between the two: with the wait for the next frame (at most 17 ms) this is
    /// what the key takes on a machine that does nothing else.
    pub(crate) work: Duration,
    /// What the key was for.
    pub(crate) what: &'static str,
}

/// The pause between two keys: a fast typist.
const KEY_PAUSE: Duration = Duration::from_millis(40);

/// Fills the scrollback, then types, scrolls, searches and switches tabs while messages come
/// in, with the same rules as the real loop: keys first, messages in batches, 60 frames a second.
pub(crate) fn load(load: Load) -> io::Result<Report> {
    let mut screen = TestScreen::signed_in(load.size);
    for number in 0..load.people {
        let username = name(&format!("person{number}"));
        screen.chat(Event::Joined { username, present: true });
    }
    screen.opens("alice");
    for number in 0..load.lines {
        screen.chat(message(load, number));
    }
    let mut uproar = Uproar {
        load,
        screen: LiveScreen::new(screen)?,
        begun: Instant::now(),
        report: Report { latencies: Vec::new(), messages: 0, frames: 0, held: 0, busy: 0.0 },
    };
    uproar.run()?;
    let mut report = uproar.report;
    report.held = uproar.screen.held();
    Ok(report)
}

struct Uproar {
    load: Load,
    screen: LiveScreen,
    begun: Instant,
    report: Report,
}

impl Uproar {
    fn run(&mut self) -> io::Result<()> {
        let mut keys = keys().into_iter().cycle();
        let mut next_key = Duration::ZERO;
        let mut waiting: Vec<(Duration, Duration, &'static str)> = Vec::new();
        let mut drawn = Duration::ZERO;
        // Processor time when the next key was not yet due.
        let mut used = processor();
        let mut pending = true;
        let mut idle = Duration::ZERO;
        while self.begun.elapsed() < self.load.duration {
            let now = self.begun.elapsed();
            if now < next_key {
                used = processor();
            }
            pending |= self.screen.take_dirty();
            if pending && now.saturating_sub(drawn) >= FRAME {
                self.screen.draw()?;
                self.report.frames += 1;
                (drawn, pending) = (now, false);
                let (shown, used) = (self.begun.elapsed(), processor());
                for (at, used_before, what) in waiting.drain(..) {
                    let wall = shown.saturating_sub(at);
                    let work = used.saturating_sub(used_before);
                    self.report.latencies.push(Latency { wall, work, what });
                }
            } else if now >= next_key {
                if let Some((key, what)) = keys.next() {
                    waiting.push((next_key, used, what));
                    self.screen.press(key, self.begun.elapsed());
                }
                next_key += KEY_PAUSE;
            } else if self.messages_due() > self.report.messages {
                for _ in 0..BATCH {
                    if self.messages_due() <= self.report.messages {
                        break;
                    }
                    let number = u32::try_from(self.report.messages).unwrap_or(u32::MAX);
                    self.screen.chat(message(self.load, number), self.begun.elapsed());
                    self.report.messages += 1;
                }
            } else if self.screen.idle_for().is_zero() {
                self.screen.tick(self.begun.elapsed());
            } else {
                let nap = Duration::from_micros(200);
                std::thread::sleep(nap);
                idle += self.begun.elapsed().saturating_sub(now);
            }
        }
        self.report.busy = 1.0 - idle.as_secs_f64() / self.begun.elapsed().as_secs_f64();
        Ok(())
    }

    fn messages_due(&self) -> u64 {
        let milliseconds = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        milliseconds.saturating_mul(self.load.rate.into()) / 1000
    }
}

/// Processor time of this thread so far.
fn processor() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What is typed over and over, and under which name it is reported.
fn keys() -> Vec<(KeyEvent, &'static str)> {
    let plain = |code, what| (KeyEvent::new(code, KeyModifiers::NONE), what);
    let ctrl = |c, what| (KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL), what);
    let alt = |c, what| (KeyEvent::new(KeyCode::Char(c), KeyModifiers::ALT), what);
    let mut keys: Vec<_> =
        "hello everybody, per".chars().map(|c| plain(KeyCode::Char(c), "type")).collect();
    keys.extend([plain(KeyCode::Tab, "complete"), plain(KeyCode::Tab, "complete")]);
    keys.push(ctrl('u', "type"));
    keys.extend([plain(KeyCode::PageUp, "page"); 4]);
    keys.extend([plain(KeyCode::Home, "home"), plain(KeyCode::PageDown, "page")]);
    keys.push(plain(KeyCode::End, "end"));
    keys.extend([alt('2', "tab"), alt('1', "tab"), alt('3', "tab"), alt('1', "tab")]);
    keys.push(ctrl('s', "search"));
    keys.extend("nowhere".chars().map(|c| plain(KeyCode::Char(c), "search")));
    keys.extend([plain(KeyCode::Esc, "search"), plain(KeyCode::F(1), "help")]);
    keys.extend([plain(KeyCode::PageDown, "help"), plain(KeyCode::Esc, "help")]);
    keys
}

/// Words of several lengths and scripts, `bytes` long.
fn message(load: Load, number: u32) -> Event {
    const WORDS: [&str; 9] = [
        "harbour",
        "the",
        "tide",
        "naïve",
        "日本語",
        "https://example.org/a/long/link",
        "👍🏽",
        "of",
        "wind",
    ];
    let mut words = String::new();
    let mut index = usize::try_from(number).unwrap_or(0);
    while words.len() < load.bytes {
        words.push_str(WORDS.get(index % WORDS.len()).unwrap_or(&""));
        words.push(' ');
        index += 1 + index % 4;
    }
    while words.len() > load.bytes {
        words.pop();
    }
    let from = name(&format!("person{}", number % load.people.max(1)));
    Event::Message { from, text: text(&words), action: false }
}
