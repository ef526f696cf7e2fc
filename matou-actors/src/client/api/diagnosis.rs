//! What prevents a connection between two computers.

use std::net::SocketAddr;

use serde::Serialize;

use crate::client::api::event::Direction;
use crate::protocol::Username;

/// What two clients saw of the ways between them, and what that means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The other one.
    pub with: Username,
    /// Messages and files found a way.
    pub connected: bool,
    /// Each address that was there to dial, from either side.
    pub attempts: Vec<Attempt>,
    /// What it means and what to do, a sentence or two for each cause.
    pub verdict: Vec<String>,
}

/// An address that was dialled, or could have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// From here, or from the other side.
    pub direction: Direction,
    /// Where to.
    pub address: SocketAddr,
    /// What became of it.
    pub result: AttemptResult,
}

/// What became of dialling an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptResult {
    /// The right client answered.
    Reached,
    /// The connection was refused.
    Refused,
    /// There was no answer.
    Silent,
    /// There is no route to it.
    NoRoute,
    /// It was not dialled: another way was found first, or it is not an address to dial.
    NotTried,
    /// Something else answered.
    OtherProgram,
}

impl AttemptResult {
    /// The result in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::Refused => "refused",
            Self::Silent => "silent",
            Self::NoRoute => "no route",
            Self::NotTried => "not tried",
            Self::OtherProgram => "another program answered",
        }
    }
}
