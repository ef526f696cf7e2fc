//! ARCHITECTURE.md and DEVELOPING.md name files and folders that exist.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::path::{Path, PathBuf};

#[test]
fn the_files_and_folders_that_the_map_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut present = Vec::new();
    collect(root, &mut present);
    for (document, at_least) in [("ARCHITECTURE.md", 60), ("DEVELOPING.md", 10)] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        let named: Vec<_> =
            text.split('`').skip(1).step_by(2).filter(|name| is_path(name)).collect();
        assert!(named.len() >= at_least, "{document} is read: {named:?}");
        let missing: Vec<_> =
            named.iter().filter(|name| !present.iter().any(|path| path.ends_with(name))).collect();
        assert!(missing.is_empty(), "{document} names what does not exist: {missing:?}");
    }
}

/// Whether `quoted` is a path, or the end of one: not a command, an address or a pattern.
fn is_path(quoted: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let of_files = [".rs", ".toml", ".md"].iter().any(|end| quoted.ends_with(end));
    quoted.chars().all(is_plain) && !quoted.starts_with('/') && (of_files || quoted.contains('/'))
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        if name == "target" || name == ".git" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            collect(&path, into);
        }
        into.push(path);
    }
}
