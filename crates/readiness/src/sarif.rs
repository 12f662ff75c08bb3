//! An assessment as SARIF 2.1.0 (OASIS standard, errata 01), for what shows findings beside code.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::assess::{Assessment, Standing};
use crate::catalog::{CATALOG, Dimension, Entry};
use crate::finding::{Check, Evidence, Outcome, is_unseen};
use crate::gate::Scenario;
use crate::markdown::path_in_url;

/// The report: a result for each check that is not shown and stands before the next level, before a required scenario,
/// or that every gate asks for. The same bytes for the same assessment.
pub fn sarif(assessment: &Assessment, required: &[Scenario]) -> Value {
    // The level that has to be reached; without a scenario none has to.
    let rung = required.iter().map(|scenario| scenario.asks().0).max();
    let rules: Vec<Value> = CATALOG.iter().map(rule).collect();
    let mut results = Vec::new();
    for dimension in Dimension::ALL {
        let standing = assessment.standing(dimension);
        let told = standing.checks.iter().filter(|check| is_told(check, standing, rung));
        results.extend(told.map(|check| result(check, rung)));
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "Lockgate",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn is_told(check: &Check, standing: &Standing, rung: Option<u8>) -> bool {
    let until = standing.next_level().max(rung.unwrap_or(0));
    let from = if rung.is_some() { 0 } else { standing.next_level() };
    check.is_open() && check.level.is_none_or(|level| (from..=until).contains(&level))
}

fn rule(entry: &Entry) -> Value {
    let level = entry.level.map_or("every gate".to_owned(), |level| format!("L{level}"));
    json!({
        "id": entry.id,
        "shortDescription": {"text": entry.asks},
        "fullDescription": {"text": format!("{}; at risk without it: {}", entry.asks, entry.risk)},
        "help": {"text": entry.fix},
        "defaultConfiguration": {"level": "warning"},
        "properties": {"tags": [entry.dimension.name(), level]},
    })
}

fn result(check: &Check, rung: Option<u8>) -> Value {
    let is_below = rung.is_some_and(|rung| check.level.is_none_or(|level| level <= rung));
    let level = match check.outcome {
        Outcome::Unknown => "note",
        _ if is_below => "error",
        _ => "warning",
    };
    let mut result = json!({
        "ruleId": check.id,
        "ruleIndex": CATALOG.iter().position(|entry| entry.id == check.id),
        "level": level,
        "message": {"text": message(check)},
        "partialFingerprints": {"lockgateCheck/v1": check.id},
    });
    // An answer of the forge is no file that could be shown; `message` names it.
    let files = check.evidence.iter().filter(|one| one.source.is_file());
    let locations: Vec<Value> = files.map(location).collect();
    if !locations.is_empty() {
        result["locations"] = locations.into();
    }
    if let Some(attested) = &check.attested {
        result["properties"] = json!({"attested": attested});
    }
    if let Some(suppressed) = &check.suppressed {
        let why = format!("{} (until {})", suppressed.reason, suppressed.until);
        result["suppressions"] =
            json!([{"kind": "external", "status": "accepted", "justification": why}]);
    }
    result
}

fn message(check: &Check) -> String {
    let words = check.attested.as_ref().map_or_else(String::new, |attested| {
        format!(" Attested by {} until {}: {}.", attested.owner, attested.until, attested.link)
    });
    let mut answers = String::new();
    for one in check.evidence.iter().filter(|one| !one.source.is_file()) {
        // Writing to a String does not fail.
        let _ = write!(answers, " {}:{}: {}.", one.file, one.line, one.text);
    }
    literal(&format!(
        "{}.{answers}{words} At risk: {}. Fix: {}.",
        check.reason.trim_end_matches('.'),
        check.risk,
        check.fix
    ))
}

/// Text that a viewer takes for no placeholder (SARIF 3.11.5) and no link (3.11.6), and that does not deceive the eye.
fn literal(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() || is_unseen(c) { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    text.replace('{', "{{").replace('}', "}}").replace("](", "] (")
}

fn location(evidence: &Evidence) -> Value {
    json!({"physicalLocation": {
        "artifactLocation": {"uri": path_in_url(&evidence.file), "uriBaseId": "%SRCROOT%"},
        "region": {
            "startLine": evidence.line.max(1),
            "startColumn": evidence.column.max(1),
        },
    }})
}
