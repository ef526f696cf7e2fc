//! `/metrics` and `/healthz`: just enough HTTP for those who scrape and probe.

use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use slog::{Logger, warn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::metrics::Exporter;

/// Requests at a time; more wait in the kernel's queue.
pub(super) const AT_ONCE: usize = 16;
/// The longest head of a request in bytes.
const LONGEST_HEAD: usize = 8 * 1024;
/// How long a request may take, from accept to the last byte of the answer.
const WITHIN: Duration = Duration::from_secs(15);
/// How long to wait after a failed accept.
const BACK_OFF: Duration = Duration::from_millis(500);

/// Answers on `listener` until the runtime ends.
pub(super) fn serve(listener: StdListener, exporter: Exporter, logger: Logger) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    actix_rt::spawn(exporter.clone().upkeep());
    actix_rt::spawn(async move {
        let seats = Arc::new(Semaphore::new(AT_ONCE));
        while let Ok(seat) = Arc::clone(&seats).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let exporter = exporter.clone();
                    actix_rt::spawn(async move {
                        // Whoever goes away or dawdles has only itself to blame.
                        let _ = timeout(WITHIN, answer(stream, &exporter)).await;
                        drop(seat);
                    });
                }
                Err(error) => {
                    warn!(logger, "metrics request not accepted"; "reason" => %error);
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    });
    Ok(())
}

async fn answer(mut stream: TcpStream, exporter: &Exporter) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        if head.len() > LONGEST_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let (status, body) = match request(&head) {
        Some(("GET" | "HEAD", "/metrics")) => ("200 OK", exporter.render()),
        Some(("GET" | "HEAD", "/healthz")) => match exporter.check().await {
            Ok(()) => ("200 OK", "ok\n".into()),
            Err(problem) => ("503 Service Unavailable", format!("{problem}\n")),
        },
        Some(("GET" | "HEAD", _)) => {
            ("404 Not Found", "there are /metrics and /healthz\n".to_owned())
        }
        Some(_) => ("405 Method Not Allowed", "only GET\n".into()),
        None => ("400 Bad Request", "not a request\n".into()),
    };
    let length = body.len();
    let mut response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {length}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    );
    if !head.starts_with(b"HEAD ") {
        response.push_str(&body);
    }
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

/// Method and path of a request's head.
fn request(head: &[u8]) -> Option<(&str, &str)> {
    let line = head.split(|&byte| byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let path = target.split('?').next()?;
    (version.starts_with("HTTP/1.") && words.next().is_none()).then_some((method, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_what_is_asked_for() {
        assert_eq!(request(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), Some(("GET", "/metrics")));
        assert_eq!(request(b"GET /healthz?a=b HTTP/1.0\r\n\r\n"), Some(("GET", "/healthz")));
        for bad in [&b"GET /\r\n\r\n"[..], b"", b"\xff / HTTP/1.1\r\n", b"GET / x HTTP/1.1\r\n"] {
            assert_eq!(request(bad), None);
        }
    }
}
