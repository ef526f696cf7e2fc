//! One entry of a tab: a message, users who joined and left, a notice.

use jiff::civil::DateTime;
use matou_actors::protocol::{MessageText, Username};

use crate::sanitize::sanitize;

/// Names that a line about comings and goings spells out; the others are counted.
const NAMES_SHOWN: usize = 8;

/// One entry of the scrollback. Its text is ready to be drawn.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// When it joined, by the clock on the wall.
    pub(crate) at: DateTime,
    /// What it is.
    pub(crate) body: Body,
}

/// What an entry is.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// A message.
    Said {
        /// Who.
        from: Username,
        /// What; of an action, with their name in front.
        text: Box<str>,
        /// It says what they do, as of `/me`.
        action: bool,
        /// Whose it is and whom it concerns.
        kind: Said,
        /// Of a private message of the user's that is confirmed: whether it was yet.
        delivered: Option<bool>,
    },
    /// Users who joined and left with no message in between.
    Presence(Box<Presence>),
    /// Something that the user should know.
    Notice(Box<str>),
    /// Something that went wrong, and what to do next.
    Error(Box<str>),
}

/// Whose a message is and whom it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The user's own.
    Own,
    /// Another user's.
    Other,
    /// Another user's, which mentions this user.
    Mention,
}

/// Comings and goings, folded; bounded however many there are. Each name that is spelled out is in one
/// list: that of its last move.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presence {
    joined: NameList,
    rejoined: NameList,
    left: NameList,
}

/// The first few names, and how many there are in all.
#[derive(Clone, Debug, Default)]
struct NameList {
    first: Vec<Username>,
    count: usize,
}

impl Entry {
    /// Roughly what it holds in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>()
            + match &self.body {
                Body::Said { text, .. } | Body::Notice(text) | Body::Error(text) => text.len(),
                Body::Presence(_) => size_of::<Presence>() + 2 * NAMES_SHOWN * 48,
            }
    }

    /// Whether it raises the unread count of its tab.
    pub(crate) fn is_message(&self) -> bool {
        matches!(self.body, Body::Said { kind: Said::Other | Said::Mention, .. })
    }
}

impl Body {
    /// A message.
    pub(crate) fn said(from: &Username, text: &MessageText, action: bool, kind: Said) -> Self {
        let text = sanitize(text.as_str());
        let text = if action { format!("{from} {text}").into() } else { text.into() };
        Self::Said { from: from.clone(), text, action, kind, delivered: None }
    }

    /// The text that is drawn, for searching and for copying.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Said { text, .. } | Self::Notice(text) | Self::Error(text) => {
                std::borrow::Cow::Borrowed(text)
            }
            Self::Presence(presence) => std::borrow::Cow::Owned(presence.text()),
        }
    }
}

impl Presence {
    /// A user joined.
    pub(crate) fn joined(&mut self, who: Username) {
        let list = if self.left.remove(&who) { &mut self.rejoined } else { &mut self.joined };
        list.push(who);
    }

    /// A user left.
    pub(crate) fn left(&mut self, who: Username) {
        if !self.joined.remove(&who) {
            self.rejoined.remove(&who);
        }
        self.left.push(who);
    }

    /// `→ ann, bob joined · → dan rejoined · ← carol left`, with a count in place of many names.
    pub(crate) fn text(&self) -> String {
        let joined = self.joined.text().map(|names| format!("→ {names} joined"));
        let rejoined = self.rejoined.text().map(|names| format!("→ {names} rejoined"));
        let left = self.left.text().map(|names| format!("← {names} left"));
        let parts: Vec<_> = [joined, rejoined, left].into_iter().flatten().collect();
        parts.join(" · ")
    }
}

impl NameList {
    fn push(&mut self, who: Username) {
        self.count += 1;
        if self.first.len() < NAMES_SHOWN {
            self.first.push(who);
        }
    }

    /// Takes out a name that is spelled out; whether it was.
    fn remove(&mut self, who: &Username) -> bool {
        let place = self.first.iter().position(|name| name == who);
        if let Some(place) = place {
            self.first.remove(place);
            self.count -= 1;
        }
        place.is_some()
    }

    fn text(&self) -> Option<String> {
        if self.count == 0 {
            return None;
        }
        let names: Vec<_> = self.first.iter().map(Username::as_str).collect();
        let names = names.join(", ");
        Some(match self.count - self.first.len() {
            0 => names,
            more => format!("{names} and {more} more"),
        })
    }
}
