//! Measures as CSV (RFC 4180), one a row.

use crate::measured::Measured;
use crate::report::ValueReport;

/// The columns.
const HEAD: [&str; 27] = [
    "measure",
    "label",
    "value",
    "unit",
    "numerator",
    "denominator",
    "n",
    "range_low",
    "range_high",
    "interval_low",
    "interval_high",
    "formula",
    "divided_by",
    "window",
    "notes",
    "missing",
    "how",
    "agent",
    "from_wall_ms",
    "to_wall_ms",
    "before",
    "change",
    "change_interval_low",
    "change_interval_high",
    "better",
    "before_from_wall_ms",
    "before_to_wall_ms",
];

/// The measures as CSV.
pub fn csv(report: &ValueReport) -> String {
    let mut out = HEAD.join(",");
    out.push_str("\r\n");
    for measured in &report.measures {
        out.push_str(&row(report, measured).join(","));
        out.push_str("\r\n");
    }
    out
}

fn row(report: &ValueReport, measured: &Measured) -> Vec<String> {
    let spec = measured.id.spec();
    let unit = serde_json::to_value(measured.unit).ok();
    let unit = unit.as_ref().and_then(|unit| unit.as_str()).unwrap_or_default();
    let missing = measured.missing.as_ref();
    let (range, interval) = (measured.range, measured.interval.as_ref());
    let mut cells = vec![
        text(spec.id),
        text(spec.label),
        number(measured.value),
        text(unit),
        number(measured.numerator),
        number(measured.denominator),
        measured.n.to_string(),
        number(range.and_then(|range| range.low)),
        number(range.and_then(|range| range.high)),
        number(interval.map(|interval| interval.low)),
        number(interval.and_then(|interval| interval.high)),
        text(spec.formula),
        text(spec.denominator),
        text(spec.window),
        text(&measured.notes.join("; ")),
        text(missing.map_or("", |missing| &missing.why)),
        text(&missing.map_or_else(String::new, |missing| missing.how.join("; "))),
        text(report.agent.as_ref().map_or("", |agent| agent.as_str())),
        report.window.from_wall_ms().to_string(),
        report.window.to_wall_ms().to_string(),
    ];
    cells.extend(against(report, measured));
    cells
}

/// Beside the other window, where there is one: cells that are empty say nothing.
fn against(report: &ValueReport, measured: &Measured) -> [String; 7] {
    let Some(compared) = &report.compared else { return Default::default() };
    let row = compared.rows.iter().find(|row| row.id == measured.id);
    let interval = row.and_then(|row| row.interval.as_ref());
    let better = row.and_then(|row| row.better);
    [
        number(row.and_then(|row| row.before)),
        number(row.and_then(|row| row.change)),
        number(interval.map(|interval| interval.low)),
        number(interval.and_then(|interval| interval.high)),
        better.map_or_else(String::new, |better| better.to_string()),
        compared.before.from_wall_ms().to_string(),
        compared.before.to_wall_ms().to_string(),
    ]
}

/// A number of ours: digits, a point and a sign, nothing that a spreadsheet computes.
fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// A text is no formula: one that begins like one gets an apostrophe before it, which spreadsheets take as text.
fn text(text: &str) -> String {
    let is_formula =
        text.trim_start().starts_with(['=', '+', '-', '@']) || text.starts_with(['\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r', ';']) || is_formula {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_begins_like_a_formula_is_none() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1"] {
            let cell = text(formula);
            assert_eq!(cell, format!("\"'{formula}\""));
        }
        assert_eq!(text("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(number(Some(-2.5)), "-2.5");
        assert_eq!(number(None), "");
    }
}
