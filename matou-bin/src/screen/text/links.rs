//! Links in the shown text, and their places on the screen.

use std::fmt::Write;
use std::ops::Range;
use std::rc::Rc;

use linkify::{LinkFinder, LinkKind};

/// Bytes of an address that terminals take (VTE and iTerm2 drop what is longer).
const MAX_ADDRESS: usize = 2083;
const SCHEMES: &[&str] = &["http", "https", "ftp"];

/// An address of visible ASCII characters only, so that nothing in it ends the sequence that
/// announces it to a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address(String);

/// A link in a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it stands, in bytes.
    pub(crate) range: Range<usize>,
    /// Where it leads.
    pub(crate) address: Address,
}

/// What all pieces of one link share.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// By this a terminal knows which pieces belong together: letters, digits and dots.
    pub(crate) id: String,
    /// Where it leads.
    pub(crate) address: Address,
}

/// The part of a link that stands in one row.
#[derive(Clone, Debug)]
pub(crate) struct LinkPiece {
    /// The row.
    pub(crate) y: u16,
    /// The columns.
    pub(crate) columns: Range<u16>,
    /// Of which link.
    pub(crate) link: Rc<Link>,
}

/// All links on a screen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links(Vec<LinkPiece>);

/// The links in `text`, in its order.
pub(crate) fn find(text: &str) -> Vec<Found> {
    // Almost no text has any.
    if !text.contains("://") {
        return Vec::new();
    }
    let mut finder = LinkFinder::new();
    let links = finder.kinds(&[LinkKind::Url]).links(text);
    let found = links.filter_map(|link| {
        Some(Found { range: link.start()..link.end(), address: Address::parse(link.as_str())? })
    });
    found.collect()
}

impl Address {
    /// What `link` leads to. Beyond ASCII, its path is written as browsers send it. `None` for
    /// other schemes, for a host beyond ASCII, which may look like another, and when too long.
    pub(crate) fn parse(link: &str) -> Option<Self> {
        let (scheme, rest) = link.split_once("://")?;
        if !SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) {
            return None;
        }
        let host = rest.split(['/', '?', '#']).next()?;
        if !host.is_ascii() {
            return None;
        }
        let mut address = String::with_capacity(link.len());
        for byte in link.bytes() {
            match byte {
                0x21..=0x7e => address.push(char::from(byte)),
                // A String takes all.
                0x80.. => drop(write!(address, "%{byte:02X}")),
                _ => return None,
            }
        }
        (address.len() <= MAX_ADDRESS).then_some(Self(address))
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Links {
    /// A screen with these.
    pub(crate) fn new(mut pieces: Vec<LinkPiece>) -> Self {
        pieces.sort_by_key(|piece| (piece.y, piece.columns.start));
        Self(pieces)
    }

    /// All pieces, from the top, from the left.
    #[cfg(test)]
    pub(crate) fn pieces(&self) -> &[LinkPiece] {
        &self.0
    }

    /// The link at column `x` of row `y`.
    pub(crate) fn at(&self, x: u16, y: u16) -> Option<&Link> {
        let next = self.0.partition_point(|piece| (piece.y, piece.columns.end) <= (y, x));
        let piece = self.0.get(next)?;
        (piece.y == y && piece.columns.contains(&x)).then_some(&*piece.link)
    }

    /// The columns and rows where `self` and `other` differ.
    pub(crate) fn changes<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (u16, u16)> + 'a {
        let cells = |piece: &'a LinkPiece| piece.columns.clone().map(|x| (x, piece.y));
        let all = self.0.iter().chain(&other.0).flat_map(cells);
        all.filter(|&(x, y)| self.at(x, y) != other.at(x, y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, String)> {
        let links = find(text).into_iter();
        links.map(|link| (&text[link.range], link.address.0)).collect()
    }

    #[test]
    fn links_end_where_a_reader_would_end_them() {
        for (text, link) in [
            ("see https://a.example/x, or not", "https://a.example/x"),
            ("(http://a.example/x_(y))", "http://a.example/x_(y)"),
            ("\"ftp://a.example/x\".", "ftp://a.example/x"),
            ("HTTPS://a.example/?a=b;c&d#e", "HTTPS://a.example/?a=b;c&d#e"),
        ] {
            assert_eq!(found(text), [(link, link.to_owned())]);
        }
        for text in ["javascript://a.example/x", "file:///etc/passwd", "a://", "http://", "bob@x.y"]
        {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn letters_beyond_ascii_are_encoded_in_the_path_and_refused_in_the_host() {
        let text = "https://fr.example/Élodie";
        assert_eq!(found(text), [(text, "https://fr.example/%C3%89lodie".to_owned())]);
        assert_eq!(found("https://ехample.org/"), []);
        assert_eq!(found("https://a.exampleを見て"), []);
    }

    #[test]
    fn an_address_holds_nothing_that_ends_a_sequence() {
        for text in
            ["http://a/\u{1b}\\", "http://a/\u{7}", "http://a/ b", "http://a/\n", "http://\u{7f}"]
        {
            assert_eq!(Address::parse(text), None, "{text:?}");
        }
        let longest = format!("http://a/{}", "x".repeat(MAX_ADDRESS - 9));
        assert!(Address::parse(&longest).is_some());
        assert_eq!(Address::parse(&format!("{longest}x")), None);
    }

    proptest::proptest! {
        #[test]
        fn links_contain_visible_ascii_only(
            text in "(https?://|[a-z.é日/\\x00-\\x20;\\\\\u{9c}\u{202e}<>]){0,60}",
        ) {
            for link in find(&text) {
                proptest::prop_assert!(link.address.0.bytes().all(|b| b.is_ascii_graphic()));
                proptest::prop_assert!(text.get(link.range).is_some());
            }
        }
    }

    #[test]
    fn only_cells_whose_link_changed_differ() {
        let link = |id: &str| {
            Rc::new(Link { id: id.into(), address: Address::parse("http://a.example/").unwrap() })
        };
        let piece = |y, columns, id| LinkPiece { y, columns, link: link(id) };
        let old = Links::new(vec![piece(2, 0..4, "a"), piece(1, 5..7, "a")]);
        let new = Links::new(vec![piece(1, 5..7, "a"), piece(2, 2..4, "b"), piece(2, 4..5, "a")]);
        assert_eq!(old.at(6, 1).map(|link| link.id.as_str()), Some("a"));
        assert_eq!(old.at(7, 1).or(old.at(4, 2)).or(old.at(5, 2)), None);
        let mut changes: Vec<_> = old.changes(&new).collect();
        changes.sort_unstable();
        changes.dedup();
        assert_eq!(changes, [(0, 2), (1, 2), (2, 2), (3, 2), (4, 2)]);
    }
}
