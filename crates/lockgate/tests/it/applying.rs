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
fn a_pipe_gets_whole_values_and_losses_are_said_aloud() {
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
    let added = compared.stdout.lines().find(|line| line.starts_with("+ ")).expect("v2 is new");
    assert!(added.chars().count() > 150 && added.ends_with('}'), "{added}");
    assert!(!compared.stdout.contains('…'), "{}", compared.stdout);
    let loss = "warning: stage `10%` of plan `quick` no longer asks for `security_events`";
    assert!(compared.stderr.contains(loss), "{}", compared.stderr);
    let applied = server.run(&["apply", file, "--reason", "r"]);
    assert!(applied.code == 0 && applied.stderr.contains(loss), "{}", applied.shown());
}
