//! `/metrics` and `/healthz`: a minimal HTTP server for scrapers and health checks.

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

/// Concurrent requests; more wait in the listen backlog.
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
        let permits = Arc::new(Semaphore::new(MAX_CONCURRENT));
        while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let exporter = exporter.clone();
                    actix_rt::spawn(async move {
                        // Errors and timeouts concern only this client.
                        let _ = timeout(REQUEST_TIMEOUT, answer(stream, &exporter)).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    warn!(logger, "metrics request not accepted"; "reason" => %error);
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    });
    Ok(())
}

async fn answer(mut stream: TcpStream, exporter: &Exporter) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        if head.len() > MAX_HEAD || stream.read_buf(&mut head).await? == 0 {
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
