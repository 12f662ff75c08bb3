//! A report for the terminal: plain text without colours.

use std::fmt::Write as _;

use super::sheet::{self, Cell, Section};
use crate::report::ValueReport;
use crate::score::Score;

/// Characters of a cell that are shown; the last one of a row is shown in full.
const CELL_CHARS_MAX: usize = 76;

/// The report as text.
pub fn text(report: &ValueReport) -> String {
    let mut out = format!("{}\n{}\n", sheet::title(report), sheet::subtitle(report));
    for section in sheet::sections(report, false) {
        put(&mut out, &section);
    }
    out
}

/// A score alone.
pub fn score_text(score: &Score) -> String {
    let mut out = String::new();
    put(&mut out, &sheet::score(score));
    out.trim_start().to_owned()
}

fn put(out: &mut String, section: &Section) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "\n{}", section.title);
    for line in &section.lines {
        let _ = writeln!(out, "  {}", printable(line));
    }
    if section.rows.is_empty() {
        return;
    }
    let head = section.head.iter().map(|name| Cell::from(*name)).collect();
    let rows: Vec<Vec<String>> =
        std::iter::once(&head).chain(&section.rows).map(|row| texts(row)).collect();
    let columns = section.head.len();
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            rows.iter()
                .filter_map(|row| row.get(at))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(out, "  {}", line.trim_end());
    }
}

fn texts(row: &[Cell]) -> Vec<String> {
    let last = row.len().saturating_sub(1);
    let shown = |(at, cell): (usize, &Cell)| {
        let text = printable(&cell.text);
        if at == last || text.chars().count() <= CELL_CHARS_MAX {
            return text;
        }
        text.chars().take(CELL_CHARS_MAX - 1).chain(['…']).collect()
    };
    row.iter().enumerate().map(shown).collect()
}

/// What others wrote cannot steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
