//! What the kernel is told about the socket of a client.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// An idle connection is probed after this time, then after each interval, so many times.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(10), 6);
/// How long the other end may leave anything unacknowledged, probes included: just short of the
/// two minutes in which the name of somebody who was unplugged is to be free again. A client that
/// is there acknowledges probes by itself, however quiet its user is.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(110);

/// Unsent bytes that the kernel takes for a client who does not read. Left to itself it takes
/// megabytes for each, and a thousand of those are enough to slow down every connection of the
/// machine; what waits beyond this is in the outbox, where it is shared and bounded.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;

/// Sends at once what is written, and notices within two minutes when the other end has been
/// unplugged.
pub(super) fn tune(stream: &std::net::TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let (idle, interval, probes) = KEEPALIVE;
    let keepalive =
        TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(probes);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
        socket.set_tcp_notsent_lowat(UNSENT)?;
    }
    Ok(())
}

/// How long neither data nor an acknowledgement has come from the other end; `None` where the
/// system does not tell.
///
/// The kernel's own clocks do not see to it that somebody who was unplugged is gone in time: its
/// probes stop as soon as something is to be sent, and its limit for what is sent begins anew with
/// that, and is late by up to a minute when the local network says that there is no such host.
pub(super) fn silence(stream: &tokio::net::TcpStream) -> Option<Duration> {
    #[cfg(target_os = "linux")]
    {
        crate::tcp_info::silence(stream).ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = stream;
        None
    }
}

/// How many bytes the client's system has acknowledged; `None` where ours does not tell.
pub(super) fn acknowledged(stream: &tokio::net::TcpStream) -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        crate::tcp_info::acknowledged(stream).ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = stream;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_connection_is_tuned_for_people_who_are_unplugged_or_do_not_read() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        tune(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(10));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 6);
        let user_timeout = socket.tcp_user_timeout().unwrap().unwrap();
        assert!((60..120).contains(&user_timeout.as_secs()), "{user_timeout:?}");
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT);
    }

    #[actix::test]
    #[cfg(target_os = "linux")]
    async fn what_comes_from_the_other_end_ends_its_silence() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut theirs =
            tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut ours, _) = listener.accept().await.unwrap();
        let long = Duration::from_millis(100);
        while silence(&ours).unwrap() < long {
            tokio::time::sleep(long / 10).await;
        }
        let before = silence(&ours).unwrap();
        theirs.write_all(b"x").await.unwrap();
        ours.read_u8().await.unwrap();
        assert!(silence(&ours).unwrap() < before + long);
        assert!(silence(&ours).unwrap() < Duration::from_secs(60));
    }
}
