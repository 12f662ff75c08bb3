//! Changing the audit log's key from the command line.

use std::process::Stdio;
use std::time::Duration;

use crate::support::agent::World;
use crate::support::server::Server;
use crate::support::{config, lockgate, run};

#[test]
fn a_server_goes_on_with_the_new_key_and_the_old_one_still_verifies() {
    let world = World::new();
    let v1 = world.agent();
    let mut server = Server::start(&config::quick(&[("v1", &v1)]));
    server.until_served(&world);
    let data = server.data_dir().to_str().expect("it is text").to_owned();
    let log = format!("{data}/audit");
    let rotate = ["audit", "keys", "rotate", "--data-dir", &data, "--reason", "yearly"];
    let keys = || run(&["audit", "keys", "--dir", &log]).stdout;
    let first = keys().trim().to_owned();
    let refused = run(&rotate);
    assert!(
        refused.code == 2 && refused.stderr.contains("hint: stop it first"),
        "{}",
        refused.shown()
    );
    server.kill();
    // Killed at many points, it is finished or was none.
    for round in 0..20_u64 {
        let mut child = lockgate()
            .args(rotate)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        std::thread::sleep(Duration::from_millis(round * 2));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        let found = run(&["audit", "verify", &log, "--key", &first]);
        assert_eq!(found.code, 0, "round {round}: {}", found.shown());
    }
    let done = run(&rotate);
    assert_eq!(done.code, 0, "{}", done.shown());
    assert_eq!(keys().lines().last(), done.stdout.lines().next(), "the newest is the last");
    assert_eq!(keys().lines().next(), Some(first.as_str()));
    let secrets = std::fs::read_dir(format!("{data}/keys")).expect("it is there").flatten();
    let secrets: Vec<_> = secrets.map(|entry| entry.file_name()).collect();
    assert!(!secrets.iter().any(|name| name == "audit.key.next"), "{secrets:?}");
    server.again();
    let made = server.run(&["token", "create", "t", "--role", "viewer", "--reason", "after"]);
    assert_eq!(made.code, 0, "{}", made.shown());
    server.kill();
    let found = run(&["audit", "verify", &log, "--key", &first]);
    assert_eq!(found.code, 0, "{}", found.shown());
    let told =
        run(&["audit", "tail", "-n", "1000", "--data-dir", &data, "--output", "json"]).stdout;
    assert!(told.contains("\"reason\":\"yearly\"") && told.contains("audit.rotate_key"), "{told}");
}

#[test]
fn there_is_no_key_to_change_without_a_log() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let data = dir.path().join("none");
    let data = data.to_str().expect("it is text");
    let ran = run(&["audit", "keys", "rotate", "--data-dir", data, "--reason", "x"]);
    assert!(ran.code == 2 && ran.stderr.contains("there is no audit log"), "{}", ran.shown());
    assert!(!std::path::Path::new(data).exists());
    assert_eq!(run(&["audit", "keys", "rotate", "--data-dir", data]).code, 2);
}
