//! Putting generated parts into a document that people write.

use crate::error::{BenchError, Outcome};

/// The document with the part between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` replaced.
pub(super) fn replace(document: &str, name: &str, part: &str) -> Outcome<String> {
    let (open, close) = (format!("<!-- bench:{name} -->"), format!("<!-- /bench:{name} -->"));
    let split = document
        .split_once(&open)
        .and_then(|(before, rest)| rest.split_once(&close).map(|(_, after)| (before, after)));
    let (before, after) = split.ok_or_else(|| {
        BenchError::Invalid(format!("the document has no place for {name}: {open} ... {close}"))
    })?;
    Ok(format!("{before}{open}\n{part}\n{close}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_marked_part_changes() {
        let document = "a\n<!-- bench:x -->\nold\n<!-- /bench:x -->\nb\n";
        let new = replace(document, "x", "new").unwrap();
        assert_eq!(new, "a\n<!-- bench:x -->\nnew\n<!-- /bench:x -->\nb\n");
        assert_eq!(replace(&new, "x", "new").unwrap(), new);
        assert!(replace(document, "y", "new").is_err());
    }
}
