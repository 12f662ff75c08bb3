//! How often a decision asks for memory: a count, and the same however many rules there are.

use std::alloc::System;
use std::fmt::Write as _;
use std::io::Write as _;

use lockgate_policy::{Bundle, Circumstances, Request, Verdict};
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Twenty rules on each tool, fifty about all.
fn bundle(tools: usize) -> Bundle {
    let mut text = "tools:\n".to_owned();
    for tool in 0..tools {
        let arguments = "{to: text, subject: text, body: {type: text, optional: true}}";
        let _ = writeln!(text, "  t{tool}: {{actions: {{send: {{arguments: {arguments}}}}}}}");
    }
    text.push_str("rules:\n");
    for n in 0..tools * 20 {
        let (effect, when) = match n % 5 {
            0 => ("allow", "{to.value: {in: [a@example.com, b@example.com]}}".to_owned()),
            1 => ("deny", format!("{{to.value: {{is: blocked-{n}}}}}")),
            2 => (
                "ask",
                "{any: [{body.bytes: {above: 1000}}, {subject.value: {is: urgent}}]}".into(),
            ),
            _ => ("deny", "{session.labels: {contains: web}, to.bytes: {above: 100}}".into()),
        };
        let tool = n / 20;
        let _ = writeln!(
            text,
            "  - {{id: r{n}, tool: t{tool}, action: send, effect: {effect}, when: {when}}}"
        );
    }
    for n in 0..50 {
        let when = format!("{{session.labels: {{contains: secret-{n}}}}}");
        let _ = writeln!(
            text,
            "  - {{id: g{n}, tool: \"*\", action: \"*\", effect: deny, when: {when}}}"
        );
    }
    Bundle::load(&[("p.yaml", &text)]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn counted(bundle: &Bundle, arguments: &Value, expected: Verdict) -> usize {
    let mut circumstances = Circumstances::default();
    circumstances.session.labels = Some(["user".to_owned()].into());
    let request = Request {
        agent: "support",
        version: Some("v2"),
        tool: "t1",
        action: "send",
        arguments,
        circumstances: &circumstances,
    };
    // The first decision puts together what Cedar is asked with.
    assert_eq!(bundle.decide(&request).verdict, expected);
    let region = Region::new(ALLOCATOR);
    let decision = bundle.decide(&request);
    let stats = region.change();
    drop(decision);
    stats.allocations + stats.reallocations
}

/// The only test here: another one would be counted with it.
#[test]
fn a_decision_asks_for_memory_as_often_whatever_the_number_of_rules() {
    let [few, many] = [5, 200].map(bundle);
    let body = "We have sent it today. It should be with you on Thursday.";
    let allowed = json!({"to": "a@example.com", "subject": "Your order", "body": body});
    let denied = json!({"to": "nobody@example.com", "subject": "Your order"});
    for (arguments, expected, most) in [(allowed, Verdict::Allow, 150), (denied, Verdict::Deny, 40)]
    {
        let counts = [&few, &many].map(|bundle| counted(bundle, &arguments, expected));
        assert_eq!(counts[0], counts[1], "{expected:?}");
        assert!((1..=most).contains(&counts[0]), "{expected:?}: {counts:?}");
        let _ = writeln!(std::io::stderr(), "{expected:?}: {} allocations", counts[0]);
    }
}
