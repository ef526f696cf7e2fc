//! Which extension the content of a file shows.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::archive;
use super::mover::wide;

/// How many bytes from the beginning of a file decide.
const SAMPLE: usize = 8192;

/// The kinds that are text themselves. Every other signature, such as the `BM` of a bitmap, can
/// begin a sentence.
const TEXTUAL: [&str; 6] = ["html", "xml", "pdf", "ps", "rtf", "pem"];

/// Interpreters without their version, and the extension of their scripts.
const INTERPRETERS: [(&str, &str); 24] = [
    ("sh", "sh"),
    ("bash", "sh"),
    ("dash", "sh"),
    ("ash", "sh"),
    ("ksh", "sh"),
    ("zsh", "zsh"),
    ("fish", "fish"),
    ("python", "py"),
    ("pypy", "py"),
    ("perl", "pl"),
    ("ruby", "rb"),
    ("node", "js"),
    ("nodejs", "js"),
    ("deno", "js"),
    ("bun", "js"),
    ("php", "php"),
    ("lua", "lua"),
    ("luajit", "lua"),
    ("awk", "awk"),
    ("gawk", "awk"),
    ("sed", "sed"),
    ("tclsh", "tcl"),
    ("Rscript", "R"),
    ("pwsh", "ps1"),
];

/// The extension, without dot, that the content of `file` shows; a file that cannot be read is
/// `bin`.
pub(super) fn of_file(file: &File) -> &'static str {
    let mut sample = vec![0; SAMPLE];
    let mut seen = 0;
    while let Some(rest) = sample.get_mut(seen..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, wide(seen)) {
            Ok(0) => break,
            Ok(read) => seen += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return "bin",
        }
    }
    sample.truncate(seen);
    archive::kind(&sample, file).unwrap_or_else(|| extension(&sample))
}

/// The extension, without dot, for a file that begins with `sample`: the one that its content
/// shows, else `txt` for text and for nothing, else `bin`.
pub fn extension(sample: &[u8]) -> &'static str {
    if let Some(script) = script(sample) {
        return script;
    }
    let known = infer::get(sample).map(|kind| kind.extension());
    match known {
        Some(known) if TEXTUAL.contains(&known) => known,
        _ if is_text(sample) => "txt",
        Some(known) => known,
        None => "bin",
    }
}

/// The extension of a script, from the interpreter in its first line.
fn script(sample: &[u8]) -> Option<&'static str> {
    let line = sample.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let mut program = file_name(words.next()?);
    if program == "env" {
        // Options and variables precede the program.
        program = file_name(words.find(|word| !word.starts_with('-') && !word.contains('='))?);
    }
    let name = program.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    INTERPRETERS.iter().find(|(known, _)| *known == name).map(|(_, extension)| *extension)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn is_text(sample: &[u8]) -> bool {
    match sample {
        [0xff, 0xfe, rest @ ..] => is_utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => is_utf16(rest, u16::from_be_bytes),
        _ => is_utf8(sample).unwrap_or_else(|| is_latin1(sample)),
    }
}

/// Whether UTF-8 has no control characters but those of text; `None` when it is not UTF-8. The end
/// may cut a character.
fn is_utf8(sample: &[u8]) -> Option<bool> {
    let text = match std::str::from_utf8(sample) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            let (whole, _) = sample.split_at(error.valid_up_to());
            std::str::from_utf8(whole).ok()?
        }
        Err(_) => return None,
    };
    Some(text.chars().all(is_of_text))
}

/// The end may cut a character.
fn is_utf16(sample: &[u8], unit: fn([u8; 2]) -> u16) -> bool {
    let units = sample.chunks_exact(2).filter_map(|pair| Some(unit(pair.try_into().ok()?)));
    let whole = units.clone().count();
    char::decode_utf16(units).enumerate().all(|(at, decoded)| match decoded {
        Ok(c) => is_of_text(c),
        Err(_) => at + 1 >= whole.saturating_sub(1),
    })
}

/// Latin-1, or what Windows makes of it. Nearly any bytes could be: half of them have to be ASCII,
/// none a control character.
fn is_latin1(sample: &[u8]) -> bool {
    let ascii = sample.iter().filter(|byte| byte.is_ascii()).count();
    let unassigned = |byte: u8| matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d);
    ascii * 2 >= sample.len()
        && sample.iter().all(|&byte| {
            if byte.is_ascii() { is_of_text(char::from(byte)) } else { !unassigned(byte) }
        })
}

fn is_of_text(c: char) -> bool {
    !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{c}')
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
        assert_eq!(extension(b""), "txt", "nothing is text that is empty");
    }

    #[test]
    fn a_script_is_called_after_its_interpreter() {
        for (first_line, expected) in [
            ("#!/bin/sh", "sh"),
            ("#!/usr/bin/env bash", "sh"),
            ("#!/usr/bin/python3", "py"),
            ("#! /usr/local/bin/python3.12 -u", "py"),
            ("#!/usr/bin/env -S LANG=C python3 -u", "py"),
            ("#!/usr/bin/perl -w", "pl"),
            ("#!/usr/bin/env node", "js"),
            ("#!/usr/bin/env ruby\r", "rb"),
            ("#!/usr/bin/Rscript", "R"),
            ("#!/opt/unheard/of", "txt"),
            ("#!", "txt"),
        ] {
            assert_eq!(extension(format!("{first_line}\ncode\n").as_bytes()), expected);
        }
    }

    #[test]
    fn text_is_text_in_the_encodings_that_people_have() {
        let utf16 = |text: &str, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let text = format!("\u{feff}{text}");
            text.encode_utf16().flat_map(unit).collect()
        };
        let text = "Pr\u{fc}fung \u{1f600}\r\n";
        let (little, big) = (utf16(text, u16::to_le_bytes), utf16(text, u16::to_be_bytes));
        assert_eq!((extension(&little), extension(&big)), ("txt", "txt"));
        let inside_the_pair = little.len() - 6;
        assert_eq!(extension(&little[..inside_the_pair]), "txt");
        assert_eq!(extension(b"Pr\xfcfung: 5 \x80\n"), "txt", "Windows-1252");
        assert_eq!(extension(b"\xff\xfe\x00\x00\x01\x00"), "bin");
        assert_eq!(extension(b"ab\xfc\x00"), "bin");
        assert_eq!(extension(b"a\xfc\xe9\xf1\xfa"), "bin");
    }

    #[test]
    fn a_sentence_is_no_bitmap() {
        assert_eq!(extension(b"BMW and MZ built motorcycles.\n"), "txt");
        assert_eq!(extension(b"<!DOCTYPE html><p>BM"), "html");
    }
}
