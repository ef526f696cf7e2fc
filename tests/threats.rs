//! THREATS.md names tests that run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::path::Path;

#[test]
fn the_tests_that_the_list_of_threats_names_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let threats = std::fs::read_to_string(root.join("docs/THREATS.md")).unwrap();
    let named: Vec<_> =
        threats.split('`').filter_map(|quoted| quoted.split_once(".rs::")).collect();
    assert!(named.len() > 40, "the list is read");
    for (file, name) in named {
        let source = std::fs::read_to_string(root.join(format!("{file}.rs")));
        let source = source.unwrap_or_else(|error| panic!("{file}.rs: {error}"));
        if let Err(problem) = runs(&source, name) {
            panic!("{file}.rs: {name} {problem}");
        }
    }
}

/// Whether `source` has a test `name` that `cargo test` runs.
fn runs(source: &str, name: &str) -> Result<(), &'static str> {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let [sync, with_await] = ["fn", "async fn"].map(|kind| format!("{kind} {name}("));
    let begins = |line: &&str| line.starts_with(&sync) || line.starts_with(&with_await);
    let at = lines.iter().position(begins).ok_or("is no function")?;
    let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with(['#', '/']));
    let attributes: Vec<_> = attributes.filter(|line| line.starts_with("#[")).collect();
    if attributes.iter().any(|attribute| attribute.contains("ignore")) {
        return Err("is ignored");
    }
    let test = |attribute: &str| attribute.contains("test]") || attribute.contains("test(");
    attributes.iter().find(|attribute| test(attribute)).map(|_| ()).ok_or("is no test")
}

#[test]
fn a_function_that_is_not_a_test_or_is_ignored_does_not_count() {
    let source = "
        fn helper() {}
        #[actix::test]
        /// With words.
        async fn one() {}
        #[test]
        #[ignore]
        fn two() {}
        // fn three()
        #[test]
        fn four() {}";
    assert_eq!([runs(source, "one"), runs(source, "four")], [Ok(()), Ok(())]);
    for name in ["helper", "two", "three"] {
        runs(source, name).unwrap_err();
    }
}
