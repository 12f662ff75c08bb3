//! A report as one HTML page that prints well: without scripts, and without anything that is fetched.

use std::fmt::Write as _;

use super::chart;
use super::sheet::{self, Cell, Look, Part, Section};
use crate::report::ValueReport;

const STYLE: &str = include_str!("html/style.css");

/// Rows of a table that are shown.
const ROWS_MAX: usize = 1_000;

/// Whatever got past the escaping would still run and fetch nothing.
const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>";

/// The report as a page.
pub fn html(report: &ValueReport) -> String {
    let mut page = String::from(HEAD);
    let title = escaped(&sheet::title(report));
    page.push_str(&title);
    page.push_str("</title>\n<style>\n");
    page.push_str(STYLE);
    page.push_str("</style>\n</head>\n<body>\n<main>\n<header><h1>");
    page.push_str(&title);
    page.push_str("</h1><p>");
    page.push_str(&escaped(&sheet::subtitle(report)));
    page.push_str("</p></header>\n");
    for section in sheet::sections(report, true) {
        put(&mut page, report, &section);
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn put(page: &mut String, report: &ValueReport, section: &Section) {
    page.push_str("<section>\n<h2>");
    page.push_str(&escaped(&section.title));
    page.push_str("</h2>\n");
    for line in &section.lines {
        page.push_str("<p>");
        page.push_str(&escaped(line));
        page.push_str("</p>\n");
    }
    page.push_str(&picture(report, section.part));
    table(page, section);
    page.push_str("</section>\n");
}

fn picture(report: &ValueReport, part: Part) -> String {
    match part {
        Part::Score => chart::composition(&report.score),
        Part::Success => chart::distances(&report.success),
        Part::Funnel => chart::funnel(&report.funnel),
        Part::Versions => chart::cost_by_version(&report.versions),
        Part::Trend => chart::trend(&report.trend),
        _ => String::new(),
    }
}

fn table(page: &mut String, section: &Section) {
    if section.rows.is_empty() {
        return;
    }
    page.push_str("<div class=\"wide\"><table>\n<thead><tr>");
    for name in &section.head {
        page.push_str("<th>");
        page.push_str(&escaped(name));
        page.push_str("</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in section.rows.iter().take(ROWS_MAX) {
        page.push_str("<tr>");
        for one in row {
            cell(page, one);
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
    if let Some(more) = section.rows.len().checked_sub(ROWS_MAX).filter(|more| *more > 0) {
        // Writing to a String does not fail.
        let _ = writeln!(page, "<p class=\"soft\">{more} more rows; the JSON has all.</p>");
    }
}

fn cell(page: &mut String, cell: &Cell) {
    let (open, close) = match cell.look {
        Look::Plain => ("<td>", "</td>"),
        Look::Good => ("<td class=\"pass\">", "</td>"),
        Look::Bad => ("<td class=\"fail\">", "</td>"),
        Look::Open => ("<td class=\"unknown\">", "</td>"),
        Look::Code => ("<td><code>", "</code></td>"),
    };
    page.push_str(open);
    page.push_str(&escaped(&cell.text));
    page.push_str(close);
}

/// What others wrote, as text of an element or of a quoted attribute, also of SVG.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() || is_unseen(c) => escaped.push(char::REPLACEMENT_CHARACTER),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Marks that turn the direction of text or cannot be seen.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}
