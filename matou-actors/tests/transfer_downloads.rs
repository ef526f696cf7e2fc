//! The downloads folder, against whatever is put in its way.
#![allow(clippy::unwrap_used)] // A test may fail where it likes.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use matou_actors::protocol::Username;
use matou_actors::transfer::{DownloadError, Downloads, FileStamp};
use tempfile::TempDir;

/// More than other programs write to the disk meanwhile.
const MARGIN: u64 = 256 * 1024 * 1024;

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
fn a_folder_that_was_swapped_is_an_error_and_nothing_is_written_elsewhere() {
    let (temporary, folder, downloads) = folder();
    assert!(downloads.free().is_some(), "the folder is made when it is first needed");
    let elsewhere = temporary.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(&folder, temporary.path().join("moved")).unwrap();
    for swap in [&(|| symlink(&elsewhere, &folder).unwrap()) as &dyn Fn(), &|| {
        fs::write(&folder, b"").unwrap();
    }] {
        swap();
        let error = downloads.begin(stamp(), 1).unwrap_err();
        assert!(matches!(error, DownloadError::Folder { .. }), "{error}");
        assert!(error.to_string().contains("downloads folder"));
        let _ = fs::remove_file(&folder);
    }
    assert!(names(&elsewhere).is_empty());
}

#[test]
fn a_folder_that_was_removed_is_made_again_unless_a_link_is_on_the_way() {
    let temporary = tempfile::tempdir().unwrap();
    let above = temporary.path().join("above");
    let folder = above.join("downloads");
    let downloads = Downloads::new(folder.clone(), 0);
    downloads.begin(stamp(), 1).unwrap();
    fs::remove_dir_all(&above).unwrap();
    let part = downloads.begin(stamp(), 1).unwrap();
    assert!(part.path().exists() && part.path().starts_with(folder.canonicalize().unwrap()));
    fs::remove_dir_all(&above).unwrap();
    let elsewhere = temporary.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &above).unwrap();
    downloads.begin(stamp(), 1).unwrap_err();
    assert!(names(&elsewhere).is_empty());
}

#[test]
fn the_folder_can_be_changed_and_a_bad_one_is_not_taken() {
    let (temporary, folder, downloads) = folder();
    let other = temporary.path().join("other");
    assert_eq!(downloads.move_to(other.clone()).unwrap(), other.canonicalize().unwrap());
    assert!(downloads.begin(stamp(), 1).unwrap().path().starts_with(&other));
    fs::write(&folder, b"").unwrap();
    assert!(matches!(downloads.move_to(folder), Err(DownloadError::Folder { .. })));
    assert!(downloads.begin(stamp(), 1).unwrap().path().starts_with(&other));
}

#[test]
fn a_removed_part_file_is_not_reported_as_kept() {
    let (_temporary, _folder, downloads) = folder();
    let part = downloads.begin(stamp(), 1).unwrap();
    assert!(part.exists());
    fs::remove_file(part.path()).unwrap();
    assert!(!part.exists());
    assert!(matches!(part.finish(), Err(DownloadError::Gone { .. })));
}

#[test]
fn files_on_their_way_count_for_the_next_one_and_each_write_keeps_the_reserve() {
    let temporary = tempfile::tempdir().unwrap();
    let free = Downloads::new(temporary.path().into(), 0).free().unwrap();
    let downloads = Downloads::new(temporary.path().into(), free / 4);
    let first = downloads.begin(stamp(), free / 2).unwrap();
    let error = downloads.begin(stamp(), free / 2).unwrap_err().to_string();
    assert!(error.contains("transfers under way need"), "{error}");
    first.wrote(1000).unwrap();
    let second = downloads.begin(stamp(), free / 2).unwrap();
    drop((first, second));
    let free = downloads.free().unwrap();
    let too_full = Downloads::new(temporary.path().into(), free.saturating_sub(MARGIN));
    let part = too_full.begin(stamp(), 1).unwrap();
    let filler = temporary.path().join("filler");
    let file = fs::File::create(&filler).unwrap();
    if rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 2 * MARGIN).is_err() {
        eprintln!("skipped in part: this file system sets no space aside");
        return;
    }
    assert_eq!(part.wrote(1).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
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
