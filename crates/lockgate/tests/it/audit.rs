//! What a server recorded, read and checked by another process.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::audit_people::holding;
use crate::support::agent::World;
use crate::support::scene::scene;
use crate::support::server::Server;
use crate::support::{Ran, config, run};

fn audit<S: AsRef<OsStr>>(args: &[S]) -> Ran {
    let mut all = vec![OsStr::new("audit")];
    all.extend(args.iter().map(AsRef::as_ref));
    run(&all)
}

fn log_of(server: &Server) -> PathBuf {
    server.data_dir().join("audit")
}

fn verify(dir: &Path, more: &[&OsStr]) -> Ran {
    let mut args =
        vec![OsStr::new("verify"), dir.as_os_str(), OsStr::new("--output"), OsStr::new("json")];
    args.extend(more);
    audit(&args)
}

fn records(dir: &Path) -> Vec<serde_json::Value> {
    let data = dir.parent().expect("it is in a data directory");
    let args = [OsStr::new("tail"), OsStr::new("-n"), OsStr::new("1000"), OsStr::new("--data-dir")];
    let args: Vec<&OsStr> = args
        .into_iter()
        .chain([data.as_os_str(), OsStr::new("--output"), OsStr::new("json")])
        .collect();
    let ran = audit(&args);
    assert_eq!(ran.code, 0, "{}", ran.shown());
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("a record a line")).collect()
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the directory takes files");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it can be read");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copied(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("it can be copied");
        }
    }
}

#[test]
fn a_release_can_be_followed_proved_and_checked_from_a_copy() {
    let mut scene = scene(&["v1", "v2"]);
    scene.start("v2");
    assert_eq!(scene.end(), "promoted");
    let server = &mut scene.server;
    let log = log_of(server);
    server.until("its end is recorded", |_| {
        records(&log).iter().any(|record| {
            record["labels"]["decision"] == "promoted" && record["labels"]["version"] == "v2"
        })
    });
    let all = records(&log);
    let start =
        all.iter().find(|record| record["action"] == "rollout.start").expect("it is recorded");
    assert_eq!(start["principal"], "first-admin");
    assert_eq!(start["detail"]["reason"], "a test");

    let first = |record: &&serde_json::Value| {
        record["labels"]["version"] == "v2" && record["detail"]["step"] == 1
    };
    let cause =
        &all.iter().find(first).expect("its first step")["detail"]["transition"]["causes"][0];
    assert_eq!((&cause["by"], &cause["text"]), (&"first-admin".into(), &"started: a test".into()));
    for text in ["first-admin", "a test"] {
        assert_eq!(holding(&log, text), [] as [PathBuf; 0], "what people are called and write");
    }

    // With nothing but a copy, the key and a checkpoint that was kept.
    server.until("all of it is signed", |_| verify(&log, &[]).json()["unsigned"] == 0);
    let key = server.dir().join("log.key");
    let kept = server.dir().join("kept");
    let dir = [OsStr::new("--dir"), log.as_os_str()];
    let says = |word: &str| audit(&[&[OsStr::new(word)], &dir[..]].concat()).stdout;
    fs::write(&key, says("keys")).expect("the directory takes files");
    fs::write(&kept, says("checkpoint")).expect("the directory takes files");
    server.kill();
    let copy = server.dir().join("copy");
    copied(&log, &copy);
    let with =
        [OsStr::new("--key"), key.as_os_str(), OsStr::new("--known-checkpoint"), kept.as_os_str()];
    let found = verify(&copy, &with);
    assert_eq!(found.code, 0, "{}", found.shown());
    assert_eq!(found.json()["intact"], true);
    assert_eq!(found.json()["unanchored_from"], serde_json::Value::Null);
    let seq = start["seq"].to_string();
    let proof = server.dir().join("proof");
    let args = [
        OsStr::new("prove"),
        OsStr::new(&seq),
        OsStr::new("--out"),
        proof.as_os_str(),
        OsStr::new("--dir"),
        copy.as_os_str(),
    ];
    assert_eq!(audit(&args).code, 0);
    let check =
        [OsStr::new("check-proof"), proof.as_os_str(), OsStr::new("--key"), key.as_os_str()];
    let held = audit(&check);
    assert!(held.code == 0 && held.stdout.contains("rollout.start"), "{}", held.shown());
    let forged = fs::read_to_string(&proof).expect("it is there").replace("index ", "index 1");
    fs::write(&proof, forged).expect("the directory takes files");
    assert_eq!(audit(&check).code, 1);

    // Someone cuts the copy's end off and signs nothing: the kept checkpoint tells.
    fs::remove_dir_all(copy.join("tile")).expect("it is there");
    let found = verify(&copy, &with);
    assert_eq!(found.code, 1, "{}", found.shown());
}

#[test]
fn every_kill_leaves_a_log_that_goes_on() {
    let world = World::new();
    let v1 = world.agent();
    let mut server = Server::start(&config::quick(&[("v1", &v1)]));
    server.until_served(&world);
    let mut made = Vec::new();
    for round in 0..5 {
        let name = format!("token-{round}");
        let ran = server.run(&["token", "create", &name, "--role", "viewer", "--reason", &name]);
        assert_eq!(ran.code, 0, "{}", ran.shown());
        made.push(name);
        server.kill();
        let found = verify(&log_of(&server), &[]);
        assert_eq!(found.code, 0, "{}", found.shown());
        server.again();
    }
    let all = records(&log_of(&server));
    let reasons: Vec<&str> = all
        .iter()
        .filter(|record| record["action"] == "token.create")
        .filter_map(|record| record["detail"]["reason"].as_str())
        .collect();
    let (first, rest) = reasons.split_first().expect("the first token is recorded");
    assert_eq!(*first, "there was no token yet", "the server's own");
    assert_eq!(rest, made, "what was acknowledged is there, once and in order");
}

/// Nothing is begun anew over a log that someone took away or changed; users are served all the same.
#[test]
fn a_log_that_was_changed_stops_changes_and_not_users() {
    let world = World::new();
    let v1 = world.agent();
    let mut server = Server::start(&config::quick(&[("v1", &v1)]));
    server.until_served(&world);
    // What it serves from without a store is written after it is served from; one without an agent may come first, and
    // one without a stable version.
    server.until("its snapshot is on disk", |server| {
        let snapshot = fs::read_to_string(server.data_dir().join("gateway/snapshot.json"));
        snapshot.is_ok_and(|text| text.contains(&v1.url) && text.contains("\"split\":{"))
    });
    server.kill();
    let log = log_of(&server);
    let kept = server.dir().join("kept");
    copied(&log, &kept);
    let wal = log.join("wal/00000000000000000000.wal");
    let mut bytes = fs::read(&wal).expect("it is there");
    bytes[60] ^= 1;
    fs::write(&wal, &bytes).expect("it can be written");
    let ingress = server.again_without_control();
    assert_eq!(world.ask(&ingress).map(|(status, _)| status), Some(200));
    server.until("it is said", |server| server.log().contains("is damaged"));
    assert!(!server.is_ready(), "no change is taken");
    assert_eq!(fs::read(&wal).expect("it is there"), bytes, "evidence stays as it is");
    assert_eq!(verify(&log, &[]).code, 1);
    fs::remove_dir_all(&log).expect("it is there");
    copied(&kept, &log);
    server.until("it goes on with the log put back", Server::is_ready);
}

#[test]
fn a_log_of_nobody_is_said_to_be_none() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let missing = dir.path().join("none");
    let ran = verify(&missing, &[]);
    assert!(ran.code == 2 && ran.stderr.contains("does not exist"), "{}", ran.shown());
    let empty = verify(dir.path(), &[]);
    assert_eq!(empty.code, 1, "{}", empty.shown());
    assert_eq!(empty.json()["damage"][0]["kind"], "emptied");
    let bad = audit(&["verify", "--key", "nonsense"]);
    assert!(
        bad.code == 2 && bad.stderr.contains("neither a public key nor a file"),
        "{}",
        bad.shown()
    );
    let proof = dir.path().join("proof");
    fs::write(&proof, "nonsense").expect("the directory takes files");
    let bare = audit(&[OsStr::new("check-proof"), proof.as_os_str()]);
    assert!(
        bare.code == 2 && bare.stderr.contains("without the log's public key"),
        "{}",
        bare.shown()
    );
}

#[test]
fn records_are_found_by_what_they_are_about() {
    let mut scene = scene(&["v1", "v2"]);
    scene.start("v2");
    assert_eq!(scene.end(), "promoted");
    let server = &mut scene.server;
    let (log, data) = (log_of(server), server.data_dir());
    let search = |more: &[&str]| {
        let mut args = vec![OsStr::new("search"), OsStr::new("--data-dir"), data.as_os_str()];
        args.extend(more.iter().map(OsStr::new));
        args.extend([OsStr::new("--output"), OsStr::new("json")]);
        let ran = audit(&args);
        assert_eq!(ran.code, 0, "{}", ran.shown());
        let lines = ran.stdout.lines().map(serde_json::from_str);
        lines.collect::<Result<Vec<serde_json::Value>, _>>().expect("a record a line")
    };
    let of_v2 = ["--version", "v2", "--decision", "promoted"];
    server.until("its end is recorded", |_| search(&of_v2).len() == 1);
    let steps = search(&["--agent", "support", "--action", "rollout.transition", "--limit", "2"]);
    assert_eq!(steps.len(), 2);
    assert!(steps[0]["seq"].as_u64() > steps[1]["seq"].as_u64(), "the newest first");
    assert_eq!(search(&["--principal", "first-admin"])[0]["detail"]["reason"], "a test");
    assert!(search(&["--agent", "nobody"]).is_empty());
    assert!(search(&["--to", "1h"]).is_empty());
    assert!(server.data_dir().join("audit-index").exists());
    assert_eq!(verify(&log, &[]).code, 0, "the index is no part of the log");
    let bad = audit(&["search", "--from", "yesterday"]);
    assert!(bad.code == 2 && bad.stderr.contains("neither a time"), "{}", bad.shown());
}
