//! `/metrics` and `/healthz`: a minimal HTTP server for scrapers and health checks.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::time::Duration;

use slog::{Logger, warn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::metrics::Exporter;

/// Concurrent requests.
pub(super) const MAX_CONCURRENT: usize = 16;
/// The longest request head in bytes.
const MAX_HEAD: usize = 8 * 1024;
/// The time limit for a request, from accept to the last byte of the response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// The delay after a failed accept.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(500);

/// Serves requests on `listener` until the runtime ends.
pub(super) fn serve(listener: StdListener, exporter: Exporter, logger: Logger) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    actix_rt::spawn(exporter.clone().upkeep());
    actix_rt::spawn(async move {
        let mut open = OpenConnections::default();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => open.answer(stream, exporter.clone()).await,
                Err(error) => {
                    warn!(logger, "metrics request not accepted"; "reason" => %error);
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    });
    Ok(())
}

/// The requests under way, the oldest first. A new one takes the place of the oldest that has not
/// said yet what it wants: slow connections, however many, do not keep out one that asks at once.
#[derive(Default)]
struct OpenConnections(VecDeque<Client>);

struct Client {
    task: JoinHandle<()>,
    /// The whole head was received.
    asked: Rc<Cell<bool>>,
}

impl OpenConnections {
    async fn answer(&mut self, stream: TcpStream, exporter: Exporter) {
        self.0.retain(|client| !client.task.is_finished());
        if self.0.len() >= MAX_CONCURRENT {
            let slow = self.0.iter().position(|client| !client.asked.get()).unwrap_or_default();
            if let Some(client) = self.0.remove(slow) {
                client.task.abort();
                // Its descriptor is free now.
                let _ = client.task.await;
            }
        }
        let asked = Rc::<Cell<bool>>::default();
        let has_asked = Rc::clone(&asked);
        let task = actix_rt::spawn(async move {
            // Errors and timeouts concern only this client.
            let _ = timeout(REQUEST_TIMEOUT, answer(stream, &exporter, &has_asked)).await;
        });
        self.0.push_back(Client { task, asked });
    }
}

async fn answer(mut stream: TcpStream, exporter: &Exporter, asked: &Cell<bool>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        if head.len() > MAX_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    asked.set(true);
    let (status, body) = match request(&head) {
        Some(("GET" | "HEAD", "/metrics")) => ("200 OK", exporter.render()),
        Some(("GET" | "HEAD", "/healthz")) => match exporter.check().await {
            Ok(()) => ("200 OK", "ok\n".into()),
            Err(problem) => ("503 Service Unavailable", format!("{problem}\n")),
        },
        Some(("GET" | "HEAD", _)) => {
            ("404 Not Found", "not found; available: /metrics and /healthz\n".to_owned())
        }
        Some(_) => ("405 Method Not Allowed", "method not allowed; use GET\n".into()),
        None => ("400 Bad Request", "malformed request\n".into()),
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

/// The method and path of a request head.
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
    fn the_request_line_is_parsed() {
        assert_eq!(request(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), Some(("GET", "/metrics")));
        assert_eq!(request(b"GET /healthz?a=b HTTP/1.0\r\n\r\n"), Some(("GET", "/healthz")));
        for bad in [&b"GET /\r\n\r\n"[..], b"", b"\xff / HTTP/1.1\r\n", b"GET / x HTTP/1.1\r\n"] {
            assert_eq!(request(bad), None);
        }
    }
}
