//! What commands print: data on standard output as text or JSON, numbers in people's units.

use std::fmt;
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

/// Characters that a terminal obeys or that make text look like another one: controls, and marks that turn the direction
/// of text or cannot be seen.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// What others wrote, so that a terminal does not obey it. One line.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if deceives(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The same for text of several lines.
pub(crate) fn plain_lines(text: &str) -> String {
    let keeps = |c: char| matches!(c, '\n' | '\t') || !deceives(c);
    text.chars().map(|c| if keeps(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// JSON that says the same in characters that a terminal does not obey. What deceives can only stand in its texts.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && deceives(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String does not fail.
                let _ = fmt::Write::write_fmt(&mut text, format_args!("\\u{unit:04x}"));
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// Writes text and a line end to standard output.
pub(crate) fn print(text: &str) -> CliResult<()> {
    print_exact(&plain_lines(text))
}

/// The same for text that must stay as it is, byte for byte: what was signed.
pub(crate) fn print_exact(text: &str) -> CliResult<()> {
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
    print_exact(&escaped(&text))
}

/// Writes a value as one line of JSON.
pub(crate) fn print_json_line(value: &impl Serialize) -> CliResult<()> {
    let text = serde_json::to_string(value).or_exit(Exit::Failed, "cannot print as JSON")?;
    print_exact(&escaped(&text))
}

/// Tells people something beside the data, on standard error.
pub(crate) fn note(text: impl std::fmt::Display) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{}", plain_lines(&text.to_string()));
}

/// Columns as wide as their widest cell; the last one is ragged.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in &rows {
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
    fn a_terminal_obeys_nothing_that_others_wrote() {
        let evil = "a\u{1b}[2J\u{9b}1m\u{202e}b\u{200b}\u{feff}\nc";
        let plain_one = plain(evil);
        assert!(!plain_one.chars().any(deceives), "{plain_one:?}");
        assert_eq!(plain_lines(evil).lines().count(), 2);
        assert!(!plain_lines(evil).lines().any(|line| line.chars().any(deceives)));
        let cells = table(&["n"], &[vec![evil.to_owned()]]);
        assert_eq!(cells.lines().count(), 2, "a cell is one line: {cells:?}");
        let json = escaped(&serde_json::to_string(evil).expect("JSON"));
        assert!(!json.chars().any(deceives), "{json:?}");
        assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), evil);
    }

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["a".into(), "long cell".into()], vec!["bbb".into(), "x".into()]];
        assert_eq!(table(&["n", "v"], &rows), "n    v\na    long cell\nbbb  x");
    }
}
