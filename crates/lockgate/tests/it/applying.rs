//! A file beside what runs: tried, compared, applied.

use std::fs;

use crate::support::agent::World;
use crate::support::config;
use crate::support::server::Server;

#[test]
fn diff_dry_run_and_apply_refuse_the_same() {
    let world = World::new();
    let (v1, other) = (world.agent(), world.agent());
    let server = Server::start(&config::quick(&[("v1", &v1)]));
    let file = server.dir().join("next.yaml");
    let file = file.to_str().expect("UTF-8");
    fs::write(file, config::quick(&[("v1", &other)])).expect("takes files");
    let ran = [
        server.run(&["diff", file]),
        server.run(&["diff", file, "--output", "json"]),
        server.run(&["apply", file, "--reason", "r", "--dry-run"]),
        server.run(&["apply", file, "--reason", "r"]),
    ];
    for one in &ran {
        assert_eq!((one.code, one.stdout.as_str()), (1, ""), "{}", one.shown());
        assert_eq!(one.stderr, ran[0].stderr);
    }
    let said = &ran[0].stderr;
    assert!(said.contains("Version `v1` of agent `support` is known with other content"), "{said}");
    assert!(said.contains("\n\nhint: Give the changed version a new name"), "{said}");
}

#[test]
fn losses_are_said_aloud() {
    let world = World::new();
    let (v1, v2) = (world.agent(), world.agent());
    let gates = |more: &str| format!("      error_rate: \"< 20%\"\n{more}");
    let text = config::quick(&[("v1", &v1)]);
    let asks = text.replace(&gates(""), &gates("      security_events: \"= 0\"\n"));
    let server = Server::start(&asks);
    let file = server.dir().join("next.yaml");
    let file = file.to_str().expect("UTF-8");
    fs::write(file, config::quick(&[("v1", &v1), ("v2", &v2)])).expect("takes files");
    let compared = server.run(&["diff", file]);
    assert_eq!(compared.code, 0, "{}", compared.shown());
    let loss = "warning: stage `10%` of plan `quick` no longer asks for `security_events`";
    assert!(compared.stderr.contains(loss), "{}", compared.stderr);
    let applied = server.run(&["apply", file, "--reason", "r"]);
    assert!(applied.code == 0 && applied.stderr.contains(loss), "{}", applied.shown());
}

/// Whoever wrote the file finds their own words in what it changes, and no line that runs on.
#[test]
fn changes_are_told_in_the_words_of_the_file() {
    let world = World::new();
    let (v1, v2) = (world.agent(), world.agent());
    let text = config::quick(&[("v1", &v1)]);
    let server = Server::start(&text);
    let file = server.dir().join("next.yaml");
    let file = file.to_str().expect("UTF-8");
    let next = config::quick(&[("v1", &v1), ("v2", &v2)])
        .replace("tick: 100ms", "tick: 250ms")
        .replace("    gates:\n", "    gates:\n      security_events: \"= 0\"\n")
        .replace("{weight: 25%, duration: 200ms,", "{weight: 25%, duration: 400ms,")
        + "  - name: slow\n    tick: 1s\n    stages:\n      - { weight: 0, duration: 30s }\n      - { weight: 10, duration: 1m }\n      - { weight: 50, duration: 1m }\n      - { weight: 100 }\n    gates:\n      error_rate: { bound: \"< 0.5%\", min_samples: 50 }\n      security_events: \"= 0\"\n";
    fs::write(file, &next).expect("takes files");
    let compared = server.run(&["diff", file]);
    assert_eq!(compared.code, 0, "{}", compared.shown());
    let said = compared.stdout.replace(&v2.url, "URL");
    insta::assert_snapshot!("diff-in-the-words-of-the-file", said);
    let full = server.json(&["diff", file]);
    let paths: Vec<&str> = full
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|change| change["path"].as_str())
        .collect();
    assert!(paths.contains(&"plans.quick.tick_ms") && paths.contains(&"plans.slow"), "{paths:?}");
    let applied = server.run(&["apply", file, "--reason", "r"]);
    assert_eq!(applied.code, 0, "{}", applied.shown());
    assert!(applied.stderr.contains(compared.stdout.trim_end()), "{}", applied.shown());
}

#[test]
fn what_only_a_restart_makes_effective_is_said() {
    let world = World::new();
    let v1 = world.agent();
    let text = config::quick(&[("v1", &v1)]);
    let server = Server::start(&text);
    let file = server.dir().join("next.yaml");
    let file = file.to_str().expect("UTF-8");
    // As large as the file that is meant to be used here, and larger than the body of any other request.
    let prices = format!(
        "{{\"m\": {{\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 1e-06, \"more\": [{}0]}}}}",
        "\"\", ".repeat(1_200_000)
    );
    fs::write(server.dir().join("prices.json"), prices).expect("takes files");
    let later = "takes effect at the next start: ";
    let tried = |more: &str| {
        fs::write(file, format!("{more}\n{text}")).expect("takes files");
        let ran = server.run(&["apply", file, "--reason", "r", "--dry-run"]);
        assert_eq!(ran.code, 0, "{}", ran.shown());
        let told = ran.stderr.lines().find_map(|line| line.strip_prefix(later));
        told.map(str::to_owned)
    };
    for (more, told) in [
        ("listen: {ingress: \"127.0.0.1:1\"}", Some("listen.ingress")),
        ("listen: {egress: \"127.0.0.1:1\"}", Some("listen.egress")),
        ("data_dir: elsewhere", Some("data_dir")),
        ("metrics_need_token: true", Some("metrics_need_token")),
        ("feedback: {ticket_ttl: 1h}", Some("feedback.ticket_ttl")),
        ("audit: {mirror: \"file:///tmp/none\"}", Some("audit.mirror")),
        ("prices: [{model: m, input_usd_per_mtok: 1, output_usd_per_mtok: 2}]", Some("prices")),
        ("prices_file: {file: prices.json}", Some("prices_file")),
        ("candidate_stale_max: 1h", None),
        ("channels: [{name: a, webhook: {url: \"http://127.0.0.1:1/\"}}]", None),
    ] {
        assert_eq!(tried(more).as_deref(), told, "{more}");
    }
    let compared = server.run(&["diff", file]);
    assert!(!compared.stderr.contains(later), "{}", compared.shown());
    fs::write(file, format!("data_dir: elsewhere\n{text}")).expect("takes files");
    for args in [&["diff", file][..], &["apply", file, "--reason", "r"]] {
        let ran = server.run(args);
        assert!(ran.code == 0 && ran.stderr.contains(later), "{}", ran.shown());
    }
}
