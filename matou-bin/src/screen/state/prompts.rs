//! Pending requests and files of others, one shown at a time.

use std::collections::VecDeque;
use std::net::IpAddr;

use matou_actors::client::{Command, TransferId};
use matou_actors::protocol::Username;

/// Questions that wait; more can still be answered by their commands.
const MAX_PROMPTS: usize = 100;

/// The questions that wait, the one that is shown first.
#[derive(Debug, Default)]
pub(crate) struct Prompts(VecDeque<Prompt>);

/// A pending question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// A private session.
    Private {
        /// The other user.
        from: Username,
    },
    /// To talk with a peer at another address than the open session does.
    Move {
        /// Who.
        from: Username,
        /// Where they are said to be.
        address: IpAddr,
    },
    /// To send a file.
    File {
        /// Its number.
        id: TransferId,
        /// The sender.
        from: Username,
        /// What it is, in front of its number.
        what: String,
        /// Its size in bytes, if known.
        size: Option<u64>,
        /// Where the sender is.
        address: IpAddr,
        /// Free bytes where it would go, when known.
        free: Option<u64>,
    },
}

impl Prompts {
    /// Adds a question after the others.
    pub(crate) fn add(&mut self, ask: Prompt) {
        if self.0.len() < MAX_PROMPTS && !self.0.iter().any(|other| other.is_same(&ask)) {
            self.0.push_back(ask);
        }
    }

    /// The one that is shown.
    pub(crate) fn first(&self) -> Option<&Prompt> {
        self.0.front()
    }

    /// How many wait, the one that is shown included.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Takes the one that is shown, to answer it.
    pub(crate) fn take(&mut self) -> Option<Prompt> {
        self.0.pop_front()
    }

    /// Moves the shown one to the end.
    pub(crate) fn later(&mut self) {
        if let Some(ask) = self.0.pop_front() {
            self.0.push_back(ask);
        }
    }

    /// The users who request a private session.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &Username> {
        self.0.iter().filter_map(|ask| match ask {
            Prompt::Private { from } | Prompt::Move { from, .. } => Some(from),
            Prompt::File { .. } => None,
        })
    }

    /// The request of `who` is answered or void.
    pub(crate) fn drop_request(&mut self, who: &Username) {
        self.0.retain(|ask| {
            !matches!(ask, Prompt::Private { from } | Prompt::Move { from, .. }
                    if from.folded() == who.folded())
        });
    }

    /// The file is taken, refused or gone.
    pub(crate) fn drop_file(&mut self, file: TransferId) {
        self.0.retain(|ask| !matches!(ask, Prompt::File { id, .. } if *id == file));
    }

    /// No more prompts of `who` are shown.
    pub(crate) fn drop_from(&mut self, who: &Username) {
        self.0.retain(|ask| ask.from().folded() != who.folded());
    }
}

impl Prompt {
    /// The other user.
    pub(crate) fn from(&self) -> &Username {
        match self {
            Self::Private { from } | Self::Move { from, .. } | Self::File { from, .. } => from,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Private { from }, Self::Private { from: who }) => from.folded() == who.folded(),
            (Self::Move { from, .. }, Self::Move { from: who, .. }) => {
                from.folded() == who.folded()
            }
            (Self::File { id, .. }, Self::File { id: other, .. }) => id == other,
            _ => false,
        }
    }

    /// The accepting answer.
    pub(crate) fn yes(&self) -> Command {
        match self {
            Self::Private { from } | Self::Move { from, .. } => Command::Accept(from.clone()),
            Self::File { id, .. } => Command::Take(*id),
        }
    }

    /// The declining answer.
    pub(crate) fn no(&self) -> Command {
        match self {
            Self::Private { from } | Self::Move { from, .. } => Command::Decline(from.clone()),
            Self::File { id, .. } => Command::Refuse(*id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str) -> Prompt {
        Prompt::Private { from: Username::parse(name).unwrap() }
    }

    #[test]
    fn prompts_are_unique_and_bounded() {
        let mut prompts = Prompts::default();
        prompts.add(request("a"));
        prompts.add(request("b"));
        prompts.add(request("A"));
        assert_eq!(prompts.count(), 2);
        prompts.later();
        assert_eq!(prompts.first(), Some(&request("b")));
        prompts.drop_request(request("B").from());
        assert_eq!(prompts.take(), Some(request("a")));
        for n in 0..1000 {
            prompts.add(request(&format!("n{n}")));
        }
        assert_eq!(prompts.count(), MAX_PROMPTS);
    }
}
