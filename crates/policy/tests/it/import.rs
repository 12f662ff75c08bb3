//! Imported policies are never weaker than what was imported, and what would have to be is refused.
//!
//! Tests that are called `agt_…` hold what was seen to fail in version 4.1.0 of the Agent Governance Toolkit.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lockgate_policy::{
    ActionName, ArgumentName, Bundle, Imported, Importing, ToolName, Verdict, import,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support;

fn importing(arguments: &[(&str, &str)]) -> Importing {
    let arguments = arguments
        .iter()
        .map(|(field, name)| ((*field).to_owned(), ArgumentName::new(name).unwrap()))
        .collect::<BTreeMap<_, _>>();
    let actions = vec![ActionName::new("other").unwrap()];
    Importing { tool: ToolName::new("db").unwrap(), actions, arguments }
}

fn v1(default: &str, rules: &str) -> String {
    format!(
        "apiVersion: governance.toolkit/v1\nname: p\nagents: ['*']\ndefault_action: {default}\nrules:\n{rules}"
    )
}

/// One rule that denies under this condition, where all else is allowed.
fn denies(condition: &str) -> String {
    v1("allow", &format!("  - name: no\n    condition: {}\n    action: deny\n", json!(condition)))
}

fn imported(text: &str) -> (Bundle, Imported) {
    let imported =
        import(&[("p.yaml", text)], &importing(&[])).unwrap_or_else(|errors| panic!("{errors}"));
    (support::load(&[("imported.yaml", &imported.yaml)]), imported)
}

fn errors(text: &str) -> String {
    match import(&[("p.yaml", text)], &importing(&[])) {
        Ok(imported) => panic!("nothing was refused:\n{}", imported.yaml),
        Err(errors) => errors.to_string(),
    }
}

fn verdict(bundle: &Bundle, action: &str, arguments: &Value) -> Verdict {
    let request = json!({"tool": "db", "action": action, "arguments": arguments});
    support::decide(bundle, request).verdict
}

#[track_caller]
fn outcomes(condition: &str, denied: &[(&str, Value)], allowed: &[(&str, Value)]) {
    let (bundle, _) = imported(&denies(condition));
    for (action, arguments) in denied {
        let verdict = verdict(&bundle, action, arguments);
        assert_eq!(verdict, Verdict::Deny, "{condition}: {action} {arguments}");
    }
    for (action, arguments) in allowed {
        let verdict = verdict(&bundle, action, arguments);
        assert_eq!(verdict, Verdict::Allow, "{condition}: {action} {arguments}");
    }
}

#[test]
fn agt_parentheses_in_a_condition_are_read() {
    outcomes(
        "(action.type == 'drop' or action.type == 'truncate') and (args.env == 'prod')",
        &[("drop", json!({"env": "prod"})), ("truncate", json!({"env": "prod"}))],
        &[("drop", json!({"env": "test"})), ("other", json!({"env": "prod"})), ("drop", json!({}))],
    );
}

#[test]
fn agt_not_in_a_condition_is_read() {
    outcomes(
        "action.type == 'drop' and not args.confirmed",
        &[("drop", json!({})), ("drop", json!({"confirmed": false}))],
        &[("drop", json!({"confirmed": true})), ("other", json!({}))],
    );
    outcomes(
        "not (action.type in ['other', 'read'])",
        &[("drop", json!({}))],
        &[("other", json!({})), ("read", json!({}))],
    );
    outcomes(
        "args.env not in ['test', 'dev']",
        &[("other", json!({"env": "prod"})), ("other", json!({}))],
        &[("other", json!({"env": "dev"}))],
    );
}

#[test]
fn agt_mixed_and_or_have_their_precedence() {
    // there: split at `or` first, which is right, but only without parentheses around it
    outcomes(
        "action.type == 'drop' or action.type == 'read' and args.env == 'prod'",
        &[("drop", json!({"env": "test"})), ("read", json!({"env": "prod"}))],
        &[("read", json!({"env": "test"})), ("other", json!({"env": "prod"}))],
    );
    outcomes(
        "(action.type == 'drop' or action.type == 'read') and not args.env == 'test' or args.force",
        &[("read", json!({"env": "prod"})), ("other", json!({"force": true})), ("drop", json!({}))],
        &[("read", json!({"env": "test"})), ("other", json!({"force": false}))],
    );
}

#[test]
fn agt_a_typo_in_a_field_is_refused() {
    let told = errors(&denies("acton.type == 'drop'"));
    assert!(told.contains("p.yaml:7:16: error: nothing is known of `acton.type`"), "{told}");
    assert!(told.contains("did you mean") && told.contains("action.type"), "{told}");
    let told = errors(&denies("action.type == 'drop' and user.role != 'admin'"));
    assert!(told.contains("nothing is known of `user.role`"), "{told}");
    let told =
        errors(&v1("allow", "  - {name: a, condition: \"action.type == 'x'\", acton: deny}\n"));
    assert!(told.contains("a rule has no field `acton`"), "{told}");
}

#[test]
fn agt_a_condition_of_more_than_2000_characters_is_read() {
    let names: Vec<String> = (0..200).map(|n| format!("action.type == 'drop_table_{n}'")).collect();
    let condition = names.join(" or ");
    assert!(condition.len() > 2_000);
    outcomes(
        &condition,
        &[("drop_table_0", json!({})), ("drop_table_199", json!({}))],
        &[("other", json!({}))],
    );
    let deep = format!("{}action.type == 'x'{}", "(".repeat(40), ")".repeat(40));
    assert!(errors(&denies(&deep)).contains("nested too deeply"));
    assert!(errors(&denies(&"x".repeat(70_000))).contains("at most 65536 bytes"));
}

#[test]
fn agt_warn_and_log_do_not_block_but_ask_and_that_is_told() {
    for action in ["warn", "log"] {
        let rules =
            format!("  - {{name: w, condition: \"action.type == 'x'\", action: {action}}}\n");
        let (bundle, imported) = imported(&v1("deny", &rules));
        assert_eq!(verdict(&bundle, "x", &json!({})), Verdict::Ask);
        assert_eq!(verdict(&bundle, "other", &json!({})), Verdict::Deny);
        let told = imported.differences.to_string();
        assert!(told.contains(&format!("`{action}` is said to allow and record")), "{told}");
    }
}

#[test]
fn agt_a_default_that_depends_on_the_order_of_files_is_refused() {
    let [open, closed] = ["allow", "deny"].map(|default| {
        v1(default, "  - {name: a, condition: \"action.type == 'x'\", action: allow}\n")
    });
    for files in
        [[("a.yaml", &open), ("b.yaml", &closed)], [("a.yaml", &closed), ("b.yaml", &open)]]
    {
        let files = files.map(|(name, text)| (name, text.as_str()));
        let told = import(&files, &importing(&[])).unwrap_err().to_string();
        assert!(told.contains("b.yaml:4:17: error: "), "{told}");
        assert!(told.contains("the one that is loaded first decides"), "{told}");
    }
    let both = [("a.yaml", open.as_str()), ("b.yaml", open.as_str())];
    let imported = import(&both, &importing(&[])).unwrap();
    assert!(imported.yaml.contains("\"a-2\""), "names stay apart: {}", imported.yaml);
}

#[test]
fn what_would_get_lost_is_refused() {
    let rule = |extra: &str| {
        v1("deny", &format!("  - {{name: a, condition: \"action.type == 'x'\", {extra}}}\n"))
    };
    let head = |line: &str| format!("{line}\n{}", rule("action: deny"));
    for (text, said) in [
        (rule("stage: post_tool, action: deny"), "the stage `post_tool` has no counterpart"),
        (rule("action: rate_limit"), "there is no action `rate_limit`"),
        (rule("action: allow, limit: 5/week"), "`5/week` is not a rate"),
        (rule("action: deny, limit: 5/hour"), "what is denied has no limit"),
        (head("extends: [base.yaml]"), "`extends` is not followed"),
        (rule("action: deny").replace("agents: ['*']", "agents: []"), "names no agent"),
        (rule("action: deny").replace("toolkit/v1", "toolkit/v9"), "the version `governance.toolkit/v9` is not known"),
        (denies("args.a == 'x' and args.a > 3"), "compared as a number here and as a text before"),
        (denies("action.type == 'x' and tool_name == 'x'"), "both `action.type` and `tool_name` name the action"),
        (denies("args.a matches 'rm\\s+-rf'"), "a backslash is in a text"),
        (denies("args.a matches 'a.*b'"), "cannot be carried over"),
        (denies("args.a = 'x'"), "a single `=`"),
        (denies("args.a in ['x', 3]"), "a list of choices cannot be read"),
        (denies("args.a == 'x' args.b == 'y'"), "goes on with `args.b`"),
        (denies("args.a =="), "has no value"),
        (denies("(args.a == 'x'"), "a parenthesis is not closed"),
        (denies("args.a == 'x"), "a quote is not closed"),
        (denies("args.a == 'x' && args.b"), "`&` means nothing"),
        (denies("action.type == 'drop table'"), "cannot be the name of an action"),
        ("name: p\nrules: []\ntool_allowlist: [a]\n".into(), "`tool_allowlist` cannot be carried over"),
        ("name: p\nrules: []\ndefaults: {action: deny, max_tokens: 5}\n".into(), "has no field `max_tokens`"),
        ("name: p\nrules:\n  - {name: a, action: deny, condition: {field: args.x, operator: matches, value: '^a$'}}\n".into(), "`matches` cannot be carried over"),
    ] {
        let told = errors(&text);
        assert!(told.contains(said) && told.contains("p.yaml:"), "{said}: {told}");
    }
}

#[test]
fn every_difference_is_told() {
    let text = "apiVersion: governance.toolkit/v1\nname: p\nagents: ['*']\nscope: tenant\ndefault_action: allow\nrules:
  - {name: a, condition: \"action.type == 'x'\", action: allow, priority: 9, limit: 100/hour}
  - {name: b, condition: \"args.big\", action: deny, priority: 1}
  - {name: c, condition: \"action.type == 'y'\", action: require_approval, approvers: [z]}
  - {name: d, condition: \"action.type == 'y'\", action: deny, enabled: false}
";
    let (bundle, imported) = imported(text);
    let told = imported.differences.to_string();
    for said in [
        "the scope `tenant` has no meaning here",
        "`a` goes before `b` there",
        "the limit counts each agent alone",
        "`approvers` are the names of API tokens here",
        "the rule is switched off",
        "what no rule matches is allowed there",
        "only actions that are named and arguments that are tested are declared",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert_eq!(verdict(&bundle, "y", &json!({})), Verdict::Ask);
    assert_eq!(verdict(&bundle, "x", &json!({"big": true})), Verdict::Deny);
    let request = json!({"tool": "db", "action": "x"});
    assert_eq!(support::decide(&bundle, request).obligations.len(), 1);
    let asks = support::decide(&bundle, json!({"tool": "db", "action": "y"})).asks;
    assert_eq!(asks[0].ask.from, ["z"]);
}

#[test]
fn agents_and_arguments_are_carried_over() {
    let text = v1(
        "deny",
        "  - {name: a, condition: \"action.type == 'x' and spend < 100.5\", action: allow}\n",
    )
    .replace("['*']", "[support, billing]");
    let importing = importing(&[("spend", "amount")]);
    let imported = import(&[("p.yaml", &text)], &importing).unwrap_or_else(|e| panic!("{e}"));
    let bundle = support::load(&[("imported.yaml", &imported.yaml)]);
    let decide = |agent: &str, amount: Value| {
        let request =
            json!({"agent": agent, "tool": "db", "action": "x", "arguments": {"amount": amount}});
        support::decide(&bundle, request).verdict
    };
    assert_eq!(decide("support", json!(100)), Verdict::Allow);
    assert_eq!(decide("support", json!(101)), Verdict::Deny);
    assert_eq!(decide("support", json!(1.5)), Verdict::Deny, "what is unknown allows nothing");
    assert_eq!(decide("sales", json!(1)), Verdict::Deny);
}

#[test]
fn policy_documents_are_imported_with_every_operator() {
    let rules = [
        ("eq", json!("a"), json!("a"), json!("b")),
        ("ne", json!("a"), json!("b"), json!("a")),
        ("in", json!(["a", "b"]), json!("b"), json!("c")),
        ("not_in", json!(["a", "b"]), json!("c"), json!("a")),
        ("contains", json!("a*b"), json!("xa*by"), json!("axb")),
        ("matches", json!("^DROP|TRUNCATE"), json!("DROP t"), json!("x DROP")),
        ("gt", json!(5), json!(6), json!(5)),
        ("gte", json!(5), json!(5), json!(4)),
        ("lt", json!(5), json!(4), json!(5)),
        ("lte", json!(5), json!(5), json!(6)),
        ("eq", json!(true), json!(true), json!(false)),
    ];
    for (operator, value, hit, miss) in rules {
        let rule = json!({"name": "r", "action": "block", "message": "m",
            "condition": {"field": "args.x", "operator": operator, "value": value}});
        let text =
            json!({"version": "1.0", "name": "p", "inherit": false, "rules": [rule]}).to_string();
        let (bundle, _) = imported(&text);
        for (argument, expected) in [
            (json!({"x": hit}), Verdict::Deny),
            (json!({"x": miss}), Verdict::Allow),
            (json!({}), Verdict::Allow),
        ] {
            assert_eq!(verdict(&bundle, "other", &argument), expected, "{operator} {argument}");
        }
    }
}

/// A condition as text, and what it means: of an action and two arguments that may be left out.
#[derive(Debug, Clone)]
enum Meant {
    Action(&'static str, bool),
    Text(&'static str, bool),
    More(i64),
    Less(i64),
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
}

struct Call {
    action: &'static str,
    text: Option<&'static str>,
    number: Option<i64>,
}

impl Meant {
    fn written(&self) -> String {
        let joined = |parts: &[Self], word: &str| {
            let parts: Vec<String> =
                parts.iter().map(|part| format!("({})", part.written())).collect();
            parts.join(word)
        };
        match self {
            Self::Action(name, true) => format!("action.type == '{name}'"),
            Self::Action(name, false) => format!("action.type != \"{name}\""),
            Self::Text(text, true) => format!("args.t in ['{text}']"),
            Self::Text(text, false) => format!("args.t != '{text}'"),
            Self::More(bound) => format!("args.n > {bound}"),
            Self::Less(bound) => format!("args.n <= {bound}"),
            Self::All(parts) => joined(parts, " and "),
            Self::Any(parts) => joined(parts, " or "),
            Self::Not(part) => format!("not ({})", part.written()),
        }
    }

    /// As it is documented there: what is missing equals nothing, and counts as 0.
    fn holds(&self, call: &Call) -> bool {
        match self {
            Self::Action(name, is) => (call.action == *name) == *is,
            Self::Text(text, is) => (call.text == Some(text)) == *is,
            Self::More(bound) => call.number.unwrap_or(0) > *bound,
            Self::Less(bound) => call.number.unwrap_or(0) <= *bound,
            Self::All(parts) => parts.iter().all(|part| part.holds(call)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(call)),
            Self::Not(part) => !part.holds(call),
        }
    }
}

fn meant() -> impl Strategy<Value = Meant> {
    let leaf = prop_oneof![
        (prop::sample::select(vec!["x", "y", "z"]), any::<bool>())
            .prop_map(|(name, is)| Meant::Action(name, is)),
        (prop::sample::select(vec!["u", "v"]), any::<bool>())
            .prop_map(|(text, is)| Meant::Text(text, is)),
        (-2..3_i64).prop_map(Meant::More),
        (-2..3_i64).prop_map(Meant::Less),
    ];
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Meant::All),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Meant::Any),
            inner.prop_map(|part| Meant::Not(Box::new(part))),
        ]
    })
}

fn call() -> impl Strategy<Value = Call> {
    (
        prop::sample::select(vec!["x", "y", "z", "other"]),
        prop::option::of(prop::sample::select(vec!["u", "v", "w"])),
        prop::option::of(-3..4_i64),
    )
        .prop_map(|(action, text, number)| Call { action, text, number })
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {:?}", self.action, self.text, self.number)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever stands in a condition, it is read or refused at its place.
    #[test]
    fn no_condition_is_too_odd_to_be_refused(
        condition in prop_oneof![
            any::<String>(),
            prop::collection::vec(
                prop::sample::select(vec![
                    "args.a", "action.type", "==", "!=", "'x'", "\"", "'", "(", ")", "[", "]", ",", "not", "in", "and", "or",
                    "5", "-1.5", ">", "<=", "contains", "matches", "true", "é", "\\", "-", "=",
                ]),
                0..12,
            )
            .prop_map(|words| words.join(" ")),
        ],
    ) {
        let text = denies(&condition);
        match import(&[("p.yaml", &text)], &importing(&[])) {
            Ok(imported) => prop_assert!(Bundle::load(&[("i.yaml", &imported.yaml)]).is_ok()),
            Err(errors) => prop_assert!(errors.iter().all(|error| error.line > 0), "{}", errors),
        }
    }

    /// The rule of the highest priority that matches decides there, else the default. What is denied there is denied or
    /// asked here, what needs a person is denied or asked, and where rules do not contradict each other nothing changes.
    #[test]
    fn what_is_imported_is_never_weaker(
        rules in prop::collection::vec(
            (meant(), prop::sample::select(vec!["allow", "deny", "require_approval"]), 0..3_i64),
            0..5,
        ),
        opens in any::<bool>(),
        calls in prop::collection::vec(call(), 6),
    ) {
        let mut text = String::new();
        for (n, (condition, action, priority)) in rules.iter().enumerate() {
            let condition = json!(condition.written());
            let _ = writeln!(text, "  - {{name: r{n}, condition: {condition}, action: {action}, priority: {priority}}}");
        }
        let text = v1(if opens { "allow" } else { "deny" }, if text.is_empty() { "  []\n" } else { &text });
        let (bundle, _) = imported(&text);
        let declared = |argument: &str| {
            bundle.tools["db"].actions["other"].arguments.contains_key(argument)
        };
        for call in calls {
            let mut arguments = json!({});
            if let (Some(text), true) = (call.text, declared("t")) {
                arguments["t"] = json!(text);
            }
            if let (Some(number), true) = (call.number, declared("n")) {
                arguments["n"] = json!(number);
            }
            if !bundle.tools["db"].actions.contains_key(call.action) {
                continue;
            }
            let mut matching: Vec<_> = rules.iter().filter(|(meant, ..)| meant.holds(&call)).collect();
            matching.sort_by_key(|(_, _, priority)| -priority);
            let there = matching.first().map_or(if opens { "allow" } else { "deny" }, |(_, action, _)| *action);
            let here = verdict(&bundle, call.action, &arguments);
            match there {
                "deny" | "require_approval" => prop_assert_ne!(here, Verdict::Allow, "{:?}", call),
                _ => {}
            }
            if matching.iter().all(|(_, action, _)| *action == there) {
                let same = match there {
                    "allow" => Verdict::Allow,
                    "deny" => Verdict::Deny,
                    _ => Verdict::Ask,
                };
                prop_assert_eq!(here, same, "{:?}", call);
            }
        }
    }
}
