//! The type codes: the `int` that every frame begins with.

use std::fmt;

/// The bytes of a frame's type: an `int`.
pub const TYPE_LENGTH: usize = 4;

macro_rules! kinds {
    ($($code:literal $name:ident $doc:literal)*) => {
        /// The type of a frame; the discriminant is the `int` on the wire.
        ///
        /// Variants carry the protocol's own names, so that logs and this document agree.
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
}

impl Kind {
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
