//! Which extension the content of a file shows.

/// How many bytes from the beginning of a file [`extension`] wants to see.
pub(super) const SAMPLE: usize = 8192;

/// The extension, without dot, for a file that begins with `sample`: the one that its content
/// shows, else `txt` for text, else `bin`.
pub fn extension(sample: &[u8]) -> &'static str {
    match infer::get(sample) {
        Some(kind) => kind.extension(),
        None if is_text(sample) => "txt",
        None => "bin",
    }
}

/// UTF-8 with no control characters but those of text; the end may cut a character.
fn is_text(sample: &[u8]) -> bool {
    let text = match std::str::from_utf8(sample) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            let (whole, _) = sample.split_at(error.valid_up_to());
            std::str::from_utf8(whole).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty()
        && !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_and_unknown_content_is_text_or_binary() {
        assert_eq!(extension(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "png");
        assert_eq!(extension(b"%PDF-1.7\n"), "pdf");
        assert_eq!(extension("pommes et poires\n".as_bytes()), "txt");
        assert_eq!(extension(&"é".as_bytes()[..1]), "bin");
        assert_eq!(extension(&"aé".as_bytes()[..2]), "txt");
        assert_eq!(extension(b"\x01\x02\x03"), "bin");
        assert_eq!(extension(b""), "bin");
    }
}
