//! The kinds of errors that the client reports.

use serde::Serialize;

/// What kind of error it is. The names are stable, the words beside them are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The server cannot be reached, or does not answer as one.
    Server,
    /// The user's name: not valid, asked for already, or had already.
    Name,
    /// Messages were not sent, or may not have been.
    NotSent,
    /// The user who is meant is not here, is ignored, or is the user.
    User,
    /// There is no such private session, or request for one.
    Session,
    /// There is no such offer or transfer, or nothing can be done with it now.
    Transfer,
    /// A file cannot be read, or a folder not be written to.
    File,
    /// Another client broke the protocol.
    Protocol,
    /// A user's key is not the one that is known, or there is none where one is known.
    Key,
    /// A typed line is not understood.
    Input,
    /// Something inside this program.
    Internal,
}
