//! What one frame costs to read and to write, alone and in batches: the part of a message's price
//! that is not the kernel's.

// The input is fixed, and the macro's items have no docs.
#![allow(clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use matou_actors::protocol::{
    ClientFrame, Decode, Encode, MessageText, ServerFrame, Username, encode_message,
};

/// Messages in a batch of the busy room.
const BATCH: u64 = 160;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = decode, encode, batches
}
criterion_main!(benches);

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (name, text) in texts() {
        let said = bytes_of(&ClientFrame::Say(text.clone()));
        group.bench_function(format!("MSG/{name}"), |bencher| {
            bencher.iter(|| ClientFrame::decode(black_box(&said)));
        });
        let received = bytes_of(&ServerFrame::Message { from: author(), text });
        group.bench_function(format!("MSGBC/{name}"), |bencher| {
            bencher.iter(|| ServerFrame::decode(black_box(&received)));
        });
    }
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for (name, text) in texts() {
        let (author, mut out) = (author(), BytesMut::with_capacity(1024));
        group.bench_function(format!("MSGBC/{name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                encode_message(black_box(&author), black_box(&text), &mut out);
            });
        });
    }
    group.finish();
}

/// From the bytes that clients sent to the bytes that everybody gets.
fn batches(criterion: &mut Criterion) {
    let (author, text) = (author(), text(&"x".repeat(64)));
    let mut input = BytesMut::new();
    for _ in 0..BATCH {
        ClientFrame::Say(text.clone()).encode(&mut input);
    }
    let mut group = criterion.benchmark_group("batch");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("MSG to MSGBC, 160 of 64 bytes", |bencher| {
        bencher.iter_batched(
            BytesMut::new,
            |mut out| {
                let mut rest = black_box(&input[..]);
                while let Ok(Some((frame, length))) = ClientFrame::decode(rest) {
                    if let ClientFrame::Say(text) = frame {
                        encode_message(&author, &text, &mut out);
                    }
                    rest = &rest[length..];
                }
                out.split().freeze()
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn texts() -> [(&'static str, MessageText); 3] {
    [
        ("64 bytes", text(&"x".repeat(64))),
        ("512 bytes", text(&"x".repeat(512))),
        ("512 bytes of kana", text(&"ね".repeat(170))),
    ]
}

fn text(text: &str) -> MessageText {
    MessageText::parse(text).expect("the text is a message")
}

fn author() -> Username {
    Username::parse("u00007").expect("the name is a username")
}

fn bytes_of(frame: &impl Encode) -> BytesMut {
    let mut out = BytesMut::new();
    frame.encode(&mut out);
    out
}
