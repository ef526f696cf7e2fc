//! The file of the server's password.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The most bytes of a password.
const LONGEST: usize = 1024;

/// A file of a password that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot use the password in {}: {reason}", path.display())]
pub struct PasswordFileError {
    path: PathBuf,
    reason: String,
}

/// The password in the file at `path`: its only line. Programs of the server and of the client read
/// it alike.
pub fn read_password(path: &Path) -> Result<Zeroizing<String>, PasswordFileError> {
    let failed = |reason: String| PasswordFileError { path: path.to_owned(), reason };
    let limit = u64::try_from(LONGEST + 3).unwrap_or(u64::MAX);
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text));
    read.map_err(|error| failed(error.to_string()))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.len() > LONGEST || line.contains(['\n', '\r']) {
        return Err(failed(format!("expected one line of 1 to {LONGEST} bytes")));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_only_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let read = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            read_password(&path).map(|password| password.to_string()).ok()
        };
        assert_eq!(read(b" two words \n").as_deref(), Some(" two words "));
        assert_eq!(read("pässwörd\r\n".as_bytes()).as_deref(), Some("pässwörd"));
        assert_eq!(read(&[b'x'; LONGEST]).map(|read| read.len()), Some(LONGEST));
        for wrong in [&b""[..], b"\n", b"one\ntwo\n", &[b'x'; LONGEST + 1], &[0xff]] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(read_password(&path).unwrap_err().to_string().contains("password: "));
    }
}
