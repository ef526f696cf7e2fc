//! Makes names from outside safe on this machine.

/// The longest name of a file, in bytes.
const LONGEST: usize = 255;
/// Kept free behind a name, for `.part.meta` and ` (10000)`.
const SPARE: usize = 24;
/// The longest name from outside.
const MOST: usize = LONGEST - SPARE;
/// What may be added to it, so that it is not something else.
const MARKS: usize = 2;
/// The longest extension that is kept when a name is shortened.
const LONGEST_EXTENSION: usize = 16;
/// Names of devices on Windows, with or without an extension.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
/// What follows `com` and `lpt` in the names of devices.
const PORTS: &str = "0123456789\u{b9}\u{b2}\u{b3}";
/// How unfinished files end here: nothing from outside may look like one.
const UNFINISHED: [&str; 2] = [".part", ".part.meta"];
/// The name of an entry without a usable one.
const UNNAMED: &str = "unnamed";

/// `name` as it may be written here: its last part only, without control, direction and reserved
/// characters, without a leading dot, not blank, no device, short enough.
pub fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or("");
    let kept: String = last.chars().map(|c| if is_allowed(c) { c } else { '_' }).collect();
    let ends = |c: char| c == '.' || c.is_whitespace();
    let trimmed = kept.trim_start_matches(|c| ends(c) || c == '~').trim_end_matches(ends);
    let fitting = |most| shorten(trimmed, most).trim_end_matches(ends).to_owned();
    let mut safe = fitting(MOST);
    if is_device(&safe) || is_unfinished(&safe) {
        safe = fitting(MOST - MARKS);
        if is_device(&safe) {
            safe.insert(0, '_');
        }
        if is_unfinished(&safe) {
            safe.push('_');
        }
    }
    if safe.chars().all(|c| c == '_') { UNNAMED.to_owned() } else { safe }
}

/// The name to try after `tries` names were found taken: `photo.jpg`, `photo (2).jpg` and so on.
pub(super) fn numbered(name: &str, tries: u32) -> String {
    if tries == 0 {
        return name.to_owned();
    }
    let (stem, extension) = split(name);
    format!("{stem} ({}){extension}", u64::from(tries) + 1)
}

fn is_allowed(c: char) -> bool {
    let reserved = matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*');
    let direction = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    // Letters that look like nothing.
    let blank = matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}');
    !c.is_control() && !reserved && !direction && !blank
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or("").trim_end().to_ascii_lowercase();
    let numbered = |prefix: &str| {
        let rest = stem.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.chars().count() == 1 && PORTS.contains(rest))
    };
    DEVICES.contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

fn is_unfinished(name: &str) -> bool {
    let name = name.to_lowercase();
    UNFINISHED.iter().any(|end| name.ends_with(end))
}

/// Shortens to this many bytes, keeping the extension.
fn shorten(name: &str, most: usize) -> String {
    if name.len() <= most {
        return name.to_owned();
    }
    let (stem, extension) = split(name);
    let extension = if extension.len() <= LONGEST_EXTENSION { extension } else { "" };
    let end = most - extension.len();
    let end = (0..=end).rev().find(|at| stem.is_char_boundary(*at)).unwrap_or(0);
    format!("{}{extension}", stem.get(..end).unwrap_or(""))
}

/// The stem, and the extension with its dot.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 => name.split_at(dot),
        _ => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_last_part_and_holds_nothing_that_deceives() {
        let cases = [
            ("photo.jpg", "photo.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\evil.exe", "evil.exe"),
            ("/", "unnamed"),
            ("..", "unnamed"),
            ("", "unnamed"),
            (".bashrc", "bashrc"),
            ("a\u{202e}gpj.exe", "a_gpj.exe"),
            ("a\nb\u{7f}\u{9b}c", "a_b__c"),
            ("what?*.txt", "what__.txt"),
            ("name. . ", "name"),
            ("NUL", "_NUL"),
            ("com1.txt", "_com1.txt"),
            ("console.txt", "console.txt"),
            ("COM\u{b9}", "_COM\u{b9}"),
            ("conin$.txt", "_conin$.txt"),
            ("a\u{61c}b", "a_b"),
            ("~ #/~~~~\u{a0}", "unnamed"),
            ("\u{3000}photo.jpg\u{2003}.", "photo.jpg"),
            ("\u{3164}\u{2800}", "unnamed"),
            ("9.41\u{202f}AM.png", "9.41\u{202f}AM.png"),
            ("photo.jpg.part", "photo.jpg.part_"),
            ("photo.jpg.PART.meta", "photo.jpg.PART.meta_"),
            ("日本語.txt", "日本語.txt"),
        ];
        for (given, safe) in cases {
            assert_eq!(safe_name(given), safe, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let safe = safe_name(&format!("{}.tar.gz", "é".repeat(200)));
        assert_eq!(safe, format!("{}.gz", "é".repeat(114)));
        assert_eq!(safe_name(&"x".repeat(300)).len(), 231);
        let safe = safe_name(&format!("{}.part", "x".repeat(226)));
        assert_eq!(safe, format!("{}.part_", "x".repeat(224)));
        assert_eq!(safe_name(&safe), safe);
    }

    #[test]
    fn a_taken_name_gets_a_number_before_its_extension() {
        assert_eq!(numbered("photo.jpg", 0), "photo.jpg");
        assert_eq!(numbered("photo.jpg", 1), "photo (2).jpg");
        assert_eq!(numbered("README", 9), "README (10)");
    }
}
