//! Paths as users write them, and opening files without the risk of blocking.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::User;
use rustix::fs::OFlags;

/// The largest configuration file, in bytes.
const MAX_TEXT: u64 = 1024 * 1024;

/// `path` with a leading `~` or `~user` replaced by that home directory.
///
/// The error says which home directory is unknown.
pub(crate) fn expand_tilde(path: &OsStr, home: Option<&Path>) -> Result<PathBuf, String> {
    let Some(rest) = path.to_str().and_then(|path| path.strip_prefix('~')) else {
        return Ok(path.into());
    };
    let (user, below) = rest.split_once('/').unwrap_or((rest, ""));
    let folder = if user.is_empty() {
        home.map(Path::to_owned).ok_or("your home directory is unknown; write the full path")?
    } else {
        let known = User::from_name(user).ok().flatten().map(|user| user.dir);
        known
            .ok_or_else(|| format!("there is no user {user:?}; ./~{rest} is a file of that name"))?
    };
    Ok(if below.is_empty() { folder } else { folder.join(below.trim_start_matches('/')) })
}

/// Opens a regular file or a device such as `/dev/null`; a named pipe would block or stay silent.
pub(crate) fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let not_regular = |what| io::Error::other(format!("{what}, not a regular file"));
    let file =
        options.custom_flags(flags).open(path).map_err(|error| match std::fs::metadata(path) {
            Ok(found) if found.file_type().is_fifo() => not_regular("a named pipe"),
            _ => error,
        })?;
    let found = file.metadata()?.file_type();
    if found.is_dir() {
        Err(not_regular("a folder"))
    } else if found.is_file() || found.is_char_device() {
        Ok(file)
    } else {
        Err(not_regular("a named pipe or socket"))
    }
}

/// The text of a file of moderate size.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    open(File::options().read(true), path)?.take(MAX_TEXT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_TEXT {
        return Err(io::Error::other("larger than 1 MiB, so not a configuration file"));
    }
    // A byte order mark is what some editors put before UTF-8.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    String::from_utf8(text.to_vec())
        .map_err(|_| io::Error::other("not UTF-8 text; save it as UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(path: &str) -> Result<PathBuf, String> {
        expand_tilde(path.as_ref(), Some(Path::new("/home/me")))
    }

    #[test]
    fn a_tilde_is_a_home_directory_or_an_error() {
        assert_eq!(expanded("~"), Ok("/home/me".into()));
        assert_eq!(expanded("~/a b"), Ok("/home/me/a b".into()));
        assert_eq!(expanded("/x/~"), Ok("/x/~".into()));
        assert_eq!(expanded("./~x"), Ok("./~x".into()));
        assert_eq!(expanded("~root/x"), Ok("/root/x".into()));
        let error = expanded("~no-such-user/x").unwrap_err();
        assert!(error.contains("\"no-such-user\"") && error.contains("./~no-such-user/x"));
        assert!(expand_tilde("~/x".as_ref(), None).is_err());
    }

    #[test]
    fn only_regular_files_and_devices_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for options in [File::options().read(true), File::options().append(true)] {
            let error = open(options, &pipe).unwrap_err().to_string();
            assert!(error.contains("named pipe"), "{error}");
        }
        let error = read_text(folder.path()).unwrap_err().to_string();
        assert!(error.contains("a folder"), "{error}");
        open(File::options().append(true), Path::new("/dev/null")).unwrap();
    }

    #[test]
    fn text_in_another_encoding_is_a_clear_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"\xff\xfe[\0l\0").unwrap();
        let error = read_text(&path).unwrap_err().to_string();
        assert_eq!(error, "not UTF-8 text; save it as UTF-8");
        std::fs::write(&path, "\u{feff}é").unwrap();
        assert_eq!(read_text(&path).unwrap(), "é");
    }
}
