//! The file of admitted keys, where only some users are admitted.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::protocol::v2::PublicKey;
use crate::trust::Fingerprint;

/// The most bytes that are read: some 100,000 keys.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The keys whose users are admitted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AdmittedKeys(HashSet<Fingerprint>);

/// A file of keys that cannot be used: users would be refused, or admitted, by mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot use the admitted keys in {}: {reason}", path.display())]
pub struct AdmittedKeysError {
    path: PathBuf,
    reason: String,
}

impl AdmittedKeys {
    /// The keys in the file at `path`.
    pub(crate) fn load(path: &Path) -> Result<Self, AdmittedKeysError> {
        let failed = |reason: String| AdmittedKeysError { path: path.to_owned(), reason };
        let read = || -> io::Result<String> {
            let mut text = String::new();
            File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
            Ok(text)
        };
        let text = read().map_err(|error| failed(error.to_string()))?;
        if u64::try_from(text.len()).is_ok_and(|length| length > LARGEST) {
            return Err(failed(format!("it has more than {LARGEST} bytes")));
        }
        Self::parse(&text).map_err(failed)
    }

    /// One key a line: a fingerprint or an OpenSSH public key, followed by any comment of the
    /// operator. Lines that are empty or begin with `#` are ignored.
    fn parse(text: &str) -> Result<Self, String> {
        let mut keys = HashSet::new();
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace();
            let Some(first) = words.next().filter(|first| !first.starts_with('#')) else {
                continue;
            };
            let key = Fingerprint::parse(first).or_else(|| {
                PublicKey::from_openssh(first, words.next()?).as_ref().map(Fingerprint::of)
            });
            let key = key.ok_or_else(|| {
                format!(
                    "line {} is neither SHA256:... nor an OpenSSH public key (ssh-ed25519 ...); \
                     `matou-bin identity show` prints what belongs there",
                    number + 1
                )
            })?;
            keys.insert(key);
        }
        Ok(Self(keys))
    }

    pub(crate) fn contains(&self, key: &PublicKey) -> bool {
        self.0.contains(&Fingerprint::of(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `ssh-keygen -t ed25519`, which prints this fingerprint of it.
    const OPENSSH: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHbMZP8nrZGx9+nATcqxo5DzaQKnd8PfOsomN5dmwTR3 ann@ship";
    const FINGERPRINT: &str = "SHA256:TeF30tHkj/tCB8VO2LNkFj7qkS9hShn//WFT+N5M+IM";

    #[test]
    fn keys_are_read_as_fingerprints_and_as_openssh_prints_them() {
        let by_key = AdmittedKeys::parse(OPENSSH).unwrap();
        let text = format!("# The crew\n\n  {FINGERPRINT} Ann, since May\n#{FINGERPRINT}\r\n");
        assert_eq!(AdmittedKeys::parse(&text).unwrap(), by_key);
        assert_eq!(by_key.0.len(), 1);
        assert_eq!(AdmittedKeys::parse("# no one\n").unwrap(), AdmittedKeys::default());
    }

    #[test]
    fn a_line_without_a_key_is_an_error_that_names_it() {
        for wrong in ["SHA256:short", "ssh-rsa AAAA", "ssh-ed25519", "ssh-ed25519 AAAA", "ann"] {
            let error = AdmittedKeys::parse(&format!("{FINGERPRINT}\n{wrong}\n")).unwrap_err();
            assert!(error.starts_with("line 2 is neither"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crew");
        assert!(AdmittedKeys::load(&path).unwrap_err().to_string().contains("crew"));
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(AdmittedKeys::load(&path).unwrap_err().to_string().contains("UTF-8"));
    }
}
