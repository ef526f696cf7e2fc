//! The operators' socket: lines in, lines out, all of it bounded.

use std::io;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::Recipient;
use futures::{SinkExt, StreamExt};
use slog::{Logger, info, warn};
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};

use super::log_fields::RequestFields;
use super::wire::{Request, Response};
use crate::server::messages::AdminRequest;

/// Operators at a time; more wait in the kernel's queue.
pub const OPERATORS: usize = 8;
/// The longest request in bytes.
const LONGEST_REQUEST: usize = 16 * 1024;
/// How long an operator may stay connected, so that others get their turn; a request that was
/// read is answered.
const SESSION_LIMIT: Duration = Duration::from_secs(300);
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
    admin: Recipient<AdminRequest>,
    logger: Logger,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    actix_rt::spawn(accept(listener, admin, logger));
    Ok(())
}

async fn accept(listener: UnixListener, admin: Recipient<AdminRequest>, logger: Logger) {
    let slots = Arc::new(Semaphore::new(OPERATORS));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (admin, logger) = (admin.clone(), logger.clone());
                actix_rt::spawn(async move {
                    if let Err(error) = serve_operator(stream, &admin, &logger).await {
                        warn!(logger, "operator disconnected"; "reason" => error);
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                warn!(logger, "operator not accepted"; "reason" => %error);
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

async fn serve_operator(
    stream: UnixStream,
    admin: &Recipient<AdminRequest>,
    logger: &Logger,
) -> Result<(), String> {
    let uid = stream.peer_cred().map(|who| who.uid()).map_err(|error| error.to_string())?;
    let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(LONGEST_REQUEST));
    let start = Instant::now();
    while let Some(limit) = idle_limit(start.elapsed()) {
        let Ok(Some(line)) = timeout(limit, lines.next()).await else { break };
        let line = match line {
            Ok(line) => line,
            Err(LinesCodecError::MaxLineLengthExceeded) => return refuse_long(lines).await,
            Err(LinesCodecError::Io(error)) => return Err(error.to_string()),
        };
        let response = match serde_json::from_str::<Request>(&line) {
            Ok(request) => {
                info!(logger, "operator request"; "uid" => uid, RequestFields::of(&request));
                answer(admin, request).await
            }
            Err(error) => Response::error(format!("not a request: {error}")),
        };
        if let Response::Error { message } = &response {
            warn!(logger, "operator's request failed"; "uid" => uid, "reason" => message);
        }
        report(&mut lines, &response).await?;
    }
    Ok(())
}

/// How long to wait for the next request of an operator while others queue.
fn idle_limit(connected: Duration) -> Option<Duration> {
    let left = SESSION_LIMIT.saturating_sub(connected);
    (!left.is_zero()).then(|| left.min(IDLE))
}

async fn report(
    lines: &mut Framed<UnixStream, LinesCodec>,
    response: &Response,
) -> Result<(), String> {
    let text = serde_json::to_string(response).map_err(|error| error.to_string())?;
    match timeout(READ_WITHIN, lines.send(text)).await {
        Ok(sent) => sent.map_err(|error| error.to_string()),
        Err(_) => Err("the answer was not read in time".into()),
    }
}

/// Answers a request that is too long, and ends the conversation.
async fn refuse_long(mut lines: Framed<UnixStream, LinesCodec>) -> Result<(), String> {
    let reason = format!("a request has at most {LONGEST_REQUEST} bytes");
    report(&mut lines, &Response::error(&reason)).await?;
    // A client that still writes does not read yet.
    let mut stream = lines.into_inner();
    let last_words = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    let _ = timeout(READ_WITHIN, last_words).await;
    Err(reason)
}

async fn answer(admin: &Recipient<AdminRequest>, request: Request) -> Response {
    match timeout(ANSWER_WITHIN, admin.send(AdminRequest(request))).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Response::error("the server is stopping"),
        Err(_) => Response::error("the server did not answer in time; see its log"),
    }
}

#[cfg(test)]
mod tests {
    use actix::prelude::{Actor, Context, Handler, MessageResult};
    use slog::{Discard, o};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(30);

    struct Yes;

    impl Actor for Yes {
        type Context = Context<Self>;
    }

    impl Handler<AdminRequest> for Yes {
        type Result = MessageResult<AdminRequest>;

        fn handle(
            &mut self,
            _: AdminRequest,
            _: &mut Context<Self>,
        ) -> MessageResult<AdminRequest> {
            MessageResult(Response::Said)
        }
    }

    /// An operator's end of a conversation.
    fn operator() -> Framed<UnixStream, LinesCodec> {
        let (operator, server) = UnixStream::pair().unwrap();
        actix_rt::spawn(async move {
            let logger = Logger::root(Discard, o!());
            let _ = serve_operator(server, &Yes.start().recipient(), &logger).await;
        });
        Framed::new(operator, LinesCodec::new())
    }

    #[test]
    fn an_operator_connection_has_a_time_limit() {
        let waits = |seconds| idle_limit(Duration::from_secs(seconds)).map(|left| left.as_secs());
        assert_eq!([0, 200, 290, 300, 301].map(waits), [Some(60), Some(60), Some(10), None, None]);
    }

    #[actix::test]
    async fn a_request_that_is_too_long_is_answered() {
        let mut operator = operator();
        let long = format!(r#"{{"command":"notice","text":"{}"}}"#, "x".repeat(4 << 20));
        timeout(DEADLINE, operator.send(long)).await.unwrap().unwrap();
        let answer = timeout(DEADLINE, operator.next()).await.unwrap().unwrap().unwrap();
        assert!(answer.contains("at most 16384 bytes"), "{answer}");
    }
}
