//! `lockgate drift --lockgate --policies`: what a server has in force beside what a checkout has.

use std::fs;

use lockgate_model::drift::{Drift, Report};

use crate::support::agent::World;
use crate::support::config;
use crate::support::server::Server;
use crate::support::{Ran, lockgate};

const POLICY: &str = "\
tools:
  desk:
    actions:
      read: {arguments: {path: path}}
rules:
  - {id: reads, tool: desk, action: read, effect: allow}
";

fn compare(server: &Server, checkout: &str) -> (Report, Ran) {
    let args = ["drift", checkout, "--lockgate", "lockgate.yaml", "--policies", "policies"];
    let ran = server.run(&[&args[..], &["--output", "json"]].concat());
    let report = Report::read(&ran.stdout);
    (report.unwrap_or_else(|error| panic!("{error}: {}", ran.shown())), ran)
}

#[test]
fn what_was_changed_at_the_server_is_seen() {
    let world = World::new();
    let (v1, v2) = (world.agent(), world.agent());
    let text = config::quick(&[("v1", &v1)]);
    let checkout = tempfile::tempdir().expect("a directory for the test");
    let policies = checkout.path().join("policies");
    fs::create_dir(&policies).expect("takes directories");
    fs::write(policies.join("desk.yaml"), POLICY).expect("takes files");
    // The server has the same files elsewhere.
    let elsewhere = tempfile::tempdir().expect("a directory for the test");
    fs::write(elsewhere.path().join("desk.yaml"), POLICY).expect("takes files");
    fs::write(checkout.path().join("lockgate.yaml"), format!("# a comment\n{text}"))
        .expect("takes files");
    let server = Server::start_with_policies(&text, elsewhere.path());
    let root = checkout.path().to_str().expect("UTF-8");

    let (report, ran) = compare(&server, root);
    assert_eq!((report.outcome, ran.code), (Drift::None, 0), "{report:?}");

    let by_hand = server.dir().join("by-hand.yaml");
    let other = config::quick(&[("v1", &v1), ("v2", &v2)]).replace("tick: 100ms", "tick: 250ms");
    fs::write(&by_hand, other).expect("takes files");
    let applied = server.run(&["apply", by_hand.to_str().expect("UTF-8"), "--reason", "by hand"]);
    assert_eq!(applied.code, 0, "{}", applied.shown());
    let (report, ran) = compare(&server, root);
    assert_eq!((report.outcome, ran.code), (Drift::Drifted, 1));
    let told: Vec<(&str, &str)> =
        report.roots[0].changes.iter().map(|one| (one.what.as_str(), one.how.as_str())).collect();
    let gone = "is in force, and is not written";
    assert!(told.contains(&("agents.support.versions.v2", gone)), "{told:?}");
    assert!(told.contains(&("plans.quick.tick_ms", "differs")), "{told:?}");
    assert_eq!(report.roots[1].outcome, Drift::None);

    fs::write(policies.join("desk.yaml"), POLICY.replace("allow", "deny")).expect("takes files");
    let (report, ran) = compare(&server, root);
    assert_eq!((report.roots[1].outcome, ran.code), (Drift::Drifted, 1));
}

#[test]
fn a_server_that_does_not_answer_or_does_not_tell_leaves_it_unknown() {
    let world = World::new();
    let v1 = world.agent();
    let text = config::quick(&[("v1", &v1)]);
    let server = Server::start(&text);
    fs::write(server.dir().join("lockgate.yaml"), &text).expect("takes files");
    let dir = server.dir().to_str().expect("UTF-8");
    let args = ["drift", dir, "--lockgate", "lockgate.yaml"];
    assert_eq!(server.run(&args).code, 0);
    let stranger = server.run_as("lgk_none", &args);
    assert_eq!(stranger.code, 7, "{}", stranger.shown());
    let nobody: Ran = lockgate()
        .args(args)
        .args(["--server", "http://127.0.0.1:1"])
        .output()
        .expect("the binary starts")
        .into();
    assert_eq!(nobody.code, 7, "{}", nobody.shown());
    assert!(nobody.stdout.contains("cannot reach the server"), "{}", nobody.stdout);
    // Without a policy there is none in force, whatever is written.
    let policies = server.dir().join("policies");
    fs::create_dir(&policies).expect("takes directories");
    fs::write(policies.join("desk.yaml"), POLICY).expect("takes files");
    let none = server.run(&["drift", dir, "--policies", "policies"]);
    assert_eq!(none.code, 1, "{}", none.shown());
}
