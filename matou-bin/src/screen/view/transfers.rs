//! The list of transfers.

use matou_actors::client::Direction;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::paint::Painter;
use crate::client::sizes::{moved, size as bytes, total};
use crate::sanitize::sanitize;
use crate::screen::config::style::StyleRole;
use crate::screen::state::app::App;
use crate::screen::state::transfers::{TransferRow, TransferStage, clock};
use crate::screen::text::bidi::sentence;
use crate::screen::text::width::shorten;

/// Rows of one transfer.
pub(super) const ROWS_EACH: usize = 2;
const GAUGE: usize = 40;

/// Rows that the whole list would take.
pub(super) fn rows(app: &App) -> usize {
    app.transfers.listed().count() * ROWS_EACH + 1
}

/// The transfers that are seen in `height` rows, the last of which is the hint: the selected one
/// is among them.
pub(super) fn seen(app: &App, height: usize) -> impl Iterator<Item = &TransferRow> {
    let fit = height.saturating_sub(1) / ROWS_EACH;
    let at = app.transfers.listed().position(|t| Some(t.id) == app.transfers.selected);
    app.transfers.listed().skip((at.unwrap_or(0) + 1).saturating_sub(fit.max(1))).take(fit)
}

pub(super) fn draw(app: &App, area: Rect, painter: &mut Painter<'_>) {
    let dim = app.theme.style(StyleRole::Dim);
    let hint = if app.transfers.listed().next().is_none() {
        " No transfers yet. /send NAME PATH... offers files."
    } else if area.width < 70 {
        " Up, Down: select · Del: cancel · ⏎: take"
    } else {
        " Up and Down select, Delete cancels or refuses, Enter takes an offer."
    };
    let mut y = area.y;
    for transfer in seen(app, area.height.into()) {
        draw_one(app, transfer, Rect { y, height: 2, ..area }, painter);
        y += 2;
    }
    let hint = shorten(hint, area.width.into());
    painter.text(area.x, area.bottom() - 1, area.right(), &hint, dim);
}

fn draw_one(app: &App, transfer: &TransferRow, area: Rect, painter: &mut Painter<'_>) {
    let selected = app.transfers.selected == Some(transfer.id);
    let style = app.theme.style(if selected { StyleRole::Selected } else { StyleRole::Text });
    let marker = if selected { "▸" } else { " " };
    let (sign, towards) = match transfer.direction {
        Direction::Incoming => ("↓", "from"),
        Direction::Outgoing => ("↑", "to"),
    };
    let name = &transfer.with;
    let first = format!("{marker}#{} {sign} {towards} {name}  {}", transfer.id, numbers(transfer));
    let first = shorten(&first, area.width.into());
    painter.fill(Rect { height: 1, ..area }, style);
    painter.text(area.x, area.y, area.right(), &sentence(&first), style);
    painter.spans(area.x, area.y + 1, area.right(), &second_row(app, transfer, area.width.into()));
}

fn numbers(transfer: &TransferRow) -> String {
    let size = total(transfer.size);
    let moved = moved(transfer.bytes, transfer.size);
    match &transfer.stage {
        TransferStage::Offered { address } => format!("{size} offered from {address}"),
        TransferStage::Waiting if transfer.direction == Direction::Outgoing => {
            format!("{size}, waiting for {}", transfer.with)
        }
        TransferStage::Waiting => format!("{size}, queued"),
        TransferStage::Done => format!("{size}, complete"),
        TransferStage::Failed { .. } => format!("{moved}, failed"),
        // It stalls: the buffers are full, and the peer reads nothing.
        TransferStage::Moving
            if transfer.direction == Direction::Outgoing && transfer.rate == Some(0) =>
        {
            format!("{moved}, waiting for {}", transfer.with)
        }
        TransferStage::Moving => {
            let rate = transfer.rate.map(|rate| format!("  {}/s", bytes(rate)));
            let left = transfer.time_left().map(|left| format!("  {} left", clock(left)));
            format!("{moved}{}{}", rate.unwrap_or_default(), left.unwrap_or_default())
        }
    }
}

fn second_row(app: &App, transfer: &TransferRow, width: usize) -> Vec<Span<'static>> {
    let dim = app.theme.style(StyleRole::Dim);
    let path = || {
        let path = transfer.path.as_ref().map(|path| path.to_string_lossy().into_owned());
        sanitize(&path.unwrap_or_default()).into_owned()
    };
    match &transfer.stage {
        TransferStage::Moving if transfer.size.is_some() => {
            let room = width.saturating_sub(10).min(GAUGE);
            let (full, rest, percent) = gauge(transfer.bytes, transfer.size.unwrap_or(0), room);
            let mut spans = vec![
                Span::raw("   "),
                Span::styled(full, app.theme.style(StyleRole::Gauge)),
                Span::styled(rest, dim),
                Span::raw(format!(" {percent:>3} %")),
            ];
            if width > room + 30 {
                let path = shorten(&path(), width - room - 14).into_owned();
                spans.push(Span::styled(format!("  {}", sentence(&path)), dim));
            }
            spans
        }
        TransferStage::Offered { .. } => {
            let text = format!("   /take {0} or /refuse {0}", transfer.id);
            let name = transfer.name.as_ref().map(|name| format!("  {name:?}"));
            let name = sanitize(&name.unwrap_or_default()).into_owned();
            let name = shorten(&name, width.saturating_sub(text.len())).into_owned();
            vec![
                Span::styled(text, app.theme.style(StyleRole::Notice)),
                Span::styled(sentence(&name).into_owned(), dim),
            ]
        }
        TransferStage::Waiting | TransferStage::Moving | TransferStage::Done => {
            let path = shorten(&path(), width.saturating_sub(3)).into_owned();
            vec![Span::styled(format!("   {}", sentence(&path)), dim)]
        }
        TransferStage::Failed { reason } => {
            let reason = shorten(reason, width.saturating_sub(3)).into_owned();
            vec![Span::styled(format!("   {reason}"), app.theme.style(StyleRole::Error))]
        }
    }
}

/// The full part, the empty part, and percent.
fn gauge(bytes: u64, size: u64, room: usize) -> (String, String, u64) {
    let share = |of: u128| {
        let whole = u128::from(size.max(1));
        usize::try_from(u128::from(bytes.min(size)) * of / whole).unwrap_or(0)
    };
    let room_wide = u128::try_from(room).unwrap_or(0);
    let eighths = if size == 0 { room * 8 } else { share(room_wide * 8) };
    let (full, part) = (eighths / 8, eighths % 8);
    let mut done = "█".repeat(full);
    done.extend(['▏', '▎', '▍', '▌', '▋', '▊', '▉'].get(part.wrapping_sub(1)));
    let used = full + usize::from(part > 0);
    let percent = if size == 0 { 100 } else { share(100) };
    (done, "░".repeat(room.saturating_sub(used)), u64::try_from(percent).unwrap_or(100))
}

#[cfg(test)]
mod tests {
    use matou_actors::client::{Direction, TransferId};
    use matou_actors::protocol::Username;

    use super::{gauge, numbers};
    use crate::screen::state::transfers::{TransferRow, TransferStage};

    #[test]
    fn an_outgoing_file_that_stands_still_waits_for_its_peer() {
        let mut transfer = TransferRow {
            id: TransferId(1),
            direction: Direction::Outgoing,
            with: Username::parse("Bea").unwrap(),
            name: None,
            bytes: 262_000,
            size: Some(3_400_000),
            rate: Some(0),
            path: None,
            stage: TransferStage::Moving,
        };
        assert!(numbers(&transfer).ends_with("waiting for Bea"), "{}", numbers(&transfer));
        transfer.stage = TransferStage::Waiting;
        assert_eq!(numbers(&transfer), "3.4 MB, waiting for Bea");
        transfer.stage = TransferStage::Moving;
        transfer.rate = Some(1000);
        assert!(numbers(&transfer).contains("/s"), "{}", numbers(&transfer));
        transfer.rate = None;
        assert_eq!(numbers(&transfer), "262.0 kB of 3.4 MB");
    }

    #[test]
    fn a_gauge_is_as_wide_as_its_room_at_every_share() {
        for bytes in [0, 1, 49, 50, 99, 100] {
            let (full, rest, percent) = gauge(bytes, 100, 10);
            assert_eq!(full.chars().count() + rest.chars().count(), 10, "{bytes}");
            assert_eq!(percent, bytes);
        }
        assert_eq!(gauge(50, 100, 4).0, "██");
        assert_eq!(gauge(0, 0, 4).2, 100);
        assert_eq!(gauge(u64::MAX, u64::MAX, 4).0, "████");
    }
}
