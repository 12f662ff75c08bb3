//! A server's audit log and its witnesses, all of them real processes.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use lockgate_audit::{
    AddCheckpoint, AuditError, Checkpoint, Entry, Log, LogKey, LogOptions, Reader, origin_hash,
    prove_consistency,
};
use serde_json::Value;

use crate::support::agent::World;
use crate::support::server::Server;
use crate::support::witness::Witness;
use crate::support::{Ran, config, run};

fn metrics(server: &Server) -> String {
    use std::io::{Read as _, Write as _};
    let at = server.api();
    let at = at.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(at).expect("it listens");
    let ask = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(ask.as_bytes()).expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is text");
    answer
}

/// What follows on the line that begins so.
fn number<'a>(metrics: &'a str, begins: &str) -> &'a str {
    metrics.lines().find_map(|line| line.strip_prefix(begins)).unwrap_or_default()
}

/// A number of each witness, in the order of the file.
fn of_witnesses<'a>(metrics: &'a str, name: &str) -> Vec<&'a str> {
    let begins = format!("lockgate_audit_witness_{name}{{");
    let lines = metrics.lines().filter(|line| line.starts_with(&begins));
    lines.filter_map(|line| line.rsplit(' ').next()).collect()
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

/// A server whose log two witnesses cosign.
struct Watched {
    server: Server,
    one: Witness,
    two: Witness,
    key: String,
    file: String,
    world: World,
}

impl Watched {
    fn new() -> Self {
        let world = World::new();
        let v1 = world.agent();
        let file = config::quick(&[("v1", &v1)]);
        let mut server = Server::start(&file);
        server.until_served(&world);
        let log = server.data_dir().join("audit").display().to_string();
        let key = run(&["audit", "keys", "--dir", &log]).stdout.trim().to_owned();
        let tail = run(&["audit", "tail", "--dir", &log]);
        assert!(tail.stderr.starts_with("unanchored: all "), "{}", tail.shown());
        let all = metrics(&server);
        let of_log = number(&all, "lockgate_audit_records ");
        assert_eq!(number(&all, "lockgate_audit_unanchored_records "), of_log);
        server.kill();
        let (one, two) = (Witness::start(&key), Witness::start(&key));
        let of = |witness: &Witness| {
            format!("{{ url: \"{}\", key: \"{}\" }}", witness.url(), witness.key())
        };
        let file = format!("audit: {{ witnesses: [{}, {}] }}\n{file}", of(&one), of(&two));
        server.write_config(&file);
        server.again();
        Self { server, one, two, key, file, world }
    }

    fn log(&self) -> String {
        self.server.data_dir().join("audit").display().to_string()
    }

    fn verify(&self, dir: &str, more: &[&str]) -> Ran {
        let (one, two) = (self.one.key(), self.two.key());
        let args = ["audit", "verify", dir, "--output", "json", "--key", &self.key];
        let args = [&args[..], &["--witness", &one, "--witness", &two], more].concat();
        run(&args)
    }

    /// Waits until the witnesses vouch for everything.
    fn until_anchored(&mut self, more: &[&str]) {
        let log = self.log();
        let (key, one, two) = (self.key.clone(), self.one.key(), self.two.key());
        self.server.until("all of it is cosigned", |_| {
            let args = ["audit", "verify", &log, "--output", "json", "--key", &key];
            let args = [&args[..], &["--witness", &one, "--witness", &two], more].concat();
            let ran = run(&args);
            ran.code == 0 && ran.json()["unanchored_from"] == Value::Null
        });
    }

    fn token(&self, name: &str) {
        let ran = self.server.run(&["token", "create", name, "--role", "viewer", "--reason", name]);
        assert_eq!(ran.code, 0, "{}", ran.shown());
    }
}

#[test]
fn what_two_witnesses_cosigned_cannot_be_taken_back() {
    let mut watched = Watched::new();
    watched.token("first");
    watched.until_anchored(&[]);
    watched.server.until("its numbers say so", |server| {
        let metrics = metrics(server);
        let all = number(&metrics, "lockgate_audit_records ");
        let cosigned = of_witnesses(&metrics, "records");
        metrics.contains("\nlockgate_audit_unanchored_records 0\n")
            && metrics.contains("\nlockgate_audit_unanchored_seconds 0.0\n")
            && cosigned == [all, all]
            && of_witnesses(&metrics, "refused") == ["0", "0"]
            && of_witnesses(&metrics, "failing") == ["0", "0"]
    });
    let log = watched.log();
    let tail = run(&["audit", "tail", "--dir", &log]);
    assert!(tail.stderr.starts_with("unanchored: nothing, by a cosignature"), "{}", tail.shown());
    let show = run(&["audit", "show", "0", "--dir", &log]);
    assert!(show.stderr.starts_with("anchored: by a cosignature"), "{}", show.shown());
    let ask = [watched.one.url(), watched.two.url()];
    let ask = ["--ask", &ask[0], "--ask", &ask[1]];
    assert_eq!(watched.verify(&log, &ask).code, 0);
    watched.server.kill();
    let older = watched.server.dir().join("older");
    copied(Path::new(&log), &older);

    // One is gone: records are taken all the same, and the window of two grows.
    watched.one.kill();
    watched.server.again();
    watched.token("second");
    watched.until_anchored(&["--cosignatures", "1"]);
    let found = watched.verify(&log, &[]);
    assert_eq!(found.code, 0, "{}", found.shown());
    assert!(found.json()["unanchored_from"].is_u64(), "{}", found.shown());
    watched.server.until("its numbers say so", |server| {
        let metrics = metrics(server);
        of_witnesses(&metrics, "failing") == ["1", "0"]
            && number(&metrics, "lockgate_audit_unanchored_records ") != "0"
            && number(&metrics, "lockgate_audit_unanchored_seconds ") != "0.0"
    });
    let asked = watched.verify(&log, &ask);
    assert_eq!(asked.code, 6, "who does not answer was not asked");
    assert!(asked.json()["intact"] == true, "the rest is checked: {}", asked.shown());
    assert!(asked.stderr.contains(ask[1]), "and who did not answer is named: {}", asked.shown());
    watched.one.again();
    watched.server.kill();
    watched.server.again();
    watched.until_anchored(&[]);
    assert_eq!(watched.server.stop(), Some(0));

    let older = older.to_str().expect("it is text").to_owned();
    put_back(&watched, &older, &ask);
    served_from(&mut watched, &older);
    assert_eq!(watched.one.stop(), Some(0));
}

/// Somebody put the log back to an older state.
fn put_back(watched: &Watched, older: &str, ask: &[&str]) {
    // With what was cosigned then: the witnesses tell.
    assert_eq!(watched.verify(older, &[]).code, 0, "nothing in it is wrong");
    let told = watched.verify(older, ask);
    assert_eq!((told.code, &told.json()["damage"][0]["kind"]), (1, &"truncated".into()));
    // Or takes away what was cosigned.
    fs::remove_dir_all(format!("{older}/cosigned")).expect("it is there");
    let told = watched.verify(older, &[]);
    assert_eq!(told.code, 1, "{}", told.shown());
    assert!(
        told.stderr.contains("0 of the 2 witnesses") && told.stderr.contains("hint: "),
        "{}",
        told.shown()
    );
    assert_eq!(
        (&told.json()["intact"], &told.json()["cosigned_enough"]),
        (&true.into(), &false.into())
    );
    // What a witness keeps is a checkpoint to hold against it too.
    let kept =
        fs::read_dir(watched.two.data_dir().join("cosigned")).expect("it is there").flatten();
    // A file a log, called by the hash of its origin.
    let is_log = |path: &std::path::PathBuf| path.file_name().is_some_and(|name| name.len() == 64);
    let kept = kept.map(|file| file.path()).find(is_log).expect("it cosigned");
    let told = run(&["audit", "verify", older, "--known-checkpoint", kept.to_str().expect("text")]);
    assert!(told.code == 1 && told.stdout.contains("truncated at record"), "{}", told.shown());
}

/// And starts the server on it: that is loud, and users are served.
fn served_from(watched: &mut Watched, older: &str) {
    let log = watched.log();
    fs::remove_dir_all(&log).expect("it is there");
    copied(Path::new(older), Path::new(&log));
    watched.server.write_config(&watched.file);
    watched.server.again();
    watched.server.until("it is said", |server| {
        of_witnesses(&metrics(server), "refused") == ["1", "1"]
            && server.log().contains("records were lost here")
    });
    watched.server.until_served(&watched.world);
}

/// The log's states at 1, 2, 3 … records, as requests that go on one from the other.
fn requests(dir: &Path, key: &LogKey, count: u64) -> Vec<AddCheckpoint> {
    let options = LogOptions::new(dir.join("log"));
    if !options.dir.exists() {
        Log::create(&options, key).expect("it begins");
    }
    let asked = (0..count).map(|_| {
        let log = opened(&options, key);
        let old_size = log.status().size;
        log.session().append_blocking(&Entry::event(1, "ada", "act", "x")).expect("recorded");
        log.close();
        let log = Reader::open_signed(&options.dir, vec![]).expect("it reads");
        let older = Checkpoint { size: old_size, root: [0; 32] };
        let proof = prove_consistency(&log, older).expect("it grew");
        AddCheckpoint { old_size, proof, note: log.note().to_vec() }
    });
    asked.collect()
}

/// A process that another test starts has the lock of this one as well, for as long as it is not yet what it will be.
fn opened(options: &LogOptions, key: &LogKey) -> Log {
    let since = Instant::now();
    loop {
        match Log::open(options, key.clone()) {
            Err(AuditError::Locked { .. }) if since.elapsed() < Duration::from_secs(30) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            opened => return opened.expect("it opens"),
        }
    }
}

#[test]
fn whenever_it_is_killed_a_witness_remembers_what_it_cosigned() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let key = LogKey::generate("test.example/log").expect("a key");
    let all = requests(dir.path(), &key, 120);
    let mut witness = Witness::start(&key.public().to_string());
    let path = format!("/{}/checkpoint", origin_hash("test.example/log"));
    let size_told = |witness: &Witness| -> u64 {
        let asked = AddCheckpoint { old_size: 200, ..all[119].clone() };
        let (status, _) =
            witness.ask("POST", "/add-checkpoint", &asked.to_bytes()).expect("it answers");
        assert_eq!(status, 400, "200 is more than there is");
        match witness.ask("GET", &path, b"").expect("it answers") {
            (200, note) => note.lines().nth(1).expect("a size").parse().expect("a size"),
            (404, _) => 0,
            other => panic!("{other:?}"),
        }
    };
    let mut next = 0;
    let mut kills = 0;
    while next < all.len() {
        let cosigned = std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let mut cosigned = next;
                for request in &all[next..] {
                    match witness.ask("POST", "/add-checkpoint", &request.to_bytes()) {
                        Some((200, _)) => cosigned += 1,
                        None => break,
                        Some(other) => panic!("{other:?}"),
                    }
                }
                cosigned
            });
            std::thread::sleep(std::time::Duration::from_millis(3 + 7 * (kills % 5)));
            let pid = witness.pid().to_string();
            let killed = std::process::Command::new("kill").args(["-s", "KILL", &pid]).status();
            assert!(killed.expect("kill is there").success());
            asking.join().expect("it asked")
        });
        witness.kill();
        kills += 1;
        witness.again();
        let remembered = usize::try_from(size_told(&witness)).expect("a small number");
        // The last answer may have been lost on its way.
        assert!((cosigned..=cosigned + 1).contains(&remembered), "{cosigned}, and {remembered}");
        next = remembered;
    }
    assert!(kills >= 3, "{kills}");

    // Another history of the same log, by the same key.
    let other = tempfile::tempdir().expect("a directory for the test");
    let mut forged = requests(other.path(), &key, 121).pop().expect("there are some");
    forged.old_size = 120;
    let refused = witness.ask("POST", "/add-checkpoint", &forged.to_bytes());
    assert_eq!(refused.map(|(status, _)| status), Some(422));
    assert_eq!(size_told(&witness), 120);
}

#[test]
fn a_witness_has_one_key_one_process_and_one_memory() {
    let key = LogKey::generate("test.example/log").expect("a key").public().to_string();
    let mut witness = Witness::start(&key);
    let second = witness.second();
    assert!(second.code == 2 && second.stderr.contains("another process"), "{}", second.shown());
    let dir = witness.data_dir().display().to_string();
    let keys =
        |more: &[&str]| run(&[&["audit", "witness", "keys", "--data-dir", &dir], more].concat());
    let public = witness.key();
    assert!(public.starts_with("lockgate.local/witness/"), "{public}");
    assert!(witness.log().contains(&public), "it says its key");
    let renamed = keys(&["--name", "other"]);
    assert!(renamed.code == 2 && renamed.stderr.contains("is called"), "{}", renamed.shown());
    assert_eq!(keys(&["--output", "json"]).json()["keys"][0], public.as_str());
    assert_eq!(witness.stop(), Some(0));

    // Its memory is taken away, and then its key.
    let memory = witness.data_dir().join("cosigned");
    fs::remove_dir_all(&memory).expect("it is there");
    let forgot = witness.second();
    assert!(forgot.code == 1 && forgot.stderr.contains("remembered"), "{}", forgot.shown());
    fs::create_dir(&memory).expect("the directory takes files");
    fs::write(memory.join("x"), "").expect("the directory takes files");
    fs::remove_file(witness.data_dir().join("keys/witness.key")).expect("it is there");
    let keyless = keys(&[]);
    assert!(keyless.code == 1 && keyless.stderr.contains("is gone"), "{}", keyless.shown());
    let named = tempfile::tempdir().expect("a directory for the test");
    let named = named.path().join("w").display().to_string();
    let ran =
        run(&["audit", "witness", "keys", "--data-dir", &named, "--name", "witness.example/w1"]);
    assert!(ran.code == 0 && ran.stdout.starts_with("witness.example/w1+"), "{}", ran.shown());
    let bad = run(&["audit", "witness", "--data-dir", &named, "--log-key", ran.stdout.trim()]);
    assert!(
        bad.code == 2 && bad.stderr.contains("the key of the witness `witness.example/w1`"),
        "{}",
        bad.shown()
    );
}

#[test]
fn what_is_asked_of_witnesses_makes_sense() {
    let witness = Witness::start(&LogKey::generate("x").expect("a key").public().to_string());
    let key = witness.key();
    let verify = |more: &[&str]| run(&[&["audit", "verify", "nowhere"], more].concat());
    for more in [
        &["--cosignatures", "1"][..],
        &["--ask", "http://127.0.0.1:1"],
        &["--witness", &key, "--cosignatures", "2"],
        &["--witness", &key, "--cosignatures", "0"],
        &["--witness", "nonsense"],
        &["--witness", &key, "--ask", &witness.url()],
    ] {
        let ran = verify(more);
        assert_eq!(ran.code, 2, "{more:?}: {}", ran.shown());
    }
    let log = LogKey::generate("x").expect("a key").public().to_string();
    let never = verify(&["--witness", &key, "--key", &log, "--ask", &witness.url()]);
    assert!(never.code == 1 && never.stderr.contains("never cosigned"), "{}", never.shown());
}
