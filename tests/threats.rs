//! THREATS.md names tests that exist.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::path::Path;

#[test]
fn the_tests_that_the_list_of_threats_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let threats = std::fs::read_to_string(root.join("docs/THREATS.md")).unwrap();
    let named: Vec<_> =
        threats.split('`').filter_map(|quoted| quoted.split_once(".rs::")).collect();
    assert!(named.len() > 40, "the list is read");
    for (file, name) in named {
        let source = std::fs::read_to_string(root.join(format!("{file}.rs")));
        let source = source.unwrap_or_else(|error| panic!("{file}.rs: {error}"));
        assert!(source.contains(&format!("fn {name}(")), "{file}.rs has no test {name}");
    }
}
