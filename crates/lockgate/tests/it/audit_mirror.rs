//! A server's audit log, and its copy elsewhere.

use std::fs;

use crate::support::agent::World;
use crate::support::server::Server;
use crate::support::{config, metrics, run};

#[test]
fn a_copy_is_kept_verifies_and_is_not_written_over() {
    let world = World::new();
    let v1 = world.agent();
    let away = tempfile::tempdir().expect("a directory for the test");
    let copy = away.path().join("copy");
    let file = config::quick(&[("v1", &v1)]);
    let file = format!("audit: {{ mirror: \"file://{}\" }}\n{file}", copy.display());
    let mut server = Server::start(&file);
    server.until_served(&world);
    let made = server.run(&["token", "create", "t", "--role", "viewer", "--reason", "copied"]);
    assert_eq!(made.code, 0, "{}", made.shown());
    let shown = copy.to_str().expect("it is text").to_owned();
    let key =
        run(&["audit", "keys", "--dir", &format!("{}/audit", server.data_dir().display())]).stdout;
    let key = key.trim();
    let tail = || run(&["audit", "tail", "-n", "1000", "--dir", &shown, "--output", "json"]);
    server.until("it is copied", |_| tail().stdout.contains("token.create"));
    server.until("its numbers say so", |server| {
        let metrics = metrics(server);
        metrics.contains("\nlockgate_audit_mirror_behind_records 0\n")
            && metrics.contains("\nlockgate_audit_mirror_refused 0\n")
    });
    server.stop();
    let found = run(&["audit", "verify", &shown, "--key", key]);
    assert!(
        found.code == 0 && found.stdout.contains("a copy of what is signed"),
        "{}",
        found.shown()
    );
    let all = run(&["audit", "verify", &shown, "--key", key, "--output", "json"]).json();
    let log = format!("{}/audit", server.data_dir().display());
    let log = run(&["audit", "verify", &log, "--key", key, "--output", "json"]).json();
    assert_eq!((&all["size"], &all["root"]), (&log["size"], &log["root"]), "to the last record");

    // Someone takes the log away, and a new one is begun beside the copy of the old.
    fs::remove_dir_all(server.data_dir()).expect("it is there");
    let before = fs::read(copy.join("checkpoint")).expect("it is there");
    server.again();
    server.until("it is said", |server| {
        metrics(server).contains("\nlockgate_audit_mirror_refused 1\n")
    });
    server.stop();
    assert_eq!(fs::read(copy.join("checkpoint")).expect("it is there"), before);
    assert_eq!(run(&["audit", "verify", &shown, "--key", key]).code, 0);
}
