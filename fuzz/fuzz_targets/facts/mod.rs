//! What every extractor keeps: as many facts as its type has, and canonical forms that stay.

use lockgate_policy::facts::{Fact, FactType};
use serde_json::Value;

pub fn check(of: FactType, argument: &Value) -> Vec<Fact> {
    let facts = of.extract(argument);
    assert_eq!(facts.len(), of.facts().len());
    facts
}

#[allow(dead_code, reason = "not every target has a canonical form")]
pub fn check_canonical(of: FactType, data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let at = of.facts().iter().position(|(name, _)| *name == "canonical").expect("the type has one");
    let before = &check(of, &Value::from(text))[at];
    if let Fact::Text(canonical) = before {
        assert_eq!(&check(of, &Value::from(canonical.as_str()))[at], before);
    }
}

#[allow(dead_code, reason = "some targets check more")]
pub fn check_text(of: FactType, data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        check(of, &Value::from(text));
    }
}
