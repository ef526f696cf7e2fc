//! When to notify the user: only for what concerns them, only while they look elsewhere.

use std::time::Duration;

use crate::screen::config::settings::Notify;

/// Without focus reports, a user who typed this recently is looking.
const RECENT: Duration = Duration::from_secs(30);
/// A flood must not ring without end.
const PAUSE: Duration = Duration::from_secs(2);

/// What the user wants to be called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotifyReason {
    /// A message mentions the user.
    Mention,
    /// A private message, request or file.
    Private,
}

/// Knows whether the user looks, and when they were called last.
#[derive(Debug)]
pub(crate) struct Notifier {
    mention: Notify,
    private: Notify,
    focus: Option<bool>,
    typed: Duration,
    called: Option<Duration>,
}

impl Notifier {
    /// With what the configuration says.
    pub(crate) fn new(mention: Notify, private: Notify) -> Self {
        Self { mention, private, focus: None, typed: Duration::ZERO, called: None }
    }

    /// The terminal got or lost the focus.
    pub(crate) fn focus(&mut self, focus: bool) {
        self.focus = Some(focus);
    }

    /// The user did something.
    pub(crate) fn typed(&mut self, now: Duration) {
        self.typed = now;
    }

    /// Whether the terminal has the focus, as far as it reports it.
    pub(crate) fn has_focus(&self) -> bool {
        self.focus != Some(false)
    }

    /// How to call the user now, if at all.
    pub(crate) fn call(&mut self, reason: NotifyReason, now: Duration) -> Option<Notify> {
        let how = match reason {
            NotifyReason::Mention => self.mention,
            NotifyReason::Private => self.private,
        };
        let looks = self.focus.unwrap_or(now.saturating_sub(self.typed) < RECENT);
        let again = self.called.is_some_and(|called| now.saturating_sub(called) < PAUSE);
        if how == Notify::Off || looks || again {
            return None;
        }
        self.called = Some(now);
        Some(how)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_user_who_is_looking_is_not_notified() {
        let mut notifier = Notifier::new(Notify::Bell, Notify::Osc9);
        notifier.focus(true);
        assert_eq!(notifier.call(NotifyReason::Mention, at(100)), None);
        notifier.focus(false);
        assert_eq!(notifier.call(NotifyReason::Mention, at(100)), Some(Notify::Bell));
        assert_eq!(notifier.call(NotifyReason::Private, at(101)), None, "too soon");
        assert_eq!(notifier.call(NotifyReason::Private, at(103)), Some(Notify::Osc9));
    }

    #[test]
    fn without_focus_reports_recent_typing_counts_as_looking() {
        let mut notifier = Notifier::new(Notify::Bell, Notify::Off);
        notifier.typed(at(100));
        assert_eq!(notifier.call(NotifyReason::Mention, at(110)), None);
        assert_eq!(notifier.call(NotifyReason::Mention, at(131)), Some(Notify::Bell));
        assert_eq!(notifier.call(NotifyReason::Private, at(200)), None, "switched off");
    }
}
