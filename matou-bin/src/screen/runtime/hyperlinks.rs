//! A ratatui backend that marks links for the terminal (OSC 8).

use std::io::{self, Write};
use std::iter::from_fn;

use ratatui::Terminal;
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::{Cell, CellDiffOption};
use ratatui::layout::{Position, Size};

use crate::screen::runtime::clusters::{ClusterRows, is_cluster};
use crate::screen::state::app::App;
use crate::screen::text::links::{Link, Links};
use crate::screen::text::width as text_width;
use crate::screen::view;

/// Writes cells to `W`, each link between its sequence and the end of it.
pub(in crate::screen) struct HyperlinkBackend<W: Write> {
    cells: CrosstermBackend<W>,
    links: Links,
    clusters: ClusterRows,
}

/// Draws `app`, as far as it differs from what is already drawn.
pub(in crate::screen) fn draw<W: Write>(
    terminal: &mut Terminal<HyperlinkBackend<W>>,
    app: &App,
) -> io::Result<()> {
    terminal.autoresize()?;
    let drawn = view::draw(app, terminal.current_buffer_mut());
    let mut clusters = std::mem::take(&mut terminal.backend_mut().clusters);
    clusters.mark(terminal.current_buffer_mut());
    terminal.backend_mut().clusters = clusters;
    let before = std::mem::replace(&mut terminal.backend_mut().links, drawn.links);
    let changed: Vec<_> = before.changes(&terminal.backend().links).collect();
    for position in changed {
        // ratatui compares the look of cells, and knows nothing of links.
        if let Some(cell) = terminal.current_buffer_mut().cell_mut(position) {
            cell.set_diff_option(CellDiffOption::AlwaysUpdate);
        }
    }
    terminal.apply_buffer_with_cursor(drawn.cursor)?;
    Ok(())
}

impl<W: Write> HyperlinkBackend<W> {
    /// A terminal that is written to by `out`.
    pub(in crate::screen) fn new(out: W) -> Self {
        Self {
            cells: CrosstermBackend::new(out),
            links: Links::default(),
            clusters: ClusterRows::default(),
        }
    }
}

/// Draws `cell` on blank columns, so that nothing remains beside it where the terminal draws it
/// narrower. What follows is positioned explicitly, so that nothing moves where it is drawn wider.
fn draw_cluster<W: Write>(
    cells: &mut CrosstermBackend<W>,
    (x, y): (u16, u16),
    cell: &Cell,
) -> io::Result<()> {
    let mut blank = cell.clone();
    blank.set_symbol(" ");
    let end = x.saturating_add(text_width::cells(text_width::width(cell.symbol())));
    cells.draw((x..end).map(|x| (x, y, &blank)))?;
    cells.draw(std::iter::once((x, y, cell)))
}

fn open(out: &mut impl Write, link: &Link) -> io::Result<()> {
    write!(out, "\u{1b}]8;id={};{}\u{1b}\\", link.id, link.address.as_str())
}

fn close(out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"\x1b]8;;\x1b\\")
}

impl<W: Write> Write for HyperlinkBackend<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.cells.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(&mut self.cells)
    }
}

impl<W: Write> Backend for HyperlinkBackend<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut content = content.peekable();
        while let Some(&(x, y, _)) = content.peek() {
            let link = self.links.at(x, y);
            if let Some(link) = link {
                open(&mut self.cells, link)?;
            }
            let links = &self.links;
            let in_link = |x, y| links.at(x, y) == link;
            while let Some(&(x, y, cell)) = content.peek().filter(|(x, y, _)| in_link(*x, *y)) {
                if is_cluster(cell) {
                    content.next();
                    draw_cluster(&mut self.cells, (x, y), cell)?;
                } else {
                    let plain =
                        |&(x, y, cell): &(u16, u16, &'a Cell)| in_link(x, y) && !is_cluster(cell);
                    self.cells.draw(from_fn(|| content.next_if(plain)))?;
                }
            }
            if link.is_some() {
                close(&mut self.cells)?;
            }
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.cells.hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.cells.show_cursor()
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        self.cells.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.cells.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.cells.clear()
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.cells.clear_region(region)
    }

    fn size(&self) -> io::Result<Size> {
        self.cells.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.cells.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(&mut self.cells)
    }
}
