//! Whether the user has had time to read the question that is on the screen.

use std::time::Duration;

use crate::screen::state::app::App;
use crate::screen::state::modal::Modal;
use crate::screen::state::question::{Dialog, Question};

/// How long a question accepts no answer after it has changed: a key meant for the one before must
/// not answer it.
const UNREAD: Duration = Duration::from_millis(500);

impl App {
    /// Whether the question was on the screen long enough to be answered; shows a notice if not.
    pub(in crate::screen) fn takes_answers(&mut self) -> bool {
        let ready = self.now.elapsed.saturating_sub(self.question.1) >= UNREAD;
        if !ready {
            self.flash("The question has just changed: read it and press the key again.");
        }
        ready
    }

    /// Records the question that is shown after an event.
    pub(in crate::screen) fn note_question(&mut self) {
        let dialog = match &self.modal {
            Some(Modal::Paste(_)) => Some(Dialog::Paste),
            Some(Modal::Leave) => Some(Dialog::Leave),
            Some(Modal::CloseTab { .. }) => Some(Dialog::CloseTab),
            _ => None,
        };
        let shown = &mut self.question.0;
        // In front of a prompt there is only the dialog.
        let prompt = if dialog.is_some() { None } else { self.prompts.first() };
        let transfer = self.transfers.selected;
        if shown.dialog == dialog && shown.prompt.as_ref() == prompt && shown.transfer == transfer {
            return;
        }
        *shown = Question { dialog, prompt: prompt.cloned(), transfer };
        self.question.1 = self.now.elapsed;
    }
}
