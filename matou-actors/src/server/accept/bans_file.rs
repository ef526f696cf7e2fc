//! Keeping bans over restarts: a JSON file that is replaced as a whole.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::bans::{self, Ban, Bans, Moment};

/// The most bytes that are read: more than the most bans with the longest reasons take.
const LARGEST: u64 = 8 * 1024 * 1024;

/// A file of bans that cannot be used. The server does not start without its bans.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the bans in {}: {reason}; fix the file, or move it away to start without bans", path.display())]
pub struct BansFileError {
    path: PathBuf,
    reason: String,
}

/// The bans in `path` that hold at `now`; none when there is no file yet.
pub(crate) fn load(path: &Path, now: Moment) -> Result<Bans, BansFileError> {
    let failed = |reason: String| BansFileError { path: path.to_owned(), reason };
    let mut text = String::new();
    match File::open(path) {
        Ok(file) => file.take(LARGEST).read_to_string(&mut text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Bans::default()),
        Err(error) => Err(error),
    }
    .map_err(|error| failed(error.to_string()))?;
    let listed: Vec<Ban> =
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let parsed: Result<Vec<Ban>, String> = listed.into_iter().map(checked).collect();
    let parsed = parsed.map_err(failed)?;
    Bans::of(parsed, now).map_err(|error| failed(error.to_string()))
}

fn checked(ban: Ban) -> Result<Ban, String> {
    if ban.network.is_none() && ban.name.is_none() && ban.key.is_none() {
        return Err("a ban has neither a network nor a name nor a key".into());
    }
    let network = ban.network.map(|network| bans::network(&network.to_string())).transpose();
    let network = network.map_err(|error| error.to_string())?;
    Ok(Ban { network, ..ban })
}

/// Writes `bans` to `path`: after a crash at any moment the file holds the old bans or the new
/// ones. Waits for the disk.
pub(crate) fn save(path: &Path, bans: &Bans, now: Moment) -> io::Result<()> {
    let listed: Vec<&Ban> = bans.in_force(now).collect();
    let mut text = serde_json::to_vec_pretty(&listed)?;
    text.push(b'\n');
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // Under a new name: no existing file in the folder is written to.
    let mut file = tempfile::Builder::new().prefix(".bans-").tempfile_in(folder)?;
    file.write_all(&text)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::IpAddr;

    use jiff::Timestamp;

    use super::super::bans::{LONGEST_REASON, MOST};
    use super::*;
    use crate::protocol::Username;
    use crate::trust::Fingerprint;

    fn now() -> Moment {
        Moment::at(0)
    }

    #[test]
    fn saved_bans_are_loaded_except_expired_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bans.json");
        assert!(load(&path, now()).unwrap().is_empty(), "no file yet");
        let mut bans = Bans::default();
        let later = Timestamp::from_second(10).unwrap();
        let forever = Ban {
            network: bans::network("192.0.2.0/24").ok(),
            name: None,
            key: None,
            until: None,
            reason: "spam".into(),
        };
        let short = Ban {
            network: bans::network("2001:db8::1").ok(),
            name: Username::parse("bob").ok(),
            key: None,
            until: Some(later),
            reason: String::new(),
        };
        bans.add(forever.clone(), now()).unwrap();
        let key = Fingerprint::parse("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU");
        let of_key = Ban { network: None, name: None, key, ..short.clone() };
        bans.add(short, now()).unwrap();
        bans.add(of_key, now()).unwrap();
        save(&path, &bans, now()).unwrap();
        assert_eq!(load(&path, now()).unwrap(), bans);
        let left = load(&path, Moment::at(10)).unwrap();
        assert_eq!(left.in_force(Moment::at(10)).collect::<Vec<_>>(), [&forever]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
    }

    #[test]
    fn a_link_that_lies_in_the_folder_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("bans.json"), folder.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        for name in ["bans.json", "bans.json.new"] {
            std::os::unix::fs::symlink(&victim, folder.path().join(name)).unwrap();
        }
        save(&path, &Bans::default(), now()).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(fs::read_to_string(&path).unwrap(), "[]\n");
    }

    #[test]
    fn the_most_bans_with_the_longest_reasons_can_be_loaded_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bans.json");
        let later = "9999-12-30T22:00:00.999999999Z".parse().unwrap();
        // A quotation mark is two bytes in the file, as much as any character that is allowed.
        let reason = "\"".repeat(LONGEST_REASON);
        let network = |number: usize| {
            let number = u128::try_from(number).unwrap();
            IpAddr::from((u128::MAX - number).to_be_bytes()).into()
        };
        let listed = (0..MOST).map(|number| Ban {
            network: Some(network(number)),
            name: None,
            key: None,
            until: Some(later),
            reason: reason.clone(),
        });
        let bans = Bans::of(listed, now()).unwrap();
        save(&path, &bans, now()).unwrap();
        assert_eq!(load(&path, now()).unwrap(), bans);
    }

    #[test]
    fn a_file_that_is_not_understood_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bans.json");
        for text in [
            "",
            "{}",
            "[{}]",
            "[{\"name\": \"a b\"}]",
            "[{\"network\": \"x\"}]",
            "[{\"network\": \"0.0.0.0/0\"}]",
        ] {
            fs::write(&path, text).unwrap();
            let error = load(&path, now()).unwrap_err().to_string();
            assert!(error.contains("bans.json"), "{error}");
        }
    }
}
