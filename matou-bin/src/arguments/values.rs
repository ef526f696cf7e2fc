//! What the values of arguments may be.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use jiff::{Span, SpanRelativeTo};
use matou_actors::protocol::Username;

use crate::input::home;
use crate::paths::expand_tilde;

/// Reads a path in which `~` is a home directory, as in the settings.
pub(super) fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|path| expand_tilde(&path, home().as_deref()))
}

/// A name that the server can accept.
pub(super) fn username(text: &str) -> Result<Username, String> {
    Username::parse(text).map_err(|error| error.to_string())
}

/// `text` such as `7d` or `1h 30m` in seconds, days of 24 hours.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a duration; examples: 30m, 12h, 7d");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let days = SpanRelativeTo::days_are_24_hours();
    let time = span.to_duration(days).map_err(|_| wrong())?;
    u64::try_from(time.as_secs()).ok().filter(|&seconds| seconds > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(seconds("30m"), Ok(1800));
        assert_eq!(seconds("7d"), Ok(7 * 86_400));
        assert_eq!(seconds("1w"), Ok(7 * 86_400));
        assert_eq!(seconds("1h 30m"), Ok(5400));
        for wrong in ["", "7", "soon", "-1h", "0s", "1 month"] {
            assert!(seconds(wrong).unwrap_err().contains("examples"), "{wrong}");
        }
    }
}
