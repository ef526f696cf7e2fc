//! Sending again what did not arrive.

use super::{Peers, Situation};
use crate::client::api::event::ErrorCode;
use crate::protocol::{MessageText, Username};

impl Peers {
    /// Keeps texts of which the user learns that they did not arrive.
    pub(super) fn keep_undelivered(&mut self, to: &Username, texts: &[MessageText]) {
        self.undelivered.keep(to, texts);
    }

    /// Sends what did not arrive again.
    pub(crate) fn resend(&mut self, to: &Username, at: &Situation<'_>) {
        let texts = self.undelivered.take(to);
        if texts.is_empty() {
            return self.error(
                ErrorCode::NotSent,
                format!("there are no undelivered messages to {to} to send again"),
            );
        }
        for text in texts {
            // They are bounded; nothing waits for them.
            drop(self.deliver_text(to, text.into(), at));
        }
    }
}
