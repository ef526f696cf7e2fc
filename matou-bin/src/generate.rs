//! Generates shell completions and man pages from the command line definition.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::arguments::Arguments;
use crate::exit::Failure;
use crate::manual::complete;
use crate::stdout::print;

/// Writes the completions for `shell` to standard output.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "matou-bin", &mut script);
    print(&script)
}

/// Writes the main page to standard output, or all pages into `folder`.
pub(crate) fn manual(folder: Option<&Path>) -> Result<(), Failure> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        Man::new(Arguments::command()).render(&mut page).map_err(|error| failed(&error))?;
        let page = complete("matou-bin.1", &String::from_utf8_lossy(&page));
        return print(page.as_bytes());
    };
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), folder))
        .and_then(|()| complete_pages(folder))
        .map_err(|error| {
            let folder = folder.display();
            Failure::Runtime(format!("cannot write man pages to {folder}: {error}"))
        })
}

fn complete_pages(folder: &Path) -> io::Result<()> {
    for name in [
        "matou-bin.1",
        "matou-bin-server.1",
        "matou-bin-client.1",
        "matou-bin-send.1",
        "matou-bin-receive.1",
        "matou-bin-admin.1",
    ] {
        let path = folder.join(name);
        let rendered = fs::read_to_string(&path)?;
        fs::write(&path, complete(name, &rendered))?;
    }
    Ok(())
}

fn failed(error: &io::Error) -> Failure {
    Failure::Runtime(format!("cannot render the man page: {error}"))
}
