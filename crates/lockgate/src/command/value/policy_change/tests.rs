use lockgate_value::suggest::question::Counts;

use super::*;

const TEXT: &str = "tools:
  orders:
    actions:
      look_up: { arguments: { number: text } }
      refund: { arguments: { number: text } }
      cancel: { arguments: { number: text } }
rules:
  - id: allowed
    tool: orders
    action: \"*\"
    effect: allow

  # People are asked.
  - id: asks
    tool: orders
    action: [refund, cancel]
    when:
      number.bytes: { at_least: 3 }
    effect: ask
    ask: { approvals: 1 }
    message: A person decides.

  # The last one.
  - id: often
    tool: orders
    action: look_up
    effect: limit
    limit: { rate: 60/minute }
";

fn policies(text: &str) -> Policies {
    let files = vec![("orders.yaml".to_owned(), text.to_owned())];
    let bundle = load(&files).unwrap();
    Policies { directory: "policies".into(), files, bundle }
}

fn asked(finding: Found, actions: &[&str]) -> Asked {
    Asked {
        rule: "asks".into(),
        agents: Vec::new(),
        finding,
        why: String::new(),
        missing: Vec::new(),
        counts: Counts::default(),
        granted_share: None,
        waited_ms: None,
        classes: Vec::new(),
        effect: None,
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
    }
}

fn lines(patch: &str) -> Vec<&str> {
    patch.lines().skip(2).filter(|line| !line.starts_with("@@")).collect()
}

#[test]
fn a_rule_goes_whole_and_its_neighbours_stay() {
    let policies = policies(TEXT);
    assert_eq!(policies.place("asks").as_deref(), Some("orders.yaml:14"));
    let patch = policies.patch(&asked(Found::Narrow, &["orders/refund", "orders/cancel"])).unwrap();
    let gone = lines(&patch);
    assert_eq!(
        (gone.first(), gone.last()),
        (Some(&"-  - id: asks"), Some(&"-    message: A person decides."))
    );
    assert_eq!(gone.len(), 8, "{patch}");
}

#[test]
fn a_rule_asks_about_less() {
    let patch = policies(TEXT).patch(&asked(Found::Narrow, &["orders/refund"])).unwrap();
    assert_eq!(lines(&patch), ["-    action: [refund, cancel]", "+    action: [cancel]"]);
    let any = TEXT.replace("action: [refund, cancel]", "action: \"*\" # all");
    let patch = policies(&any).patch(&asked(Found::Narrow, &["orders/refund"])).unwrap();
    assert_eq!(lines(&patch)[1], "+    action: [cancel, look_up] # all");
    let block = TEXT.replace("action: [refund, cancel]", "action:\n      - refund\n      - cancel");
    assert_eq!(policies(&block).patch(&asked(Found::Narrow, &["orders/refund"])), None);
}

#[test]
fn a_rule_that_denies_asks_nobody() {
    let patch = policies(TEXT).patch(&asked(Found::Deny, &[])).unwrap();
    assert_eq!(
        lines(&patch),
        ["-    effect: ask", "+    effect: deny", "-    ask: { approvals: 1 }"]
    );
    let block = TEXT.replace("ask: { approvals: 1 }", "ask:\n      approvals: 1");
    assert_eq!(policies(&block).patch(&asked(Found::Deny, &[])), None);
}

#[test]
fn what_is_no_change_of_a_rule_that_asks_is_no_patch() {
    let policies = policies(TEXT);
    for finding in [Found::Fine, Found::Kept, Found::Insufficient, Found::AnswerLater] {
        assert_eq!(policies.patch(&asked(finding, &[])), None, "{finding:?}");
    }
    let other = Asked { rule: "often".into(), ..asked(Found::Deny, &[]) };
    assert_eq!(policies.patch(&other), None, "it asks nobody");
    let none = Asked { rule: "gone".into(), ..asked(Found::Deny, &[]) };
    assert_eq!((policies.patch(&none), policies.place("gone")), (None, None));
}
