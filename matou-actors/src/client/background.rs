//! Work that waits for the disk or takes the processor a while, off the event loop. Its outcome, if
//! any, is an event.

use std::path::PathBuf;
use std::sync::Arc;

use crate::client::api::event::{ErrorCode, Event};
use crate::client::channels::file_check::first_present;
use crate::client::people_file::PeopleChanges;
use crate::protocol::Username;
use crate::protocol::v2::PublicKey;
use crate::transfer::Downloads;
use crate::trust::{Fingerprint, Person, verification_words};

/// Changes the downloads folder to the first of the paths at which there is something.
pub(super) fn move_downloads(
    downloads: &Arc<Downloads>,
    folder: PathBuf,
    or: Vec<PathBuf>,
) -> impl Future<Output = Option<Event>> + use<> {
    let downloads = Arc::clone(downloads);
    let moved = tokio::task::spawn_blocking(move || downloads.move_to(first_present(folder, or)));
    async move {
        let message = match moved.await {
            Ok(Ok(folder)) => {
                let message = format!("received files are saved in {}", folder.display());
                return Some(Event::Notice { message });
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => format!("the downloads folder was not changed: {error}"),
        };
        Some(Event::Error { code: ErrorCode::File, message })
    }
}

/// Says where received files are saved. The folder is locked while a slow disk makes it.
pub(super) fn show_downloads(
    downloads: &Arc<Downloads>,
) -> impl Future<Output = Option<Event>> + use<> {
    let downloads = Arc::clone(downloads);
    let folder = tokio::task::spawn_blocking(move || downloads.folder());
    async move {
        let message = format!("received files are saved in {}", folder.await.ok()?.display());
        Some(Event::Notice { message })
    }
}

/// Keeps the key of a person on that server in `file`.
pub(super) fn remember(
    changes: &PeopleChanges,
    file: PathBuf,
    server: String,
    person: Person,
) -> impl Future<Output = Option<Event>> + use<> {
    // In this order they are written, whichever thread is first.
    changes.push(server, person);
    let changes = changes.clone();
    let kept = tokio::task::spawn_blocking(move || changes.write_first(&file));
    async move {
        let message = kept.await.ok()?.err()?;
        Some(Event::Error { code: ErrorCode::File, message })
    }
}

/// Makes the words by which two users compare their keys.
pub(super) fn verify(
    username: Username,
    own: PublicKey,
    theirs: PublicKey,
) -> impl Future<Output = Option<Event>> + use<> {
    let words = tokio::task::spawn_blocking(move || verification_words(&own, &theirs));
    async move {
        let words = words.await.ok()?.join(" ");
        let fingerprint = Fingerprint::of(&theirs).to_string();
        Some(Event::Verification { username, words, fingerprint })
    }
}
