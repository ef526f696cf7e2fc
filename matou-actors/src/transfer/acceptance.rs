//! Whether the other side has begun to accept a file that is sent to it.
//!
//! No frame of revision 1 reports it, and bytes that have left prove nothing: the other side's
//! kernel accepts as many as it has room for before the user there has decided. It reports how many
//! those are, in the window that it advertises; what is acknowledged beyond has been read.

/// What buffers of the other side may grow by while they are not read.
const SLACK: u64 = 256 * 1024;
/// What the other side's kernel may hold where the own one does not say how much that is.
const UNKNOWN_WINDOW: u64 = 1024 * 1024;

/// What the kernel knows of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Bytes that the other side has acknowledged.
    pub(super) acknowledged: u64,
    /// Bytes that it has room for beyond those.
    pub(super) room: u64,
}

/// Decides from samples of one connection, the first of them taken before the user can have
/// answered, or soon after.
#[derive(Debug, Default)]
pub(super) struct Acceptance {
    /// Acknowledged bytes beyond which they are read.
    bound: Option<u64>,
    taken: bool,
}

impl Acceptance {
    /// Whether the file is being taken. `bytes` of it have been handed to the kernel.
    pub(super) fn sample(&mut self, window: Option<Window>, bytes: u64) -> bool {
        self.taken = self.taken
            || match window {
                None => bytes > UNKNOWN_WINDOW,
                Some(Window { acknowledged, room }) => {
                    let held = acknowledged.saturating_add(room).saturating_add(SLACK);
                    acknowledged > *self.bound.get_or_insert(held)
                }
            };
        self.taken
    }
}

/// What the kernel knows of `socket`, if it says.
#[cfg(target_os = "linux")]
pub(super) fn window(socket: &std::net::TcpStream) -> Option<Window> {
    let (acknowledged, room) = crate::tcp_info::window(socket).ok()??;
    Some(Window { acknowledged, room })
}

/// The kernel does not say.
#[cfg(not(target_os = "linux"))]
pub(super) fn window(_: &std::net::TcpStream) -> Option<Window> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(acceptance: &mut Acceptance, acknowledged: u64, room: u64) -> bool {
        acceptance.sample(Some(Window { acknowledged, room }), acknowledged)
    }

    #[test]
    fn bytes_that_fit_into_the_receive_window_are_not_accepted_yet() {
        let mut acceptance = Acceptance::default();
        assert!(!sample(&mut acceptance, 1_000, 6_000_000), "a window grown by an earlier file");
        assert!(!sample(&mut acceptance, 4_000_000, 2_001_000));
        assert!(!sample(&mut acceptance, 6_001_000, 0));
        assert!(!sample(&mut acceptance, 6_001_000, 0), "it stands still");
        assert!(sample(&mut acceptance, 6_300_000, 2_000_000), "it reads");
        assert!(sample(&mut acceptance, 6_300_000, 0), "it was taken, and stands still again");
    }

    #[test]
    fn without_the_window_more_than_buffers_hold_is_taken() {
        let mut acceptance = Acceptance::default();
        assert!(!acceptance.sample(None, UNKNOWN_WINDOW));
        assert!(acceptance.sample(None, UNKNOWN_WINDOW + 1));
    }
}
