//! The file connection of one session: one file at a time in each direction.

use std::collections::VecDeque;

use crate::client::ids::TransferId;

/// Which files a file connection moves, and which wait for it.
#[derive(Debug, Default)]
pub(crate) struct FileQueue {
    queue: VecDeque<TransferId>,
    sending: Option<TransferId>,
    incoming: Option<TransferId>,
    closed: Option<String>,
    /// What comes in is not understood any more: inside a file that is not taken, or at its end.
    receiving_closed: bool,
    /// The own file broke off in the middle, and the other side may not know.
    cut: bool,
}

impl FileQueue {
    /// Why no file can be sent any more, if so.
    pub(crate) fn closed(&self) -> Option<&str> {
        self.closed.as_deref()
    }

    /// The file that is offered or received now.
    pub(crate) fn incoming(&self) -> Option<TransferId> {
        self.incoming
    }

    /// The file that is sent now.
    pub(crate) fn sending(&self) -> Option<TransferId> {
        self.sending
    }

    /// `file` waits for its turn.
    pub(crate) fn enqueue(&mut self, file: TransferId) {
        self.queue.push_back(file);
    }

    /// The file whose turn to be sent it is now.
    pub(crate) fn turn(&mut self) -> Option<TransferId> {
        if self.sending.is_none() && self.closed.is_none() {
            self.sending = self.queue.pop_front();
            return self.sending;
        }
        None
    }

    /// `file` is offered.
    pub(crate) fn offered(&mut self, file: TransferId) {
        self.incoming = Some(file);
    }

    /// `file` is over, in whichever direction and state; whether it was one that came in.
    pub(crate) fn over(&mut self, file: TransferId) -> bool {
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
    pub(crate) fn is_receiving_closed(&self) -> bool {
        self.receiving_closed
    }

    /// No file can come in any more.
    pub(crate) fn close_receiving(&mut self) {
        self.receiving_closed = true;
    }

    /// The own file broke off in the middle.
    pub(crate) fn cut(&mut self) {
        self.cut = true;
    }

    /// Whether the connection has to be ended so that the other side learns that a file is cut:
    /// not while another one still comes in.
    pub(crate) fn has_to_end(&self) -> bool {
        self.cut && self.incoming.is_none()
    }

    /// Whether the connection is of no more use in either direction.
    pub(crate) fn is_done(&self) -> bool {
        let idle = self.sending.is_none() && self.incoming.is_none();
        idle && self.receiving_closed && self.closed.is_some()
    }

    /// No file can be sent any more; those that wait for it.
    pub(crate) fn close(&mut self, reason: String) -> Vec<TransferId> {
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
        let mut queue = FileQueue::default();
        for file in [one, two, three] {
            queue.enqueue(file);
        }
        assert_eq!(queue.turn(), Some(one));
        assert_eq!(queue.turn(), None, "one is being sent");
        queue.offered(theirs);
        assert!(!queue.over(two), "withdrawn while it waited");
        assert!(queue.over(theirs));
        assert!(!queue.over(one));
        assert_eq!(queue.turn(), Some(three));
    }

    #[test]
    fn a_closed_connection_sends_nothing_more() {
        let mut queue = FileQueue::default();
        queue.enqueue(TransferId(1));
        queue.turn();
        queue.enqueue(TransferId(2));
        assert_eq!(queue.close("why".into()), [TransferId(2)]);
        queue.over(TransferId(1));
        queue.enqueue(TransferId(3));
        assert_eq!((queue.turn(), queue.closed()), (None, Some("why")));
    }

    #[test]
    fn each_direction_ends_by_itself() {
        let mut queue = FileQueue::default();
        queue.offered(TransferId(1));
        queue.close("the own file broke".into());
        assert!(!queue.is_done(), "one comes in, and more may");
        queue.cut();
        assert!(!queue.has_to_end());
        queue.over(TransferId(1));
        assert!(!queue.is_done() && queue.has_to_end());
        queue.close_receiving();
        assert!(queue.is_done());
        let mut queue = FileQueue::default();
        queue.enqueue(TransferId(1));
        queue.turn();
        queue.close("theirs was refused".into());
        queue.close_receiving();
        assert!(!queue.is_done(), "the own one is on its way");
        queue.over(TransferId(1));
        assert!(queue.is_done());
    }
}
