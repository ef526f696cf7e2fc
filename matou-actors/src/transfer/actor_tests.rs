use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::{Semaphore, mpsc};

use super::{
    Cancel, ChosenFile, Downloads, FileStamp, Moved, Transfer, TransferEvent, TransferJob,
    TransferReport, Verdict,
};
use crate::protocol::Username;

const KEY: u64 = 7;
const DEADLINE: Duration = Duration::from_secs(10);
/// More than the buffers of a connection hold.
const LARGE: usize = 32 * 1024 * 1024;
/// More than the widest window.
const WIDEST_WINDOW: u64 = 400_000_000;

/// Forwards what a transfer reports.
struct Probe(mpsc::UnboundedSender<TransferReport>);

impl Actor for Probe {
    type Context = Context<Self>;
}

impl Handler<TransferReport> for Probe {
    type Result = ();

    fn handle(&mut self, report: TransferReport, _: &mut Self::Context) {
        // The test may be over.
        let _ = self.0.send(report);
    }
}

struct Running {
    transfer: Addr<Transfer>,
    reports: mpsc::UnboundedReceiver<TransferReport>,
    socket: Arc<TcpStream>,
    /// The other end.
    peer: TcpStream,
}

fn start(job: TransferJob) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    start_over(Arc::new(listener.accept().unwrap().0), peer, job)
}

fn start_over(socket: Arc<TcpStream>, peer: TcpStream, job: TransferJob) -> Running {
    let (sender, reports) = mpsc::unbounded_channel();
    let report = Probe(sender).start().recipient();
    let transfer = Transfer::new(KEY, job, Arc::clone(&socket), report).start();
    Running { transfer, reports, socket, peer }
}

fn send(path: &Path) -> TransferJob {
    let handles = Arc::new(Semaphore::new(1));
    TransferJob::Send(Arc::new(ChosenFile::choose(path.into(), &handles).unwrap()))
}

fn receive(folder: &Path, size: u64) -> TransferJob {
    let downloads = Arc::new(Downloads::new(folder.into(), 0));
    let time = jiff::civil::date(2026, 11, 25).at(12, 0, 0, 0);
    let stamp = FileStamp::new(&Username::parse("bob").unwrap(), time);
    TransferJob::Receive { downloads, stamp, size }
}

impl Running {
    /// The next report but those of progress.
    async fn next(&mut self) -> TransferEvent {
        loop {
            let next = tokio::time::timeout(DEADLINE, self.reports.recv()).await;
            let report = next.expect("no report in time").expect("it has stopped");
            assert_eq!(report.key, KEY);
            if !matches!(report.outcome, TransferEvent::Moved { .. }) {
                return report.outcome;
            }
        }
    }

    async fn begun(&mut self) {
        let outcome = self.next().await;
        assert!(matches!(outcome, TransferEvent::Begun { .. }), "{outcome:?}");
    }

    /// The next report of progress, and whether the other side takes it.
    async fn moved(&mut self) -> (Moved, bool) {
        let report = tokio::time::timeout(DEADLINE, self.reports.recv()).await.unwrap().unwrap();
        match report.outcome {
            TransferEvent::Moved { moved, taken } => (moved, taken),
            other => panic!("{other:?}"),
        }
    }

    /// Closes the other end; the reason for which the file is not whole.
    async fn reason_of_the_end(self) -> String {
        let Self { transfer: _transfer, mut reports, socket: _socket, peer } = self;
        drop(peer);
        loop {
            let report = tokio::time::timeout(DEADLINE, reports.recv()).await.unwrap().unwrap();
            match report.outcome {
                TransferEvent::Ended(Verdict::Broken { reason, .. }) => return reason,
                TransferEvent::Ended(other) => panic!("{other:?}"),
                _ => {}
            }
        }
    }

    async fn ended(&mut self) -> Verdict {
        match self.next().await {
            TransferEvent::Ended(verdict) => verdict,
            other => panic!("{other:?}"),
        }
    }
}

#[actix_rt::test]
async fn a_sent_file_is_whole_once_the_other_side_has_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "content").unwrap();
    let mut running = start(send(file.path()));
    running.begun().await;
    let verdict = running.ended().await;
    assert!(matches!(verdict, Verdict::Whole { size: 7, changed: false, .. }), "{verdict:?}");
    let mut received = [0; 19];
    running.peer.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"\0\0\0\x0e\0\0\0\0\0\0\0\x07content");
    assert!(running.reports.recv().await.is_none(), "the actor stops");
}

#[actix_rt::test]
async fn a_sent_file_is_in_progress_once_the_other_side_reads_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(WIDEST_WINDOW).unwrap();
    let mut running = start(send(file.path()));
    running.begun().await;
    assert!(!running.moved().await.1, "only the buffers took it");
    let mut peer = running.peer.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let mut block = vec![0; 64 * 1024];
        // What is left is more than whatever buffers there are: it cannot be whole before it is seen.
        for _ in 0..LARGE / 2 / block.len() {
            peer.read_exact(&mut block).unwrap();
        }
    });
    let moved = loop {
        let (moved, taken) = running.moved().await;
        if taken {
            break moved;
        }
    };
    assert!(moved.bytes > 0, "{moved:?}");
    reader.join().unwrap();
    assert!(running.reason_of_the_end().await.contains("after"));
}

#[actix_rt::test]
async fn a_window_widened_by_an_earlier_file_is_no_acceptance() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(WIDEST_WINDOW).unwrap();
    let mut first = start(send(file.path()));
    let mut peer = first.peer.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let whole = &mut (&mut peer).take(WIDEST_WINDOW + 12);
        std::io::copy(whole, &mut std::io::sink()).unwrap()
    });
    first.begun().await;
    assert!(matches!(first.ended().await, Verdict::Whole { .. }));
    assert_eq!(reader.join().unwrap(), WIDEST_WINDOW + 12);
    let mut second = start_over(first.socket, first.peer, send(file.path()));
    second.begun().await;
    let stalls = tokio::time::Instant::now() + Duration::from_secs(2);
    while let Ok(report) = tokio::time::timeout_at(stalls, second.reports.recv()).await {
        let report = report.unwrap();
        let TransferEvent::Moved { moved, taken } = report.outcome else { panic!("{report:?}") };
        assert!(!taken, "{moved:?}");
    }
}

#[actix_rt::test]
async fn a_file_that_was_not_taken_ends_without_a_count_of_bytes() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(LARGE.try_into().unwrap()).unwrap();
    let mut running = start(send(file.path()));
    running.begun().await;
    assert!(!running.moved().await.1);
    let reason = running.reason_of_the_end().await;
    assert_eq!(reason, "the other side refused the file or closed the connection");
}

#[actix_rt::test]
async fn a_cancelled_file_breaks_off_with_the_reason_and_leaves_the_other_direction_open() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(LARGE.try_into().unwrap()).unwrap();
    let mut running = start(send(file.path()));
    running.begun().await;
    running.transfer.do_send(Cancel("enough".into()));
    let verdict = running.ended().await;
    let Verdict::Broken { reason, ended, .. } = verdict else { panic!("{verdict:?}") };
    assert!(reason == "enough" && !ended, "{reason}");
    std::io::Write::write_all(&mut running.peer, b"x").unwrap();
    running.socket.as_ref().read_exact(&mut [0]).unwrap();
}

#[actix_rt::test]
async fn a_received_file_that_ends_early_keeps_its_part() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = start(receive(folder.path(), 100));
    running.begun().await;
    std::io::Write::write_all(&mut running.peer, b"some").unwrap();
    running.peer.shutdown(Shutdown::Write).unwrap();
    let verdict = running.ended().await;
    let Verdict::Broken { kept: Some(kept), ended: true, .. } = verdict else {
        panic!("{verdict:?}")
    };
    assert!(kept.contains("4 of 100 bytes") && kept.contains(".part"), "{kept}");
}

#[actix_rt::test]
async fn an_empty_part_is_removed_and_the_removal_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = start(receive(folder.path(), 100));
    running.begun().await;
    running.transfer.do_send(Cancel("enough".into()));
    let verdict = running.ended().await;
    let Verdict::Broken { kept: Some(kept), .. } = verdict else { panic!("{verdict:?}") };
    assert!(kept.contains(".part was removed"), "{kept}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[actix_rt::test]
async fn a_file_for_which_there_is_no_room_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = start(receive(folder.path(), u64::MAX / 2));
    let verdict = running.ended().await;
    assert!(matches!(verdict, Verdict::NotBegun(_)), "{verdict:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
