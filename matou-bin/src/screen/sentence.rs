//! Pieces of sentences that several places say.

use matou_actors::protocol::Username;

/// `ann, bob and 3 more`: at most `limit` names.
pub(crate) fn list(names: &[Username], limit: usize) -> String {
    let told: Vec<_> = names.iter().take(limit).map(Username::as_str).collect();
    let told = told.join(", ");
    match names.len().saturating_sub(limit) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}
