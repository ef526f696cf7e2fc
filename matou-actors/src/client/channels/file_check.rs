//! Which files a command sends, and whether they can be read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::client::api::command::Command;
use crate::transfer::ChosenFile;

/// How long the file system may take to answer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// A file to send, or why it cannot be sent.
pub(super) type Chosen = Result<Arc<ChosenFile>, String>;

/// The files that `command` sends, each or all of them with why they cannot be sent. Looks at the disk
/// off the event loop.
pub(super) fn check_files(
    command: &Command,
    handles: &Arc<Semaphore>,
) -> impl Future<Output = Vec<Chosen>> + use<> {
    let handles = Arc::clone(handles);
    let paths = match command {
        Command::Send { path, or, several, .. } => {
            Some((path.clone(), or.clone(), several.clone()))
        }
        _ => None,
    };
    async move {
        match paths {
            Some((path, or, several)) => choose_files(path, or, several, handles).await,
            None => Vec::new(),
        }
    }
}

async fn choose_files(
    path: PathBuf,
    or: Vec<PathBuf>,
    several: Vec<PathBuf>,
    handles: Arc<Semaphore>,
) -> Vec<Chosen> {
    let ask = tokio::task::spawn_blocking(move || {
        let choose = |path| {
            ChosenFile::choose(path, &handles).map(Arc::new).map_err(|error| error.to_string())
        };
        match meant(path, or, several) {
            Ok(paths) => paths.into_iter().map(choose).collect(),
            Err(reason) => vec![Err(reason)],
        }
    });
    match tokio::time::timeout(CHECK_TIMEOUT, ask).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => {
            vec![Err("the file system is not responding; try again later".into())]
        }
    }
}

/// The paths that the user means: the first reading as one path at which there is something, else
/// `several` if there is something at each of them.
fn meant(path: PathBuf, or: Vec<PathBuf>, several: Vec<PathBuf>) -> Result<Vec<PathBuf>, String> {
    let one = first_present(path, or);
    if exists(&one) {
        return Ok(vec![one]);
    }
    let (present, missing): (Vec<_>, Vec<_>) = several.iter().partition(|path| exists(path));
    match missing.first() {
        // As likely it is one path that is mistyped.
        _ if present.is_empty() => Ok(vec![one]),
        Some(missing) => {
            Err(format!("nothing was sent: there is no such file or folder: {}", missing.display()))
        }
        None => Ok(several),
    }
}

/// The first of the readings of a typed path at which there is something; the last one, which is
/// what a terminal or a shell would have meant, when there is nothing at any of them.
pub(crate) fn first_present(path: PathBuf, or: Vec<PathBuf>) -> PathBuf {
    let last = or.last().cloned();
    let found = std::iter::once(path.clone()).chain(or).find(|path| exists(path));
    found.or(last).unwrap_or(path)
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_paths_are_meant_if_each_exists_and_no_single_reading_does() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["a", "b", "a b"] {
            std::fs::write(at(name), "content").unwrap();
        }
        let several = |names: [&str; 2]| names.map(at).to_vec();
        let read = |one: &str, names| meant(at(one), Vec::new(), several(names));
        assert_eq!(read("a b", ["a", "b"]), Ok(vec![at("a b")]), "spaces need no quotes");
        assert_eq!(read("b a", ["b", "a"]), Ok(several(["b", "a"])));
        assert_eq!(read("c d", ["c", "d"]), Ok(vec![at("c d")]), "none is there");
        assert!(read("a d", ["a", "d"]).unwrap_err().ends_with("/d"));
    }
}
