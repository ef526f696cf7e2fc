//! The movers, over a loopback connection.
#![allow(clippy::unwrap_used)] // A test may fail where it likes.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use matou_actors::transfer::{MoveError, Progress, receive_file, send_file};

fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

fn file(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    file
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at * 7 % 256).unwrap()).collect()
}

#[test]
fn every_size_arrives_and_not_a_byte_more_is_read() {
    for size in [0, 1, 4095, 4096, 4097, 1 << 20, (5 << 20) + 3] {
        let (near, mut far) = connection();
        let sender = thread::spawn(move || {
            let progress = Progress::default();
            send_file(&file(&content(size)), size as u64, &near, &progress).unwrap();
            (&near).write_all(b"next").unwrap();
            assert_eq!(progress.bytes(), size as u64);
        });
        let (mut target, progress) = (file(b""), Progress::default());
        receive_file(&far, size as u64, &target, &progress, &|_| Ok(())).unwrap();
        sender.join().unwrap();
        let mut next = Vec::new();
        far.read_to_end(&mut next).unwrap();
        assert_eq!(next, b"next");
        target.rewind().unwrap();
        let mut received = Vec::new();
        target.read_to_end(&mut received).unwrap();
        assert!(received == content(size), "{size}");
        assert_eq!(progress.bytes(), size as u64);
    }
}

#[test]
fn a_file_that_grew_is_sent_as_long_as_promised() {
    let (near, mut far) = connection();
    send_file(&file(b"promised and more"), 8, &near, &Progress::default()).unwrap();
    drop(near);
    let mut received = Vec::new();
    far.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"promised");
}

#[test]
fn a_file_that_shrank_is_an_error() {
    let (near, _far) = connection();
    let sent = send_file(&file(b"short"), 8, &near, &Progress::default());
    assert!(matches!(sent, Err(MoveError::Shrunk)), "{sent:?}");
}

#[test]
fn an_end_inside_the_file_is_an_error_and_the_part_is_kept() {
    let (mut near, far) = connection();
    near.write_all(b"some").unwrap();
    drop(near);
    let (target, progress) = (file(b""), Progress::default());
    let received = receive_file(&far, 5, &target, &progress, &|_| Ok(()));
    assert!(matches!(received, Err(MoveError::Ended)), "{received:?}");
    assert_eq!((progress.bytes(), target.metadata().unwrap().len()), (4, 4));
}

#[test]
fn a_full_disk_is_an_error_of_the_file() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (mut near, far) = connection();
    near.write_all(&[0; 100]).unwrap();
    let received = receive_file(&far, 100, &full, &Progress::default(), &|_| Ok(()));
    let Err(MoveError::File(error)) = received else { panic!("{received:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn shutting_the_socket_down_ends_both_movers() {
    let (near, far) = connection();
    let cut = near.try_clone().unwrap();
    let size = 1 << 40;
    let sparse = file(b"");
    sparse.set_len(size).unwrap();
    let sender = thread::spawn(move || send_file(&sparse, size, &near, &Progress::default()));
    cut.shutdown(Shutdown::Both).unwrap();
    assert!(matches!(sender.join().unwrap(), Err(MoveError::Socket(_))));
    let (near, cut) = (far.try_clone().unwrap(), far);
    let receiver = thread::spawn(move || {
        receive_file(&near, size, &file(b""), &Progress::default(), &|_| Ok(()))
    });
    cut.shutdown(Shutdown::Both).unwrap();
    assert!(receiver.join().unwrap().is_err());
}

#[test]
fn a_cancelled_receiver_stops_although_there_is_more_to_read() {
    let (mut near, far) = connection();
    near.write_all(&[0; 100]).unwrap();
    // Shutting down alone leaves what has come, and whatever else comes, to be read.
    far.shutdown(Shutdown::Read).unwrap();
    let (target, progress) = (file(b""), Progress::default());
    progress.stop();
    let received = receive_file(&far, 100, &target, &progress, &|_| Ok(()));
    assert!(matches!(received, Err(MoveError::Ended)), "{received:?}");
    assert_eq!(progress.bytes(), 0);
}
