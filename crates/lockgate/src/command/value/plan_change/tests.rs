use super::*;

const AGENT: &str = "agents:
  - name: support
    plan: NAME
    versions:
      - { name: v1, endpoint: \"http://127.0.0.1:1\" }
";

fn file(plan: &str, more: &str) -> File {
    let text = format!("{}{more}", AGENT.replace("NAME", plan));
    let source = Source::from(text.as_str());
    let config = config::read_with("lockgate.yaml", &source).unwrap();
    File { name: "lockgate.yaml".into(), source, config }
}

fn change(plan: &str, path: &str, [from, to]: [&str; 2], [before, bound]: [Bound; 2]) -> Change {
    let (from, to) = (from.to_owned(), to.to_owned());
    Change { plan: plan.parse().unwrap(), path: path.into(), from, to, before, bound }
}

/// Of errors, from more than 5 % to more than 1.3 %.
fn errors(plan: &str) -> Change {
    let bounds = [Bound::Above(0.05), Bound::Above(0.013)];
    change(plan, "triggers.error_rate", ["> 5%", "> 1.3%"], bounds)
}

/// Lines of a patch that it takes away and adds.
fn lines(patch: &str) -> Vec<&str> {
    patch.lines().skip(2).filter(|line| !line.starts_with("@@")).collect()
}

#[test]
fn a_bound_is_replaced_where_it_is_written_however_it_is_written() {
    for (written, line) in [
        ("error_rate: \"> 5%\"", "error_rate: \"> 1.3%\""),
        ("error_rate: '>5 %'   # why", "error_rate: \"> 1.3%\"   # why"),
        ("error_rate: \"> 0.05\"", "error_rate: \"> 1.3%\""),
        (
            "error_rate: { bound: \"> 5%\", action: switch }",
            "error_rate: { bound: \"> 1.3%\", action: switch }",
        ),
    ] {
        let plans = format!("plans:\n  - name: mine\n    triggers:\n      {written}\n");
        let patch = file("mine", &plans).patch(&errors("mine")).expect(written);
        assert_eq!(lines(&patch), [format!("-      {written}"), format!("+      {line}")]);
        assert!(patch.contains("@@ -9,1 +9,1 @@"), "{patch}");
    }
}

#[test]
fn a_trigger_that_is_not_written_is_added_where_it_belongs() {
    for (plans, added) in [
        ("", vec!["plans:", "  - name: standard", "    triggers:", "      error_rate: \"> 1.3%\""]),
        (
            "plans:\n  - name: other\n",
            vec!["  - name: standard", "    triggers:", "      error_rate: \"> 1.3%\""],
        ),
        (
            "plans:\n  - name: standard\n    drain: 5m\n",
            vec!["    triggers:", "      error_rate: \"> 1.3%\""],
        ),
        (
            "plans:\n  - name: standard\n    triggers:\n      p95_ms: \"> 900\"\n",
            vec!["      error_rate: \"> 1.3%\""],
        ),
    ] {
        let patch = file("standard", plans).patch(&errors("standard")).expect(plans);
        let added: Vec<String> = added.iter().map(|line| format!("+{line}")).collect();
        assert_eq!(lines(&patch), added);
    }
    let name = "grounded".parse().unwrap();
    let bounds = [Bound::Below(0.5), Bound::Below(0.8)];
    let own = change("mine", "triggers.measures.grounded", ["< 0.5", "< 0.8"], bounds);
    let plans =
        "plans:\n  - name: mine\n    triggers:\n      measures:\n        grounded: \"< 0.5\"\n";
    let agent = AGENT.replace("NAME", "mine").replace(
        "    versions:",
        "    measures: [{ name: grounded, better: higher }]\n    versions:",
    );
    let source = Source::from(format!("{agent}{plans}").as_str());
    let config = config::read_with("lockgate.yaml", &source).unwrap();
    assert!(config.plans[0].triggers.iter().any(|one| one.metric == Metric::Measure(name)));
    let own = File { name: "lockgate.yaml".into(), source, config }.patch(&own).unwrap();
    assert_eq!(lines(&own), ["-        grounded: \"< 0.5\"", "+        grounded: \"< 0.8\""]);
}

#[test]
fn gates_of_stages_are_those_with_the_bound_that_is_meant() {
    let plans = "plans:
  - name: mine
    override: { by: ada, reason: a test }
    stages:
      - { weight: 10, duration: 1h, gates: { error_rate: \"< 0.5%\", security_events: \"= 0\" } }
      - weight: 50
        duration: 1h
        gates:
          error_rate: \"< 2%\"
          security_events: \"= 0\"
      - { weight: 100 }
";
    let Ok(config) =
        config::read("lockgate.yaml", &format!("{}{plans}", AGENT.replace("NAME", "mine")))
    else {
        panic!("the plan of the test is right");
    };
    assert_eq!(config.plans[0].stages.len(), 3);
    let bounds = [Bound::Below(0.02), Bound::Below(0.01)];
    let gate = change("mine", "gates.error_rate", ["< 2%", "< 1%"], bounds);
    let patch = file("mine", plans).patch(&gate).unwrap();
    assert_eq!(
        lines(&patch),
        ["-          error_rate: \"< 2%\"", "+          error_rate: \"< 1%\""]
    );
}

#[test]
fn what_would_say_something_else_is_no_patch() {
    // Gates that are written take the place of all of the built-in ones: one alone would drop the others.
    let bounds = [Bound::Below(200.0), Bound::Below(900.0)];
    let gate = change("standard", "gates.p95_ms", ["< 200", "< 900"], bounds);
    assert_eq!(file("standard", "").patch(&gate), None);
    assert_eq!(snippet(&gate), "plans:\n  - name: standard\n    gates:\n      p95_ms: \"< 900\"\n");
    // The file is not what runs: another bound stands in it.
    let plans = "plans:\n  - name: mine\n    triggers:\n      error_rate: \"> 7%\"\n";
    assert_eq!(file("mine", plans).patch(&errors("mine")), None);
    assert_eq!(file("mine", plans).patch(&errors("nobodys")), None);
    let braces =
        "plans:\n  - { name: mine, triggers: { error_rate: \"> 5%\", p95_ms: \"> 900\" } }\n";
    let patch = file("mine", braces).patch(&errors("mine")).unwrap();
    assert_eq!(
        lines(&patch)[1],
        "+  - { name: mine, triggers: { error_rate: \"> 1.3%\", p95_ms: \"> 900\" } }"
    );
}
