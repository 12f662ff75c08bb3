//! What comes out of rules, and what of requests that no rule can be asked about.

use lockgate_policy::Verdict::{Allow, Ask, Deny};
use lockgate_policy::{Bundle, Circumstances, Decision, Reason, Request, Verdict};
use serde_json::{Value, json};

use crate::support::{bundle, decide, rules};

fn to(text: &str) -> Value {
    json!({ "arguments": { "to": text } })
}

#[test]
fn nothing_is_allowed_without_a_rule_that_allows_it() {
    let none = bundle("rules: []");
    let denied = decide(&none, to("a"));
    assert_eq!((denied.verdict, denied.reason), (Deny, Reason::NoRule));
    let some = bundle("rules: [{id: a, tool: mail, action: send, effect: allow}]");
    assert_eq!(decide(&some, to("a")).verdict, Allow);
    let other = decide(&some, json!({"action": "read", "arguments": {"box": "in"}}));
    assert_eq!((other.verdict, other.reason), (Deny, Reason::NoRule));
}

const MIXED: &str = r#"
rules:
  - {id: all, tool: mail, action: "*", effect: allow}
  - {id: no-boss, tool: mail, action: send, when: {to.value: {is: boss}}, effect: deny,
     risk: ASI02, message: not the boss, security_event: true}
  - {id: ask-all, tool: mail, action: send, when: {to.value: {in: [all, boss]}}, effect: ask, message: all of them?}
  - {id: slow, tool: mail, action: [send], effect: limit, limit: {rate: 10/hour, count: session}}
  - {id: night, tool: "*", action: "*", when: {time.hour_utc: {at_least: 22}}, effect: deny}
  - {id: mine, tool: clock, action: now, agents: [support, sales], effect: allow}
"#;

#[test]
fn denial_goes_before_asking_and_asking_before_allowing() {
    let mixed = bundle(MIXED);
    let at = |to: &str, hour: i64| json!({"arguments": {"to": to}, "time": {"hour_utc": hour}});
    let boss = decide(&mixed, at("boss", 9));
    assert_eq!((boss.verdict, rules(&boss)), (Deny, vec!["no-boss"]));
    assert_eq!(boss.message.as_deref(), Some("not the boss"));
    assert_eq!(boss.risk.unwrap().to_string(), "ASI02");
    assert!(boss.security_event && boss.obligations.is_empty());
    let all = decide(&mixed, at("all", 9));
    assert_eq!((all.verdict, rules(&all)), (Ask, vec!["ask-all"]));
    assert_eq!(all.allowed_by[0].as_str(), "all");
    assert_eq!(all.obligations[0].rule.as_str(), "slow");
    let me = decide(&mixed, at("me", 9));
    assert_eq!((me.verdict, rules(&me)), (Allow, vec!["all"]));
    assert_eq!(serde_json::to_value(&me.obligations).unwrap()[0]["limit"]["most"], 10);
    assert!(!me.security_event);
    let late = decide(&mixed, at("me", 23));
    assert_eq!((late.verdict, rules(&late)), (Deny, vec!["night"]));
    let both = decide(&mixed, at("boss", 23));
    assert_eq!(rules(&both), ["no-boss", "night"]);
}

/// A limit looks at a fact that no rule tests.
#[test]
fn what_a_limit_adds_up_is_told_with_it() {
    let adding = bundle(
        "
rules:
  - {id: all, tool: mail, action: send, effect: allow}
  - {id: long, tool: mail, action: send, effect: limit, limit: {sum: to.bytes, most: 50/hour, count: user}}
  - {id: tokens, tool: mail, action: send, effect: limit, limit: {tokens: 1000/day, otherwise: 300}}
  - {id: money, tool: mail, action: send, effect: limit, limit: {usd: 2.50/day, otherwise: 0.5}}
",
    );
    let decided = decide(&adding, to("someone"));
    assert_eq!(
        serde_json::to_value(&decided.obligations).unwrap(),
        json!([
            {"rule": "long", "amount": 7,
             "limit": {"of": "to.bytes", "most": 50, "per": "hour", "count": "user"}},
            {"rule": "tokens",
             "limit": {"of": "tokens", "most": 1_000, "per": "day", "count": "agent", "otherwise": 300}},
            {"rule": "money", "limit": {"of": "cost_nanousd", "most": 2_500_000_000_u64, "per": "day",
             "count": "agent", "otherwise": 500_000_000}},
        ])
    );
    let unknown = decide(&adding, json!({"arguments": {"to": 7}}));
    assert_eq!((unknown.verdict, unknown.obligations[0].amount), (Allow, None));
}

#[test]
fn a_rule_for_some_agents_is_for_no_other() {
    let mixed = bundle(MIXED);
    let now = |agent: &str| {
        let time = json!({"hour_utc": 1});
        decide(&mixed, json!({"agent": agent, "tool": "clock", "action": "now", "time": time}))
    };
    assert_eq!(now("sales").verdict, Allow);
    assert_eq!(now("support").verdict, Allow);
    assert_eq!(now("other").verdict, Deny);
}

#[test]
fn what_is_not_declared_is_denied_with_its_own_reason() {
    let mixed = bundle(MIXED);
    let reason = |request: Value| {
        let decision = decide(&mixed, request);
        assert_eq!(decision.verdict, Deny);
        assert!(decision.rules.is_empty());
        decision.reason
    };
    assert_eq!(reason(json!({"tool": "shell"})), Reason::UndeclaredTool);
    assert_eq!(reason(json!({"action": "sendd"})), Reason::UndeclaredAction);
    let extra = json!({"arguments": {"to": "a", "bcc": "b"}});
    assert_eq!(reason(extra), Reason::UndeclaredArgument { argument: "bcc".into() });
    let missing = Reason::MissingArgument { argument: "to".into() };
    assert_eq!(reason(json!({"arguments": {}})), missing);
    assert_eq!(reason(json!({"arguments": null})), missing);
    for not_a_map in [json!([]), json!("to"), json!(1)] {
        let said = reason(json!({ "arguments": not_a_map }));
        assert!(matches!(said, Reason::Malformed { .. }), "{said:?}");
    }
    assert!(matches!(reason(json!({"agent": ""})), Reason::Malformed { .. }));
}

#[test]
fn arguments_without_bounds_are_denied_before_they_are_looked_at() {
    let mixed = bundle(MIXED);
    let mut deep = json!("x");
    for _ in 0..40 {
        deep = json!([deep]);
    }
    for large in [deep, json!(vec![0; 30_000]), json!("x".repeat(5_000_000))] {
        let decision = decide(&mixed, json!({ "arguments": { "to": large } }));
        assert!(matches!(decision.reason, Reason::Malformed { .. }), "{:?}", decision.reason);
        assert!(decision.facts.arguments.is_empty());
    }
}

/// One condition under each effect: what is unknown never allows, and always denies and asks.
fn under_each_effect(when: &str, request: &Value) -> [Verdict; 3] {
    let rule = |effect: &str| {
        let allow = "{id: base, tool: mail, action: send, effect: allow}";
        let base = if effect == "allow" { String::new() } else { format!("\n  - {allow}") };
        let rule = format!("{{id: it, tool: mail, action: send, when: {when}, effect: {effect}}}");
        let bundle = bundle(&format!("rules:\n  - {rule}{base}"));
        decide(&bundle, request.clone()).verdict
    };
    [rule("allow"), rule("deny"), rule("ask")]
}

#[test]
fn an_unknown_fact_allows_nothing_and_makes_denials_and_questions_fire() {
    let unknown = json!({"arguments": {"to": 7}});
    let known = to("a");
    for when in [
        "{to.value: {is: a}}",
        "{not: {to.value: {is: b}}}",
        "{to.value: {not_in: [b]}}",
        "{any: [{to.value: {is: a}}, {to.value: {is: b}}]}",
        "{all: [{to.value: {is: a}}, {to.bytes: {at_most: 3}}]}",
        "{not: {all: [{to.value: {is: b}}, {to.bytes: {above: 0}}]}}",
    ] {
        assert_eq!(under_each_effect(when, &known), [Allow, Deny, Ask], "{when}");
        assert_eq!(under_each_effect(when, &unknown), [Deny, Deny, Ask], "{when}");
    }
    // What decides whatever is unknown is decided.
    for (when, expected) in [
        ("{any: [{to.value: {is: a}}, {time: {present: false}}]}", [Allow, Deny, Ask]),
        ("{all: [{to.value: {is: a}}, {time: {present: true}}]}", [Deny, Allow, Allow]),
        ("{to.value: {known: false}}", [Allow, Deny, Ask]),
        ("{to.value: {known: true}}", [Deny, Allow, Allow]),
        ("{session.link: {is: explicit}}", [Deny, Deny, Ask]),
    ] {
        let when = when.replace("{time:", "{arguments.time:");
        assert_eq!(under_each_effect(&when, &unknown), expected, "{when}");
    }
}

#[test]
fn an_argument_that_was_left_out_passes_no_test_but_that_it_is_not_there() {
    let without = to("a");
    for (when, matches) in [
        ("{body.value: {is: x}}", false),
        ("{body.value: {not_in: [x]}}", false),
        ("{body.bytes: {at_most: 5}}", false),
        ("{body.value: {known: true}}", false),
        ("{body.value: {known: false}}", false),
        ("{body: {present: true}}", false),
        ("{body: {present: false}}", true),
        ("{not: {body.value: {is: x}}}", true),
        ("{not: {body: {present: true}}}", true),
    ] {
        let expected = if matches { [Allow, Deny, Ask] } else { [Deny, Allow, Allow] };
        assert_eq!(under_each_effect(when, &without), expected, "{when}");
    }
}

#[test]
fn unknown_facts_that_mattered_are_named() {
    let one = bundle(
        "rules: [{id: a, tool: mail, action: send, when: {to.value: {is: a}, to.bytes: {below: 9}}, effect: allow}]",
    );
    let Decision { reason, unknown, .. } = decide(&one, json!({"arguments": {"to": []}}));
    assert_eq!(reason, Reason::Unknown);
    assert_eq!(unknown, ["to.bytes", "to.value"]);
    let known = decide(&one, to("b"));
    assert_eq!((known.reason, known.unknown.len()), (Reason::NoRule, 0));
}

#[test]
fn each_test_tests_what_it_says() {
    let labels =
        |labels: &[&str]| json!({"arguments": {"to": "abc"}, "session": {"labels": labels}});
    let ab = labels(&["a", "b"]);
    let empty = labels(&[]);
    for (when, request, matches) in [
        ("{session.labels: {contains: a}}", &ab, true),
        ("{session.labels: {contains: c}}", &ab, false),
        ("{session.labels: {contains_any: [c, b]}}", &ab, true),
        ("{session.labels: {contains_any: [c, d]}}", &ab, false),
        ("{session.labels: {contains_all: [a, b]}}", &ab, true),
        ("{session.labels: {contains_all: [a, c]}}", &ab, false),
        ("{session.labels: {subset_of: [a, b, c]}}", &ab, true),
        ("{session.labels: {subset_of: [a]}}", &ab, false),
        ("{session.labels: {subset_of: [a]}}", &empty, true),
        ("{session.labels: {empty: true}}", &empty, true),
        ("{session.labels: {empty: true}}", &ab, false),
        ("{session.labels: {empty: false}}", &ab, true),
        ("{to.value: {matches: \"a*c\"}}", &ab, true),
        ("{to.value: {matches: \"a\\\\*c\"}}", &ab, false),
        ("{to.bytes: {is: 3}}", &ab, true),
        ("{to.bytes: {in: [1, 2]}}", &ab, false),
        ("{to.bytes: {at_least: 3, at_most: 3}}", &ab, true),
        ("{to.bytes: {above: 3}}", &ab, false),
        ("{to.bytes: {below: 3}}", &ab, false),
        ("{to.value: {in: [abc]}}", &ab, true),
        ("{to.value: {not_in: [abc]}}", &ab, false),
    ] {
        let expected = if matches { [Allow, Deny, Ask] } else { [Deny, Allow, Allow] };
        assert_eq!(under_each_effect(when, request), expected, "{when}");
    }
}

/// What is in a rule stays what it is: no text of it is read as Cedar.
#[test]
fn no_text_breaks_out_of_its_place() {
    let nasty = r#"x" || true || "\ *) }; permit(principal,action,resource); // \u{1F600}"#;
    let quoted = serde_json::to_string(nasty).unwrap();
    let rules = format!(
        "rules: [{{id: a, tool: mail, action: send, when: {{to.value: {{is: {quoted}}}}}, message: {quoted}, effect: allow}}]"
    );
    let one = bundle(&rules);
    assert_eq!(decide(&one, to("y")).verdict, Deny);
    assert_eq!(decide(&one, to(nasty)).verdict, Allow);
}

#[test]
fn the_digest_is_of_names_and_texts_in_any_order() {
    let (a, b) = (("a.yaml", "rules: []"), ("b.yaml", "tests: []"));
    let digest = |files: &[(&str, &str)]| crate::support::load(files).digest;
    assert_eq!(digest(&[a, b]), digest(&[b, a]));
    assert_ne!(digest(&[a, b]), digest(&[("c.yaml", a.1), b]));
    assert_ne!(digest(&[a]), digest(&[a, b]));
}

/// What is denied because nobody knows is denied, and nobody is accused of it.
#[test]
fn a_denial_for_lack_of_knowledge_is_no_security_event() {
    const FILES: &str = "
tools: {mail: {actions: {send: {arguments: {}}}}}
rules:
  - {id: may, tool: mail, action: send, effect: allow}
  - {id: tainted, tool: mail, action: send, effect: deny, security_event: true,
     when: {session.labels: {contains: web}}}
";
    let bundle = Bundle::load(&[("t.yaml", FILES)]).expect("it is valid");
    let decide = |labels: Option<&str>| {
        let mut circumstances = Circumstances::default();
        circumstances.session.labels = labels.map(|label| [label.to_owned()].into());
        bundle.decide(&Request {
            agent: "a",
            version: None,
            tool: "mail",
            action: "send",
            arguments: &json!({}),
            circumstances: &circumstances,
        })
    };
    let (unknown, web) = (decide(None), decide(Some("web")));
    assert_eq!((unknown.verdict, unknown.security_event), (Verdict::Deny, false));
    assert_eq!((web.verdict, web.security_event), (Verdict::Deny, true));
    assert!(bundle.permits("a", "mail", "send"));
    assert!(!bundle.permits("a", "mail", "read") && !bundle.permits("a", "post", "send"));
}
