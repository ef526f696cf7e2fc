//! Which kind of document a ZIP archive is, by its directory.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::mover::wide;

/// The end record with the longest comment.
const LONGEST_END: u64 = 22 + 65_535;
/// How much of a directory is read: the decisive parts are early in it.
const LONGEST_DIRECTORY: u64 = 1024 * 1024;

/// What the `mimetype` entry of `OpenDocument` and EPUB begins with; longer ones first.
const MIMETYPES: [(&str, &str); 9] = [
    ("application/vnd.oasis.opendocument.text-template", "ott"),
    ("application/vnd.oasis.opendocument.text", "odt"),
    ("application/vnd.oasis.opendocument.spreadsheet-template", "ots"),
    ("application/vnd.oasis.opendocument.spreadsheet", "ods"),
    ("application/vnd.oasis.opendocument.presentation-template", "otp"),
    ("application/vnd.oasis.opendocument.presentation", "odp"),
    ("application/vnd.oasis.opendocument.graphics", "odg"),
    ("application/vnd.oasis.opendocument.formula", "odf"),
    ("application/epub+zip", "epub"),
];

/// Folders of Office Open XML, with the extension without and with macros.
const OFFICE: [(&str, &str, &str); 4] = [
    ("word/", "docx", "docm"),
    ("xl/", "xlsx", "xlsm"),
    ("ppt/", "pptx", "pptm"),
    ("visio/", "vsdx", "vsdm"),
];

/// The extension of the archive `file`, which begins with `sample`; `None` when it is not an
/// archive or its directory cannot be read.
pub(super) fn kind(sample: &[u8], file: &File) -> Option<&'static str> {
    if !sample.starts_with(b"PK\x03\x04") {
        return None;
    }
    if let Some(kind) = by_mimetype(sample) {
        return Some(kind);
    }
    let size = file.metadata().ok()?.len();
    let tail_at = size.saturating_sub(LONGEST_END);
    let tail = read(file, tail_at, size - tail_at)?;
    let (at, length) = directory(&tail)?;
    Some(by_names(&read(file, at, length.min(LONGEST_DIRECTORY).min(size))?))
}

/// Documents that say what they are in their first entry, which is not compressed.
fn by_mimetype(sample: &[u8]) -> Option<&'static str> {
    let extra = usize::from(u16_at(sample, 28)?);
    let content = sample.get(30..)?.strip_prefix(b"mimetype")?.get(extra..)?;
    let known = MIMETYPES.iter().find(|(mimetype, _)| content.starts_with(mimetype.as_bytes()));
    known.map(|(_, extension)| *extension)
}

fn by_names(directory: &[u8]) -> &'static str {
    let names = || Names(directory);
    let has = |name: &[u8]| names().any(|other| other == name);
    if has(b"[Content_Types].xml") {
        let macros = names().any(|name| name.ends_with(b"/vbaProject.bin"));
        let office = OFFICE
            .iter()
            .find(|(folder, ..)| names().any(|name| name.starts_with(folder.as_bytes())));
        return match office {
            Some((_, _, with_macros)) if macros => with_macros,
            Some((_, plain, _)) => plain,
            None => "zip",
        };
    }
    if has(b"AndroidManifest.xml") {
        "apk"
    } else if has(b"META-INF/MANIFEST.MF") {
        "jar"
    } else {
        "zip"
    }
}

/// Where the directory is and how long, from the end record in the last bytes of the archive.
fn directory(tail: &[u8]) -> Option<(u64, u64)> {
    let end = tail.windows(22).rposition(|bytes| bytes.starts_with(b"PK\x05\x06"))?;
    let end = tail.get(end..)?;
    Some((u32_at(end, 16)?.into(), u32_at(end, 12)?.into()))
}

/// The names in a directory, as far as it can be read.
struct Names<'a>(&'a [u8]);

impl<'a> Iterator for Names<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if !self.0.starts_with(b"PK\x01\x02") {
            return None;
        }
        let length = |at| u16_at(self.0, at).map(usize::from);
        let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
        let entry = self.0.get(46..)?;
        let (name, rest) = (entry.get(..name)?, entry.get(name..)?);
        self.0 = rest.get(extra + comment..).unwrap_or_default();
        Some(name)
    }
}

fn read(file: &File, at: u64, length: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    let mut seen = 0;
    while let Some(rest) = bytes.get_mut(seen..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at.checked_add(wide(seen))?).ok()? {
            0 => break,
            read => seen += read,
        }
    }
    bytes.truncate(seen);
    Some(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// An archive of empty entries, as APPNOTE.TXT describes it; `first` is the content of the
    /// first one.
    fn archive(names: &[&str], first: &[u8]) -> Vec<u8> {
        let (mut local, mut directory) = (Vec::new(), Vec::new());
        for (number, name) in names.iter().enumerate() {
            let content = if number == 0 { first } else { b"" };
            let at = u32::try_from(local.len()).unwrap();
            let size = u32::try_from(content.len()).unwrap().to_le_bytes();
            let length = u16::try_from(name.len()).unwrap().to_le_bytes();
            local.extend(b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0");
            local.extend([size, size].concat());
            local.extend([length, [0, 0]].concat());
            local.extend(name.as_bytes());
            local.extend(content);
            directory.extend(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0");
            directory.extend([size, size].concat());
            directory.extend([length, [0, 0], [0, 0]].concat());
            directory.extend([0; 8]);
            directory.extend(at.to_le_bytes());
            directory.extend(name.as_bytes());
        }
        let count = u16::try_from(names.len()).unwrap().to_le_bytes();
        let (at, length) = (local.len(), directory.len());
        local.extend(directory);
        local.extend(b"PK\x05\x06\0\0\0\0");
        local.extend([count, count].concat());
        local.extend(u32::try_from(length).unwrap().to_le_bytes());
        local.extend(u32::try_from(at).unwrap().to_le_bytes());
        local.extend(b"\x07\0comment");
        local
    }

    fn kind_of(bytes: &[u8]) -> Option<&'static str> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        kind(bytes, &file)
    }

    #[test]
    fn office_files_are_known_by_their_directory_wherever_their_parts_are() {
        for (part, expected) in [
            ("word/document.xml", "docx"),
            ("xl/workbook.xml", "xlsx"),
            ("ppt/presentation.xml", "pptx"),
            ("visio/document.xml", "vsdx"),
        ] {
            let names = ["docProps/app.xml", "_rels/.rels", "[Content_Types].xml", part];
            assert_eq!(kind_of(&archive(&names, b"")), Some(expected));
            let macros = part.split_once('/').unwrap().0.to_owned() + "/vbaProject.bin";
            let expected = format!("{}m", &expected[..3]);
            let names = [&names[..], &[&macros]].concat();
            assert_eq!(kind_of(&archive(&names, b"")), Some(expected.as_str()));
        }
        for (mimetype, expected) in [
            ("application/vnd.oasis.opendocument.text", "odt"),
            ("application/vnd.oasis.opendocument.spreadsheet", "ods"),
            ("application/vnd.oasis.opendocument.presentation", "odp"),
            ("application/vnd.oasis.opendocument.graphics", "odg"),
            ("application/epub+zip", "epub"),
        ] {
            let bytes = archive(&["mimetype", "META-INF/manifest.xml"], mimetype.as_bytes());
            assert_eq!(kind_of(&bytes), Some(expected));
        }
    }

    #[test]
    fn other_archives_stay_what_they_are_and_broken_ones_are_not_read() {
        assert_eq!(kind_of(&archive(&["word/document.xml"], b"")), Some("zip"));
        assert_eq!(kind_of(&archive(&["META-INF/MANIFEST.MF", "A.class"], b"")), Some("jar"));
        assert_eq!(kind_of(b"%PDF-1.7"), None);
        let whole = archive(&["[Content_Types].xml", "xl/workbook.xml"], b"");
        for length in 0..whole.len() {
            kind_of(&whole[..length]);
        }
        let mut far_away = whole.clone();
        let end = whole.len() - 9 - 4;
        far_away[end - 4..end + 4].fill(0xff);
        assert_eq!(kind_of(&far_away), Some("zip"));
    }
}
