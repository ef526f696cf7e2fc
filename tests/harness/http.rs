//! What an HTTP server answers.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::DEADLINE;

/// What `GET path` answers: the status line and the body.
pub(crate) fn get(address: SocketAddr, path: &str) -> std::io::Result<(String, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: matou\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    Ok((head.lines().next().unwrap_or_default().to_owned(), body.to_owned()))
}
