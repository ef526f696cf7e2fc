//! Markdown tables and the numbers in them.

use std::fmt;

/// A number with about three digits and commas between its thousands.
pub(super) fn number(value: f64) -> String {
    if value >= 1e6 {
        return format!("{:.1} M", value / 1e6);
    }
    if value >= 1000.0 {
        let whole = format!("{value:.0}");
        let split = whole.len() - 3;
        return match (whole.get(..split), whole.get(split..)) {
            (Some(thousands), Some(rest)) => format!("{thousands},{rest}"),
            _ => whole,
        };
    }
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Appends to a text; writing to memory cannot fail.
pub(super) fn push(text: &mut String, part: fmt::Arguments<'_>) {
    let _ = fmt::Write::write_fmt(text, part);
}

/// A Markdown table.
pub(super) struct Table(String);

impl Table {
    pub(super) fn new(heads: &[&str]) -> Self {
        let rule = "|---".repeat(heads.len());
        Self(format!("| {} |\n{rule}|\n", heads.join(" | ")))
    }

    pub(super) fn row(&mut self, cells: &[String]) {
        push(&mut self.0, format_args!("| {} |\n", cells.join(" | ")));
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_keep_three_digits() {
        let shown = [27_300_000.0, 21_500.0, 103.4, 10.57, 4.8, 0.0317].map(number);
        assert_eq!(shown, ["27.3 M", "21,500", "103", "10.6", "4.80", "0.032"]);
    }
}
