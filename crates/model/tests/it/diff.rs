//! What changed between two files.

use lockgate_model::config::{self, Config, Told, at_next_start, diff, diff_in_words, weakened};

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
fn a_path_that_is_asked_for_no_more_is_said() {
    let with = |path: &str| read(&format!("{OLD}plans:\n  - name: p\n{path}"));
    let before = with("    path: microservices\n");
    let said = ["plan `p` no longer asks for the path `microservices`"];
    assert_eq!(weakened(&before, &with("    path: monolith\n")), said);
    assert_eq!(weakened(&before, &with("")), said);
    assert_eq!(weakened(&with(""), &before), Vec::<String>::new(), "more is no loss");
    let paths: Vec<String> = diff(&with(""), &before).into_iter().map(|one| one.path).collect();
    assert_eq!(paths, ["plans.p.path"]);
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

#[test]
fn asking_less_about_drift_is_said() {
    let with = |drift: &str| read(&format!("{OLD}plans:\n  - name: p\n{drift}"));
    let before = with("    drift: { max_age: 1h, of: [infra, cluster] }\n");
    for (drift, told) in [
        ("", "no longer asks whether there is drift"),
        ("    drift: { max_age: 1h, of: [infra] }\n", "no longer asks `cluster`"),
        ("    drift: { max_age: 2h, of: [cluster, infra] }\n", "takes older results"),
    ] {
        let weaker = weakened(&before, &with(drift));
        assert!(weaker.len() == 1 && weaker[0].contains(told), "{drift}: {weaker:?}");
        assert_eq!(weakened(&with(drift), &before), Vec::<String>::new(), "{drift}");
    }
}

const WITNESS: &str = "{ url: \"https://a.example\", key: \"witness.example/w1+e75f6532+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4\" }";

#[test]
fn keeping_the_audit_log_less_well_is_said() {
    let with = |audit: &str| read(&format!("audit: {{ {audit} }}\n{OLD}"));
    let plain = read(OLD);
    let whole = with(&format!("mirror: \"file:///copy\", witnesses: [{WITNESS}]"));
    assert_eq!(weakened(&plain, &whole), Vec::<String>::new(), "more is no loss");
    assert_eq!(
        at_next_start(&plain, &whole),
        ["audit.mirror", "audit.witnesses", "audit.cosignatures_min"]
    );
    let lost = weakened(&whole, &plain);
    assert_eq!(lost.len(), 3, "{lost:?}");
    for (found, part) in lost.iter().zip(["mirror", "witness.example/w1", "0 witnesses"]) {
        assert!(found.contains(part), "{found}");
    }
    let [year, month] = [with("retention: 365d"), with("retention: 30d")];
    assert_eq!(weakened(&plain, &year), ["records of the audit log go after 365 days"]);
    assert_eq!(
        weakened(&year, &month),
        ["records of the audit log go after 30 days, and not after 365 days"]
    );
    assert_eq!(at_next_start(&year, &month), ["audit.retention"]);
    for other in [&year, &plain] {
        assert_eq!(weakened(&month, other), Vec::<String>::new(), "longer is no loss");
    }
    let elsewhere = with("mirror: \"file:///other\"");
    assert_eq!(weakened(&with("mirror: \"file:///copy\""), &elsewhere).len(), 1);
}

/// Path, and what is there before and after.
fn in_words(old: &str, new: &str) -> Vec<(String, Option<String>, Option<String>)> {
    let (before, after) = (read(old), read(new));
    let told = |config, text| Told { config, text };
    let changes = diff_in_words(told(&before, old), told(&after, new));
    let text = |value: Option<serde_json::Value>| value.map(|value| value.to_string());
    changes.into_iter().map(|change| (change.path, text(change.from), text(change.to))).collect()
}

#[test]
fn a_change_is_told_in_the_words_of_the_files() {
    let plan = |more: &str| format!("{OLD}plans:\n  - name: p\n{more}");
    let stages = "    stages:\n      - { weight: 0, duration: 1h }\n      - { weight: 10%, duration: 1h }\n      - { weight: 50, duration: 1h }\n      - { weight: 100 }\n";
    let some = |text: &str| Some(text.to_owned());
    let one = |path: &str, from: Option<&str>, to: Option<&str>| {
        vec![(path.to_owned(), from.map(str::to_owned), to.map(str::to_owned))]
    };
    assert_eq!(
        in_words(OLD, &plan("    tick: 1s\n")),
        one("plans.p", None, Some(r#"{"name":"p","tick":"1s"}"#))
    );
    assert_eq!(
        in_words(&plan("    tick: 1s\n"), &plan("    tick: 2s\n")),
        one("plans.p.tick", Some("\"1s\""), Some("\"2s\""))
    );
    let slower = stages.replace("10%, duration: 1h", "10%, duration: 2h");
    assert_eq!(
        in_words(&plan(stages), &plan(&slower)),
        one("plans.p.stages.10%.duration", Some("\"1h\""), Some("\"2h\""))
    );
    assert_eq!(
        in_words(OLD, &format!("candidate_stale_max: 1h\n{OLD}")),
        one("candidate_stale_max", None, Some("\"1h\""))
    );
    // one gate of a plan is one line, however many stages have it
    let gates = |bound: &str| plan(&format!("    gates: {{ error_rate: \"{bound}\" }}\n"));
    assert_eq!(
        in_words(&gates("< 1%"), &gates("< 2%")),
        [("plans.p.gates.error_rate".to_owned(), some("\"< 1%\""), some("\"< 2%\""))]
    );
    assert_eq!(in_words(&gates("< 1%"), &gates("< 0.01")), [], "the same in other words");
    assert_eq!(in_words(&plan(""), OLD), one("plans.p", Some(r#"{"name":"p"}"#), None));
}
