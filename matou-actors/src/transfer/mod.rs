//! Moving one file over one socket.
