//! What cannot be understood is refused when it is read, with its place and what to do.

use lockgate_policy::Bundle;

use crate::support::{TOOLS, bundle, errors, refused};

fn rule(rest: &str) -> String {
    errors(&format!("rules:\n  - {{id: a, tool: mail, action: send, {rest}}}\n"))
}

#[test]
fn mistakes_are_told_with_place_and_hint() {
    for (rest, said, hint) in [
        ("effect: alow", "no effect `alow`", "did you mean `allow`?"),
        ("effect: warn", "no effect `warn`", "the effects are `allow`, `deny`, `ask` and `limit`"),
        ("effects: allow", "no field `effects`", "did you mean `effect`?"),
        ("effect: allow, when: {too.value: {is: a}}", "no argument `too`", "did you mean `to`?"),
        ("effect: allow, when: {to.valu: {is: a}}", "no fact `valu`", "did you mean `value`?"),
        ("effect: allow, when: {to.value: {iss: a}}", "no test `iss`", "did you mean `is`?"),
        (
            "effect: allow, when: {to.value: {at_least: 3}}",
            "does not fit `to.value`, which is a text",
            "`is`, `in`",
        ),
        ("effect: allow, when: {to.bytes: {is: abc}}", "must be a whole number, not text", ""),
        ("effect: allow, when: {to.bytes: {is: 1.5}}", "must be a whole number", ""),
        (
            "effect: allow, when: {to.value: {is: 5}}",
            "must be text, not a number",
            "put it in quotes: \"5\"",
        ),
        (
            "effect: allow, when: {to.value: {is: yes}, to: {present: 1}}",
            "must be true or false",
            "",
        ),
        ("effect: allow, when: {to.bytes: {matches: \"*\"}}", "`matches` does not fit", ""),
        ("effect: allow, when: {session.link: {matches: \"*\"}}", "`matches` does not fit", ""),
        ("effect: allow, when: {to: {is: a}}", "`is` does not fit `to`", "`present`"),
        ("effect: allow, when: {session.lnk: {is: a}}", "no `session.lnk`", "did you mean `link`?"),
        ("effect: allow, when: {to.value: {in: []}}", "1 to 256 values, not 0", ""),
        ("effect: allow, when: {}", "a condition is empty", "leave `when` out"),
        ("effect: allow, when: {all: []}", "`all` is an empty list", ""),
        ("effect: allow, when: {any: {to.value: {is: a}}}", "`any` must be a list", ""),
        ("effect: allow, when: {to.value: {}}", "`to.value` is not tested", ""),
        ("effect: allow, when: \"to == 'a' and not x\"", "a condition must be a map, not text", ""),
        ("effect: allow, when: ", "a condition must be a map, not nothing", ""),
        ("effect: allow, when: {to.value: {matches: 'a\\b'}}", "a `\\` stands before", ""),
        ("effect: allow, risk: LLM01", "no risk `LLM01`", "ASI01 to ASI10"),
        ("effect: allow, security_event: true", "raises no security event", ""),
        ("effect: limit", "`limit` is missing", "add `limit: {rate: \"100/hour\"}`"),
        ("effect: limit, limit: {rate: 100}", "`rate` must be text", ""),
        ("effect: limit, limit: {rate: 100/week}", "`100/week` is not a rate", ""),
        ("effect: limit, limit: {rate: 1/day, count: planet}", "by `planet`", ""),
        ("effect: limit, limit: {count: user}", "says what it counts", "add `rate"),
        ("effect: limit, limit: {rate: 1/day, tokens: 5/day}", "`rate` already", "second rule"),
        ("effect: limit, limit: {rate: 1/day, otherwise: 5}", "`otherwise` is for", "leave it out"),
        ("effect: limit, limit: {tokens: 0/day}", "`tokens` is no budget: `0/day`", "100000/day"),
        ("effect: limit, limit: {tokens: 1.5/day}", "is no budget", ""),
        ("effect: limit, limit: {tokens: 5/day, otherwise: 6}", "up to the whole limit", ""),
        ("effect: limit, limit: {usd: 5/week}", "`usd` is no budget", "5.00/day"),
        ("effect: limit, limit: {usd: 5/day, otherwise: many}", "`otherwise` is no amount", ""),
        ("effect: limit, limit: {sum: to.bytes}", "`most` is missing", "most: 5000/day"),
        ("effect: limit, limit: {sum: to.value, most: 5/day}", "cannot be added up", ""),
        ("effect: limit, limit: {sum: amount, most: 5/day}", "no argument `amount`", ""),
        ("effect: limit, limit: {sum: time.hour_utc, most: 5/day}", "cannot be added up", ""),
        ("effect: allow, limit: {rate: 1/day}", "takes no `limit`", ""),
        ("effect: allow, agents: []", "an empty list", ""),
        ("effect: allow, agents: [A B]", "`A B` is not a valid name", ""),
        ("effect: allow, agents: [a, a]", "names `a` twice", ""),
    ] {
        let errors = rule(rest);
        assert!(errors.starts_with("rules.yaml:2:"), "{rest}\n{errors}");
        assert!(errors.contains(said) && errors.contains(hint), "{rest}\n{errors}");
    }
}

#[test]
fn scopes_are_of_what_is_declared() {
    for (rule, said, hint) in [
        (
            "{id: a, tool: mial, action: send, effect: allow}",
            "no tool `mial`",
            "did you mean `mail`?",
        ),
        (
            "{id: a, tool: mail, action: sent, effect: allow}",
            "no action `sent`",
            "did you mean `send`?",
        ),
        ("{id: a, tool: \"*\", action: send, effect: allow}", "is about every action", ""),
        (
            "{id: a, tool: mail, action: [send, read], when: {to.value: {is: a}}, effect: allow}",
            "`read` has no argument `to`",
            "name only actions that have it",
        ),
        (
            "{id: a, tool: mail, action: \"*\", when: {to.value: {is: a}}, effect: allow}",
            "`read` has no argument `to`",
            "",
        ),
        (
            "{id: a, tool: \"*\", action: \"*\", when: {to.value: {is: a}}, effect: deny}",
            "every tool cannot test `to`",
            "`session.link`",
        ),
        ("{tool: mail, action: send, effect: allow}", "`id` is missing", ""),
        ("{id: a b, tool: mail, action: send, effect: allow}", "`a b` cannot be the id", ""),
        ("{id: a, action: send, effect: allow}", "`tool` is missing", ""),
        ("{id: a, tool: mail, effect: allow}", "`action` is missing", ""),
        ("text", "a rule must be a map", ""),
    ] {
        let errors = errors(&format!("rules:\n  - {rule}\n"));
        assert!(errors.contains(said) && errors.contains(hint), "{rule}\n{errors}");
    }
}

#[test]
fn all_errors_of_all_files_come_out_at_once() {
    let bad = "rules: [{id: a, tool: mail, action: send, effect: x}, {id: b, tool: q, action: r, effect: y}]";
    let errors =
        refused(&[("t.yaml", TOOLS), ("a.yaml", bad), ("b.yaml", "rule: []"), ("c.cedar", "perm")]);
    for said in [
        "a.yaml:1:51: error: there is no effect `x`",
        "no tool `q`",
        "no effect `y`",
        "b.yaml:1:1: error: a policy file has no field `rule`",
        "c.cedar:1:",
    ] {
        assert!(errors.contains(said), "{said}\n{errors}");
    }
}

#[test]
fn tools_are_declared_once_and_with_types_that_exist() {
    for (tools, said) in [
        ("tools: {a: {actions: {b: {arguments: {c: txt}}}}}", "no type `txt`"),
        (
            "tools: {a: {actions: {b: {arguments: {c: {type: text, optonal: true}}}}}}",
            "did you mean `optional`?",
        ),
        ("tools: {a: {}}", "`actions` is missing"),
        ("tools: {\"a/b\": {actions: {}}}", "cannot be the name of a tool"),
        ("tools: {a: {actions: {\"*\": {}}}}", "cannot be the name of an action"),
        ("tools: []", "`tools` must be a map"),
    ] {
        let errors = refused(&[("t.yaml", tools)]);
        assert!(errors.contains(said), "{tools}\n{errors}");
    }
    let twice = refused(&[
        ("a.yaml", "tools: {a: {actions: {}}}"),
        ("b.yaml", "tools: {a: {actions: {}}}"),
    ]);
    assert!(twice.contains("b.yaml:1:9: error: the tool `a` is declared twice"), "{twice}");
}

#[test]
fn files_are_bounded_and_of_a_known_kind() {
    assert!(refused(&[("a.yml", "rules: []")]).contains("ends in .yaml or .cedar"));
    assert!(refused(&[("a.json", "{}")]).contains("ends in .yaml or .cedar"));
    assert!(refused(&[("a.yaml", "")]).contains("the file is empty"));
    let large = " ".repeat(5 * 1024 * 1024);
    assert!(refused(&[("a.cedar", &large)]).contains("at most"));
    let many: Vec<(String, &str)> = (0..1001).map(|n| (format!("{n}.yaml"), "rules: []")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    assert!(refused(&many).contains("1001 files"));
    let nested = |depth: usize| {
        let (open, close) = ("{not: ".repeat(depth), "}".repeat(depth));
        format!(
            "rules: [{{id: a, tool: mail, action: send, when: {open}{{to.value: {{is: a}}}}{close}, effect: deny}}]"
        )
    };
    assert!(Bundle::load(&[("t.yaml", TOOLS), ("r.yaml", &nested(10))]).is_ok());
    assert!(errors(&nested(20)).contains("levels deep"));
    assert!(errors(&nested(200)).contains("nested deeper than"));
    let clauses = vec!["{to.value: {is: a}}"; 257].join(", ");
    let wide = format!(
        "rules: [{{id: a, tool: mail, action: send, when: {{any: [{clauses}]}}, effect: deny}}]"
    );
    assert!(errors(&wide).contains("at most 256 tests"));
}

#[test]
fn ids_are_unique_over_all_files() {
    let rule = "rules: [{id: a, tool: mail, action: send, effect: deny}]";
    let errors = refused(&[("t.yaml", TOOLS), ("a.yaml", rule), ("b.yaml", rule)]);
    assert!(errors.contains("b.yaml:1:9: error: there are two rules `a`"), "{errors}");
    assert!(errors.contains("the first one is in a.yaml:1"), "{errors}");
}

#[test]
fn what_is_hardly_meant_is_warned_of() {
    let warned = |rules: &str| bundle(rules).warnings.to_string();
    let one = |rest: &str| {
        warned(&format!(
            "rules:\n  - {{id: a, tool: mail, action: send, {rest}}}\n  - {{id: z, tool: \"*\", action: \"*\", effect: allow}}"
        ))
    };
    for (rest, said) in [
        (
            "when: {to.bytes: {at_least: 5, below: 5}}, effect: deny",
            "`a` can never match: `to.bytes` would be at least 5 and at most 4",
        ),
        (
            "when: {all: [{to.value: {is: x}}, {to.value: {is: y}}]}, effect: deny",
            "would be x and y",
        ),
        ("when: {to.value: {matches: \"*x\"}}, effect: deny", "`matches` compares characters"),
    ] {
        assert!(one(rest).contains(said), "{rest}\n{}", one(rest));
    }
    assert_eq!(one("when: {to.bytes: {at_least: 5, at_most: 5}}, effect: deny"), "");
    let idle = warned(
        "rules: [{id: a, tool: mail, action: send, effect: allow}, {id: b, tool: mail, action: \"*\", effect: deny}]",
    );
    assert!(idle.contains("`a` never counts: `b` denies it all"), "{idle}");
    let silent = warned("rules: [{id: a, tool: mail, action: send, effect: allow}]");
    assert!(
        silent.contains("tools.yaml:6:7: warning: nothing allows `read` of `mail`"),
        "{silent}"
    );
    assert!(!silent.contains("`send` of"), "{silent}");
}

/// Such a rule does not do what it says where most requests come from.
#[test]
fn a_rule_that_hangs_on_what_the_server_never_knows_is_warned_of() {
    let warned = |when: &str, effect: &str| {
        let rules = format!(
            "rules:\n  - {{id: a, tool: mail, action: '*', when: {when}, effect: {effect}}}\n  - {{id: z, tool: '*', action: '*', effect: allow}}"
        );
        bundle(&rules).warnings.to_string()
    };
    for (when, names) in [
        ("{budget.left_tokens: {at_least: 5}}", "`budget.left_tokens`,"),
        (
            "{any: [{time.hour_utc: {is: 1}}, {not: {budget.left_calls: {below: 1}, budget.left_nanousd: {above: 0}}}]}",
            "`budget.left_calls`, `budget.left_nanousd`,",
        ),
    ] {
        for (effect, then) in [
            ("allow", "an allow that hangs on it never matches"),
            ("deny", "it always matches"),
            ("ask", "it always matches"),
        ] {
            let said = warned(when, effect);
            assert!(said.starts_with("rules.yaml:2:5: warning: the rule `a` tests "), "{said}");
            assert!(said.contains(names) && said.contains(then), "{said}");
            assert!(said.contains("hint: bound it with a rule of `effect: limit`"), "{said}");
        }
    }
    assert_eq!(warned("{time.hour_utc: {is: 1}, session.link: {is: none}}", "deny"), "");
}

proptest::proptest! {
    /// Whatever stands in a file, it is read or refused, and an error has a place in it.
    #[test]
    fn no_text_is_too_odd_to_be_refused(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "rules", "tools", "tests", ":", " ", "\n", "\n  ", "- ", "{", "}", "[", "]", ",", "id: a", "tool: mail",
            "action: \"*\"", "effect: deny", "when", "to.value", "is: x", "not: ", "all: [", "any: [{", "\"", "'", "#",
            "permit", "forbid", "(principal, action, resource)", "when {", "context", ".arguments", "has", ";", "@id(\"x\")",
            "like", "&&", "!", "ä", "\u{1F600}", "\\", "?principal", "999999999999999999999", "null", "|", ">",
        ]), 0..40),
    ) {
        let text = words.concat();
        for name in ["x.yaml", "x.cedar"] {
            if let Err(errors) = Bundle::load(&[("t.yaml", TOOLS), (name, &text)]) {
                let lines = u32::try_from(text.lines().count()).unwrap() + 1;
                proptest::prop_assert!(!errors.is_empty());
                for error in &errors {
                    proptest::prop_assert!(error.line >= 1 && error.line <= lines.max(1), "{error}\n{text}");
                }
            }
        }
    }
}
