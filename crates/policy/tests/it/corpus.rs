//! Tables of arguments and the facts that they have. A wrong value that is known is the worst defect of all.
//!
//! A row is: type, argument, fact, value. Arguments are as in JSON strings, without the quotes around them, or JSON
//! behind `json:`. Values are `unknown`, a text, or the members of a set with spaces between them; `{}` is the empty one.
//! Lines that begin with `#` say what follows.

use std::fs;
use std::path::Path;

use lockgate_policy::facts::{Fact, FactType};
use serde_json::Value;

/// Issue: at least so many cases in all.
const CASES_MIN: usize = 300;

const FILES: [&str; 7] = ["path", "url", "sql", "shell", "unicode", "email", "money"];

struct Case {
    line: String,
    of: FactType,
    argument: Value,
    fact: String,
    expected: String,
}

#[expect(clippy::disallowed_methods, reason = "the tables are files")]
fn cases(file: &str) -> Vec<Case> {
    let at = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/corpus/{file}.tsv"));
    let text = fs::read_to_string(at).unwrap();
    let rows = text.lines().enumerate().filter(|(_, row)| !row.is_empty() && !row.starts_with('#'));
    rows.map(|(number, row)| {
        let line = format!("{file}.tsv:{}: {row}", number + 1);
        let [of, argument, fact, expected] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}: four columns");
        };
        let argument = match argument.strip_prefix("json:") {
            Some(json) => serde_json::from_str(json),
            None => serde_json::from_str(&format!("\"{argument}\"")),
        };
        Case {
            of: FactType::from_name(of).unwrap_or_else(|| panic!("{line}: no such type")),
            argument: argument.unwrap_or_else(|error| panic!("{line}: {error}")),
            fact: fact.to_owned(),
            expected: expected.to_owned(),
            line,
        }
    })
    .collect()
}

fn written(fact: &Fact) -> String {
    match fact {
        Fact::Bool(yes) => yes.to_string(),
        Fact::Long(number) => number.to_string(),
        Fact::Text(text) => text.clone(),
        Fact::Texts(texts) if texts.is_empty() => "{}".to_owned(),
        Fact::Texts(texts) => texts.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
        Fact::Unknown(_) => "unknown".to_owned(),
    }
}

#[test]
fn evasions_have_no_wrong_facts() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in FILES.iter().flat_map(|file| cases(file)) {
        count += 1;
        let facts = case.of.extract(&case.argument);
        let at = case.of.facts().iter().position(|(name, _)| *name == case.fact);
        let fact = &facts[at.unwrap_or_else(|| panic!("{}: no such fact", case.line))];
        if written(fact) != case.expected {
            wrong.push(format!("{}\n    is {fact:?}", case.line));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= CASES_MIN, "{count} cases");
}
