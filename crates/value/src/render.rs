//! A report as people and programs read it. The same report gives the same text.

mod chart;
mod csv;
mod figure;
mod html;
mod markdown;
mod sheet;
mod text;

use crate::report::ValueReport;
use crate::score::Score;

pub use csv::csv;
pub use html::html;
pub use markdown::markdown;
pub use text::{score_text, text};

/// Canonical JSON (RFC 8785), with a line's end.
pub fn json(report: &ValueReport) -> Result<String, serde_json::Error> {
    canonical(report)
}

/// A score alone as canonical JSON, with a line's end.
pub fn score_json(score: &Score) -> Result<String, serde_json::Error> {
    canonical(score)
}

/// Anything as canonical JSON, with a line's end.
pub fn canonical(value: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    let mut text = serde_json_canonicalizer::to_string(value)?;
    text.push('\n');
    Ok(text)
}
