//! The user's commands on their way to the hub.
//!
//! A text waits until its connection has room, a file until the disk was consulted, and all other
//! commands overtake them: `/quit`, `/close` and `/cancel` work at once. Texts keep their order,
//! and so do files. Commands are taken from the channel at once, so that nothing waits there; the
//! permits of the handle bound how many may wait here.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::{Semaphore, mpsc};

use super::file_check::{Chosen, check_files};
use crate::client::api::command::Command;
use crate::client::api::handle::QueuedCommand;
use crate::client::messages::{Checked, RunCommand};
use crate::protocol::Username;

/// Files that are kept open while they wait for their turn.
const HELD_FILES: usize = 64;

/// Hands commands to `hub` until either side is gone.
pub(crate) async fn feed(
    mut commands: mpsc::UnboundedReceiver<QueuedCommand>,
    hub: Recipient<RunCommand>,
) {
    let mut feed = Feed { hub, texts: VecDeque::new(), files: VecDeque::new() };
    let handles = Arc::new(Semaphore::new(HELD_FILES));
    let mut text_on_its_way: Option<Pin<Box<dyn Future<Output = bool>>>> = None;
    let mut check: Option<Pin<Box<dyn Future<Output = Vec<Chosen>>>>> = None;
    let (mut finish, mut open) = (false, true);
    loop {
        if text_on_its_way.is_none()
            && let Some(text) = feed.texts.pop_front()
        {
            let QueuedCommand { command, permit } = text;
            let delivered = feed.deliver(command, None);
            text_on_its_way = Some(Box::pin(async move {
                let alive = delivered.await;
                drop(permit);
                alive
            }));
        }
        match feed.files.front() {
            None => check = None,
            Some(queued) if check.is_none() => {
                check = Some(Box::pin(check_files(&queued.command, &handles)));
            }
            Some(_) => {}
        }
        if finish && text_on_its_way.is_none() && check.is_none() {
            finish = false;
            if !feed.deliver(Command::Finish, None).await {
                return;
            }
        }
        if !open && !finish && text_on_its_way.is_none() && check.is_none() {
            return;
        }
        let alive = tokio::select! {
            taken = resolve(&mut text_on_its_way) => {
                text_on_its_way = None;
                taken
            }
            checked = resolve(&mut check) => {
                check = None;
                feed.deliver_files(checked).await
            }
            queued = commands.recv(), if open => match queued {
                Some(QueuedCommand { command: Command::Finish, .. }) => {
                    finish = true;
                    true
                }
                Some(QueuedCommand { command: Command::Close(name), .. }) => {
                    // The file that is asked about may be one of those that are dropped.
                    check = None;
                    feed.close(name).await
                }
                Some(QueuedCommand { command: Command::Quit, .. }) => feed.quit().await,
                Some(queued) => feed.take(queued).await,
                None => {
                    // All handles are dropped.
                    (finish, open) = (true, false);
                    true
                }
            },
        };
        if !alive {
            return;
        }
    }
}

struct Feed {
    hub: Recipient<RunCommand>,
    texts: VecDeque<QueuedCommand>,
    /// Files to send, and questions about them.
    files: VecDeque<QueuedCommand>,
}

impl Feed {
    /// Resolves once the next one may follow; false when the hub is gone.
    fn deliver(&self, command: Command, checked: Checked) -> impl Future<Output = bool> + use<> {
        let sent = self.hub.send(RunCommand { command, checked });
        async move { sent.await.is_ok() }
    }

    async fn take(&mut self, queued: QueuedCommand) -> bool {
        match &queued.command {
            Command::Say(_) | Command::Act(_) | Command::Tell { .. } | Command::ActTo { .. } => {
                self.texts.push_back(queued);
            }
            Command::Send { .. } | Command::ListTransfers => self.files.push_back(queued),
            _ => return self.deliver(queued.command, None).await,
        }
        true
    }

    /// The command that was checked becomes one for each file; a question about files becomes none.
    async fn deliver_files(&mut self, checked: Vec<Chosen>) -> bool {
        let Some(queued) = self.files.pop_front() else { return true };
        let Command::Send { to, path, .. } = &queued.command else {
            return self.deliver(queued.command, None).await;
        };
        for chosen in checked {
            let path = chosen.as_ref().map_or(path.clone(), |chosen| chosen.path().to_owned());
            let (or, several) = (Vec::new(), Vec::new());
            let command = Command::Send { to: to.clone(), path, or, several };
            if !self.deliver(command, Some(chosen)).await {
                return false;
            }
        }
        true
    }

    /// Texts typed for `name` before are sent first, without waiting for room; queued files are
    /// dropped.
    async fn close(&mut self, name: Username) -> bool {
        let key = name.folded();
        let theirs = |queued: &QueuedCommand| matches!(&queued.command, Command::Tell { to, .. } | Command::ActTo { to, .. } if to.folded() == key);
        let is_to = |queued: &QueuedCommand| matches!(&queued.command, Command::Send { to, .. } if to.folded() == key);
        let (first, rest) = self.texts.drain(..).partition(theirs);
        let first: VecDeque<_> = first;
        self.texts = rest;
        let (dropped, kept) = self.files.drain(..).partition(is_to);
        let dropped: VecDeque<_> = dropped;
        self.files = kept;
        self.drop_files(dropped, "you closed the private session");
        for text in first {
            self.hub.do_send(RunCommand { command: text.command, checked: None });
        }
        self.deliver(Command::Close(name), None).await
    }

    /// The same for everyone: what an send queue has no room for is reported as not sent.
    async fn quit(&mut self) -> bool {
        let files = std::mem::take(&mut self.files);
        self.drop_files(files, "you signed out");
        for text in self.texts.drain(..) {
            self.hub.do_send(RunCommand { command: text.command, checked: None });
        }
        self.deliver(Command::Quit, None).await
    }

    fn drop_files(&self, files: VecDeque<QueuedCommand>, reason: &str) {
        for QueuedCommand { command, .. } in files {
            let checked = match &command {
                Command::Send { to, path, .. } => {
                    Some(Err(format!("{} was not sent to {to}: {reason}", path.display())))
                }
                _ => None,
            };
            // At most as many as the user typed, or there was room for.
            self.hub.do_send(RunCommand { command, checked });
        }
    }
}

/// The output of `future`, if there is one; else waits for ever.
async fn resolve<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt as _;
    use tokio::task::coop::unconstrained;

    use super::*;
    use crate::client::api::handle::{Handle, Inside, channels};
    use crate::client::ids::TransferId;
    use crate::protocol::MessageText;

    /// A hub that has room for no text.
    struct Probe(mpsc::UnboundedSender<Command>);

    impl Actor for Probe {
        type Context = Context<Self>;
    }

    impl Handler<RunCommand> for Probe {
        type Result = ResponseFuture<()>;

        fn handle(&mut self, run: RunCommand, _: &mut Self::Context) -> Self::Result {
            let text =
                matches!(run.command, Command::Say(_) | Command::Act(_) | Command::Tell { .. });
            let _ = self.0.send(run.command);
            Box::pin(async move {
                if text {
                    std::future::pending::<()>().await;
                }
            })
        }
    }

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    fn tell(to: &str, text: &str) -> Command {
        Command::Tell { to: name(to), text: MessageText::parse(text).unwrap() }
    }

    fn start() -> (Handle, mpsc::UnboundedReceiver<Command>) {
        let (sender, seen) = mpsc::unbounded_channel();
        let (handle, _, Inside { commands, .. }) = channels();
        actix_rt::spawn(feed(commands, Probe(sender).start().recipient()));
        (handle, seen)
    }

    /// Whether there is room for it.
    fn send_at_once(handle: &Handle, command: Command) -> bool {
        unconstrained(handle.send(command)).now_or_never().is_some()
    }

    async fn next(seen: &mut mpsc::UnboundedReceiver<Command>) -> Command {
        tokio::time::timeout(Duration::from_secs(10), seen.recv()).await.unwrap().unwrap()
    }

    #[actix_rt::test]
    async fn commands_pass_texts_that_wait_for_room() {
        let (commands, mut seen) = start();
        for text in ["1", "2", "3"] {
            commands.send(tell("ann", text)).await.unwrap();
        }
        commands.send(Command::Cancel(TransferId(7))).await.unwrap();
        assert_eq!(next(&mut seen).await, tell("ann", "1"));
        assert_eq!(next(&mut seen).await, Command::Cancel(TransferId(7)));
        commands.send(tell("bob", "4")).await.unwrap();
        commands.send(Command::Close(name("bob"))).await.unwrap();
        assert_eq!(next(&mut seen).await, tell("bob", "4"), "typed before the close");
        assert_eq!(next(&mut seen).await, Command::Close(name("bob")));
        commands.send(Command::Quit).await.unwrap();
        for text in ["2", "3"] {
            assert_eq!(next(&mut seen).await, tell("ann", text));
        }
        assert_eq!(next(&mut seen).await, Command::Quit);
    }

    #[actix_rt::test]
    async fn urgent_commands_pass_however_many_texts_wait() {
        let (commands, mut seen) = start();
        for _ in 0..3_000 {
            commands.send_now(tell("ann", "hi")).unwrap();
        }
        // There is no more room for others.
        while send_at_once(&commands, tell("ann", "hi")) {}
        commands.send_now(Command::Cancel(TransferId(7))).unwrap();
        commands.send(Command::Close(name("bob"))).await.unwrap();
        assert_eq!(next(&mut seen).await, tell("ann", "hi"));
        assert_eq!(next(&mut seen).await, Command::Cancel(TransferId(7)));
        assert_eq!(next(&mut seen).await, Command::Close(name("bob")));
        commands.send(Command::Quit).await.unwrap();
        while next(&mut seen).await != Command::Quit {}
    }

    #[actix_rt::test]
    async fn a_program_waits_for_room_and_gets_it_back() {
        let (handle, _, Inside { mut commands, .. }) = channels();
        let mut sent = 0;
        while send_at_once(&handle, tell("ann", "hi")) {
            sent += 1;
        }
        assert!((1_000..2_000).contains(&sent), "{sent}");
        drop(commands.recv().await);
        assert!(send_at_once(&handle, tell("ann", "hi")));
    }

    #[cfg(unix)]
    #[actix_rt::test]
    async fn finish_waits_for_the_file_check_and_quit_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "content").unwrap();
        let (commands, mut seen) = start();
        let send = Command::Send { to: name("bob"), path, or: Vec::new(), several: Vec::new() };
        commands.send(send.clone()).await.unwrap();
        drop(commands);
        assert_eq!(next(&mut seen).await, send);
        assert_eq!(next(&mut seen).await, Command::Finish);
        assert!(seen.recv().await.is_none());
    }
}
