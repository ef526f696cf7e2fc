//! The downloads folder, against whatever is put in its way.
#![allow(clippy::unwrap_used)] // A test may fail where it likes.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use matou_actors::protocol::Username;
use matou_actors::transfer::{DownloadError, Downloads, FileStamp};
use tempfile::TempDir;

fn stamp() -> FileStamp {
    let alice = Username::parse("alice").unwrap();
    FileStamp::new(&alice, jiff::civil::date(2026, 11, 23).at(14, 5, 1, 0))
}

fn folder() -> (TempDir, PathBuf, Downloads) {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("downloads");
    let downloads = Downloads::new(path.clone(), 0);
    (temporary, path, downloads)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_whole_file_gets_the_extension_of_its_content_and_overwrites_nothing() {
    let (_temporary, folder, downloads) = folder();
    for _ in 0..2 {
        let part = downloads.begin(stamp(), 8).unwrap();
        assert_eq!(part.path().extension().unwrap(), "part");
        part.file().write_all(b"%PDF-1.7").unwrap();
        let path = part.finish().unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(names(&folder), ["alice-2026-11-23-140501-2.pdf", "alice-2026-11-23-140501.pdf"]);
}

#[test]
fn links_that_lie_in_wait_are_not_followed() {
    let (temporary, folder, downloads) = folder();
    let victim = temporary.path().join("victim");
    fs::write(&victim, b"precious").unwrap();
    fs::create_dir(&folder).unwrap();
    symlink(&victim, folder.join("alice-2026-11-23-140501.part")).unwrap();
    symlink(&victim, folder.join("alice-2026-11-23-140501.bin")).unwrap();
    symlink(temporary.path().join("new"), folder.join("alice-2026-11-23-140501-2.part")).unwrap();
    let part = downloads.begin(stamp(), 1).unwrap();
    part.file().write_all(b"\0").unwrap();
    assert_eq!(
        part.finish().unwrap(),
        folder.canonicalize().unwrap().join("alice-2026-11-23-140501-2.bin")
    );
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert!(!temporary.path().join("new").exists());
}

#[test]
fn a_part_file_that_was_swapped_is_not_renamed() {
    let (temporary, _folder, downloads) = folder();
    let victim = temporary.path().join("victim");
    fs::write(&victim, b"precious").unwrap();
    let part = downloads.begin(stamp(), 1).unwrap();
    let path = part.path();
    fs::remove_file(&path).unwrap();
    symlink(&victim, &path).unwrap();
    assert!(matches!(part.finish(), Err(DownloadError::Name { .. })));
    assert!(path.is_symlink() && fs::read(&victim).unwrap() == b"precious");
}

#[test]
fn a_folder_that_was_swapped_or_vanished_is_an_error_and_nothing_is_written_elsewhere() {
    let (temporary, folder, downloads) = folder();
    assert!(downloads.free().is_some(), "the folder is made when it is first needed");
    let elsewhere = temporary.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(&folder, temporary.path().join("moved")).unwrap();
    for swap in [
        &(|| symlink(&elsewhere, &folder).unwrap()) as &dyn Fn(),
        &|| fs::write(&folder, b"").unwrap(),
        &|| {},
    ] {
        swap();
        let error = downloads.begin(stamp(), 1).unwrap_err();
        assert!(matches!(error, DownloadError::Folder { .. }), "{error}");
        assert!(error.to_string().contains("downloads folder"));
        let _ = fs::remove_file(&folder);
    }
    assert!(names(&elsewhere).is_empty());
}

#[test]
fn the_reserve_stays_free() {
    let temporary = tempfile::tempdir().unwrap();
    let free = Downloads::new(temporary.path().into(), 0).free().unwrap();
    let downloads = Downloads::new(temporary.path().into(), free / 2);
    assert!(downloads.begin(stamp(), 1).is_ok());
    let error = downloads.begin(stamp(), free / 2 + free / 4).unwrap_err();
    assert!(matches!(error, DownloadError::Space { .. }), "{error}");
    assert!(downloads.begin(stamp(), u64::MAX).is_err());
}
