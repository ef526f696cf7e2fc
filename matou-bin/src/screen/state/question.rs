//! Which question is on the screen.

use matou_actors::client::TransferId;

use crate::screen::state::prompts::Prompt;

/// What an answer would answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Question {
    pub(in crate::screen) dialog: Option<Dialog>,
    pub(in crate::screen) prompt: Option<Prompt>,
    pub(in crate::screen) transfer: Option<TransferId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::screen) enum Dialog {
    Paste,
    Leave,
    CloseTab,
}
