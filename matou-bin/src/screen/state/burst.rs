//! Distinguishes pasted from typed text, on terminals without bracketed paste.
//!
//! A paste arrives as keys without pauses, and each of its line breaks as Enter. So an Enter right
//! after another key waits for a moment: when more text follows at once, it was a line break.

use std::time::Duration;

/// The longest pause between two keys of a paste. No one types Enter so soon after a key.
const PAUSE: Duration = Duration::from_millis(10);
/// How long such an Enter waits for more text.
const HOLD: Duration = Duration::from_millis(30);
/// The pause that ends a paste.
const END: Duration = Duration::from_millis(60);

/// The outcome of the last keys.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    last_text: Option<Duration>,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Typing,
    /// Enter arrived right after text, at this time.
    Held(Duration),
    /// A paste, and when its last key arrived.
    Pasting(String, Duration),
}

/// What a key is for this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BurstKey {
    /// A character; a tab is one.
    Text(char),
    /// Enter alone, which sends.
    Enter,
    /// Anything else.
    Other,
}

/// What to do with a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeyHandling {
    /// It is an ordinary one.
    No,
    /// It waits, or belongs to a paste.
    Yes,
    /// The line that was typed is the first one of a paste: [`Burst::begins_with`].
    Begins,
    /// The Enter before it sends, then it is an ordinary one.
    AfterSubmit,
}

/// What has to be done because no key arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The Enter was one.
    Submit,
    /// This was pasted.
    Paste(String),
}

impl Burst {
    /// A key was pressed at `now`.
    pub(crate) fn key(&mut self, key: BurstKey, now: Duration) -> KeyHandling {
        let since = |then: Duration| now.saturating_sub(then);
        let is_fast = self.last_text.is_some_and(|last| since(last) <= PAUSE);
        self.last_text = (key != BurstKey::Other).then_some(now);
        let c = match key {
            BurstKey::Text(c) => Some(c),
            BurstKey::Enter => Some('\n'),
            BurstKey::Other => None,
        };
        match (&mut self.state, c) {
            (State::Typing, _) if key == BurstKey::Enter && is_fast => {
                self.state = State::Held(now);
                KeyHandling::Yes
            }
            (State::Typing, _) => KeyHandling::No,
            (State::Held(_), Some(c)) => {
                self.state = State::Pasting(format!("\n{c}"), now);
                KeyHandling::Begins
            }
            (State::Held(_), None) => {
                self.state = State::Typing;
                KeyHandling::AfterSubmit
            }
            (State::Pasting(text, last), c) => {
                text.extend(c);
                *last = now;
                KeyHandling::Yes
            }
        }
    }

    /// The first line of the paste that has begun.
    pub(crate) fn begins_with(&mut self, line: &str) {
        if let State::Pasting(text, _) = &mut self.state {
            text.insert_str(0, line);
        }
    }

    /// When [`Burst::due`] may have something to do.
    pub(crate) fn next(&self) -> Option<Duration> {
        match &self.state {
            State::Typing => None,
            State::Held(since) => Some(*since + HOLD),
            State::Pasting(_, last) => Some(*last + END),
        }
    }

    /// The waiting keys, before an event that is not a key of a paste.
    pub(crate) fn release(&mut self) -> Option<Due> {
        match std::mem::take(&mut self.state) {
            State::Typing => None,
            State::Held(_) => Some(Due::Submit),
            State::Pasting(text, _) => Some(Due::Paste(text)),
        }
    }

    /// What has to be done at `now`.
    pub(crate) fn due(&mut self, now: Duration) -> Option<Due> {
        if self.next().is_none_or(|next| now < next) {
            return None;
        }
        self.release()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// The keys of `text`, each this many milliseconds after the one before; returns how they were
    /// handled.
    fn keys(burst: &mut Burst, text: &str, from: u64, pause: u64) -> Vec<KeyHandling> {
        let at = |index: usize| ms(from + pause * u64::try_from(index).unwrap());
        let key = |c| if c == '\n' { BurstKey::Enter } else { BurstKey::Text(c) };
        text.chars().enumerate().map(|(index, c)| burst.key(key(c), at(index))).collect()
    }

    #[test]
    fn typed_keys_are_ordinary_ones() {
        let mut burst = Burst::default();
        let taken = keys(&mut burst, "hi\nthere\n", 0, 11);
        assert!(taken.iter().all(|taken| *taken == KeyHandling::No), "{taken:?}");
        assert_eq!(burst.next(), None);
    }

    #[test]
    fn a_line_that_arrives_at_once_is_sent_a_moment_later() {
        let mut burst = Burst::default();
        assert_eq!(
            keys(&mut burst, "hi\n", 0, 0),
            [KeyHandling::No, KeyHandling::No, KeyHandling::Yes]
        );
        assert_eq!((burst.due(ms(29)), burst.due(ms(30))), (None, Some(Due::Submit)));
        assert_eq!(burst.due(ms(31)), None);
    }

    #[test]
    fn lines_that_arrive_at_once_are_a_paste() {
        let mut burst = Burst::default();
        let taken = keys(&mut burst, "a\nb\n\tc", 0, 1);
        let held = [KeyHandling::No, KeyHandling::Yes, KeyHandling::Begins];
        assert_eq!(taken[..3], held);
        assert!(taken[3..].iter().all(|taken| *taken == KeyHandling::Yes), "{taken:?}");
        burst.begins_with("a");
        assert_eq!(burst.due(ms(5 + 59)), None);
        assert_eq!(burst.due(ms(5 + 60)), Some(Due::Paste("a\nb\n\tc".into())));
    }

    #[test]
    fn another_key_after_such_an_enter_is_handled_after_the_line_is_sent() {
        let mut burst = Burst::default();
        keys(&mut burst, "hi\n", 0, 0);
        assert_eq!(burst.key(BurstKey::Other, ms(1)), KeyHandling::AfterSubmit);
        assert_eq!(burst.next(), None);
    }

    #[test]
    fn an_enter_that_is_held_down_is_not_a_paste() {
        let mut burst = Burst::default();
        let taken = keys(&mut burst, "\n\n\n", 0, 30);
        assert_eq!(taken, [KeyHandling::No, KeyHandling::No, KeyHandling::No]);
    }
}
