//! A report as Markdown. What comes from outside opens no markup and ends no cell.

use std::fmt::Write as _;

use super::sheet::{self, Cell, Look};
use crate::report::ValueReport;

/// The report as Markdown.
pub fn markdown(report: &ValueReport) -> String {
    let mut out =
        format!("# {}\n\n{}\n", escaped(&sheet::title(report)), escaped(&sheet::subtitle(report)));
    for section in sheet::sections(report, true) {
        // Writing to a String does not fail.
        let _ = write!(out, "\n## {}\n", escaped(&section.title));
        for line in &section.lines {
            let _ = write!(out, "\n{}\n", escaped(line));
        }
        if section.rows.is_empty() {
            continue;
        }
        let rule = vec!["---"; section.head.len()];
        let _ = write!(out, "\n| {} |\n|{}|\n", section.head.join(" | "), rule.join("|"));
        for row in &section.rows {
            let cells: Vec<String> = row.iter().map(cell).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
    }
    out
}

fn cell(cell: &Cell) -> String {
    match cell.look {
        Look::Code if !cell.text.contains(['`', '|', '\n']) => format!("`{}`", cell.text),
        Look::Good | Look::Bad | Look::Open if !cell.text.is_empty() => {
            format!("**{}**", escaped(&cell.text))
        }
        _ => escaped(&cell.text),
    }
}

/// Every mark that can mean something is a character reference.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '~' | '@' | '!' => {
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
