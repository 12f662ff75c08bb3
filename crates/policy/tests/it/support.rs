//! Bundles out of texts, and requests in one line.

use lockgate_policy::{Asked, Bundle, Decision};
use serde_json::Value;

pub(crate) const TOOLS: &str = "
tools:
  mail:
    actions:
      send: {arguments: {to: text, body: {type: text, optional: true}, time: {type: text, optional: true}}}
      read: {arguments: {box: text}}
  clock: {actions: {now: {}}}
";

/// A bundle of the usual tools and these rules.
pub(crate) fn bundle(rules: &str) -> Bundle {
    load(&[("tools.yaml", TOOLS), ("rules.yaml", rules)])
}

pub(crate) fn load(files: &[(&str, &str)]) -> Bundle {
    Bundle::load(files).unwrap_or_else(|errors| panic!("{errors}"))
}

/// What is wrong with these rules.
pub(crate) fn errors(rules: &str) -> String {
    refused(&[("tools.yaml", TOOLS), ("rules.yaml", rules)])
}

pub(crate) fn refused(files: &[(&str, &str)]) -> String {
    match Bundle::load(files) {
        Ok(_) => panic!("nothing was refused"),
        Err(errors) => errors.to_string(),
    }
}

/// A request as JSON, in which agent, tool and action may be left out.
pub(crate) fn asked(mut request: Value) -> Asked {
    for (field, usual) in [("agent", "support"), ("tool", "mail"), ("action", "send")] {
        if request.get(field).is_none() {
            request[field] = Value::from(usual);
        }
    }
    serde_json::from_value(request).expect("a request of this test")
}

pub(crate) fn decide(bundle: &Bundle, request: Value) -> Decision {
    let asked = asked(request);
    let circumstances = asked.circumstances();
    let request = asked.request(&circumstances);
    let decision = bundle.decide(&request);
    assert_eq!(decision, bundle.decide_unsliced(&request), "sliced and unsliced agree");
    decision
}

/// The names of the rules that decided.
pub(crate) fn rules(decision: &Decision) -> Vec<&str> {
    decision.rules.iter().map(lockgate_policy::RuleId::as_str).collect()
}
