//! What all dialects of revision 2 do alike: type, size, body.

use bytes::{BufMut, BytesMut};

use super::limits::MAX_BODY;
use crate::protocol::error::{Field, FrameError};
use crate::protocol::kind::{FIRST_OF_REVISION_2, Kind};
use crate::protocol::primitives::{Cursor, Stop, finish};

/// The front of some bytes.
pub(super) enum Front<'a> {
    /// A frame of revision 1 begins here.
    Revision1,
    /// A frame of revision 2 and the bytes it takes. Without a kind its type is unknown.
    Frame { code: i32, kind: Option<Kind>, body: &'a [u8], length: usize },
}

/// Reads type and size, and waits for the body; `may` says which frames the sender may send. A
/// violation is reported as soon as the byte that makes it one is there.
pub(super) fn front(
    input: &[u8],
    may: impl FnOnce(Kind) -> bool,
) -> Result<Option<Front<'_>>, FrameError> {
    let front = finish(input, |cursor| {
        let code = cursor.int()?;
        let kind = Kind::from_code(code);
        if code < FIRST_OF_REVISION_2 {
            return kind.map(|_| None).ok_or(FrameError::UnknownType(code).into());
        }
        if let Some(kind) = kind.filter(|kind| !may(*kind)) {
            return Err(FrameError::WrongDirection(kind).into());
        }
        let body = cursor.sized(Field::Body, |size| *size <= MAX_BODY)?;
        Ok(Some((code, kind, body)))
    })?;
    Ok(front.map(|(front, length)| match front {
        None => Front::Revision1,
        Some((code, kind, body)) => Front::Frame { code, kind, body, length },
    }))
}

/// Reads the fields of a body; bytes after the last of them are ignored.
pub(super) fn fields<'a, T>(
    kind: Kind,
    body: &'a [u8],
    read: impl FnOnce(&mut Cursor<'a>) -> Result<T, Stop>,
) -> Result<T, FrameError> {
    match read(&mut Cursor::new(body)) {
        Ok(frame) => Ok(frame),
        Err(Stop::NeedMore) => Err(FrameError::Truncated(kind)),
        Err(Stop::Bad(error)) => Err(error),
    }
}

/// Appends a frame whose body `write` appends.
pub(super) fn put_frame(kind: Kind, out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    kind.encode(out);
    let size_at = out.len();
    out.put_i32(0);
    let body_at = out.len();
    write(out);
    let size = i32::try_from(out.len() - body_at).unwrap_or(i32::MAX);
    debug_assert!(out.len() - body_at <= MAX_BODY, "{kind} holds bounded fields only");
    if let Some(place) = out.get_mut(size_at..body_at) {
        place.copy_from_slice(&size.to_be_bytes());
    }
}

/// Declares a dialect: each frame with its kind and its fields in the order of the wire.
///
/// `Revision1(Type)` names the dialect of revision 1 whose frames may come as well; a dialect
/// without it has none of them.
macro_rules! dialect {
    (
        $(#[$attribute:meta])*
        $name:ident $(, revision 1: $old:ty)?;
        $($(#[$doc:meta])* $kind:ident $variant:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
        })*
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $(
                /// A frame of revision 1, byte for byte.
                Revision1($old),
            )?
            $($(#[$doc])* $variant { $($(#[$field_doc])* $field: $type,)* },)*
            /// A frame of a type that this program does not know: to be skipped.
            Unknown {
                /// Its type.
                code: i32,
            },
        }

        impl $name {
            /// Its type; `None` for one that this program does not know.
            pub fn kind(&self) -> Option<$crate::protocol::kind::Kind> {
                match self {
                    $(Self::Revision1(frame) => {
                        let frame: &$old = frame;
                        Some(frame.kind())
                    })?
                    $(Self::$variant { .. } => Some($crate::protocol::kind::Kind::$kind),)*
                    Self::Unknown { .. } => None,
                }
            }
        }

        impl $crate::protocol::codec::Decode for $name {
            #[allow(unused_variables, reason = "some frames have no fields")]
            fn decode(
                input: &[u8],
            ) -> Result<Option<(Self, usize)>, $crate::protocol::error::FrameError> {
                use $crate::protocol::kind::Kind;
                use $crate::protocol::v2::dialect::{Front, fields, front};

                let Some(front) = front(input, |kind| matches!(kind, $(Kind::$kind)|*))? else {
                    return Ok(None);
                };
                let (code, kind, body, length) = match front {
                    Front::Frame { code, kind, body, length } => (code, kind, body, length),
                    Front::Revision1 => return dialect!(@revision1 input $(, $old)?),
                };
                let frame = match kind {
                    $(Some(kind @ Kind::$kind) => fields(kind, body, |cursor| {
                        Ok(Self::$variant {
                            $($field: $crate::protocol::v2::field::WireField::read(cursor)?,)*
                        })
                    })?,)*
                    _ => Self::Unknown { code },
                };
                Ok(Some((frame, length)))
            }
        }

        impl $crate::protocol::codec::Encode for $name {
            #[allow(unused_variables, reason = "some frames have no fields")]
            fn encode(&self, out: &mut bytes::BytesMut) {
                use $crate::protocol::kind::Kind;
                use $crate::protocol::v2::dialect::put_frame;

                match self {
                    $(Self::Revision1(frame) => {
                        <$old as $crate::protocol::codec::Encode>::encode(frame, out);
                    })?
                    $(Self::$variant { $($field,)* } => put_frame(Kind::$kind, out, |body| {
                        $($crate::protocol::v2::field::WireField::write($field, body);)*
                    }),)*
                    // It stands for what was read, and is never sent.
                    Self::Unknown { .. } => {}
                }
            }
        }
    };
    (@revision1 $input:ident, $old:ty) => {
        Ok(<$old as $crate::protocol::codec::Decode>::decode($input)?
            .map(|(frame, length)| (Self::Revision1(frame), length)))
    };
    (@revision1 $input:ident) => {
        match $crate::protocol::primitives::Cursor::new($input).int() {
            Ok(code) => Err(match Kind::from_code(code) {
                Some(kind) => $crate::protocol::error::FrameError::WrongDirection(kind),
                None => $crate::protocol::error::FrameError::UnknownType(code),
            }),
            Err(_) => Ok(None),
        }
    };
}
pub(super) use dialect;
