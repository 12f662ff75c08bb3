//! CSV (RFC 4180) that a spreadsheet shows and does not run.

use std::io::{self, Write};

use csv::{QuoteStyle, Writer, WriterBuilder};
use lockgate_audit::Record;

const HEAD: [&str; 12] = [
    "seq",
    "time",
    "at_ms",
    "action",
    "object",
    "principal",
    "step",
    "step_of",
    "session",
    "session_n",
    "labels",
    "detail",
];

/// A table under its head.
pub(super) struct Table<W: Write>(Writer<W>);

impl<W: Write> Table<W> {
    pub(super) fn begin(out: W) -> io::Result<Self> {
        // Quoted text keeps its line ends and separators, also where the separator is a semicolon.
        let mut writer = WriterBuilder::new().quote_style(QuoteStyle::NonNumeric).from_writer(out);
        writer.write_record(HEAD)?;
        Ok(Self(writer))
    }

    pub(super) fn row(&mut self, record: &Record) -> io::Result<()> {
        let labels = serde_json::to_string(&record.labels)?;
        let detail = serde_json::to_string(&record.detail)?;
        self.0.write_record([
            record.seq.to_string(),
            super::rfc3339(record.at_ms).unwrap_or_default(),
            record.at_ms.to_string(),
            harmless(&record.action),
            harmless(&record.object),
            harmless(&record.principal),
            harmless(&record.step),
            record.step_of.map(|of| of.to_string()).unwrap_or_default(),
            record.session.to_string(),
            record.session_n.to_string(),
            harmless(&labels),
            harmless(&detail),
        ])?;
        Ok(())
    }

    pub(super) fn end(self) -> io::Result<W> {
        self.0.into_inner().map_err(|error| io::Error::other(error.to_string()))
    }
}

/// Text that a spreadsheet would take for a formula gets an apostrophe in front, as OWASP advises. Spaces in front
/// do not hide a formula, and the wide forms of the signs count as well.
fn harmless(text: &str) -> String {
    let begins = |c: char| matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
    let seen = text.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
    let hidden = text.starts_with(['\t', '\r', '\n']);
    if hidden || seen.starts_with(begins) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_shown_and_not_run() {
        for text in
            ["=1+1", "+1", "-1", "@x", " =1", "\u{a0}=1", "\t=1", "\r=1", "\nx", "＝1", "\u{0}=1"]
        {
            assert_eq!(harmless(text), format!("'{text}"));
        }
        for text in ["", "a=1", "{\"a\":1}", "ada", "1", "rollout.start"] {
            assert_eq!(harmless(text), text);
        }
    }
}
