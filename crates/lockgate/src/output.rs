//! What commands print: data on standard output as text or JSON, numbers in people's units.

use std::io::{self, Write as _};

use clap::ValueEnum;
pub(crate) use lockgate_rollout::view::span as duration;
use serde::Serialize;

use crate::error::{CliResult, Exit, OrExit as _};

/// How data is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // Plain comments: help then lists the values in one line.
    // For people.
    #[default]
    Text,
    // For programs.
    Json,
}

/// Writes text and a line end to standard output.
pub(crate) fn print(text: &str) -> CliResult<()> {
    let mut out = io::stdout().lock();
    let done = writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush());
    match done {
        // The reader has seen enough, as with `lockgate … | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.or_exit(Exit::Failed, "cannot write to standard output"),
    }
}

/// Writes a value as indented JSON.
pub(crate) fn print_json(value: &impl Serialize) -> CliResult<()> {
    let text = serde_json::to_string_pretty(value).or_exit(Exit::Failed, "cannot print as JSON")?;
    print(&text)
}

/// Writes a value as one line of JSON.
pub(crate) fn print_json_line(value: &impl Serialize) -> CliResult<()> {
    let text = serde_json::to_string(value).or_exit(Exit::Failed, "cannot print as JSON")?;
    print(&text)
}

/// Tells people something beside the data, on standard error.
pub(crate) fn note(text: impl std::fmt::Display) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Columns as wide as their widest cell; the last one is ragged.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(head.to_vec())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

/// The sign for what is not known. Never a zero.
pub(crate) const UNKNOWN: &str = "–";

/// A count with separators: `12,345`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share, 0 to 1, as percent.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| UNKNOWN.into(), |share| format!("{:.2} %", share * 100.0))
}

/// Basis points as percent without needless digits.
pub(crate) fn weight(weight_bp: u32) -> String {
    format!("{} %", f64::from(weight_bp) / 100.0)
}

/// Milliseconds of latency.
pub(crate) fn latency(ms: Option<f64>) -> String {
    ms.map_or_else(|| UNKNOWN.into(), |ms| format!("{ms:.1} ms"))
}

/// US dollars of one request.
pub(crate) fn dollars(usd: Option<f64>) -> String {
    usd.map_or_else(|| UNKNOWN.into(), |usd| format!("${usd:.6}"))
}

/// Milliseconds since the Unix epoch as UTC.
pub(crate) fn time(wall_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(wall_ms)
        .map_or_else(|_| UNKNOWN.into(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// The time of day of it, UTC.
pub(crate) fn clock(wall_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(wall_ms)
        .map_or_else(|_| UNKNOWN.into(), |at| at.strftime("%H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(duration(0), "0 s");
        assert_eq!(duration(250), "250 ms");
        assert_eq!(duration(59_999), "59 s");
        assert_eq!(duration(3_600_000), "1 h");
        assert_eq!(duration(93_600_000), "1 d 2 h");
        assert_eq!(weight(2_500), "25 %");
        assert_eq!(weight(50), "0.5 %");
    }

    #[test]
    fn what_is_unknown_is_never_zero() {
        for text in [percent(None), latency(None), dollars(None)] {
            assert_eq!(text, UNKNOWN);
        }
        assert_eq!(time(i64::MAX), UNKNOWN);
    }

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["a".into(), "long cell".into()], vec!["bbb".into(), "x".into()]];
        assert_eq!(table(&["n", "v"], &rows), "n    v\na    long cell\nbbb  x");
    }
}
