//! What became of bytes that the kernel has taken, and the end of a connection that cannot wait.

use std::io;
use std::net::TcpStream;

/// Waits until the other side's kernel has received everything sent, or the connection has ended
/// before that, which is an error. Until then the end of the connection, from either side, could
/// lose what seems to be sent. Blocks, for as long as the other side reads nothing.
#[cfg(target_os = "linux")]
pub(super) fn arrive(socket: &TcpStream) -> io::Result<()> {
    use std::time::Duration;

    use crate::tcp_info::{TcpState, tcp_info};

    // There is no event for it, so it is polled: at once, after a round trip, and then less often.
    const FIRST: Duration = Duration::from_micros(250);
    const LAST: Duration = Duration::from_millis(50);

    let mut pause = FIRST;
    loop {
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        let info = tcp_info(socket)?;
        if info.waiting == 0 && info.state != TcpState::Closed {
            return Ok(());
        }
        if info.state != TcpState::Sending {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LAST);
    }
}

/// The kernel does not say.
#[cfg(not(target_os = "linux"))]
pub(super) fn arrive(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

/// Ends the connection even if the other side reads nothing: behind a closed window the end that
/// `shutdown` queues would only be seen when the file is read. Unread input is lost by it.
pub fn abort(socket: &TcpStream) {
    #[cfg(target_os = "linux")]
    {
        // An error means that it is closed already.
        let _ = rustix::net::connect_unspec(socket);
    }
    // Wakes a blocked read or write.
    let _ = socket.shutdown(std::net::Shutdown::Both);
}
