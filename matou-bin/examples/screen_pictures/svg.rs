//! Cells as a picture.

use std::fmt::Write;

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

const CELL: (usize, usize) = (9, 19);
const MARGIN: usize = 12;

/// The colours that a terminal has by itself.
#[derive(Clone, Copy)]
pub(crate) struct Paper {
    /// The colour of text.
    pub(crate) text: &'static str,
    /// The colour behind it.
    pub(crate) ground: &'static str,
}

/// A run of cells in one row that look the same.
struct Run {
    column: usize,
    row: usize,
    columns: usize,
    text: String,
    fg: String,
    bg: Option<String>,
    modifiers: Modifier,
}

/// `buffer` as an SVG, on `paper`.
pub(crate) fn picture(buffer: &Buffer, paper: Paper) -> String {
    let (columns, rows) = (usize::from(buffer.area.width), usize::from(buffer.area.height));
    let (width, height) = (columns * CELL.0 + 2 * MARGIN, rows * CELL.1 + 2 * MARGIN);
    let runs: Vec<Run> = (0..buffer.area.height).flat_map(|row| runs(buffer, row, paper)).collect();
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="'DejaVu Sans Mono', 'Noto Sans Mono', Menlo, Consolas, monospace" font-size="15">"#
    );
    let ground = paper.ground;
    let _ = writeln!(svg, r#"<rect width="{width}" height="{height}" rx="8" fill="{ground}"/>"#);
    for run in &runs {
        run.draw_ground(&mut svg);
    }
    for run in &runs {
        run.draw_text(&mut svg);
    }
    svg.push_str("</svg>\n");
    svg
}

fn runs(buffer: &Buffer, row: u16, paper: Paper) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut covered = 0;
    for column in 0..buffer.area.width {
        let Some(cell) = buffer.cell((column, row)).filter(|_| column >= covered) else {
            continue;
        };
        let columns = cell.symbol().width().max(1);
        covered = column.saturating_add(u16::try_from(columns).unwrap_or(u16::MAX));
        let mut fg = hex(cell.fg).unwrap_or_else(|| paper.text.into());
        let mut bg = hex(cell.bg);
        if cell.modifier.contains(Modifier::REVERSED) {
            let text = std::mem::replace(&mut fg, bg.unwrap_or_else(|| paper.ground.into()));
            bg = Some(text);
        }
        let modifiers = cell.modifier;
        match runs.last_mut() {
            // What is wide stands by itself, so that it cannot push what follows.
            Some(last) if columns == 1 && last.fits(&fg, bg.as_ref(), modifiers) => {
                last.text.push_str(cell.symbol());
                last.columns += 1;
            }
            _ => runs.push(Run {
                column: column.into(),
                row: row.into(),
                columns,
                text: cell.symbol().to_owned(),
                fg,
                bg,
                modifiers,
            }),
        }
    }
    runs
}

impl Run {
    fn fits(&self, fg: &str, bg: Option<&String>, modifiers: Modifier) -> bool {
        let narrow = self.text.width() == self.columns && self.text.chars().all(|c| c < '\u{2e80}');
        narrow && self.fg == fg && self.bg.as_ref() == bg && self.modifiers == modifiers
    }

    fn place(&self) -> (usize, usize, usize) {
        (MARGIN + self.column * CELL.0, MARGIN + self.row * CELL.1, self.columns * CELL.0)
    }

    fn draw_ground(&self, svg: &mut String) {
        let (x, y, width) = self.place();
        if let Some(bg) = &self.bg {
            let height = CELL.1;
            let _ = writeln!(
                svg,
                r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{bg}"/>"#
            );
        }
    }

    fn draw_text(&self, svg: &mut String) {
        if self.text.trim().is_empty() {
            return;
        }
        let (x, y, width) = self.place();
        let y = y + CELL.1 * 3 / 4;
        let mut more = String::new();
        if self.modifiers.contains(Modifier::BOLD) {
            more.push_str(r#" font-weight="bold""#);
        }
        if self.modifiers.contains(Modifier::DIM) {
            more.push_str(r#" opacity="0.6""#);
        }
        if self.modifiers.contains(Modifier::UNDERLINED) {
            more.push_str(r#" text-decoration="underline""#);
        }
        let fg = &self.fg;
        let text = escaped(&self.text);
        let _ = writeln!(
            svg,
            r#"<text x="{x}" y="{y}" textLength="{width}" lengthAdjust="spacingAndGlyphs" fill="{fg}"{more} xml:space="preserve">{text}</text>"#
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `None` for the terminal's own colour. Screens are pictured in true colour.
fn hex(color: Color) -> Option<String> {
    match color {
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
        _ => None,
    }
}
