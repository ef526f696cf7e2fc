//! The operators' socket, accessible only to the server's own user.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::exit::Failure;

/// The socket file, removed on drop. Drop it before the listener, which keeps its inode number from
/// being reused.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode number.
    inode: (u64, u64),
}

/// Listens at `path`, accessible to its owner only. Replaces the stale socket of a dead server.
pub(super) fn listen(path: &Path) -> Result<(SocketFile, UnixListener), Failure> {
    listen_at(path).map_err(|error| cannot_listen(path, &error))
}

/// Whether a socket can be made at `path`, without making one.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    check_at(path).map_err(|error| cannot_listen(path, &error))
}

fn cannot_listen(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure::Runtime(format!("cannot listen for operators at {path}: {error} (admin.socket)"))
}

fn check_at(path: &Path) -> io::Result<()> {
    if let Err(error) = SockAddr::unix(path) {
        return Err(io::Error::other(format!("the path is too long for a socket: {error}")));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let found = fs::metadata(folder)
        .map_err(|error| io::Error::other(format!("folder {}: {error}", folder.display())))?;
    if !found.is_dir() {
        return Err(io::Error::other(format!("{} is not a folder", folder.display())));
    }
    match fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => Err(not_a_socket()),
        _ => Ok(()),
    }
}

fn not_a_socket() -> io::Error {
    io::Error::other("the path exists and is not a socket")
}

fn listen_at(path: &Path) -> io::Result<(SocketFile, UnixListener)> {
    check_at(path)?;
    if fs::symlink_metadata(path).is_ok() {
        if is_served(path)? {
            return Err(io::Error::other("another server is using it"));
        }
        fs::remove_file(path)?;
    }
    // The umask closes the window before set_permissions.
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = UnixListener::bind(path);
    rustix::process::umask(before);
    let listener = bound?;
    let file = SocketFile { path: path.to_owned(), inode: inode(path)? };
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok((file, listener))
}

/// Whether a process is listening at `path`; an error if that cannot be determined.
fn is_served(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A full backlog must not block.
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        outcome => outcome.map(|()| true),
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    let there = fs::symlink_metadata(path)?;
    Ok((there.dev(), there.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // The file may have been removed or replaced by another server.
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixStream};
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_socket_is_private_and_removed_on_drop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        let first = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = listen(&path).unwrap_err().to_string();
        assert!(error.contains("another server is using it"), "{error}");
        drop(first);
        assert!(!path.exists());
    }

    #[test]
    fn a_server_with_a_full_backlog_counts_as_running() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        let busy = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        busy.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        busy.listen(0).unwrap();
        let waiting = UnixStream::connect(&path).unwrap();
        let (outcome, outcomes) = std::sync::mpsc::channel();
        let asked = path.clone();
        std::thread::spawn(move || outcome.send(listen(&asked).unwrap_err().to_string()));
        let error = outcomes.recv_timeout(Duration::from_secs(30)).unwrap();
        assert!(error.contains("another server is using it"), "{error}");
        assert!(path.exists());
        drop((waiting, busy));
    }

    #[test]
    fn a_socket_of_which_nothing_is_known_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        let _another_kind = UnixDatagram::bind(&path).unwrap();
        listen(&path).unwrap_err();
        assert!(path.exists());
    }

    #[test]
    fn another_servers_socket_stays_when_this_one_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        let (file, _listener) = listen(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _another = UnixListener::bind(&path).unwrap();
        drop(file);
        assert!(path.exists());
    }

    #[test]
    fn a_stale_socket_is_replaced_and_foreign_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        drop(UnixListener::bind(&path).unwrap());
        drop(listen(&path).unwrap());
        fs::write(&path, "a letter").unwrap();
        listen(&path).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a letter");
    }
}
