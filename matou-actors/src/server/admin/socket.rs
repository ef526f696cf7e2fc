//! The operators' socket: lines in, lines out, all of it bounded.

use std::io;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::Recipient;
use futures::{SinkExt, StreamExt};
use slog::{Logger, info, warn};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::codec::{Framed, LinesCodec};

use super::{Ask, Request, Response};

/// Operators at a time; more wait in the kernel's queue.
pub const OPERATORS: usize = 8;
/// The longest request in bytes.
const LONGEST_REQUEST: usize = 16 * 1024;
/// How long an operator may think before the next request.
const IDLE: Duration = Duration::from_secs(60);
/// How long a request may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// How long an operator may take to read an answer.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// How long to wait after a failed accept.
const BACK_OFF: Duration = Duration::from_millis(500);

/// Answers operators on `listener` until the runtime ends.
pub(super) fn serve(
    listener: StdUnixListener,
    desk: Recipient<Ask>,
    logger: Logger,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    actix_rt::spawn(accept(listener, desk, logger));
    Ok(())
}

async fn accept(listener: UnixListener, desk: Recipient<Ask>, logger: Logger) {
    let seats = Arc::new(Semaphore::new(OPERATORS));
    while let Ok(seat) = Arc::clone(&seats).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (desk, logger) = (desk.clone(), logger.clone());
                actix_rt::spawn(async move {
                    if let Err(error) = converse(stream, &desk, &logger).await {
                        warn!(logger, "operator disconnected"; "reason" => error);
                    }
                    drop(seat);
                });
            }
            Err(error) => {
                warn!(logger, "operator not accepted"; "reason" => %error);
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

async fn converse(
    stream: UnixStream,
    desk: &Recipient<Ask>,
    logger: &Logger,
) -> Result<(), String> {
    let uid = stream.peer_cred().map(|who| who.uid()).map_err(|error| error.to_string())?;
    let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(LONGEST_REQUEST));
    while let Ok(Some(line)) = timeout(IDLE, lines.next()).await {
        let line = line.map_err(|error| error.to_string())?;
        let response = match serde_json::from_str::<Request>(&line) {
            Ok(request) => {
                info!(logger, "operator asks"; "uid" => uid, "request" => ?request);
                answer(desk, request).await
            }
            Err(error) => Response::error(format!("not a request: {error}")),
        };
        if let Response::Error { message } = &response {
            warn!(logger, "operator's request failed"; "uid" => uid, "reason" => message);
        }
        let text = serde_json::to_string(&response).map_err(|error| error.to_string())?;
        match timeout(READ_WITHIN, lines.send(text)).await {
            Ok(sent) => sent.map_err(|error| error.to_string())?,
            Err(_) => return Err("the answer was not read in time".into()),
        }
    }
    Ok(())
}

async fn answer(desk: &Recipient<Ask>, request: Request) -> Response {
    match timeout(ANSWER_WITHIN, desk.send(Ask(request))).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Response::error("the server is stopping"),
        Err(_) => Response::error("the server did not answer in time; see its log"),
    }
}
