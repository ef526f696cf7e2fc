//! The socket for operators: for the user who runs the server, and nobody else.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

use crate::exit::Failure;

/// The socket's file, which is removed in the end.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

/// Listens at `path`, readable and writable by its owner only. A socket that a server left
/// behind which is no more is replaced.
pub(super) fn listen(path: &Path) -> Result<(UnixListener, SocketFile), Failure> {
    listen_at(path).map_err(|error| {
        Failure::Runtime(format!(
            "cannot listen for operators at {}: {error} (setting admin.socket)",
            path.display()
        ))
    })
}

fn listen_at(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    if let Ok(there) = fs::symlink_metadata(path) {
        if !there.file_type().is_socket() {
            return Err(io::Error::other("there is something else, which is left alone"));
        }
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::other("another server answers there"));
        }
        fs::remove_file(path)?;
    }
    // From the first moment on nobody else can connect.
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = UnixListener::bind(path);
    rustix::process::umask(before);
    let bound = (bound?, SocketFile(path.to_owned()));
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(bound)
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody may have been faster.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_its_owners_and_goes_with_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        let first = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = listen(&path).unwrap_err().to_string();
        assert!(error.contains("another server answers"), "{error}");
        drop(first);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_server_left_is_replaced_and_what_others_put_there_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        drop(UnixListener::bind(&path).unwrap());
        drop(listen(&path).unwrap());
        fs::write(&path, "a letter").unwrap();
        listen(&path).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a letter");
    }
}
