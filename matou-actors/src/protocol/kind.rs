//! The type codes of both revisions: the `int` that every frame begins with.

use std::fmt;

/// The bytes of a frame's type: an `int`.
pub const TYPE_LENGTH: usize = 4;

/// From this code on a frame has the size of its body after the type.
pub(in crate::protocol) const FIRST_OF_REVISION_2: i32 = 16;

macro_rules! kinds {
    ($($code:literal $name:ident $doc:literal)*) => {
        /// The type of a frame; the discriminant is the `int` on the wire.
        ///
        /// Variants have the protocol's own names, so that logs and this document agree.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        #[allow(clippy::upper_case_acronyms)]
        pub enum Kind { $(#[doc = $doc] $name = $code,)* }

        impl Kind {
            /// All kinds in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The protocol's name of the frame, such as `"MSGBC"`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The kind with this type code.
            pub const fn from_code(code: i32) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }

        /// One value for each kind of frame.
        #[derive(Clone, Debug, Default)]
        #[allow(non_snake_case)]
        pub struct PerKind<T> { $($name: T,)* }

        impl<T> PerKind<T> {
            /// The value of `kind`.
            #[inline]
            pub const fn of(&self, kind: Kind) -> &T {
                match kind { $(Kind::$name => &self.$name,)* }
            }
        }
    };
}

kinds! {
    0 COREQ "Ask for a public connection, client to server."
    1 CORES "The answer, server to client."
    2 CONOTIF "A user joined, server to all."
    3 MSG "A public message, client to server."
    4 MSGBC "A public message, server to all."
    5 DISCO "Public sign-out, client to server."
    6 DISCONOTIF "A user left, server to all."
    7 PVCOREQ "Ask for a private connection, client to server."
    8 PVCOREQNOTIF "A user asks for a private connection, server to client."
    9 PVCOACC "Accept a private connection, client to server."
    10 PVCOPORT "The asking side's ports, client to server."
    11 PVCOESTASRC "The accepting side's address, server to client."
    12 PVCOESTADST "The asking side's address and ports, server to client."
    13 PVMSG "A private message, client to client."
    14 PVFILE "A file, client to client."
    15 PVDISCO "Private sign-out, client to client."
    16 HELLO "Join, client to server."
    17 WELCOME "Joined, server to client."
    18 REFUSED "Not joined, server to client."
    19 PRESENT "A user who is in the room, server to client."
    20 JOINED "A user joined, server to all."
    21 LEFT "A user left, server to all."
    22 SAID "A public message, server to all."
    23 HISTORY "Ask for earlier messages, client to server."
    24 HISTORYEND "The end of earlier messages, server to client."
    25 ASK "Ask for a private session, client to server."
    26 ASKED "A user asks for a private session, server to client."
    27 ANSWER "The answer to ASKED, client to server."
    28 ANSWERED "The answer to ASK, server to client."
    29 CANDIDATES "Further addresses for a private session, both ways."
    30 NOTICE "A text for the user, server to client."
    31 TOPIC "An operator set the topic, server to all."
    32 SAY "A public message with flags, client to server."
    33 WHERE "A ticket, server to client, and its use on a connection of its own, client to server."
    34 HERE "Where the server sees a connection, server to client."
    35 GO "Dial the other side now, server to client."
    36 OUTCOME "How a meeting ended, both ways."
    40 SESSION "The first frame of a private connection, client to client."
    41 USE "This connection is used, the others are closed, client to client."
    42 TELL "A numbered private message, client to client."
    43 TOLD "Private messages were delivered, client to client."
    44 OFFER "A file or folder is offered, client to client."
    45 TAKE "An offer is accepted, client to client."
    46 REFUSE "An offer is refused, client to client."
    47 CANCEL "A transfer is cancelled, client to client."
    48 RECEIPT "A transfer is complete on disk, client to client."
    49 TYPING "The user is typing, client to client."
    50 PING "Is the other side alive, client to client."
    51 PONG "The answer to PING, client to client."
    52 PROOF "The hash of what is there already, client to client."
    60 ENTRY "A file of a transfer begins, file connection."
    61 DATA "Bytes of a transfer, file connection."
    62 END "A file of a transfer ends, file connection."
    63 HAVE "An entry that is complete already, file connection."
}

impl Kind {
    /// The revision of the protocol that has this frame: 1 or 2.
    pub const fn revision(self) -> u8 {
        if self.code() < FIRST_OF_REVISION_2 { 1 } else { 2 }
    }

    /// The `int` on the wire.
    pub const fn code(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
