//! Entries as rows of the message pane: time, name, separator, text, and the lines between.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use matou_actors::protocol::Username;
use ratatui::style::Style;
use ratatui::text::Span;

use crate::screen::config::style::StyleRole;
use crate::screen::config::theme::Theme;
use crate::screen::state::buffer::{Buffer, EntryId};
use crate::screen::state::entry::{Body, Entry, Said};
use crate::screen::state::people::mention;
use crate::screen::text::bidi::{has_right_to_left, isolated_beside, sentence};
use crate::screen::text::links::{self, Found, Link};
use crate::screen::text::short_names::ShortNames;
use crate::screen::text::width::{shorten, width, wrap};

/// Below this width, names are not aligned.
const ALIGNED_FROM: usize = 52;
const TIME: usize = 6;
/// Columns for names at least, so that the text moves less when new names appear.
const LEAST_NAME: usize = 5;
const HANGING: usize = 2;

/// How the entries of one tab are drawn.
#[derive(Clone, Copy)]
pub(crate) struct Pane<'a> {
    /// The entries.
    pub(crate) buffer: &'a Buffer,
    /// Columns.
    pub(crate) width: usize,
    /// Colours.
    pub(crate) theme: &'a Theme,
    /// How names are shortened.
    pub(crate) short_names: ShortNames,
    /// The user.
    pub(crate) me: Option<&'a Username>,
    /// The search text.
    pub(crate) needle: Option<&'a str>,
    /// The entry it was found in.
    pub(crate) found: Option<EntryId>,
    /// Whether links are active.
    pub(crate) links: bool,
}

/// One row on the screen.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// The spans, from the left.
    pub(crate) spans: Vec<Span<'static>>,
    /// The columns with links.
    pub(crate) links: Vec<(Range<usize>, Rc<Link>)>,
}

/// The part in front of the text of an entry.
struct Head {
    name: String,
    style: Style,
    mark: &'static str,
    mark_style: Style,
    text_style: Style,
}

impl Pane<'_> {
    /// How many rows entry `id` takes, the lines above it included.
    pub(crate) fn height(&self, id: EntryId) -> usize {
        let Some(entry) = self.buffer.entry(id) else {
            return 0;
        };
        let (first, rest) = self.text_widths(&self.head(entry));
        wrap(&entry.body.text(), first, rest).len() + self.lines_above(id)
    }

    /// The rows of entry `id`, the lines above it included.
    pub(crate) fn rows(&self, id: EntryId) -> Vec<Row> {
        let Some(entry) = self.buffer.entry(id) else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        if self.buffer.begins_day(id) {
            let date = entry.at.strftime("%A, %-d %B %Y").to_string();
            rows.push(self.line('─', &date, StyleRole::Day));
        }
        if self.buffer.unread() == Some(id) {
            rows.push(self.line('╌', "unread", StyleRole::Unread));
        }
        let head = self.head(entry);
        let (first, rest) = self.text_widths(&head);
        let text = entry.body.text();
        let links = if self.links { numbered(id, links::find(&text)) } else { Vec::new() };
        for (number, range) in wrap(&text, first, rest).into_iter().enumerate() {
            let mut row = Row::default();
            let part = text.get(range.clone()).unwrap_or("");
            self.push_head(&mut row, entry, &head, (number == 0).then_some(part));
            row.push_links(&text, &range, &links);
            self.push_text(&mut row, part, entry, id, head.text_style);
            rows.push(row);
        }
        rows
    }

    fn lines_above(&self, id: EntryId) -> usize {
        usize::from(self.buffer.begins_day(id)) + usize::from(self.buffer.unread() == Some(id))
    }

    fn is_aligned(&self) -> bool {
        self.width >= ALIGNED_FROM
    }

    /// As wide as the names in this tab, within limits.
    fn name_width(&self) -> usize {
        let most = match self.width {
            0..66 => 10,
            66..120 => 13,
            _ => 18,
        };
        self.buffer.widest_name().clamp(LEAST_NAME, most)
    }

    /// Columns for the first row of text, and for the others.
    fn text_widths(&self, head: &Head) -> (usize, usize) {
        if self.is_aligned() {
            let text = self.width.saturating_sub(TIME + self.name_width() + 3);
            (text, text)
        } else {
            let name = width(&head.name) + width(head.mark) + 1;
            (self.width.saturating_sub(TIME + name), self.width.saturating_sub(HANGING))
        }
    }

    fn head(&self, entry: &Entry) -> Head {
        let style = |role| self.theme.style(role);
        let aligned = self.is_aligned();
        let (text, dim) = (style(StyleRole::Text), style(StyleRole::Dim));
        let sign = |name: &str, role| Head {
            name: name.into(),
            style: style(role),
            mark: if aligned { "│" } else { "" },
            mark_style: dim,
            text_style: style(role),
        };
        match &entry.body {
            Body::Said { from, action, kind, delivered, .. } => {
                let room = if aligned { self.name_width() } else { 12 };
                let (mark, mark_style) = match (kind, aligned) {
                    (Said::Own, _) if *delivered == Some(false) => ("…", dim),
                    (Said::Own, _) if *delivered == Some(true) => ("✓", style(StyleRole::Own)),
                    (Said::Own, _) => ("›", style(StyleRole::Own)),
                    (Said::Mention, _) => ("!", style(StyleRole::Mention)),
                    (Said::Other, true) => ("│", dim),
                    (Said::Other, false) => (":", dim),
                };
                let name_style = match kind {
                    Said::Own => style(StyleRole::Own),
                    Said::Mention => style(StyleRole::Mention),
                    Said::Other => self.theme.name(from),
                };
                let name = if *action {
                    "*".into()
                } else {
                    self.short_names.shorten(from.as_str(), room).into_owned()
                };
                Head { name, style: name_style, mark, mark_style, text_style: text }
            }
            Body::Presence(_) => sign("", StyleRole::Presence),
            Body::Notice(_) => sign("*", StyleRole::Notice),
            Body::Error(_) => sign("!!", StyleRole::Error),
        }
    }

    /// Before the first row of an entry, which holds `first`; before the others without it.
    fn push_head(&self, row: &mut Row, entry: &Entry, head: &Head, first: Option<&str>) {
        let aligned = self.is_aligned();
        let Some(beside) = first else {
            let indent = if aligned { TIME + self.name_width() } else { HANGING };
            row.push(" ".repeat(indent), Style::new());
            if aligned {
                row.push(" │ ", self.theme.style(StyleRole::Dim));
            }
            return;
        };
        let time = format!("{:02}:{:02} ", entry.at.hour(), entry.at.minute());
        row.push(time, self.theme.style(StyleRole::Dim));
        if aligned {
            row.push(" ".repeat(self.name_width().saturating_sub(width(&head.name))), Style::new());
        }
        // Signs are not names.
        let beside = if matches!(entry.body, Body::Said { .. }) { beside } else { "" };
        row.push(isolated_beside(&head.name, beside).into_owned(), head.style);
        if aligned {
            row.push(" ", Style::new());
        }
        row.push(head.mark, head.mark_style);
        if aligned || !head.name.is_empty() || !head.mark.is_empty() {
            row.push(" ", Style::new());
        }
    }

    /// The text with matches of the search, else the user's own name, highlighted.
    fn push_text(&self, row: &mut Row, text: &str, entry: &Entry, id: EntryId, style: Style) {
        // Text of others is one piece, with its own direction.
        let is_message = matches!(entry.body, Body::Said { .. });
        let right_to_left = is_message && has_right_to_left(text);
        let text = if is_message { Cow::Borrowed(text) } else { sentence(text) };
        let isolate = |row: &mut Row, sign: &'static str, style| {
            if right_to_left {
                row.push(sign, style);
            }
        };
        isolate(row, "\u{2068}", style);
        let mut rest = &*text;
        while let Some((range, special)) = self.special(rest, entry, id) {
            let (before, behind) = rest.split_at(range.end);
            let (before, found) = before.split_at(range.start);
            row.push(before.to_owned(), style);
            if self.needle.is_none() {
                isolate(row, "\u{2068}", special);
            }
            row.push(found.to_owned(), special);
            if self.needle.is_none() {
                isolate(row, "\u{2069}", special);
            }
            rest = behind;
        }
        row.push(rest.to_owned(), style);
        isolate(row, "\u{2069}", style);
    }

    fn special(&self, text: &str, entry: &Entry, id: EntryId) -> Option<(Range<usize>, Style)> {
        if let Some(needle) = self.needle.filter(|needle| !needle.is_empty()) {
            let style = self.theme.style(StyleRole::Match);
            let style = if self.found == Some(id) {
                style.add_modifier(ratatui::style::Modifier::BOLD)
            } else {
                style
            };
            return crate::screen::state::search::find(text, needle).map(|range| (range, style));
        }
        match (&entry.body, self.me) {
            (Body::Said { kind: Said::Mention, .. }, Some(me)) => {
                mention(text, me).map(|range| (range, self.theme.style(StyleRole::Mention)))
            }
            _ => None,
        }
    }

    /// `── text ───────`
    fn line(&self, dash: char, text: &str, role: StyleRole) -> Row {
        let text = shorten(text, self.width.saturating_sub(6));
        let fill = self.width.saturating_sub(width(&text) + 4);
        let dashes: String = std::iter::repeat_n(dash, fill).collect();
        let mut row = Row::default();
        row.push(format!("{dash}{dash} {text} {dashes}"), self.theme.style(role));
        row
    }
}

/// Links with the name that their pieces share: no two on one screen have the same.
fn numbered(id: EntryId, found: Vec<Found>) -> Vec<(Range<usize>, Rc<Link>)> {
    let link = |(number, found): (usize, Found)| {
        (found.range, Rc::new(Link { id: format!("{id}.{number}"), address: found.address }))
    };
    found.into_iter().enumerate().map(link).collect()
}

impl From<Vec<Span<'static>>> for Row {
    fn from(spans: Vec<Span<'static>>) -> Self {
        Self { spans, links: Vec::new() }
    }
}

impl Row {
    /// Notes which of `links` stand in `part` of `text`, which is about to follow.
    fn push_links(&mut self, text: &str, part: &Range<usize>, links: &[(Range<usize>, Rc<Link>)]) {
        let columns = |from: usize, to: usize| text.get(from..to).map_or(0, width);
        for (range, link) in links {
            let (start, end) = (range.start.max(part.start), range.end.min(part.end));
            if start < end {
                let lead: usize = self.spans.iter().map(|span| width(&span.content)).sum();
                let first = lead + columns(part.start, start);
                self.links.push((first..first + columns(start, end), Rc::clone(link)));
            }
        }
    }

    fn push(&mut self, text: impl Into<Cow<'static, str>>, style: Style) {
        let text = text.into();
        if !text.is_empty() {
            self.spans.push(Span::styled(text, style));
        }
    }
}
