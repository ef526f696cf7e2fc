//! Characters of several code points, whose width terminals disagree about.
//!
//! Where a terminal draws one wider or narrower than expected, the rest of its row is misplaced. So
//! a row is written again from such a character on whenever it changes.

use std::collections::BTreeMap;

use ratatui::buffer::{Buffer, Cell, CellDiffOption};

/// The rows with such characters as they were drawn last.
#[derive(Debug, Default)]
pub(super) struct ClusterRows(BTreeMap<u16, ClusterRow>);

#[derive(Clone, Debug)]
struct ClusterRow {
    /// The column of the first one.
    first: u16,
    cells: Vec<Cell>,
}

impl ClusterRows {
    /// Marks the cells of `buffer` that have to be written again, whether they differ or not.
    pub(super) fn mark(&mut self, buffer: &mut Buffer) {
        let area = buffer.area;
        for y in area.top()..area.bottom() {
            let row = Self::row(buffer, y);
            let before = match &row {
                Some(row) => self.0.insert(y, row.clone()),
                None => self.0.remove(&y),
            };
            let same = match (&before, &row) {
                (Some(before), Some(row)) => before.cells == row.cells,
                (before, row) => before.is_none() && row.is_none(),
            };
            let first = [&before, &row].into_iter().flatten().map(|row| row.first).min();
            if let Some(first) = first.filter(|_| !same) {
                for x in first..area.right() {
                    if let Some(cell) = buffer.cell_mut((x, y)) {
                        cell.set_diff_option(CellDiffOption::AlwaysUpdate);
                    }
                }
            }
        }
    }

    /// Row `y`, if there is a cluster in it.
    fn row(buffer: &Buffer, y: u16) -> Option<ClusterRow> {
        let cells = || (buffer.area.left()..buffer.area.right()).map(move |x| (x, y));
        let first = cells().find(|at| buffer.cell(*at).is_some_and(is_cluster))?.0;
        Some(ClusterRow {
            first,
            cells: cells().filter_map(|at| buffer.cell(at).cloned()).collect(),
        })
    }
}

/// Whether a terminal may draw `cell` in more or fewer columns than expected.
pub(super) fn is_cluster(cell: &Cell) -> bool {
    let symbol = cell.symbol();
    // Isolates take no column anywhere where they are used.
    let isolates = |c: &char| !matches!(c, '\u{2068}' | '\u{2069}');
    symbol.len() > 1 && symbol.chars().filter(isolates).nth(1).is_some()
}
