//! The frames of both revisions, as many bytes as the protocol gives them.

const COREQ: u32 = 0;
const CONOTIF: u32 = 2;
const MSG: u32 = 3;
const MSGBC: u32 = 4;
const DISCONOTIF: u32 = 6;
const ACCEPTED: [u8; 5] = [0, 0, 0, 1, 1];

const HELLO: u32 = 16;
const WELCOME: u32 = 17;
const PRESENT: u32 = 19;
const JOINED: u32 = 20;
const LEFT: u32 = 21;
const SAID: u32 = 22;
/// Sequence and time, which the generator does not look at.
const STAMPS: [u8; 16] = [0; 16];
/// The flags of a member, and its key.
const MEMBER: [u8; 36] = [0; 36];
const NUMBER: [u8; 4] = [0; 4];
/// A welcome without any text in it; the generator does not look at its fields.
const EMPTY_WELCOME: [u8; 8] = {
    let [a, b, c, d] = WELCOME.to_be_bytes();
    [a, b, c, d, 0, 0, 0, 0]
};

/// The protocol's revision: 2 is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Revision {
    One,
    Two,
}

/// What a client asks for; names and texts come with their sizes in front, as they go out again.
#[derive(Debug)]
pub(super) enum Request<'a> {
    Join(&'a [u8]),
    Say(&'a [u8]),
}

impl Revision {
    /// What a client is answered that joins.
    pub(super) fn accepted(self) -> &'static [u8] {
        match self {
            Self::One => &ACCEPTED,
            Self::Two => &EMPTY_WELCOME,
        }
    }

    /// The first frame, and its length; `Err` when there is no such request.
    pub(super) fn request(self, input: &[u8]) -> Result<Option<(Request<'_>, usize)>, ()> {
        let Some((kind, field)) = input.split_first_chunk::<4>() else { return Ok(None) };
        let Some(sized) = sized(field) else { return Ok(None) };
        let length = 4 + sized.len();
        match (self, u32::from_be_bytes(*kind)) {
            (Self::One, COREQ) => Ok(Some((Request::Join(sized), length))),
            (Self::Two, HELLO) => {
                let name = sized.get(4..).and_then(self::sized).ok_or(())?;
                Ok(Some((Request::Join(name), length)))
            }
            (_, MSG) => Ok(Some((Request::Say(sized), length))),
            _ => Err(()),
        }
    }

    /// That a client is there when another one joins.
    pub(super) fn put_present(self, name: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::One => put(CONOTIF, &[name], out),
            Self::Two => put_sized(PRESENT, &[name, &MEMBER], out),
        }
    }

    pub(super) fn put_joined(self, name: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::One => put(CONOTIF, &[name], out),
            Self::Two => put_sized(JOINED, &[&STAMPS, name, &MEMBER], out),
        }
    }

    pub(super) fn put_left(self, name: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::One => put(DISCONOTIF, &[name], out),
            Self::Two => put_sized(LEFT, &[&STAMPS, name, &NUMBER], out),
        }
    }

    pub(super) fn put_said(self, name: &[u8], text: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::One => put(MSGBC, &[name, text], out),
            Self::Two => put_sized(SAID, &[&STAMPS, name, text, &NUMBER], out),
        }
    }
}

fn put(kind: u32, fields: &[&[u8]], out: &mut Vec<u8>) {
    out.extend_from_slice(&kind.to_be_bytes());
    for field in fields {
        out.extend_from_slice(field);
    }
}

fn put_sized(kind: u32, fields: &[&[u8]], out: &mut Vec<u8>) {
    let size: usize = fields.iter().map(|field| field.len()).sum();
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes());
    for field in fields {
        out.extend_from_slice(field);
    }
}

/// The first field, with its size in front.
fn sized(input: &[u8]) -> Option<&[u8]> {
    let size = u32::from_be_bytes(*input.first_chunk::<4>()?);
    input.get(..4 + usize::try_from(size).ok()?)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use matou_actors::protocol::v2::{ServerFrame, UnixMillis};
    use matou_actors::protocol::{Encode, MessageText, Username};

    use super::*;

    #[test]
    fn a_message_has_as_many_bytes_as_in_the_protocol() {
        let mut frame = BytesMut::new();
        let said = ServerFrame::Said {
            sequence: 0,
            time: UnixMillis(0),
            username: Username::parse("u00007").unwrap(),
            text: MessageText::parse("hello").unwrap(),
            flags: 0,
        };
        said.encode(&mut frame);
        let mut out = Vec::new();
        Revision::Two.put_said(b"\0\0\0\x06u00007", b"\0\0\0\x05hello", &mut out);
        assert_eq!(out, frame);
    }
}
