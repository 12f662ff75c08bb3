//! Starting, reloading and stopping a real server.

use std::fs;
use std::process::Stdio;
use std::sync::atomic::Ordering;

use serde_json::json;

use crate::support::agent::{World, joined};
use crate::support::server::Server;
use crate::support::{config, lockgate};

#[test]
fn a_second_process_on_the_same_directory_is_refused_and_the_first_serves_on() {
    let world = World::new();
    let v1 = world.agent();
    let mut server = Server::start(&config::quick(&[("v1", &v1)]));
    server.until_served(&world);
    let second = server.serve().output().expect("the binary starts");
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("error: another process serves from the data directory"), "{said}");
    assert!(said.contains("\n\nhint: stop it first"), "{said}");
    assert_eq!(world.ask(&server.ingress()).map(|(status, _)| status), Some(200));
}

#[test]
fn a_broken_file_on_sighup_changes_nothing() {
    let world = World::new();
    let v1 = world.agent();
    let mut server = Server::start(&config::quick(&[("v1", &v1)]));
    server.until_served(&world);
    server.write_config("agents: [\n");
    server.signal("HUP");
    server.until("the refusal is logged", |server| {
        server.log().contains("what is in force stays so")
    });
    assert!(server.log().contains("lockgate.yaml:"), "with its place: {}", server.log());
    assert_eq!(world.ask(&server.ingress()).map(|(status, _)| status), Some(200));
    assert_eq!(server.json(&["agent", "list"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn reloading_under_load_drops_nothing() {
    let world = World::new();
    let (v1, v2) = (world.agent(), world.agent());
    let one = config::quick(&[("v1", &v1)]);
    let both = config::quick(&[("v1", &v1), ("v2", &v2)]);
    let mut server = Server::start(&one);
    server.until_served(&world);
    let ingress = server.ingress();
    let traffic = world.traffic(4, move || Some(ingress.clone()));
    for round in 0..6 {
        let text = if round % 2 == 0 { &both } else { &one };
        server.write_config(text);
        server.signal("HUP");
        let expected = if round % 2 == 0 { 2 } else { 1 };
        server.until("the file is in force", |server| {
            let versions = server.json(&["version", "list", "support"]);
            versions.as_array().map(Vec::len) == Some(expected)
        });
    }
    let good = || traffic.counts.good.load(Ordering::Relaxed);
    let before = good();
    server.until("traffic goes on", |_| good() > before + 100);
    assert_eq!(traffic.counts.bad.load(Ordering::Relaxed), 0);
    assert_eq!(traffic.counts.cut.load(Ordering::Relaxed), 0);
}

#[test]
fn a_version_that_changed_is_refused_at_the_start() {
    let world = World::new();
    let (v1, other) = (world.agent(), world.agent());
    let mut server = Server::start(&config::quick(&[("v1", &v1)]));
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    assert!(!server.data_dir().join("addresses.json").exists());
    server.write_config(&config::quick(&[("v1", &other)]));
    let refused = server.serve().output().expect("the binary starts");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("version `v1` of agent `support` is known with other content"), "{said}");
    assert!(said.contains("\n\nhint: a version is its content"), "{said}");
}

#[test]
fn the_newest_change_wins_over_a_restart() {
    let world = World::new();
    let (v1, v2, v3) = (world.agent(), world.agent(), world.agent());
    let file = config::quick(&[("v1", &v1)]);
    let mut server = Server::start(&file);
    let names = |server: &Server| -> Vec<String> {
        let versions = server.json(&["version", "list", "support"]);
        let all = versions.as_array().expect("a list").iter();
        all.map(|version| version["name"].as_str().expect("a name").to_owned()).collect()
    };
    let applied = server.dir().join("applied.yaml");
    fs::write(&applied, config::quick(&[("v1", &v1), ("v2", &v2)])).expect("takes files");
    let applied = applied.to_str().expect("UTF-8");
    let changes = server.json(&["diff", applied]);
    assert_eq!(changes.as_array().map(Vec::len), Some(1), "{changes}");
    let first = server.run(&["apply", applied, "--reason", "v2 is built"]);
    assert!(first.code == 0 && first.stdout.starts_with("applied"), "{}", first.shown());
    let again = server.run(&["apply", applied, "--reason", "v2 is built"]);
    assert!(again.code == 0 && again.stdout.starts_with("unchanged"), "{}", again.shown());
    server.stop();
    server.again();
    assert_eq!(names(&server), ["v1", "v2"], "the same file does not undo what was applied");
    server.stop();
    server.write_config(&config::quick(&[("v1", &v1), ("v3", &v3)]));
    server.again();
    assert_eq!(names(&server), ["v1", "v3"], "a file that changed is the newest change");
}

#[test]
fn stopping_lets_requests_finish() {
    let world = World::new();
    let v1 = world.agent();
    let mut server = Server::start(&config::quick(&[("v1", &v1)]));
    server.until_served(&world);
    v1.behaviour.delay_ms.store(1_500, Ordering::Relaxed);
    let ingress = server.ingress();
    let before = v1.behaviour.begun.load(Ordering::Relaxed);
    let asked = std::thread::spawn(move || World::new().ask(&ingress));
    server.until("the request is with the agent", |_| {
        v1.behaviour.begun.load(Ordering::Relaxed) > before
    });
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    assert_eq!(joined(asked), Some((200, "an answer".into())));
}

#[test]
fn the_first_token_goes_to_the_file_only() {
    let world = World::new();
    let v1 = world.agent();
    let mut server = Server::start(&config::quick(&[("v1", &v1)]));
    let token = fs::read_to_string(server.token_file()).expect("written");
    assert!(token.starts_with("lgk_"));
    assert!(!server.log().contains("lgk_"), "{}", server.log());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(server.token_file()).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    server.stop();
    server.again();
    assert_eq!(fs::read_to_string(server.token_file()).expect("still there"), token);
    let made = server.run(&["token", "create", "ci", "--role", "viewer", "--reason", "pipeline"]);
    assert_eq!(made.code, 0, "{}", made.shown());
    let viewer = made.stdout.trim();
    let refused = lockgate()
        .args(["rollout", "start", "support", "v1", "--reason", "r", "--token", viewer])
        .args(["--server", &server.api()])
        .output()
        .expect("the binary starts");
    assert_eq!(refused.status.code(), Some(2), "a viewer may not start anything");
    let unknown = lockgate()
        .args(["agent", "list", "--token", "lgk_wrong", "--server", &server.api()])
        .output()
        .expect("the binary starts");
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn traffic_goes_on_from_the_last_snapshot_when_the_store_does_not_open() {
    let world = World::new();
    let v1 = world.agent();
    let mut server = Server::start(&config::quick(&[("v1", &v1)]));
    server.until_served(&world);
    server.stop();
    for rest in ["state.db-wal", "state.db-shm"] {
        // There or not.
        let _ = fs::remove_file(server.data_dir().join(rest));
    }
    fs::write(server.data_dir().join("state.db"), "this is no database").expect("takes files");
    let log = server.dir().join("degraded.log");
    let mut child = server
        .serve()
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).expect("takes files"))
        .spawn()
        .expect("the binary starts");
    let read = || fs::read_to_string(&log).unwrap_or_default();
    let mut ingress = None;
    server.until("the gateway listens without the store", |_| {
        let lines = read();
        let mut events =
            lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        ingress = events.find_map(|event| event["local_addr"].as_str().map(str::to_owned));
        ingress.is_some()
    });
    let url = format!("http://{}", ingress.expect("found above"));
    let answered = world.ask(&url);
    child.kill().expect("a child can be killed");
    child.wait().expect("a child ends");
    assert_eq!(answered, Some((200, "an answer".into())), "{}", read());
    assert!(read().contains("serving from the last snapshot"));
}

#[test]
fn an_endpoint_that_is_not_there_is_a_warning_with_its_place() {
    let world = World::new();
    let here = world.agent();
    let dir = tempfile::tempdir().expect("a directory for the test");
    let file = dir.path().join("lockgate.yaml");
    // Nobody may listen on port 1.
    let text = config::quick(&[("v1", &here)]).replace(&here.url, "http://127.0.0.1:1");
    fs::write(&file, text).expect("takes files");
    let checked: crate::support::Ran = lockgate()
        .args(["check", "--probe", "--output", "json"])
        .arg(&file)
        .output()
        .expect("the binary starts")
        .into();
    assert_eq!(checked.code, 0, "{}", checked.shown());
    let found = checked.json();
    let places: Vec<_> = found["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|one| {
            one["message"].as_str().is_some_and(|text| text.contains("cannot be reached"))
        })
        .map(|one| json!([one["severity"], one["line"], one["column"]]))
        .collect();
    assert_eq!(places, [json!(["warning", 6, 31])]);
}
