//! What goes wrong is said with its place and what to do, and ends with the right code.

use std::net::TcpListener;

use crate::support::{run, run_in};

#[test]
fn a_server_that_is_not_there_ends_with_6() {
    // Bound and closed again, so that nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let server = format!("http://{}", free.expect("a free port"));
    for args in [
        vec!["agent", "list"],
        vec!["rollout", "list"],
        vec!["rollout", "start", "a", "v", "--reason", "r"],
        vec!["rollout", "watch", "--agent", "a"],
        vec!["token", "list"],
        vec!["events"],
    ] {
        let ran = run(&[args.as_slice(), &["--server", &server]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (6, ""), "{args:?}");
        assert!(ran.stderr.starts_with("error: cannot reach the server at http://127.0.0.1:"));
        assert!(ran.stderr.contains("\n\nhint: start it with `lockgate serve`"), "{}", ran.stderr);
    }
}

#[test]
fn wrong_usage_ends_with_2_before_anything_is_asked() {
    for args in [
        vec!["rollout", "start", "a", "v"],
        vec!["rollout", "start", "a", "v", "--reason", "r", "--wait", "--timeout", "soon"],
        vec!["agent", "list", "--server", "not a url"],
        vec!["agent", "list", "--output", "xml"],
        vec!["check", "no-such-file.yaml"],
        vec!["agent", "list", "--token-file", "no-such-file"],
    ] {
        let ran = run(&args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
}

#[test]
fn a_reason_says_something() {
    let long = "x".repeat(501);
    for reason in ["", "  ", &long] {
        for args in [
            vec!["rollout", "start", "a", "v"],
            vec!["rollout", "abort"],
            vec!["apply", "f.yaml"],
            vec!["token", "create", "ci", "--role", "viewer"],
            vec!["token", "revoke", "id"],
            vec!["version", "security-event", "a", "v"],
        ] {
            let ran = run(&[args.as_slice(), &["--reason", reason]].concat());
            assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}: {}", ran.stderr);
            let said = "say why, in 1 to 500 characters";
            assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
        }
    }
}

/// Every kind of mistake in a file, with the exact words.
#[test]
fn mistakes_in_a_file_are_named_with_their_places() {
    let cases = [
        ("empty", ""),
        ("not-yaml", "agents: [\n"),
        ("unknown-field", &agent("    plann: standard\n")),
        (
            "duplicate-version",
            &agent("      - name: v1\n        endpoint: http://127.0.0.1:9002\n"),
        ),
        ("bad-name", &agent("").replace("support", "Support Agent")),
        ("negative-weight", &plan("-5%")),
        ("nan-weight", &plan(".nan")),
        ("weight-over-100", &plan("150%")),
        ("few-stages", &few()),
    ];
    for (name, text) in cases {
        let dir = tempfile::tempdir().expect("a directory for the test");
        std::fs::write(dir.path().join("lockgate.yaml"), text).expect("the directory takes files");
        let checked = run_in(dir.path(), &["check"]);
        assert_eq!(checked.code, 2, "{name}: {}", checked.shown());
        insta::assert_snapshot!(format!("check-{name}"), checked.shown());
        let served = run_in(dir.path(), &["serve", "--data-dir", "data"]);
        assert_eq!(served.code, 2, "{name}: {}", served.shown());
        assert!(!dir.path().join("data").exists(), "{name}: nothing may be touched");
        assert!(served.stderr.contains("lockgate.yaml:"), "{name}: {}", served.stderr);
    }
}

/// What is wrong beside the configuration is told of the file that it is in.
#[test]
fn mistakes_in_a_probe_file_are_named_with_their_places() {
    let probes = concat!(
        "{\"name\": \"a\", \"request\": {\"path\": \"/\"}}\n",
        "name: b, path: /\n",
        "{\"name\": \"c\", \"request\": {\"path\": \"/\"}, \"expect\": {\"matches\": \"([a-z\"}}\n",
        "{\"name\": \"d\", \"request\": {\"path\": \"/\"}\n",
    );
    let dir = tempfile::tempdir().expect("a directory for the test");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text);
    write("probes.jsonl", probes).expect("the directory takes files");
    let text =
        agent("        test_endpoint: http://127.0.0.1:9002\n    probes: {file: probes.jsonl}\n");
    write("lockgate.yaml", &text).expect("the directory takes files");
    let checked = run_in(dir.path(), &["check"]);
    assert_eq!(checked.code, 2, "{}", checked.shown());
    insta::assert_snapshot!("check-probes", checked.shown());
    write("lockgate.yaml", &text.replace("support", "Support")).expect("the directory takes files");
    let both = run_in(dir.path(), &["check"]);
    let sum = "error: lockgate.yaml and probes.jsonl have 4 errors";
    assert!(both.stderr.contains(sum), "{}", both.shown());
}

/// What a file of prices does not price is told, and a file that is none is refused.
#[test]
fn what_a_file_of_prices_cannot_say_is_named() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text);
    let text = agent("") + "prices_file: {file: prices.json, date: 2026-11-20}\n";
    write("lockgate.yaml", &text).expect("the directory takes files");
    let missing = run_in(dir.path(), &["check"]);
    assert_eq!(missing.code, 2, "{}", missing.shown());
    assert!(missing.stderr.contains("there is no file `prices.json`"), "{}", missing.shown());
    let prices = concat!(
        "{\"m\": {\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 4e-06},\n",
        "\"picture\": {\"output_cost_per_image\": 0.04},\n",
        "\"dear\": {\"input_cost_per_token\": 12, \"output_cost_per_token\": 4e-06}}\n",
    );
    write("prices.json", prices).expect("the directory takes files");
    let checked = run_in(dir.path(), &["check"]);
    assert_eq!(checked.code, 0, "{}", checked.shown());
    for line in [
        "prices.json:2:12: warning: not priced by this file: models without prices of tokens: `picture`",
        "prices.json:3:9: warning: not priced by this file: models with a `input_cost_per_token` that is no price: `dear`",
    ] {
        assert!(checked.stderr.contains(line), "{}", checked.shown());
    }
    write("prices.json", "[1]").expect("the directory takes files");
    let refused = run_in(dir.path(), &["check"]);
    assert_eq!(refused.code, 2, "{}", refused.shown());
    assert!(refused.stderr.contains("error: prices.json has 1 error"), "{}", refused.shown());
}

fn agent(more: &str) -> String {
    format!(
        "agents:\n  - name: support\n    versions:\n      - name: v1\n        endpoint: http://127.0.0.1:9001\n{more}"
    )
}

fn few() -> String {
    let text = plan("1%");
    let kept = |line: &&str| !["name: b", "name: c"].iter().any(|name| line.contains(name));
    text.lines().filter(kept).collect::<Vec<_>>().join("\n")
}

fn plan(weight: &str) -> String {
    format!(
        "{}plans:\n  - name: quick\n    stages:\n      - {{name: a, weight: {weight}, duration: 1s}}\n      - {{name: b, weight: 2%, duration: 1s}}\n      - {{name: c, weight: 3%, duration: 1s}}\n      - {{name: d, weight: 5%, duration: 1s}}\n      - {{name: e, weight: 100%, duration: 1s}}\n",
        agent("")
    )
}
