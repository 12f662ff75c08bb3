//! Policies in Cedar itself, beside rules.

use lockgate_policy::{Reason, Verdict};
use serde_json::json;

use crate::support::{TOOLS, decide, load, refused, rules};

const CEDAR: &str = r#"
@id("short-mails")
permit (principal, action == Action::"mail/send", resource)
when { context.arguments.to has bytes && context.arguments.to.bytes < 10 };

@id("no-root") @risk("ASI03") @message("never root") @security_event("true")
forbid (principal, action in Action::"mail/*", resource)
when { context.arguments has to && context.arguments.to has value && context.arguments.to.value == "root" };

@id("from-outside") @set("approval")
permit (principal == Agent::"support", action, resource == Tool::"mail")
when { if context.session has labels then context.session.labels.contains("web") else true };
"#;

#[test]
fn native_policies_decide_beside_rules() {
    let files = [
        ("tools.yaml", "tools: {mail: {actions: {send: {arguments: {to: text}}}}}"),
        ("more.cedar", CEDAR),
    ];
    let bundle = load(&files);
    let ask = |to: &str, labels: &[&str]| {
        decide(&bundle, json!({"arguments": {"to": to}, "session": {"labels": labels}}))
    };
    let allowed = ask("me", &[]);
    assert_eq!((allowed.verdict, rules(&allowed)), (Verdict::Allow, vec!["short-mails"]));
    let asks = ask("me", &["web"]);
    assert_eq!((asks.verdict, rules(&asks)), (Verdict::Ask, vec!["from-outside"]));
    let root = ask("root", &["web"]);
    assert_eq!((root.verdict, rules(&root)), (Verdict::Deny, vec!["no-root"]));
    assert_eq!(root.message.as_deref(), Some("never root"));
    assert!(root.security_event && root.risk.is_some());
    assert_eq!(ask("somebody else", &[]).reason, Reason::NoRule);
}

/// Cedar skips a policy that fails, even one that forbids (cedar-policy/cedar#2428). Here it denies.
#[test]
fn a_policy_that_fails_denies() {
    for (head, body) in [
        ("@id(\"f\") forbid", "context.arguments.to.bytes * 9223372036854775807 > 5"),
        ("@id(\"f\") permit", "context.arguments.to.bytes * 9223372036854775807 > 5"),
        (
            "@id(\"f\") @set(\"approval\") permit",
            "context.arguments.to.bytes + 9223372036854775807 > 5",
        ),
    ] {
        let cedar = format!(
            "{head} (principal, action == Action::\"mail/send\", resource) when {{ context.arguments.to has bytes && {body} }};"
        );
        let rules = "rules: [{id: all, tool: mail, action: \"*\", effect: allow}]";
        let bundle = load(&[("t.yaml", TOOLS), ("r.yaml", rules), ("n.cedar", &cedar)]);
        let decision = decide(&bundle, json!({"arguments": {"to": "abc"}}));
        assert_eq!(decision.verdict, Verdict::Deny, "{head}");
        let Reason::Failed { failures } = decision.reason else { panic!("{:?}", decision.reason) };
        assert_eq!(failures[0].rule.as_ref().map(lockgate_policy::RuleId::as_str), Some("f"));
        assert!(failures[0].error.contains("overflow"), "{}", failures[0].error);
        let other = decide(&bundle, json!({"action": "read", "arguments": {"box": "in"}}));
        assert_eq!(other.verdict, Verdict::Allow, "what fails elsewhere does not matter here");
    }
}

#[test]
fn what_is_wrong_in_a_native_file_is_told_with_its_place() {
    let wrong = |cedar: &str| refused(&[("t.yaml", TOOLS), ("n.cedar", cedar)]);
    for (cedar, place, said) in [
        ("\n  permit (principal, action, resource);", "n.cedar:2:3", "has no name"),
        (
            "@id(\"a\") permit (principal, action, resource) when { context.x };",
            "n.cedar:1:",
            "attribute `x`",
        ),
        (
            "\n@id(\"a\")\npermit (principal, action == Action::\"mail/sendd\", resource);",
            "n.cedar:3:",
            "mail/sendd",
        ),
        (
            "@id(\"a\") permit (principal, action == Action::\"mail/send\", resource)\nwhen { context.arguments.to.value == \"x\" };",
            "n.cedar:2:",
            "value",
        ),
        (
            "@id(\"a\") permit (principal, action == Action::\"mail/send\", resource)\nwhen { context.arguments.to == 5 };",
            "n.cedar:2:",
            "compatible",
        ),
        (
            "@id(\"a\") permit (principal, action, resource)\n  whenn { true };",
            "n.cedar:2:3",
            "whenn",
        ),
        (
            "@id(\"a\") @set(\"hard\") permit (principal, action, resource);",
            "n.cedar:1:1",
            "no set `hard`",
        ),
        (
            "@id(\"a\") @sett(\"approval\") permit (principal, action, resource);",
            "n.cedar:1:1",
            "no annotation `@sett`",
        ),
        (
            "@id(\"a\") @set(\"approval\") forbid (principal, action, resource);",
            "n.cedar:1:1",
            "cannot ask",
        ),
        (
            "@id(\"a\") @risk(\"ASI99\") forbid (principal, action, resource);",
            "n.cedar:1:1",
            "no risk `ASI99`",
        ),
        (
            "@id(\"a\") permit (principal == ?principal, action, resource);",
            "n.cedar:1:1",
            "templates",
        ),
        (
            "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") forbid (principal, action, resource);",
            "n.cedar:2:1",
            "two rules `a`",
        ),
    ] {
        let errors = wrong(cedar);
        assert!(errors.contains(place) && errors.contains(said), "{cedar}\n{errors}");
    }
}
