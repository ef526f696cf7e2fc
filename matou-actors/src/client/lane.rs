//! The file connection of one session: one file at a time in each direction.

use std::collections::VecDeque;

use super::TransferId;

/// Which files a file connection moves, and which wait for it.
#[derive(Debug, Default)]
pub(super) struct Lane {
    queue: VecDeque<TransferId>,
    sending: Option<TransferId>,
    incoming: Option<TransferId>,
    closed: Option<String>,
    /// What comes in is not understood any more: inside a file that nobody takes, or at its end.
    deaf: bool,
    /// The own file broke off in the middle, and the other side may not know.
    cut: bool,
}

impl Lane {
    /// Why no file can be sent any more, if so.
    pub(super) fn closed(&self) -> Option<&str> {
        self.closed.as_deref()
    }

    /// The file that is offered or received now.
    pub(super) fn incoming(&self) -> Option<TransferId> {
        self.incoming
    }

    /// The file that is sent now.
    pub(super) fn sending(&self) -> Option<TransferId> {
        self.sending
    }

    /// `file` waits for its turn.
    pub(super) fn enqueue(&mut self, file: TransferId) {
        self.queue.push_back(file);
    }

    /// The file whose turn to be sent it is now.
    pub(super) fn turn(&mut self) -> Option<TransferId> {
        if self.sending.is_none() && self.closed.is_none() {
            self.sending = self.queue.pop_front();
            return self.sending;
        }
        None
    }

    /// `file` is offered.
    pub(super) fn offered(&mut self, file: TransferId) {
        self.incoming = Some(file);
    }

    /// `file` is over, in whichever direction and state; whether it was one that came in.
    pub(super) fn over(&mut self, file: TransferId) -> bool {
        self.queue.retain(|other| *other != file);
        if self.sending == Some(file) {
            self.sending = None;
        }
        let incoming = self.incoming == Some(file);
        if incoming {
            self.incoming = None;
        }
        incoming
    }

    /// Whether no file can come in any more.
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// No file can come in any more.
    pub(super) fn deafen(&mut self) {
        self.deaf = true;
    }

    /// The own file broke off in the middle.
    pub(super) fn cut(&mut self) {
        self.cut = true;
    }

    /// Whether the connection has to be ended so that the other side learns that a file is cut:
    /// not while another one still comes in.
    pub(super) fn has_to_end(&self) -> bool {
        self.cut && self.incoming.is_none()
    }

    /// Whether the connection is of no more use in either direction.
    pub(super) fn is_done(&self) -> bool {
        let idle = self.sending.is_none() && self.incoming.is_none();
        idle && self.deaf && self.closed.is_some()
    }

    /// No file can be sent any more; those that wait for it.
    pub(super) fn close(&mut self, reason: String) -> Vec<TransferId> {
        self.closed.get_or_insert(reason);
        self.queue.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_at_a_time_in_each_direction() {
        let [one, two, three, theirs] = [1, 2, 3, 4].map(TransferId);
        let mut lane = Lane::default();
        for file in [one, two, three] {
            lane.enqueue(file);
        }
        assert_eq!(lane.turn(), Some(one));
        assert_eq!(lane.turn(), None, "one is being sent");
        lane.offered(theirs);
        assert!(!lane.over(two), "withdrawn while it waited");
        assert!(lane.over(theirs));
        assert!(!lane.over(one));
        assert_eq!(lane.turn(), Some(three));
    }

    #[test]
    fn a_closed_connection_sends_nothing_more() {
        let mut lane = Lane::default();
        lane.enqueue(TransferId(1));
        lane.turn();
        lane.enqueue(TransferId(2));
        assert_eq!(lane.close("why".into()), [TransferId(2)]);
        lane.over(TransferId(1));
        lane.enqueue(TransferId(3));
        assert_eq!((lane.turn(), lane.closed()), (None, Some("why")));
    }

    #[test]
    fn each_direction_ends_by_itself() {
        let mut lane = Lane::default();
        lane.offered(TransferId(1));
        lane.close("the own file broke".into());
        assert!(!lane.is_done(), "one comes in, and more may");
        lane.cut();
        assert!(!lane.has_to_end());
        lane.over(TransferId(1));
        assert!(!lane.is_done() && lane.has_to_end());
        lane.deafen();
        assert!(lane.is_done());
        let mut lane = Lane::default();
        lane.enqueue(TransferId(1));
        lane.turn();
        lane.close("theirs was refused".into());
        lane.deafen();
        assert!(!lane.is_done(), "the own one is on its way");
        lane.over(TransferId(1));
        assert!(lane.is_done());
    }
}
