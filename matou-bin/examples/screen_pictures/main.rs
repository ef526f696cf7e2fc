//! Draws the pictures in docs/ again: `cargo run -p matou-bin --example screen_pictures`.

mod scenes;
mod svg;

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let own = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let folder = std::env::args_os().nth(1).map_or_else(own, PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    for (name, picture) in scenes::pictures() {
        std::fs::write(folder.join(&name), picture)?;
        println!("{name}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pictures_in_docs_are_of_this_screen() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs");
        for (name, picture) in scenes::pictures() {
            let kept = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
            let command = "cargo run -p matou-bin --example screen_pictures";
            assert!(kept == picture, "docs/{name} is old: run {command}");
        }
    }
}
