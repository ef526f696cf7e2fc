//! The pictures in docs/ show the screen as it is.

use std::path::Path;

#[test]
fn the_pictures_in_docs_are_of_this_screen() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for (name, picture) in crate::screen::testing::pictures() {
        let kept = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
        let command = "cargo run -p matou-bin --example screen_pictures";
        assert!(kept == picture, "docs/{name} is old: run {command}");
    }
}
