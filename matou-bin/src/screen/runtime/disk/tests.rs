use std::os::unix::fs::PermissionsExt;

use tokio::sync::mpsc::unbounded_channel;

use super::*;

const DEADLINE: Duration = Duration::from_secs(60);

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(future)
}

fn finish(disk: Disk) {
    assert!(wait(disk.finish(DEADLINE)));
}

#[test]
fn a_disk_that_hangs_is_abandoned_and_reported_once() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, _events) = unbounded_channel();
    let mut disk = Disk::start(Some(folder.path().into()), sender).unwrap();
    let (go_on, until) = std::sync::mpsc::channel();
    disk.add(DiskJob::Hang(until));
    let mut answers = Vec::new();
    for _ in 0..3 * QUEUE {
        answers.extend(disk.add(DiskJob::Remember("x".into())));
    }
    assert!(matches!(&answers[..], [UiEvent::DiskFailed(_)]), "{answers:?}");
    let listed = disk.add(DiskJob::List(folder.path().into()));
    assert!(matches!(listed, Some(UiEvent::DiskFailed(text)) if text.starts_with("Cannot list")));
    let to = Username::parse("bob").unwrap();
    let stored = disk.add(DiskJob::StorePaste(to, "a".into()));
    assert!(matches!(stored, Some(UiEvent::Stored(_, Err(_)))), "a paste always gets an answer");
    assert!(!wait(disk.finish(Duration::from_millis(1))));
    drop(go_on);
}

#[test]
fn without_a_state_folder_one_error_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (answers, mut events) = unbounded_channel();
    let mut disk = Disk::start(None, answers).unwrap();
    for job in [
        DiskJob::Remember("x".into()),
        DiskJob::Log("public.log".into(), "x".into()),
        DiskJob::List(folder.path().into()),
    ] {
        assert!(disk.add(job).is_none());
    }
    finish(disk);
    assert!(matches!(events.try_recv(), Ok(UiEvent::DiskFailed(text)) if text.contains("HOME")));
    assert!(matches!(events.try_recv(), Ok(UiEvent::Listed(_))));
    assert!(events.try_recv().is_err());
}

#[test]
fn lines_are_appended_to_files_of_the_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (answers, _events) = unbounded_channel();
    let mut disk = Disk::start(Some(state.clone()), answers).unwrap();
    for n in 0..3 {
        assert!(disk.add(DiskJob::Remember(format!("line {n}"))).is_none());
        assert!(disk.add(DiskJob::Log("public.log".into(), format!("said {n}"))).is_none());
    }
    finish(disk);
    assert_eq!(history(&state).unwrap(), ["line 0", "line 1", "line 2"]);
    let log = state.join("logs/public.log");
    assert_eq!(fs::read_to_string(&log).unwrap(), "said 0\nsaid 1\nsaid 2\n");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&log), mode(&state.join("history"))), (0o600, 0o600));
    assert_eq!(mode(&state.join("logs")), 0o700);
}

#[test]
fn a_link_in_the_place_of_a_file_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    std::os::unix::fs::symlink(&target, folder.path().join("history")).unwrap();
    let (answers, mut events) = unbounded_channel();
    let mut disk = Disk::start(Some(folder.path().into()), answers).unwrap();
    disk.add(DiskJob::Remember("x".into()));
    disk.add(DiskJob::Remember("y".into()));
    finish(disk);
    assert!(!target.exists());
    let failed = events.try_recv();
    assert!(matches!(&failed, Ok(UiEvent::DiskFailed(text)) if text.contains("symbolic link")));
    assert!(history(folder.path()).unwrap_err().to_string().contains("symbolic link"));
    assert!(events.try_recv().is_err(), "said once only");
}

#[test]
fn a_history_that_has_grown_is_shortened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let all: Vec<_> = (0..5000).map(|n| n.to_string()).collect();
    fs::write(&path, all.join("\n") + "\n").unwrap();
    let lines = history(folder.path()).unwrap();
    assert_eq!((lines.len(), lines.last().unwrap().as_str()), (1000, "4999"));
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1000);
}

#[test]
fn names_of_a_folder_are_listed_and_pasted_text_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (answers, mut events) = unbounded_channel();
    let mut disk = Disk::start(Some(folder.path().into()), answers).unwrap();
    let bob = Username::parse("bob").unwrap();
    disk.add(DiskJob::StorePaste(bob.clone(), "a\nb".into()));
    disk.add(DiskJob::List(folder.path().into()));
    let Some(UiEvent::Stored(to, Ok(path))) = events.blocking_recv() else { panic!("not stored") };
    assert_eq!((to, fs::read_to_string(&path).unwrap().as_str()), (bob, "a\nb"));
    let Some(UiEvent::Listed(listing)) = events.blocking_recv() else { panic!("not listed") };
    assert_eq!(listing.names, [("pasted".to_owned(), true)]);
    finish(disk);
    assert!(!path.exists(), "nothing of it stays behind");
}

#[test]
fn leftovers_of_a_killed_client_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let mut ended = std::process::Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    make_folder(&folder.path().join(PASTED)).unwrap();
    let of = |process: u32| folder.path().join(PASTED).join(format!("paste-{process}-0.txt"));
    let (theirs, own) = (of(ended.id()), of(std::process::id()));
    for path in [&theirs, &own] {
        write_new(path, "secret").unwrap();
    }
    let (answers, _events) = unbounded_channel();
    finish(Disk::start(Some(folder.path().into()), answers).unwrap());
    assert!(!theirs.exists() && own.exists());
}

#[test]
fn a_grown_history_is_shortened_whatever_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    write_new(&path, &format!("{}\n", "x".repeat(9_000)).repeat(100)).unwrap();
    assert!(!history(folder.path()).unwrap().is_empty());
    assert!(fs::metadata(path).unwrap().len() <= HISTORY_BYTES);
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_an_error_and_does_not_hang() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(history(folder.path()).unwrap_err().to_string().contains("not a regular file"));
    let (answers, mut events) = unbounded_channel();
    let mut disk = Disk::start(Some(folder.path().into()), answers).unwrap();
    disk.add(DiskJob::Remember("x".into()));
    finish(disk);
    let failed = events.try_recv();
    assert!(matches!(failed, Ok(UiEvent::DiskFailed(text)) if text.contains("not a regular file")));
}

#[test]
fn a_history_whose_last_line_was_cut_gets_its_line_break_first() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("history"), "whole\nhalf").unwrap();
    let (answers, _events) = unbounded_channel();
    let mut disk = Disk::start(Some(folder.path().into()), answers).unwrap();
    disk.add(DiskJob::Remember("next".into()));
    disk.add(DiskJob::Remember("last".into()));
    finish(disk);
    assert_eq!(history(folder.path()).unwrap(), ["whole", "half", "next", "last"]);
}

#[test]
fn a_chat_log_that_was_moved_or_removed_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("logs/public.log");
    let (answers, mut events) = unbounded_channel();
    let mut disk = Disk::start(Some(folder.path().into()), answers).unwrap();
    let mut say = |line: &str| {
        disk.add(DiskJob::Log("public.log".into(), line.into()));
        // The answer to this one says that the line is written.
        disk.add(DiskJob::List(folder.path().into()));
        assert!(matches!(events.blocking_recv(), Some(UiEvent::Listed(_))));
    };
    say("one");
    fs::rename(&log, folder.path().join("old.log")).unwrap();
    say("two");
    assert_eq!(fs::read_to_string(&log).unwrap(), "two\n");
    fs::remove_dir_all(log.parent().unwrap()).unwrap();
    say("three");
    assert_eq!(fs::read_to_string(&log).unwrap(), "three\n");
    finish(disk);
    assert_eq!(fs::read_to_string(folder.path().join("old.log")).unwrap(), "one\n");
}
