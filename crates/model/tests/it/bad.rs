//! Files that are refused, each with its messages: place, words and hint. The snapshots hold the
//! input and everything that is said about it.

use std::fmt::Write as _;

use lockgate_model::config::{self, Severity};

/// A file that is right, for cases that add one thing.
const AGENT: &str = "\
agents:
  - name: a
    versions:
      - name: v1
        endpoint: http://127.0.0.1:9001
";

/// The input with line numbers, then what is said about it.
fn said(text: &str) -> String {
    let mut said = String::new();
    for (index, line) in text.lines().enumerate() {
        writeln!(said, "{:>3} | {}", index + 1, line.replace('\0', "␀")).unwrap();
    }
    let found = match config::read("f.yaml", text) {
        Ok(config) => config.warnings,
        Err(errors) => errors,
    };
    writeln!(said, "\n{found}").unwrap();
    said
}

fn refused(name: &str, text: &str) {
    let errors = config::read("f.yaml", text).expect_err(name);
    assert!(errors.iter().any(|found| found.severity == Severity::Error), "{name}");
    insta::assert_snapshot!(name, said(text));
}

fn refused_beside_an_agent(name: &str, more: &str) {
    refused(name, &format!("{AGENT}{more}"));
}

#[test]
fn paths_and_commits() {
    let commit = format!("{AGENT}        commit: v1.2\n");
    refused("plan_unknown_path", &format!("{commit}plans:\n  - {{name: p, path: monolit}}\n"));
}

#[test]
fn text_that_is_not_the_yaml_that_is_taken() {
    refused("yaml_empty", "");
    refused("yaml_only_comments", "# nothing\n");
    refused("yaml_a_word", "hello");
    refused("yaml_a_list", "- a\n- b\n");
    refused("yaml_a_list_for_a_map", "listen: [a, b]\nagents: []\n");
    refused("yaml_broken_indent", "agents:\n  - name: a\n   versions: []\n");
    refused("yaml_unclosed_quote", "agents:\n  - name: \"a\n");
    refused("yaml_unclosed_flow", "agents: [a, b\nplans: []\n");
    refused("yaml_tab", "agents:\n\t- name: a\n");
    refused("yaml_colon_in_text", "agents:\n  - name: a: b\n");
    refused("yaml_two_documents", "agents: []\n---\nagents: []\n");
    refused("yaml_anchor_and_alias", "agents: &x\n  - name: a\nplans: *x\n");
    refused("yaml_merge", "agents:\n  - &x\n    name: a\n  - <<: *x\n");
    refused("yaml_unknown_alias", "agents: *nothing\n");
    refused("yaml_tag", "agents: !!set {a}\ndata_dir: !env HOME\n");
    refused("yaml_duplicate_keys", "agents: []\nplans: []\nagents: []\nplans: []\n");
    refused("yaml_odd_keys", "1: a\ntrue: b\n~: c\n\"2\": d\n");
    refused("yaml_map_as_key", "agents:\n  - name: {{ name }}\n");
    refused("yaml_nul", "agents:\n  - na\0me: a\n");
    refused_beside_an_agent(
        "yaml_not_finite",
        "prices:\n  - { model: m, input_usd_per_mtok: .nan, output_usd_per_mtok: -.inf }\n  - { model: n, input_usd_per_mtok: 1e999, output_usd_per_mtok: NaN }\n",
    );
    let deep = format!("agents: {}{}\n", "[".repeat(40), "]".repeat(40));
    refused("yaml_too_deep", &deep);
}

#[test]
fn a_large_file_is_refused_unread() {
    let text = format!("# {}\n", "x".repeat(1024 * 1024));
    let errors = config::read("f.yaml", &text).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert!(errors.to_string().contains("at most 1048576 are read"), "{errors}");
}

#[test]
fn more_values_than_any_file_needs_are_refused() {
    let text = format!("agents: [{}]\n", "1,".repeat(60_000));
    let errors = config::read("f.yaml", &text).unwrap_err();
    assert!(errors.to_string().contains("more than 50000 values"), "{errors}");
}

#[test]
fn what_is_not_shown_is_counted() {
    let text: String =
        (0..3_000).flat_map(|i| ["k".to_owned(), i.to_string(), ": 1\n".into()]).collect();
    let errors = config::read("f.yaml", &text).unwrap_err();
    assert_eq!(errors.len() + errors.omitted(), 3_001);
    assert!(errors.to_string().ends_with("… and 2901 more"), "{errors}");
}

#[test]
fn bytes_that_are_no_text() {
    let errors = config::read_bytes("f.yaml", b"agents:\n  - na\xffme: a\n").unwrap_err();
    assert_eq!(
        errors.to_string(),
        "f.yaml:2:7: error: this is not UTF-8 text\n  hint: save the file as UTF-8"
    );
}

#[test]
fn shapes() {
    refused("shape_nothing_in_it", "agents: []\n");
    refused(
        "shape_missing_fields",
        "agents:\n  - sticky: { header: x }\n    versions:\n      - model: m\n",
    );
    refused(
        "shape_unknown_fields",
        "agnets: []\nagents:\n  - name: a\n    stiky: x\n    versions:\n      - name: v1\n        endpont: http://x\n        color: red\n",
    );
    refused(
        "shape_wrong_types",
        "listen: 8080\nmetrics_need_token: yes\ndata_dir:\nagents:\n  - name: 1.10\n    match: /x\n    health: false\n    limits: { in_flight_max: many }\n    versions:\n      name: v1\n      endpoint: http://x\n",
    );
    refused(
        "shape_wrong_words",
        "agents:\n  - name: a\n    protocol: opnai\n    signals: [feedback, cots, feedback]\n    on_new_version: now\n    health: never\n    versions:\n      - { name: v1, endpoint: \"http://x\", side_effects: maybe }\n",
    );
    refused(
        "shape_names",
        "agents:\n  - name: Support Agent\n    versions:\n      - { name: -v1, endpoint: \"http://x\" }\n      - { name: \"\", endpoint: \"http://y\" }\n",
    );
    refused(
        "shape_numbers",
        "candidate_stale_max: 10\nfeedback: { ticket_ttl: 4 hours }\nagents:\n  - name: a\n    health: { unhealthy_after: 0, healthy_after: 2.5, interval: 0s, timeout: 99999999999999999999d }\n    limits: { request_body_max: 32MB, in_flight_max: -1, connect_timeout: 1h, idle_timeout: -4s }\n    versions:\n      - { name: v1, endpoint: \"http://x\" }\n",
    );
}

#[test]
fn names_are_unique_and_references_lead_somewhere() {
    refused(
        "names_twice",
        "agents:\n  - name: a\n    versions:\n      - { name: v1, endpoint: \"http://x\" }\n      - { name: v1, endpoint: \"http://y\" }\n  - name: a\n    match: [{ path: /a }]\n    versions:\n      - { name: v1, endpoint: \"http://z\" }\nplans:\n  - name: p\n  - name: p\nchannels:\n  - { name: c, slack: { url: env:A } }\n  - { name: c, slack: { url: env:B } }\nprices:\n  - { model: m, input_usd_per_mtok: 1, output_usd_per_mtok: 1 }\n  - { model: m, input_usd_per_mtok: 2, output_usd_per_mtok: 2 }\n",
    );
    refused(
        "names_unknown",
        "agents:\n  - name: a\n    plan: carefull\n    channels: [op, team]\n    versions:\n      - { name: v1, endpoint: \"http://x\" }\nplans:\n  - name: careful\nchannels:\n  - { name: ops, slack: { url: env:A } }\n",
    );
}

#[test]
fn agents_that_wait_for_one_another() {
    let agent = |name: &str, after: &str| {
        format!(
            "  - name: {name}\n    match: [{{ path: /{name} }}]\n    after: {after}\n    versions: [{{ name: v1, endpoint: \"http://x/{name}\" }}]\n"
        )
    };
    let agents: String = [
        agent("a", "[b]"),
        agent("b", "[c]"),
        agent("c", "[a, d]"),
        agent("d", "[]"),
        agent("e", "[e]"),
        agent("f", "[dd, d, d]"),
    ]
    .concat();
    refused("after_circles", &format!("agents:\n{agents}"));
}

#[test]
fn requests_find_one_agent() {
    refused(
        "match_collisions",
        "agents:\n  - name: a\n    match: [{ host: A.example.com }, { path: /x/ }]\n    versions: [{ name: v1, endpoint: \"http://x\" }]\n  - name: b\n    match: [{ host: a.example.com }, { path: /x }]\n    versions: [{ name: v1, endpoint: \"http://y\" }]\n  - name: c\n    versions: [{ name: v1, endpoint: \"http://z\" }]\n  - name: d\n    versions: [{ name: v1, endpoint: \"http://w\" }]\n",
    );
    refused(
        "match_values",
        "agents:\n  - name: a\n    match:\n      - { host: \"http://x\" }\n      - { host: \"x:80\" }\n      - { host: \"*.x\" }\n      - { path: x }\n      - { path: /feedback/now }\n      - { path: /outcome }\n      - { path: /a//b }\n      - { host: y, strip_path: true }\n    sticky: { header: lockgate-user, cookie: b }\n    versions: [{ name: v1, endpoint: \"http://x\" }]\n  - name: b\n    match: [{ path: /b }]\n    sticky: { header: \"x user\" }\n    versions: [{ name: v1, endpoint: \"http://y\" }]\n  - name: c\n    match: [{ path: /c }]\n    sticky: { header: Lockgate-User }\n    versions: [{ name: v1, endpoint: \"http://z\" }]\n",
    );
}

#[test]
fn addresses() {
    refused(
        "urls",
        "listen: { ingress: localhost:8080, api: \"127.0.0.1:99999\" }\nagents:\n  - name: a\n    versions:\n      - { name: v1, endpoint: ftp://x }\n      - { name: v2, endpoint: \"http://user:secret@x\" }\n      - { name: v3, endpoint: \"http://x/?key=1\" }\n      - { name: v4, endpoint: \"http://:80\" }\n      - { name: v5, endpoint: \"http://x:0\" }\n      - { name: v6, endpoint: x }\n",
    );
    refused(
        "listen_same",
        "listen: { ingress: 0.0.0.0:8090 }\nagents:\n  - name: a\n    versions:\n      - { name: v1, endpoint: \"http://localhost:8090\" }\n",
    );
    refused_beside_an_agent(
        "channels",
        "channels:\n  - name: none\n  - name: both\n    webhook: { url: \"https://x\" }\n    slack: { url: env:A }\n  - name: literal\n    slack: { url: \"https://hooks.example.com/T0/B0/s3cr3t\" }\n  - name: key\n    webhook: { url: \"https://x\", secret: s3cr3t }\n    min_level: loud\n  - name: number\n    webhook: { url: \"https://x\", secret: 12345 }\n",
    );
}

#[test]
fn plans() {
    refused_beside_an_agent(
        "plan_weights",
        "plans:\n  - name: p\n    stages:\n      - { weight: -5, duration: 1h }\n      - { weight: NaN, duration: 1h }\n      - { weight: .nan, duration: 1h }\n      - { weight: 150, duration: 1h }\n      - { weight: 120%, duration: 1h }\n      - { weight: 12.345, duration: 1h }\n      - { weight: ten, duration: 1h }\n      - { duration: 1h }\n",
    );
    refused_beside_an_agent(
        "plan_order",
        "plans:\n  - name: p\n    stages:\n      - { weight: 50, duration: 1h }\n      - { weight: 25, duration: 1h }\n      - { weight: 25%, name: again, duration: 1h }\n      - { weight: 90 }\n",
    );
    refused_beside_an_agent(
        "plan_few_stages",
        "plans:\n  - name: p\n    stages:\n      - { weight: 50, duration: 1h }\n      - { weight: 100 }\n  - name: q\n    override: { by: me }\n    stages:\n      - { weight: 100 }\n",
    );
    refused_beside_an_agent(
        "plan_durations",
        "plans:\n  - name: p\n    tick: 0s\n    progress_deadline: 2h\n    stages:\n      - { weight: 1, duration: 0s }\n      - { weight: 2 }\n      - { weight: 3, duration: 4h, extension_max: 99d }\n      - { weight: 4, duration: soon }\n      - { weight: 100, duration: 0s }\n",
    );
    refused_beside_an_agent(
        "plan_deadline",
        "plans:\n  - name: p\n    progress_deadline: 36h\n  - name: q\n    progress_deadline: never\n",
    );
    refused_beside_an_agent(
        "plan_holds",
        "plans:\n  - name: p\n    initial_delay: 2h\n    source_errors_max: -1\n    rollback_window: soon\n    rollback_gate: { secret: letmein }\n    freeze:\n      - weekends\n      - fri 16:00 - mon 08:00\n      - fri 16:00 - mon 08:00 Europe/Berlln\n      - fri 25:00 - mon 08:00 Europe/Berlin\n      - fri 16:00 - fri 16:00 UTC\n      - foo 16:00 - fri 16:00 UTC\n    stages:\n      - { weight: 1, duration: 1h, confirm: { by: person, url: \"http://x\" } }\n      - { weight: 2, duration: 1h, confirm: { by: webhook } }\n      - { weight: 3, duration: 1h, confirm: person }\n      - { weight: 4, duration: 1h, confirm: { by: cat } }\n      - { weight: 100 }\n",
    );
    refused_beside_an_agent(
        "plan_drift",
        "plans:\n  - name: p\n    drift: { max_age: 5s, of: [] }\n  - name: q\n    drift: {}\n  - name: r\n    drift: { max_age: soon, of: [A, a, a], max: 1 }\n  - name: s\n    drift: daily\n",
    );
    refused_beside_an_agent(
        "plan_environment",
        "plans:\n  - name: p\n    stages:\n      - { weight: 0, duration: 1h, gates: { error_rate: \"< 1%\", health: \"= 1\" } }\n      - { weight: 10, duration: 1h, environment: test }\n      - { weight: 25, duration: 1h, environment: staging }\n      - { weight: 100, gates: { error_rate: \"< 1%\" } }\n",
    );
}

#[test]
fn probes_and_mirroring() {
    refused(
        "probes",
        "agents:\n  - name: a\n    match: [{ path: /a }]\n    plan: p\n    probes: { file: none.jsonl }\n    versions: [{ name: v1, endpoint: \"http://x\" }]\n  - name: b\n    match: [{ path: /b }]\n    plan: p\n    probes: { file: ../b.jsonl, per_second: 0 }\n    versions: [{ name: v1, endpoint: \"http://y\" }]\n  - name: c\n    match: [{ path: /c }]\n    plan: p\n    probes: { per_second: 1000 }\n    versions: [{ name: v1, endpoint: \"http://z\" }]\n  - name: d\n    match: [{ path: /d }]\n    plan: q\n    versions: [{ name: v1, endpoint: \"http://w\" }]\nplans:\n  - name: p\n    stages:\n      - { weight: 0, duration: 1h, mirror: 101, gates: { probes: \"< 5%\" } }\n      - { weight: 10, duration: 1h, mirror: 5%, gates: { probes: \"= 100%\" } }\n      - { weight: 50, duration: 1h }\n      - weight: 100\n  - name: q\n    stages:\n      - { weight: 0, duration: 1h, gates: { probes: \"= 100%\" } }\n      - { weight: 10, duration: 1h }\n      - { weight: 50, duration: 1h }\n      - weight: 100\n    triggers: { probes: \"< 50%\" }\n",
    );
}

#[test]
fn gates_and_triggers() {
    refused_beside_an_agent(
        "gate_bounds",
        "plans:\n  - name: p\n    gates:\n      error_rate: \"> 5%\"\n      p95_ms: 200\n      cost_usd: \"< 0.02 dollars\"\n      nps: \"> 500\"\n      satisfied_share: \"> 80\"\n      negative_share: \"< 0%\"\n      security_events: \"< 3\"\n      health: \"= 2\"\n      p99_ms: \"< 1s\"\n  - name: q\n    gates:\n      error_rate: { bound: \"<= 1%\", min_samples: 0 }\n      p95_ms: { bond: \"< 1s\" }\n      nps: { bound: \"> 50\", absent: ignore, assurance: sure }\n      security_events: { bound: \"= 0\", min_samples: 5, absent: waive }\n      cost_usd: \"< baseline + 5%\"\n",
    );
    refused(
        "gate_without_source",
        "agents:\n  - name: a\n    match: [{ path: /a }]\n    plan: p\n    versions: [{ name: v1, endpoint: \"http://x\" }]\n  - name: b\n    match: [{ path: /b }]\n    plan: p\n    signals: [cost]\n    versions: [{ name: v1, endpoint: \"http://y\" }]\nplans:\n  - name: p\n    stages:\n      - { weight: 10, duration: 1h, gates: { nps: \"> 50\" } }\n      - { weight: 25, duration: 1h, gates: { cost_usd: \"< 0.1\" } }\n      - { weight: 50, duration: 1h, gates: { satisfied_share: { bound: \"> 80%\", absent: waive } } }\n      - weight: 100\n",
    );
    refused(
        "gate_health",
        "agents:\n  - name: a\n    match: [{ path: /a }]\n    versions:\n      - { name: v1, endpoint: \"http://x\" }\n      - { name: v2, endpoint: \"http://y\" }\n  - name: b\n    match: [{ path: /b }]\n    health: off\n    versions: [{ name: v1, endpoint: \"http://z\" }]\n",
    );
    refused_beside_an_agent(
        "triggers",
        "plans:\n  - name: p\n    triggers:\n      errors: off\n      error_rate: off\n      p95_ms: \"< 200\"\n      cost_usd: { off_because: \" \" }\n      nps: { window: 1h }\n      satisfied_share: { off_because: nobody votes, window: 1h }\n      security_events: { off_because: too loud }\n      negative_share: { window: 2d, action: explode }\n",
    );
}

#[test]
fn many_errors_at_once_each_in_its_place() {
    let text = "\
listen: { ingress: 1.2.3.4, api: \"127.0.0.1:1\" }
agents:
  - name: a
    plan: nowhere
    sticky: { header: lockgate-x }
    versions:
      - { name: v1, endpoint: \"http://x\", colour: red }
      - { name: v1, endpoint: \"gopher://y\" }
  - versions: []
plans:
  - name: p
    stages:
      - { weight: -1, duration: 0s }
      - { weight: 25, duration: 1h }
      - { weight: 20, duration: 1h }
      - { weight: 99 }
channels:
  - { name: c, webhook: { url: \"http://x\", secret: hunter2 } }
";
    let errors = config::read("f.yaml", text).unwrap_err();
    assert_eq!(errors.len(), 13, "{errors}");
    assert!(!errors.to_string().contains("hunter2"));
    let places: Vec<(u32, u32)> = errors.iter().map(|found| (found.line, found.column)).collect();
    assert!(places.is_sorted(), "{places:?}");
    insta::assert_snapshot!("many", said(text));
}

#[test]
fn what_is_allowed_but_should_be_known() {
    let text = "\
agents:
  - name: a
    plan: p
    versions:
      - { name: v1, endpoint: \"http://x\" }
      - { name: v2, endpoint: \"http://x/\" }
plans:
  - name: p
    override: { by: me, reason: more than enough }
    stages:
      - { weight: 10, duration: 1h, gates: { error_rate: { bound: \"< 0.5%\", min_samples: 100, assurance: proved } } }
      - { weight: 25, duration: 1h, gates: {} }
      - { weight: 50, duration: 1h, gates: { nps: { bound: \"> 50\", absent: waive } } }
      - { weight: 100 }
    triggers:
      p95_ms: { dry_run: true }
      cost_usd: { off_because: no price list }
";
    assert!(config::read("f.yaml", text).is_ok(), "{}", said(text));
    insta::assert_snapshot!("warnings", said(text));
}

#[test]
fn freeze_windows_that_never_end_are_known() {
    let with = |windows: &str| {
        format!(
            "agents:\n  - name: a\n    plan: p\n    versions: [{{ name: v1, endpoint: \"http://x\" }}]\nplans:\n  - name: p\n    freeze: [{windows}]\n"
        )
    };
    let all = with("\"mon 00:00 - thu 12:00 UTC\", \"thu 12:00 - mon 00:00 UTC\"");
    let warned = config::read("f.yaml", &all).unwrap().warnings.to_string();
    assert!(warned.contains("f.yaml:7:13: warning: these windows leave no moment"), "{warned}");
    let most = with("\"mon 00:00 - thu 12:00 UTC\"");
    let warned = config::read("f.yaml", &most).unwrap().warnings.to_string();
    assert!(!warned.contains("no moment"), "{warned}");
    let many = vec!["\"mon 00:00 - thu 12:00 UTC\""; 101].join(", ");
    assert!(said(&with(&many)).contains("more than 100 windows"));
}

#[test]
fn a_test_stage_shorter_than_a_verdict_on_health_is_known() {
    let with = |duration: &str| {
        format!(
            "agents:\n  - name: a\n    plan: p\n    health: {{ interval: 5s, unhealthy_after: 3 }}\n    versions: [{{ name: v1, endpoint: \"http://x\" }}]\nplans:\n  - name: p\n    stages:\n      - {{ weight: 0, duration: {duration} }}\n      - {{ weight: 1, duration: 1h }}\n      - {{ weight: 2, duration: 1h }}\n      - {{ weight: 100 }}\n"
        )
    };
    let short = config::read("f.yaml", &with("14s")).unwrap().warnings.to_string();
    let said = "f.yaml:4:13: warning: stage `test` of plan `p` takes 14s, and 3 checks every 5s take 15s to find `a` unhealthy";
    assert!(short.contains(said), "{short}");
    let enough = config::read("f.yaml", &with("15s")).unwrap().warnings.to_string();
    assert!(!enough.contains("unhealthy"), "{enough}");
}

#[test]
fn measures_that_make_no_sense() {
    let with = |measures: &str, plan: &str| {
        format!(
            "agents:\n  - name: a\n    measures: {measures}\n    plan: p\n    versions:\n      - name: v1\n        endpoint: http://127.0.0.1:9001\nplans:\n  - name: p\n{plan}"
        )
    };
    refused(
        "measures_wrong",
        &with(
            "[{ name: Grounded, better: higher }, { name: p95_ms, better: lower }, { name: a, better: up }, { name: b, better: lower, from: 5, to: 5 }, { name: c, better: lower, to: 1e300 }, { better: lower }, { name: d, better: lower }, { name: d, better: lower }]",
            "",
        ),
    );
    let one = "[{ name: steps, better: lower, from: -5, to: 50 }, { name: good, better: higher }]";
    refused(
        "measures_bounds_on_the_wrong_side",
        &with(
            one,
            "    gates: { security_events: \"= 0\", measures: { steps: \"> 10\", good: \"< 0.5\" } }\n    triggers: { measures: { steps: \"< 10\", good: \"> baseline + 10%\" } }\n",
        ),
    );
    refused(
        "measures_bounds_out_of_reach",
        &with(
            one,
            "    gates: { security_events: \"= 0\", measures: { steps: \"< 50\", good: \"> 80%\" } }\n    triggers: { measures: { steps: \"> baseline + 10%\", good: \"< -1\" } }\n",
        ),
    );
    refused(
        "measures_unknown",
        &with(
            one,
            "    gates: { security_events: \"= 0\", measures: { stepz: \"< 10\", \"Not one\": \"< 1\", p95_ms: \"< 1\" } }\n    triggers: { measures: { stepz: { off_because: x }, good: { judge: threshold } } }\n",
        ),
    );
}

const WITNESS: &str = "witness.example/w1+e75f6532+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";

#[test]
fn witnesses_of_the_audit_log() {
    let other = WITNESS.replace("w1", "w9");
    let log_key = "witness.example/w1+47f53f4c+AXm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk";
    let renamed = "witness.example/other+9cac6bd3+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    let unknown = "witness.example/w1+47f53f4c+BnIm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZ";
    refused_beside_an_agent(
        "witnesses",
        &format!(
            "audit:
  witnesses:
    - {{ url: \"https://a.example\", key: \"{WITNESS}\" }}
    - {{ url: \"https://a.example/\", key: \"{WITNESS}\" }}
    - {{ url: \"https://b.example\", key: \"{other}\" }}
    - {{ url: \"https://c.example\", key: \"{log_key}\" }}
    - {{ url: \"https://d.example\", key: \"{unknown}\" }}
    - {{ url: \"https://d.example\", key: \"{renamed}\" }}
    - {{ url: \"https://u:p@e.example\", key: short }}
    - {{ url: ftp://f.example }}
    - {{ key: \"\", name: x }}
  cosignatures_min: 9
"
        ),
    );
    let many = format!("    - {{ url: \"https://a.example\", key: \"{WITNESS}\" }}\n").repeat(9);
    refused_beside_an_agent("witnesses_too_many", &format!("audit:\n  witnesses:\n{many}"));
    refused_beside_an_agent("witnesses_none", "audit: { cosignatures_min: 1 }\n");
    refused_beside_an_agent("witnesses_zero", "audit: { cosignatures_min: 0 }\n");
    refused_beside_an_agent(
        "witnesses_too_few",
        &format!(
            "audit:\n  witnesses: [{{ url: \"https://a.example\", key: \"{WITNESS}\" }}]\n  cosignatures_min: 2\n"
        ),
    );
}

#[test]
fn tools_that_cannot_be_called() {
    refused_beside_an_agent(
        "tools",
        "tools:
  - { name: files, url: ftp://x }
  - { name: files, url: \"http://u:p@x\" }
  - { name: Mail, url: \"http://x/?to=y\", protocol: smtp, timeout: 10ms }
  - { name: a, url: \"http://x\", credential: { header: Host, value: s3cret } }
  - { name: b, url: \"http://x\", credential: { header: mcp-session-id, value: env:A } }
  - { name: c, url: \"http://x\", credential: { header: \"x y\" } }
  - { url: \"http://x\", command: rm }
listen: { egress: \"127.0.0.1:8090\" }
snapshot_max_age: 0s
",
    );
}

#[test]
fn models_and_operations_that_cannot_be() {
    refused_beside_an_agent(
        "tools_of_other_kinds",
        "tools:
  - { name: a, url: \"http://x\", models: [gpt-4o] }
  - { name: b, url: \"http://x\", protocol: openai, models: [] }
  - { name: c, url: \"http://x\", protocol: anthropic, models: [\"a*b\", \"*\"], operations: [] }
  - { name: d, url: \"http://x\", protocol: http }
  - name: e
    protocol: http
    url: http://x
    operations:
      - { name: one, call: \"GET /a/{x}/c\" }
      - { name: one, call: \"GET /a/b/{y}\" }
      - { name: two, call: \"GET /a/../b\" }
      - { name: three, call: \"TRACE /a\" }
      - { name: \"fo ur\", call: \"GET /orders\" }
      - { name: five, call: \"GET /x/{id}\", query: [id, a, a] }
      - { call: \"GET /y?z=1\" }
  - { name: f, protocol: external, url: \"http://x\", credential: { value: env:A } }
  - { name: g, protocol: openai }
  - { name: h, protocol: external, breaker: { failures: 3 } }
",
    );
}

#[test]
fn tools_that_are_no_agent_of_the_file() {
    refused_beside_an_agent(
        "tools_as_agents",
        "tools:
  - { name: t, protocol: a2a, url: \"http://t.example\", agent: a }
  - { name: u, protocol: a2a, url: \"http://u.example\", agent: nobody }
  - { name: v, protocol: mcp, url: \"http://v.example/mcp\", agent: a }
  - { name: w, protocol: a2a, url: \"http://w.example\", agent: \"A b\" }
",
    );
}

#[test]
fn tunnels_that_cannot_be() {
    refused_beside_an_agent(
        "tunnels",
        "tools:
  - { name: a, protocol: tunnel }
  - { name: b, protocol: tunnel, url: \"http://b.example\" }
  - { name: c, protocol: tunnel, url: \"https://c.example/simple\" }
  - { name: d, protocol: tunnel, url: \"https://d.example\", credential: { value: env:A }, addresses: anywhere, answer_max: 1MiB }
  - { name: e, protocol: tunnel, url: \"https://0x7f.1\" }
  - { name: f, protocol: mcp, url: \"https://f.example/mcp\", addresses: private }
  - { name: g, protocol: tunnel, url: \"https://F.example\" }
  - { name: h, protocol: tunnel, url: \"https://h.example\" }
  - { name: i, protocol: tunnel, url: \"https://h.example:443\" }
  - { name: j, protocol: openai, url: \"https://h.example/v1\" }
",
    );
}

#[test]
fn issuers_outside_that_could_not_be_told_apart_or_trusted() {
    refused_beside_an_agent(
        "issuers",
        "issuers:
  - name: corp
    kind: oidc
    issuer: http://idp.example.com
    audience: lockgate
    trust_domain: example.org
    map:
      - { claims: { sub: one }, agent: a, version: v1 }
      - { claims: { sub: one, env: prod }, agent: a, version: v1 }
      - { claims: { env: test }, agent: a, version: v1 }
      - { claims: { iss: x }, agent: a, version: v1 }
      - { claims: {}, agent: a, version: v1 }
      - { spiffe_id: spiffe://example.org/x, agent: a, version: v1 }
      - { claims: { sub: 7 }, agent: a, version: v1 }
      - { claims: { sub: two }, agent: a, version: v2 }
      - { claims: { sub: three }, agent: b, version: v1 }
  - name: corp
    kind: spiffe
    audience: lockgate
    trust_domain: example.org
    map:
      - { spiffe_id: spiffe://example.org/x, agent: a, version: v1 }
      - { spiffe_id: spiffe://example.org/x, agent: a, version: v1 }
      - { spiffe_id: spiffe://other.org/x, agent: a, version: v1 }
      - { spiffe_id: 'spiffe://*.example.org/x', agent: a, version: v1 }
      - { spiffe_id: spiffe://example.org/../x, agent: a, version: v1 }
      - { spiffe_id: spiffe://example.org, agent: a, version: v1 }
  - name: again
    kind: spiffe
    trust_domain: example.org
    audience: lockgate
    jwks: http://10.0.0.1/bundle
    refresh: 2h
    max_age: 1h
    map: []
  - name: wild
    kind: spiffe
    trust_domain: '*'
    audience: ' '
    jwks: ftp://x
    map: [{ spiffe_id: spiffe://example.org/y, agent: a, version: v1 }]
  - { name: none, kind: ldap, audience: x, map: [] }
",
    );
}
