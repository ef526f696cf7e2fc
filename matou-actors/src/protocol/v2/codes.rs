//! Fields that are one of a few numbers. A number that is not known is kept: frames can grow.

/// Declares an `int` with names for its known values.
macro_rules! code {
    ($(#[$attribute:meta])* $name:ident { $($(#[$doc:meta])* $code:literal $variant:ident,)* }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// A value that this program does not know.
            Other(i32),
        }

        impl $crate::protocol::v2::field::WireField for $name {
            fn read(
                cursor: &mut $crate::protocol::primitives::Cursor<'_>,
            ) -> Result<Self, $crate::protocol::primitives::Stop> {
                Ok(match cursor.int()? {
                    $($code => Self::$variant,)*
                    other => Self::Other(other),
                })
            }

            fn write(&self, out: &mut bytes::BytesMut) {
                bytes::BufMut::put_i32(out, match self {
                    $(Self::$variant => $code,)*
                    Self::Other(code) => *code,
                });
            }
        }
    };
}
pub(super) use code;

code! {
    /// REFUSED: why the name cannot be had.
    SignInRefusal {
        /// It is not a valid name.
        1 InvalidName,
        /// It is in use.
        2 Taken,
        /// It belongs to another key.
        3 OtherKey,
        /// It is reserved by the operator.
        4 Reserved,
        /// The password is missing or wrong.
        5 Password,
        /// The key is not on the list.
        6 NotListed,
        /// The name, key or address is banned.
        7 Banned,
        /// The room is full.
        8 Full,
        /// The address has taken too many new names.
        9 TooManyNames,
    }
}

code! {
    /// LEFT: why a user is no longer in the room.
    LeaveReason {
        /// They signed out.
        0 SignedOut,
        /// The connection was lost.
        1 ConnectionLost,
        /// The server or an operator removed them.
        2 Removed,
        /// The server stops.
        3 ServerStops,
    }
}

code! {
    /// NOTICE: how serious it is.
    NoticeLevel {
        /// For information.
        0 Info,
        /// A warning.
        1 Warning,
        /// The connection ends.
        2 End,
    }
}

code! {
    /// NOTICE: what it is about.
    NoticeCode {
        /// Nothing that a program acts on.
        0 None,
        /// An operator disconnected the user.
        1 Kicked,
        /// The user is banned.
        2 Banned,
        /// The same key joined under the same name elsewhere.
        3 TakenOver,
        /// The server stops.
        4 ServerStops,
        /// The client reads too slowly.
        5 TooSlow,
        /// The client broke the protocol.
        6 Violation,
    }
}

code! {
    /// OFFER: what is offered.
    OfferKind {
        /// One file.
        0 File,
        /// A folder with all that is in it.
        1 Folder,
    }
}

code! {
    /// REFUSE: why an offer is not taken.
    RefuseReason {
        /// The user, or a setting of theirs, refused it.
        1 Refused,
        /// There is not enough space.
        2 NoSpace,
        /// It is too large.
        3 TooLarge,
        /// It cannot be written.
        4 CannotWrite,
    }
}

code! {
    /// CANCEL: why a transfer ends early.
    CancelReason {
        /// A user cancelled it.
        1 User,
        /// The file changed while it was sent.
        2 FileChanged,
        /// The file cannot be read.
        3 CannotRead,
        /// The disk is full or broken.
        4 Disk,
        /// What arrived has another hash.
        5 WrongHash,
        /// The session is over.
        6 SessionOver,
    }
}
