//! What changed between two files.

use lockgate_model::config::{self, Config, diff, weakened};

const OLD: &str = "\
agents:
  - name: a
    match: [{ path: /a }]
    versions:
      - { name: v1, endpoint: \"http://x\" }
  - name: b
    match: [{ path: /b }]
    versions:
      - { name: v1, endpoint: \"http://y\" }
";

fn read(text: &str) -> Config {
    config::read("f.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn layout_comments_and_order_are_no_change() {
    let moved = "\
# the same
agents:
  - { name: b, match: [{ path: /b/ }], versions: [{ name: v1, endpoint: \"http://y\" }] }
  - { name: a, match: [{ path: /a }], versions: [{ name: v1, endpoint: \"http://x\" }] }
";
    assert_eq!(diff(&read(OLD), &read(moved)), []);
}

#[test]
fn each_change_has_its_path() {
    let new = "\
listen: { ingress: 0.0.0.0:80 }
agents:
  - name: a
    match: [{ path: /a }]
    plan: p
    versions:
      - { name: v1, endpoint: \"http://x\" }
      - { name: v2, endpoint: \"http://z\", test_endpoint: \"http://t\" }
plans:
  - name: p
";
    let changes = diff(&read(OLD), &read(new));
    let paths: Vec<(&str, bool, bool)> =
        changes.iter().map(|c| (c.path.as_str(), c.from.is_some(), c.to.is_some())).collect();
    assert_eq!(
        paths,
        [
            ("listen.ingress", true, true),
            ("agents.a.plan", true, true),
            ("agents.a.versions.v2", false, true),
            ("agents.b", true, false),
            ("plans.p", false, true),
        ]
    );
    assert_eq!(changes[0].from, Some("0.0.0.0:8080".into()));
    assert_eq!(changes[0].to, Some("0.0.0.0:80".into()));
}

#[test]
fn one_gate_is_found_by_its_metric() {
    let with = |bound: &str| {
        read(&format!("{OLD}plans:\n  - name: p\n    gates:\n      error_rate: \"{bound}\"\n"))
    };
    let changes = diff(&with("< 1%"), &with("< 2%"));
    let first = &changes[0];
    assert_eq!(first.path, "plans.p.stages.10%.gates.error_rate.bound.below");
    assert_eq!((first.from.as_ref(), first.to.as_ref()), (Some(&0.01.into()), Some(&0.02.into())));
}

#[test]
fn both_triggers_on_errors_are_compared() {
    let with = |bound: &str| {
        read(&format!("{OLD}plans:\n  - name: p\n    triggers:\n      error_rate: \"{bound}\"\n"))
    };
    let changes = diff(&with("> 3%"), &with("> 4%"));
    let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(paths, ["plans.p.triggers.error_rate.bound.above"]);
    let changes = diff(&with("> 3%"), &with("> baseline + 10%"));
    assert!(!changes.is_empty(), "one relative trigger does not hide the other");
}

#[test]
fn looking_less_at_security_is_said() {
    let with = |gates: &str, trigger: &str| {
        read(&format!(
            "{OLD}plans:\n  - name: p\n    gates: {{ error_rate: \"< 1%\"{gates} }}\n    triggers:\n      security_events: {trigger}\n"
        ))
    };
    let (gate, armed) = (", security_events: \"= 0\"", "{ bound: \"> 0\" }");
    let before = with(gate, armed);
    assert_eq!(weakened(&before, &before), Vec::<String>::new());
    let gone = weakened(&before, &with("", armed));
    assert_eq!(gone.len(), 3, "a line a stage with users: {gone:?}");
    assert!(gone[0].contains("stage `10%` of plan `p`"), "{gone:?}");
    assert_eq!(weakened(&with("", armed), &before), Vec::<String>::new(), "more is no loss");
    for trigger in ["{ dry_run: true }", "{ bound: \"> baseline\" }", "{ action: switch }"] {
        let softer = weakened(&before, &with(gate, trigger));
        assert_eq!(softer.len(), 1, "{trigger}: {softer:?}");
    }
}
