//! Draws the pictures in docs/ again: `cargo run -p matou-bin --example screen_pictures`.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let own = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let folder = std::env::args_os().nth(1).map_or_else(own, PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    for (name, picture) in matou_bin::pictures() {
        std::fs::write(folder.join(&name), picture)?;
        println!("{name}");
    }
    Ok(())
}
