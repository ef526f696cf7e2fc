//! Bar charts that read well on light and on dark pages.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const LABEL: f64 = 130.0;
const BAR: f64 = 16.0;
const GAP: f64 = 10.0;
const TOP: f64 = 52.0;

/// One row: a label and a value for each series.
#[derive(Clone, Debug)]
pub(super) struct Row<'a> {
    pub(super) label: &'a str,
    pub(super) values: Vec<f64>,
}

/// A chart of horizontal bars on a logarithmic scale, since servers differ by factors of hundreds.
/// `series` names the values of each row; `unit` is written behind each.
pub(super) fn bars(title: &str, unit: &str, series: &[&str], rows: &[Row<'_>]) -> String {
    let values = || rows.iter().flat_map(|row| row.values.iter().copied()).filter(|v| *v > 0.0);
    let least = values().fold(f64::MAX, f64::min).log10().floor();
    let most = values().fold(f64::MIN_POSITIVE, f64::max).log10();
    let span = (most - least).max(0.5);
    let room = WIDTH - LABEL - 130.0;
    let count = series.len().max(1) as f64;
    let row_height = count * BAR + GAP;
    let height = TOP + row_height * rows.len() as f64 + 8.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" role=\"img\">\n<style>\
         text{{fill:#24292f}}.s0{{fill:#2f81f7}}.s1{{fill:#a5c8f7}}.own{{font-weight:700}}\
         @media (prefers-color-scheme:dark){{text{{fill:#e6edf3}}.s1{{fill:#1f4f8f}}}}</style>\n"
    );
    let scale = "logarithmic scale";
    let _ = writeln!(svg, "<text x=\"0\" y=\"18\" font-size=\"15\">{title} ({scale})</text>");
    if series.len() > 1 {
        for (place, name) in series.iter().enumerate() {
            let x = LABEL + 110.0 * place as f64;
            let _ = writeln!(
                svg,
                "<rect class=\"s{place}\" x=\"{x}\" y=\"28\" width=\"12\" height=\"12\"/>\
                 <text x=\"{}\" y=\"39\">{name}</text>",
                x + 18.0
            );
        }
    }
    for (place, row) in rows.iter().enumerate() {
        let y = TOP + row_height * place as f64;
        let own = if row.label == "Matou" { " class=\"own\"" } else { "" };
        let middle = y + (row_height - GAP) / 2.0 + 4.0;
        let _ = writeln!(svg, "<text{own} x=\"0\" y=\"{middle:.1}\">{}</text>", row.label);
        for (series, value) in row.values.iter().enumerate() {
            let y = y + BAR * series as f64;
            let width =
                ((value.max(f64::MIN_POSITIVE).log10() - least) / span).clamp(0.004, 1.0) * room;
            let _ = writeln!(
                svg,
                "<rect class=\"s{series}\" x=\"{LABEL}\" y=\"{y:.1}\" width=\"{width:.1}\" \
                 height=\"{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\">{} {unit}</text>",
                BAR - 2.0,
                LABEL + width + 6.0,
                y + BAR - 4.0,
                super::number(*value)
            );
        }
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_value_has_a_longer_bar() {
        let rows = [Row { label: "a", values: vec![1.0] }, Row { label: "b", values: vec![10.0] }];
        let svg = bars("t", "s", &["x"], &rows);
        let widths: Vec<f64> = svg
            .lines()
            .filter_map(|line| {
                line.strip_prefix("<rect")?.split_once("width=\"")?.1.split('"').next()
            })
            .filter_map(|width| width.parse().ok())
            .collect();
        assert_eq!(widths.len(), 2);
        assert!(widths[0] < widths[1]);
    }
}
