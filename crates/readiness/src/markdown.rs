//! An assessment as Markdown, for a pull request.
//!
//! What comes from files stands in `<code>` as letters, digits, a few marks and character references: it opens no markup, ends
//! no cell, and mentions nobody.

use std::fmt::Write as _;

use crate::assess::{Assessment, Standing};
use crate::baseline::Changes;
use crate::catalog::Dimension;
use crate::finding::{Check, Evidence, Outcome, cut, is_unseen};
use crate::gate::Scenario;

const HEAD: &str = "\
## Readiness

| dimension | level | before the next level |
|---|---|---|
";

/// Notes that are shown.
const NOTES_MAX: usize = 10;

/// Changes that are shown.
const CHANGES_MAX: usize = 60;

/// Most characters that are shown of a text.
const TEXT_CHARS_MAX: usize = 400;

/// A path that is longer is shown without a link.
const LINK_PATH_BYTES_MAX: usize = 400;

/// The report, with what changed when that is known. The same text for the same assessment.
pub fn markdown(assessment: &Assessment, changes: Option<&Changes>) -> String {
    let mut text = String::from(HEAD);
    for dimension in Dimension::ALL {
        let standing = assessment.standing(dimension);
        let open: Vec<String> =
            standing.checks.iter().filter(|check| is_told(check, standing)).map(told).collect();
        line(
            &mut text,
            &[dimension.name().into(), standing.level_told("**attested**"), open.join("<br>")],
        );
    }
    text.push_str("\n| scenario | gate | missing |\n|---|---|---|\n");
    for scenario in Scenario::ALL {
        let gate = assessment.gate(scenario);
        let came_out = match (gate.pass, gate.pass_with_attestations) {
            (true, _) => "passes",
            (false, true) => "does not pass; **attested**, it would",
            (false, false) => "does not pass",
        };
        let missing: Vec<String> = gate.missing.iter().map(|missing| code(missing)).collect();
        line(&mut text, &[scenario.name().into(), came_out.into(), missing.join("<br>")]);
    }
    if let Some(changes) = changes {
        let lines = changes.lines();
        let lines = if lines.is_empty() { vec!["nothing".to_owned()] } else { lines };
        section(&mut text, "Changed since the baseline", &lines, CHANGES_MAX);
    }
    let given: Vec<String> = assessment.given.iter().map(crate::given::Told::line).collect();
    section(&mut text, "Handed in", &given, NOTES_MAX);
    section(&mut text, "Notes", &assessment.notes, NOTES_MAX);
    text
}

fn line(text: &mut String, cells: &[String]) {
    // Writing to a String does not fail.
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn section(text: &mut String, title: &str, lines: &[String], lines_max: usize) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n### {title}\n");
    for line in lines.iter().take(lines_max) {
        let _ = writeln!(text, "- {}", code(line));
    }
    if lines.len() > lines_max {
        let _ = writeln!(text, "- {} more", lines.len() - lines_max);
    }
}

/// What stands before the next level, and what every gate asks for.
fn is_told(check: &Check, standing: &Standing) -> bool {
    check.is_open() && check.level.is_none_or(|level| level == standing.next_level())
}

fn told(check: &Check) -> String {
    let outcome = if check.outcome == Outcome::Unknown { "unknown" } else { "missing" };
    let mut text = format!("`{}` {outcome}: {}", check.id, code(&check.reason));
    if let Some(evidence) = check.evidence.first() {
        text.push_str(", ");
        text.push_str(&place(evidence));
    }
    if let Some(attested) = &check.attested {
        let _ = write!(
            text,
            " **attested** by {} until {}, [link]({})",
            code(&attested.owner),
            attested.until,
            address(&attested.link)
        );
    }
    if let Some(suppressed) = &check.suppressed {
        let _ = write!(
            text,
            " **suppressed** until {}: {}",
            suppressed.until,
            code(&suppressed.reason)
        );
    } else if check.attested.is_none() && check.outcome == Outcome::Fail {
        let _ = write!(text, "<br>&nbsp;&nbsp;fix: {}", check.fix.replace('|', "&#124;"));
    }
    text
}

fn place(evidence: &Evidence) -> String {
    let shown = code(&format!("{}:{}", evidence.file, evidence.line));
    if evidence.file.len() > LINK_PATH_BYTES_MAX || !evidence.source.is_file() {
        return shown;
    }
    format!("[{shown}]({}#L{})", path_in_url(&evidence.file), evidence.line)
}

/// What others wrote. What stays as it is means nothing in Markdown without what does not; a `.` would make a link of
/// `www`.
pub(crate) fn code(text: &str) -> String {
    let mut escaped = String::from("<code>");
    for c in cut(text, TEXT_CHARS_MAX).chars() {
        if c.is_ascii_alphanumeric() || matches!(c, ' ' | ',' | ';' | '(' | ')' | '/' | '-') {
            escaped.push(c);
        } else if c == '@' {
            // Addresses and mentions are looked for after references are put in; a comment parts them.
            escaped.push_str("&#64;<!-- -->");
        } else if is_unseen(c) {
            escaped.push_str("&#65533;");
        } else {
            let _ = write!(escaped, "&#{};", u32::from(c));
        }
    }
    escaped.push_str("</code>");
    escaped
}

/// A path as part of a URL: RFC 3986, all but what is unreserved encoded.
pub(crate) fn path_in_url(path: &str) -> String {
    encoded(path, |b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.' | b'~'))
}

/// An address that was found to be one, without what Markdown or a table would take for its own.
fn address(link: &str) -> String {
    encoded(link, |b| {
        b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'/' | b'-'
                    | b'.'
                    | b'~'
                    | b':'
                    | b'?'
                    | b'#'
                    | b'='
                    | b'&'
                    | b'%'
                    | b'+'
                    | b','
                    | b';'
            )
    })
}

fn encoded(text: &str, stays: impl Fn(u8) -> bool) -> String {
    let mut url = String::with_capacity(text.len());
    for b in text.bytes() {
        if stays(b) {
            url.push(char::from(b));
        } else {
            let _ = write!(url, "%{b:02X}");
        }
    }
    url
}
