//! A path as a user typed or pasted it: as it stands, or as a shell or a desktop writes it.

use std::ffi::OsString;
use std::iter::Peekable;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::str::Chars;

use percent_encoding::percent_decode_str;

use crate::paths::expand_tilde;

const SCHEME: &str = "file://";
/// Paths in one line.
const MOST_PATHS: usize = 256;

/// The ways to read a path, to be tried in this order; never empty.
///
/// As typed comes first, since a name may contain any character; then without trailing spaces; then
/// as a terminal pastes it: a `file://` URI (RFC 8089), or one word of a shell in quotes, with
/// backslashes or as `$'...'`.
pub(crate) fn readings(typed: &str, home: Option<&Path>) -> Result<Vec<PathBuf>, String> {
    let trimmed = typed.trim_end();
    let mut readings = vec![expand_tilde(typed.as_ref(), home)?];
    let decoded = uri(trimmed).or_else(|| shell_word(without_blank_end(typed), home));
    for reading in [Some(expand_tilde(trimmed.as_ref(), home)?), decoded].into_iter().flatten() {
        if !readings.contains(&reading) {
            readings.push(reading);
        }
    }
    Ok(readings)
}

/// `typed` without trailing spaces, except one after a backslash.
fn without_blank_end(typed: &str) -> &str {
    let trimmed = typed.trim_end();
    let backslashes = trimmed.len() - trimmed.trim_end_matches('\\').len();
    let escaped = typed.get(trimmed.len()..).and_then(|rest| rest.chars().next());
    let escaped = escaped.filter(|_| backslashes % 2 == 1).map_or(0, char::len_utf8);
    typed.get(..trimmed.len() + escaped).unwrap_or(trimmed)
}

/// The absolute paths that a whole line may be, if it looks as terminals paste dropped files: the
/// readings as one path, then the several paths that it may be.
pub(crate) fn dropped_paths(line: &str, home: Option<&Path>) -> Vec<PathBuf> {
    // A space at the end may belong to the name.
    let typed = line.trim_start();
    let begins = ["/", "~/", "'/", "\"/", "$'/", "file://"];
    // Two slashes say that what follows is text.
    let looks_so = begins.iter().any(|begin| typed.starts_with(begin)) && !typed.starts_with("//");
    // With one slash in its first word it is a command, or will be said to be none.
    let word = typed.split_whitespace().next().unwrap_or_default();
    let is_command =
        typed.starts_with('/') && !word.get(1..).is_some_and(|rest| rest.contains('/'));
    if !looks_so || is_command || typed.trim_end().contains('\n') {
        return Vec::new();
    }
    let readings = readings(typed, home).unwrap_or_default();
    let mut paths: Vec<_> = readings.into_iter().filter(|path| path.is_absolute()).collect();
    let several = several(typed, home);
    if several.iter().all(|path| path.is_absolute()) {
        paths.extend(several);
    }
    paths
}

/// The path of a `file` URI on this machine.
pub(crate) fn uri(text: &str) -> Option<PathBuf> {
    let rest = text.strip_prefix(SCHEME)?;
    let path = rest.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(rest);
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    (path.starts_with('/') && !bytes.contains(&0)).then(|| OsString::from_vec(bytes).into())
}

/// The path that `text` is as one word of a shell; `None` when it is several words or not closed,
/// or has nothing in it that a shell would undo.
pub(crate) fn shell_word(text: &str, home: Option<&Path>) -> Option<PathBuf> {
    if !text.contains(['\'', '"', '\\']) {
        return None;
    }
    let mut rest = text.chars().peekable();
    let word = next_word(&mut rest)?;
    if rest.next().is_some() { None } else { expanded(text, word, home) }
}

/// The paths that `typed` is as two or more words of a shell, or `file://` URIs, as terminals paste
/// several dropped files; else none.
pub(crate) fn several(typed: &str, home: Option<&Path>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut rest = typed.trim_start();
    while !rest.is_empty() {
        let Some((path, behind)) = next_path(rest, home).filter(|_| paths.len() < MOST_PATHS)
        else {
            return Vec::new();
        };
        paths.push(path);
        rest = behind.trim_start();
    }
    if paths.len() > 1 { paths } else { Vec::new() }
}

/// The path that `text` begins with, and the text after it.
fn next_path<'a>(text: &'a str, home: Option<&Path>) -> Option<(PathBuf, &'a str)> {
    if text.starts_with(SCHEME) {
        // A quote stands for itself in a URI.
        let (word, behind) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
        return Some((uri(word)?, behind));
    }
    let mut rest = text.chars().peekable();
    let word = next_word(&mut rest)?;
    let behind: usize = rest.map(char::len_utf8).sum();
    let decoded = std::str::from_utf8(&word).ok().and_then(uri);
    let path = decoded.or_else(|| expanded(text, word, home))?;
    Some((path, text.get(text.len() - behind..)?))
}

/// `word`, which is written as `text` begins, as a path. A tilde in single quotes is a tilde; in double
/// ones it is the home, other than in a shell: they are typed, where no terminal pastes them.
fn expanded(text: &str, word: Vec<u8>, home: Option<&Path>) -> Option<PathBuf> {
    let path = OsString::from_vec(word);
    let is_home = text.starts_with('~') || text.starts_with("\"~/");
    if is_home { expand_tilde(&path, home).ok() } else { Some(path.into()) }
}

/// One word of a shell, up to whitespace that is not quoted; `None` when it is not closed.
fn next_word(rest: &mut Peekable<Chars<'_>>) -> Option<Vec<u8>> {
    let mut word = Vec::new();
    while let Some(c) = rest.next_if(|c| !c.is_whitespace()) {
        match c {
            '\'' => verbatim(rest, &mut word)?,
            '"' => quoted(rest, &mut word)?,
            '$' if rest.peek() == Some(&'\'') => {
                rest.next();
                escaped(rest, &mut word)?;
            }
            '\\' => push(&mut word, rest.next()?),
            c => push(&mut word, c),
        }
    }
    Some(word)
}

/// `'...'`: everything as it stands.
fn verbatim(rest: &mut Peekable<Chars<'_>>, word: &mut Vec<u8>) -> Option<()> {
    loop {
        match rest.next()? {
            '\'' => return Some(()),
            c => push(word, c),
        }
    }
}

/// `"..."`: a backslash undoes the meaning of four characters.
fn quoted(rest: &mut Peekable<Chars<'_>>, word: &mut Vec<u8>) -> Option<()> {
    loop {
        match rest.next()? {
            '"' => return Some(()),
            '\\' if rest.peek().is_some_and(|c| matches!(c, '"' | '\\' | '$' | '`')) => {
                push(word, rest.next()?);
            }
            c => push(word, c),
        }
    }
}

/// `$'...'`: the escapes of C, in which shells write what cannot be shown.
fn escaped(rest: &mut Peekable<Chars<'_>>, word: &mut Vec<u8>) -> Option<()> {
    loop {
        let c = match rest.next()? {
            '\'' => return Some(()),
            '\\' => rest.next()?,
            c => {
                push(word, c);
                continue;
            }
        };
        match c {
            'a' => word.push(0x07),
            'b' => word.push(0x08),
            'e' | 'E' => word.push(0x1b),
            'f' => word.push(0x0c),
            'n' => word.push(b'\n'),
            'r' => word.push(b'\r'),
            't' => word.push(b'\t'),
            'v' => word.push(0x0b),
            'x' => word.push(u8::try_from(number(rest, 16, 2)?).ok()?),
            'u' => push(word, char::from_u32(number(rest, 16, 4)?)?),
            'U' => push(word, char::from_u32(number(rest, 16, 8)?)?),
            '0'..='7' => {
                let mut value = c.to_digit(8)?;
                for _ in 0..2 {
                    let Some(digit) = rest.peek().and_then(|c| c.to_digit(8)) else { break };
                    value = value * 8 + digit;
                    rest.next();
                }
                word.push(u8::try_from(value).ok()?);
            }
            c => push(word, c),
        }
    }
}

/// A number of 1 to `most` digits.
fn number(rest: &mut Peekable<Chars<'_>>, radix: u32, most: usize) -> Option<u32> {
    let mut value = rest.next()?.to_digit(radix)?;
    for _ in 1..most {
        let Some(digit) = rest.peek().and_then(|c| c.to_digit(radix)) else { break };
        value = value.checked_mul(radix)?.checked_add(digit)?;
        rest.next();
    }
    Some(value)
}

fn push(word: &mut Vec<u8>, c: char) {
    word.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn read(typed: &str) -> Vec<PathBuf> {
        readings(typed, Some(Path::new("/home/me"))).unwrap()
    }

    fn last(typed: &str) -> PathBuf {
        read(typed).pop().unwrap()
    }

    #[test]
    fn a_plain_path_has_one_reading() {
        for plain in ["/tmp/a", "/tmp/my file", "a%20b", "-x", "~~"] {
            assert!(readings(plain, None).is_err() || read(plain).len() == 1, "{plain}");
        }
        assert_eq!(read("~/x"), [Path::new("/home/me/x")]);
    }

    #[test]
    fn a_path_is_taken_as_it_stands_before_anything_is_undone() {
        assert_eq!(read("'a b'"), [Path::new("'a b'"), Path::new("a b")]);
        assert_eq!(read("a "), [Path::new("a "), Path::new("a")]);
        assert_eq!(read("file:///a"), [Path::new("file:///a"), Path::new("/a")]);
    }

    #[test]
    fn a_dropped_file_is_recognized_in_every_terminals_paste() {
        let table: [(&str, &[u8]); 17] = [
            ("'/tmp/a b'", b"/tmp/a b"),
            ("\"/tmp/a b\"", b"/tmp/a b"),
            (r"/tmp/a\ b\(1\).txt", b"/tmp/a b(1).txt"),
            (r"'/tmp/it'\''s'", b"/tmp/it's"),
            (r#"/tmp/"it's""#, b"/tmp/it's"),
            (r#""a\"b\\c\d""#, br#"a"b\c\d"#),
            (r"$'a\nb\tc'", b"a\nb\tc"),
            (r"$'\xff\303\251\u00e9\'\0'", b"\xff\xc3\xa9\xc3\xa9'\0"),
            (r"/tmp/$'\033'x", b"/tmp/\x1bx"),
            ("file:///tmp/a%20b%FF", b"/tmp/a b\xff"),
            ("file://localhost/tmp/a", b"/tmp/a"),
            ("'/tmp/a b' ", b"/tmp/a b"),
            (r"~/a\ b", b"/home/me/a b"),
            ("'~/a'", b"~/a"),
            ("\"~/a b\"", b"/home/me/a b"),
            (r"/tmp/a\ ", b"/tmp/a "),
            (r"/tmp/a\\\   ", br"/tmp/a\ "),
        ];
        for (typed, path) in table {
            assert_eq!(last(typed), Path::new(OsStr::from_bytes(path)), "{typed}");
        }
    }

    #[test]
    fn only_text_that_looks_like_a_dropped_file_is_looked_up() {
        let paths = |line| dropped_paths(line, Some(Path::new("/home/me")));
        for (line, path) in [
            (" /tmp/a ", "/tmp/a"),
            (r"/tmp/a\ ", "/tmp/a "),
            ("'/tmp/a b'\n", "/tmp/a b"),
            ("~/a", "/home/me/a"),
            ("file:///tmp/a", "/tmp/a"),
        ] {
            assert!(paths(line).contains(&path.into()), "{line:?}");
        }
        for line in ["/who", "//tmp/a", "see /tmp/a", "/tmp/a\n/tmp/b", "tmp/a", "it's"] {
            assert!(paths(line).is_empty(), "{line:?}");
        }
    }

    #[test]
    fn input_of_several_words_is_taken_literally() {
        for typed in
            ["it's", "a 'b' c", "\"open", "a\\", r"$'\u{d800}'", "file://host/a", "file://a"]
        {
            assert_eq!(read(typed), [Path::new(typed)], "{typed}");
        }
    }

    #[test]
    fn several_dropped_files_are_recognized_in_every_terminals_paste() {
        let read = |typed| several(typed, Some(Path::new("/home/me")));
        let table: [(&str, &[&str]); 6] = [
            ("'/tmp/a b' '/tmp/c' ", &["/tmp/a b", "/tmp/c"]),
            (r"/tmp/a\ b /tmp/c", &["/tmp/a b", "/tmp/c"]),
            ("file:///tmp/a%20b file:///tmp/it's", &["/tmp/a b", "/tmp/it's"]),
            ("'file:///tmp/a%20b'\n~/c", &["/tmp/a b", "/home/me/c"]),
            ("\"a b\" '~/c' d", &["a b", "~/c", "d"]),
            ("my file", &["my", "file"]),
        ];
        for (typed, paths) in table {
            assert_eq!(read(typed), paths.iter().map(PathBuf::from).collect::<Vec<_>>(), "{typed}");
        }
        for typed in ["", "a", "'a b'", "it's mine", "a file://host/b", "a 'b"] {
            assert_eq!(read(typed), Vec::<PathBuf>::new(), "{typed}");
        }
        assert!(read(&"a ".repeat(MOST_PATHS + 1)).is_empty(), "too many");
        let dropped = dropped_paths("'/tmp/a b' /tmp/c", None);
        assert!(dropped.contains(&"/tmp/c".into()), "{dropped:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Every name that a file system allows, as bash quotes it.
        #[test]
        fn names_as_a_shell_quotes_them_are_read_back(
            name in proptest::collection::vec(1_u8..=255, 1..20),
        ) {
            let bash = Command::new("bash")
                .args(["-c", "printf %q \"$1\"", "bash"])
                .arg(OsStr::from_bytes(&name))
                .env("LC_ALL", "C")
                .output();
            let Ok(output) = bash else { return Ok(()) };
            let quoted = String::from_utf8(output.stdout).unwrap();
            let path = last(&quoted);
            prop_assert_eq!(path.as_os_str().as_bytes(), &name[..], "{}", quoted);
        }
    }
}
