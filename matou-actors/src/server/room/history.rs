//! Earlier messages, for newcomers and returning clients.
//!
//! The messages are kept as the bytes that a client of revision 2 reads, encoded once and shared by
//! all who get them. They are in pieces: a newcomer gets a few of them, not one for each message,
//! and old messages are freed piece by piece.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes, BytesMut};

use crate::protocol::v2::{self, ACTION, MAX_HISTORY, UnixMillis};
use crate::protocol::{Decode as _, FoldedName, Username, encode_message};
use crate::server::room::event::{Dialect, EventKind, RoomEvent, encode_past, wire_sequence};
use crate::server::settings;

/// Bytes of a piece that is not added to any more.
const PIECE: usize = 8 * 1024;
/// The most bytes that are kept, however many messages the settings allow.
const MAX_BYTES: usize = 8 * 1024 * 1024;
const MILLIS_PER_HOUR: i64 = 60 * 60 * 1000;

/// How much is kept, and how much of it newcomers get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HistoryLimits {
    messages: usize,
    millis: i64,
    replay: usize,
    replay_plain: usize,
}

/// The last messages.
#[derive(Debug, Default)]
pub(crate) struct History {
    limits: HistoryLimits,
    pieces: VecDeque<Piece>,
    /// Messages that are not in a piece yet.
    open: BytesMut,
    open_entries: VecDeque<Entry>,
    messages: usize,
    bytes: usize,
    /// Messages that are not in the file yet; `None` without a file.
    unsaved: Option<BytesMut>,
    /// The last messages for a newcomer of revision 1, and the sequence of the last of them.
    plain: Option<(u64, Past)>,
}

/// Some messages in a row.
#[derive(Debug)]
struct Piece {
    entries: VecDeque<Entry>,
    frames: Bytes,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    sequence: u64,
    at: i64,
    length: usize,
}

/// A part of the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) frames: Vec<Bytes>,
    pub(crate) messages: u64,
    /// The sequence on the wire of the oldest message that is kept at all.
    pub(crate) oldest: Option<u64>,
}

impl HistoryLimits {
    pub(crate) fn new(history: &settings::HistorySettings, room: &settings::RoomSettings) -> Self {
        let hours = i64::try_from(history.hours).unwrap_or(i64::MAX);
        Self {
            messages: if hours > 0 { history.messages } else { 0 },
            millis: hours.saturating_mul(MILLIS_PER_HOUR),
            replay: room.replay,
            replay_plain: history.replay_plain,
        }
    }
}

impl History {
    pub(crate) fn set_limits(&mut self, limits: HistoryLimits) {
        self.limits = limits;
        self.plain = None;
        self.shorten();
    }

    /// Keeps the event, if it is a message.
    pub(crate) fn append(&mut self, event: &RoomEvent<'_>) {
        if self.limits.messages == 0 || !matches!(event.kind, EventKind::Said { .. }) {
            return;
        }
        let before = self.open.len();
        encode_past(event, &mut self.open);
        let length = self.open.len() - before;
        self.open_entries.push_back(Entry { sequence: event.sequence, at: event.at.0, length });
        self.messages += 1;
        self.bytes += length;
        if let (Some(unsaved), Some(frame)) = (&mut self.unsaved, self.open.get(before..)) {
            unsaved.extend_from_slice(frame);
        }
        if self.open.len() >= PIECE {
            self.close();
        }
        self.shorten();
    }

    /// Continues with the messages of a file, to which new ones are to be written.
    pub(crate) fn restore(&mut self, frames: &Bytes, now: UnixMillis) {
        self.unsaved = Some(BytesMut::new());
        self.keep(frames, |_| true);
        self.shorten();
        self.expire(now);
    }

    /// The messages since the last call, which have to be written to a file.
    pub(crate) fn take_unsaved(&mut self) -> Bytes {
        self.unsaved.as_mut().map(|unsaved| unsaved.split().freeze()).unwrap_or_default()
    }

    /// All messages.
    pub(crate) fn all(&mut self) -> Vec<Bytes> {
        self.between(0, u64::MAX).frames
    }

    /// How many bytes they have.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets the messages of that name, or all; returns how many.
    pub(crate) fn purge(&mut self, name: Option<&FoldedName>) -> usize {
        let (before, all) = (self.messages, self.all());
        self.pieces.clear();
        (self.messages, self.bytes, self.plain) = (0, 0, None);
        if let Some(unsaved) = &mut self.unsaved {
            unsaved.clear();
        }
        if let Some(name) = name {
            for frames in all {
                self.keep(&frames, |from| from.folded() != *name);
            }
        }
        before - self.messages
    }

    /// Appends those messages of `frames` whose senders are `wanted`.
    fn keep(&mut self, frames: &[u8], wanted: impl Fn(&Username) -> bool) {
        let mut rest = frames;
        while let Ok(Some((frame, length))) = v2::ServerFrame::decode(rest) {
            if let v2::ServerFrame::Said { sequence, time, username, .. } = frame
                && wanted(&username)
            {
                self.open.extend_from_slice(rest.get(..length).unwrap_or_default());
                let sequence = sequence.saturating_sub(1);
                self.open_entries.push_back(Entry { sequence, at: time.0, length });
                self.messages += 1;
                self.bytes += length;
                if self.open.len() >= PIECE {
                    self.close();
                }
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    /// What a newcomer gets whose own join is the event `own`: everything after the event that it
    /// has seen last, or the last few messages. A `last_sequence` that is not reached yet is that
    /// of an earlier run of the server.
    pub(crate) fn replay(
        &mut self,
        dialect: Dialect,
        last_sequence: u64,
        own: u64,
        now: UnixMillis,
    ) -> Past {
        self.expire(now);
        match dialect {
            Dialect::V1 => self.replay_plain(),
            Dialect::V2 if last_sequence > 0 && last_sequence <= own => {
                self.between(last_sequence, u64::MAX)
            }
            Dialect::V2 => {
                let from = self.nth_last(self.limits.replay, u64::MAX);
                self.between(from, u64::MAX)
            }
        }
    }

    /// The last `count` messages before the one with the sequence `before` on the wire.
    pub(crate) fn before(&mut self, before: u64, count: u32, now: UnixMillis) -> Past {
        self.expire(now);
        let end = before.saturating_sub(1);
        let count = usize::try_from(count.min(MAX_HISTORY)).unwrap_or_default();
        let from = self.nth_last(count, end);
        self.between(from, end)
    }

    /// Puts the open messages into a piece, and that together with the ones before it while these
    /// are no larger: so there are few pieces, and a message is not copied often.
    fn close(&mut self) {
        if !self.open_entries.is_empty() {
            let entries = std::mem::take(&mut self.open_entries);
            self.pieces.push_back(Piece { entries, frames: self.open.split().freeze() });
        }
        while let [.., before, last] = self.pieces.make_contiguous()
            && last.frames.len() >= before.frames.len()
            && before.frames.len() + last.frames.len() <= PIECE
        {
            before.frames = [&before.frames[..], &last.frames[..]].concat().into();
            before.entries.append(&mut last.entries);
            self.pieces.pop_back();
        }
    }

    /// Forgets the oldest messages as long as there are too many.
    fn shorten(&mut self) {
        while self.messages > self.limits.messages || self.bytes > MAX_BYTES {
            self.forget_oldest();
        }
    }

    /// Forgets expired messages.
    pub(crate) fn expire(&mut self, now: UnixMillis) {
        let oldest = now.0.saturating_sub(self.limits.millis);
        while self.first().is_some_and(|entry| entry.at < oldest) {
            self.forget_oldest();
            self.plain = None;
        }
    }

    fn first(&self) -> Option<&Entry> {
        let piece = self.pieces.front().and_then(|piece| piece.entries.front());
        piece.or(self.open_entries.front())
    }

    fn last(&self) -> Option<&Entry> {
        let piece = self.pieces.back().and_then(|piece| piece.entries.back());
        self.open_entries.back().or(piece)
    }

    fn forget_oldest(&mut self) {
        if self.pieces.is_empty() {
            self.close();
        }
        let Some(piece) = self.pieces.front_mut() else { return };
        if let Some(entry) = piece.entries.pop_front() {
            piece.frames.advance(entry.length.min(piece.frames.len()));
            self.messages -= 1;
            self.bytes -= entry.length;
        }
        if piece.entries.is_empty() {
            self.pieces.pop_front();
        }
    }

    /// The sequence of the message from which on there are `count` before `end`.
    fn nth_last(&self, count: usize, end: u64) -> u64 {
        let Some(skipped) = count.checked_sub(1) else { return u64::MAX };
        let pieces = self.pieces.iter().flat_map(|piece| &piece.entries);
        let entries = pieces.chain(&self.open_entries).rev();
        let mut before = entries.filter(|entry| entry.sequence < end).map(|entry| entry.sequence);
        before.nth(skipped).unwrap_or(0)
    }

    /// The messages with sequences from `from` on and below `end`.
    fn between(&mut self, from: u64, end: u64) -> Past {
        self.close();
        let mut past =
            Past { oldest: self.first().map(|it| wire_sequence(it.sequence)), ..Past::default() };
        for piece in &self.pieces {
            let first = piece.entries.partition_point(|entry| entry.sequence < from);
            let last = piece.entries.partition_point(|entry| entry.sequence < end);
            if first < last {
                let length = |it: &Entry| it.length;
                let skip: usize = piece.entries.range(..first).map(length).sum();
                let take: usize = piece.entries.range(first..last).map(length).sum();
                past.frames.push(piece.frames.slice(skip..skip + take));
                past.messages += u64::try_from(last - first).unwrap_or_default();
            }
        }
        past
    }

    /// Revision 1 has no mark for old messages. Newcomers between two messages share the bytes.
    fn replay_plain(&mut self) -> Past {
        let Some(last) = self.last().filter(|_| self.limits.replay_plain > 0) else {
            return Past::default();
        };
        let last = last.sequence;
        if let Some((_, past)) = self.plain.as_ref().filter(|(as_of, _)| *as_of == last) {
            return past.clone();
        }
        let from = self.nth_last(self.limits.replay_plain, u64::MAX);
        let past = self.between(from, u64::MAX);
        let past = Past { frames: vec![plain(&past.frames)], ..past };
        self.plain = Some((last, past.clone()));
        past
    }
}

/// The same messages in revision 1.
fn plain(frames: &[Bytes]) -> Bytes {
    let mut out = BytesMut::new();
    for mut rest in frames.iter().map(|frames| &frames[..]) {
        // What was encoded here can be decoded.
        while let Ok(Some((frame, length))) = v2::ServerFrame::decode(rest) {
            if let v2::ServerFrame::Said { username, text, flags, .. } = frame {
                let text = if flags & ACTION == 0 { text } else { text.as_action() };
                encode_message(&username, &text, &mut out);
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }
    out.freeze()
}

#[cfg(test)]
mod tests;
