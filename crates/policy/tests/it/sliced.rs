//! Leaving out policies that cannot match changes nothing: held against every policy at once, and against the
//! conditions decided without Cedar, on generated policies and requests.
//!
//! `PROPTEST_CASES=100000 cargo test --profile quick -p lockgate-policy sliced` for the long run.

use lockgate_policy::{Asked, Bundle, Decision, Effect, Explanation, Reason, RuleId, Verdict};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value, json};

fn tools() -> String {
    let action = json!({"arguments": {"a": "text", "b": {"type": "text", "optional": true}}});
    let same = json!({"actions": {"x": action, "y": action, "z": action}});
    let other = json!({"actions": {"p": {}, "q": {"arguments": {"a": "text"}}}});
    json!({"tools": {"t0": same, "t1": same, "t2": other}}).to_string()
}

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "u", "uv", "uvw"])
}

fn words() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(word(), 1..4)
}

fn text_test() -> impl Strategy<Value = Value> {
    prop_oneof![
        word().prop_map(|word| json!({ "is": word })),
        words().prop_map(|words| json!({ "in": words })),
        words().prop_map(|words| json!({ "not_in": words })),
        any::<bool>().prop_map(|known| json!({ "known": known })),
    ]
}

fn number_test() -> impl Strategy<Value = Value> {
    let test = prop::sample::select(vec!["is", "at_least", "at_most", "above", "below"]);
    (test, 0..4_i64).prop_map(|(test, number)| json!({ test: number }))
}

fn set_test() -> impl Strategy<Value = Value> {
    let of_words = prop::sample::select(vec!["contains_any", "contains_all", "subset_of"]);
    prop_oneof![
        word().prop_map(|word| json!({ "contains": word })),
        any::<bool>().prop_map(|empty| json!({ "empty": empty })),
        (of_words, words()).prop_map(|(test, words)| json!({ test: words })),
    ]
}

fn shape() -> impl Strategy<Value = Value> {
    prop::sample::select(vec!["*", "u*", "*v", "u*w", "\\*"])
        .prop_map(|shape| json!({ "matches": shape }))
}

fn circumstance() -> BoxedStrategy<Value> {
    prop_oneof![
        set_test().prop_map(|test| json!({ "session.labels": test })),
        text_test().prop_map(|test| json!({ "session.link": test })),
        text_test().prop_map(|test| json!({ "agent.version": test })),
        number_test().prop_map(|test| json!({ "delegation.depth": test })),
    ]
    .boxed()
}

fn argument() -> BoxedStrategy<Value> {
    let name = || prop::sample::select(vec!["a", "b"]);
    prop_oneof![
        (name(), text_test()).prop_map(|(name, test)| json!({ format!("{name}.value"): test })),
        (name(), shape()).prop_map(|(name, test)| json!({ format!("{name}.value"): test })),
        (name(), number_test()).prop_map(|(name, test)| json!({ format!("{name}.bytes"): test })),
        any::<bool>().prop_map(|present| json!({ "b": { "present": present } })),
    ]
    .boxed()
}

fn condition(leaf: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    leaf.prop_recursive(3, 12, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some.clone().prop_map(|parts| json!({ "all": parts })),
            some.prop_map(|parts| json!({ "any": parts })),
            inner.prop_map(|part| json!({ "not": part })),
        ]
    })
}

/// A scope, and a condition that fits it.
fn scoped() -> impl Strategy<Value = (Value, Value, Option<Value>)> {
    let same = prop::sample::select(vec!["t0", "t1"]);
    let actions = prop_oneof![
        Just(json!("*")),
        prop::sample::select(vec![json!("x"), json!("y"), json!("z")]),
        Just(json!(["x", "z"])),
    ];
    let with = prop_oneof![2 => argument(), 1 => circumstance()].boxed();
    let without = prop_oneof![
        Just((json!("*"), json!("*"))),
        Just((json!("t2"), json!("*"))),
        Just((json!("t2"), json!(["p"]))),
    ];
    prop_oneof![
        4 => (same, actions, prop::option::weighted(0.8, condition(with)))
            .prop_map(|(tool, action, when)| (json!(tool), action, when)),
        1 => (without, prop::option::weighted(0.8, condition(circumstance())))
            .prop_map(|((tool, action), when)| (tool, action, when)),
    ]
}

fn rule() -> impl Strategy<Value = Value> {
    let effect =
        prop_oneof![4 => Just("allow"), 2 => Just("deny"), 1 => Just("ask"), 1 => Just("limit")];
    let agents = prop::option::weighted(
        0.3,
        prop::sample::select(vec![json!(["ag0"]), json!(["ag0", "ag1"])]),
    );
    (scoped(), effect, agents).prop_map(|((tool, action, when), effect, agents)| {
        let mut rule = json!({"tool": tool, "action": action, "effect": effect});
        if let Some(when) = when {
            rule["when"] = when;
        }
        if let Some(agents) = agents {
            rule["agents"] = agents;
        }
        if effect == "limit" {
            rule["limit"] = json!({"rate": "5/hour"});
        }
        rule
    })
}

/// Native policies of every scope, some of which fail when they are evaluated.
fn native() -> impl Strategy<Value = String> {
    let head = prop::sample::select(vec!["permit", "forbid", "@set(\"approval\") permit"]);
    let scope = prop::sample::select(vec![
        "principal, action, resource",
        "principal == Agent::\"ag1\", action, resource",
        "principal is Agent, action, resource == Tool::\"t1\"",
        "principal, action in Action::\"t0/*\", resource",
        "principal, action in [Action::\"t1/x\", Action::\"t2/*\"], resource",
        "principal, action == Action::\"t0/x\", resource",
        "principal, action == Action::\"t0/x\", resource is Tool in Tool::\"t1\"",
        "principal, action in Action::\"t2/*\", resource in Tool::\"t2\"",
    ]);
    let body = prop::sample::select(vec![
        "true",
        "context.session has link && context.session.link == \"u\"",
        "context.delegation has depth && context.delegation.depth * 9223372036854775807 > 1",
        "context.delegation has depth && context.delegation.depth > 1",
    ]);
    (head, scope, body)
        .prop_map(|(head, scope, body)| format!("{head} ({scope}) when {{ {body} }};"))
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![4 => word().prop_map(Value::from), 1 => Just(json!(7)), 1 => Just(Value::Null)]
}

fn asked() -> impl Strategy<Value = Asked> {
    let place = prop_oneof![
        8 => (prop::sample::select(vec!["t0", "t1"]), prop::sample::select(vec!["x", "y", "z"])),
        1 => Just(("t2", "p")),
        1 => Just(("t2", "q")),
        1 => prop::sample::select(vec![("t9", "x"), ("t0", "w")]),
    ];
    let agent = prop::sample::select(vec!["ag0", "ag1", "ag2"]);
    let arguments = (prop::option::weighted(0.9, value()), prop::option::of(value()));
    let session = (
        prop::option::of(prop::collection::vec(word(), 0..3)),
        prop::option::of(word()),
        prop::option::of(word()),
        prop::option::of(0..4_i64),
    );
    (place, agent, arguments, session).prop_map(
        |((tool, action), agent, (a, b), (labels, link, version, depth))| {
            let mut arguments = json!({});
            if tool != "t2" || action == "q" {
                arguments["a"] = a.unwrap_or_else(|| json!("u"));
            }
            if let (Some(b), true) = (b, tool != "t2") {
                arguments["b"] = b;
            }
            let session = json!({"labels": labels, "link": link});
            let request = json!({
                "agent": agent, "version": version, "tool": tool, "action": action,
                "arguments": arguments, "session": session, "delegation": {"depth": depth},
            });
            serde_json::from_value(request).expect("a request of this test")
        },
    )
}

fn load(rules: &[Value], natives: &[String]) -> Bundle {
    let named: Vec<Value> = rules
        .iter()
        .enumerate()
        .map(|(n, rule)| {
            let mut rule = rule.clone();
            rule["id"] = json!(format!("r{n}"));
            rule
        })
        .collect();
    let rules = json!({ "rules": named }).to_string();
    let natives: Vec<String> =
        natives.iter().enumerate().map(|(n, text)| format!("@id(\"n{n}\") {text}")).collect();
    let natives = natives.join("\n");
    let tools = tools();
    let mut files = vec![("t.yaml", tools.as_str()), ("r.yaml", rules.as_str())];
    if !natives.is_empty() {
        files.push(("n.cedar", natives.as_str()));
    }
    Bundle::load(&files).unwrap_or_else(|errors| panic!("{errors}\n{rules}\n{natives}"))
}

/// Rules of this effect whose condition holds, decided without Cedar, native ones left out.
fn matched(explanation: &Explanation, effect: Effect) -> Vec<&RuleId> {
    let of = explanation.rules.iter().filter(|rule| rule.truth.is_some());
    let mut ids: Vec<&RuleId> =
        of.filter(|rule| rule.effect == effect && rule.matched).map(|rule| &rule.id).collect();
    ids.sort_unstable();
    ids
}

fn compiled(ids: &[RuleId]) -> Vec<&RuleId> {
    let mut ids: Vec<&RuleId> = ids.iter().filter(|id| id.as_str().starts_with('r')).collect();
    ids.sort_unstable();
    ids
}

/// What Cedar decided is what the conditions say.
fn check(explanation: &Explanation) -> Result<(), TestCaseError> {
    let Decision { verdict, reason, rules, allowed_by, .. } = &explanation.decision;
    let [allow, deny, ask, limit] = [Effect::Allow, Effect::Deny, Effect::Ask, Effect::Limit]
        .map(|effect| matched(explanation, effect));
    match (verdict, reason) {
        (Verdict::Deny, Reason::Rules) => prop_assert_eq!(compiled(rules), deny),
        (Verdict::Deny, Reason::NoRule | Reason::Unknown) => {
            prop_assert!(deny.is_empty() && allow.is_empty());
        }
        (Verdict::Deny, _) => {}
        (Verdict::Ask | Verdict::Allow, _) => {
            prop_assert!(deny.is_empty());
            prop_assert_eq!(compiled(allowed_by), allow);
            let bound: Vec<RuleId> =
                explanation.decision.obligations.iter().map(|one| one.rule.clone()).collect();
            prop_assert_eq!(compiled(&bound), limit);
            if *verdict == Verdict::Ask {
                prop_assert_eq!(compiled(rules), ask);
            } else {
                prop_assert!(ask.is_empty());
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn sliced_and_unsliced_and_without_cedar_agree(
        rules in prop::collection::vec(rule(), 0..12),
        natives in prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(native(), 1..4)],
        asked in prop::collection::vec(asked(), 4),
    ) {
        let bundle = load(&rules, &natives);
        for asked in asked {
            let circumstances = asked.circumstances();
            let request = asked.request(&circumstances);
            let decision = bundle.decide(&request);
            prop_assert_eq!(&decision, &bundle.decide_unsliced(&request));
            let explanation = bundle.explain(&request);
            prop_assert_eq!(&explanation.decision, &decision);
            if !explanation.rules.is_empty() {
                check(&explanation)?;
            }
        }
    }
}

/// The generators make what they are meant to: every outcome comes up.
#[test]
fn generated_requests_come_out_in_every_way() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (
        prop::collection::vec(rule(), 0..12),
        prop::collection::vec(native(), 0..3),
        prop::collection::vec(asked(), 8),
    );
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..60 {
        let tree = strategy.new_tree(&mut runner).expect("a value");
        let (rules, natives, asked) = tree.current();
        let bundle = load(&rules, &natives);
        for asked in asked {
            let circumstances = asked.circumstances();
            let decision = bundle.decide(&asked.request(&circumstances));
            let reason = serde_json::to_value(&decision.reason).expect("data")["kind"].clone();
            *seen.entry((decision.verdict.as_str(), reason.to_string())).or_insert(0) += 1;
        }
    }
    for (verdict, reason) in [
        ("allow", "rules"),
        ("ask", "rules"),
        ("deny", "rules"),
        ("deny", "no_rule"),
        ("deny", "unknown"),
        ("deny", "failed"),
        ("deny", "undeclared_tool"),
    ] {
        let times = seen.get(&(verdict, format!("\"{reason}\""))).copied().unwrap_or(0);
        assert!(times >= 3, "{verdict} by {reason} came up {times} times: {seen:?}");
    }
}
