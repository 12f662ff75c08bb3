//! People in the audit log of a server: named to whoever has its directory, and forgotten when asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate_audit::{Entry, Log, LogKey, LogOptions};
use serde_json::Value;

use crate::support::agent::World;
use crate::support::server::Server;
use crate::support::{Ran, config, lockgate, run};

/// Someone whose name no file has by chance.
const NAME: &str = "Ada Beispiel";

struct People {
    server: Server,
    data: String,
    token: String,
    _world: World,
}

/// A server on which someone has acted.
fn people() -> People {
    let world = World::new();
    let v1 = world.agent();
    let mut server = Server::start(&config::quick(&[("v1", &v1)]));
    server.until_served(&world);
    let made =
        server.run(&["token", "create", NAME, "--role", "admin", "--reason", "our new colleague"]);
    assert_eq!(made.code, 0, "{}", made.shown());
    let data = server.data_dir().to_str().expect("it is text").to_owned();
    let token = made.stdout.trim().to_owned();
    let people = People { server, data, token, _world: world };
    people.acts("t1", "Ada Beispiel needs it for her own work");
    people
}

impl People {
    /// The same person does something more.
    fn acts(&self, token: &str, reason: &str) {
        let mut command: Command = lockgate();
        command.args(["token", "create", token, "--role", "viewer", "--reason", reason]);
        command.args(["--server", &self.server.api(), "--token", &self.token]);
        let ran = Ran::from(command.output().expect("the binary starts"));
        assert_eq!(ran.code, 0, "{}", ran.shown());
    }

    fn audit(&self, args: &[&str]) -> Ran {
        run(&[&["audit"], args, &["--data-dir", &self.data]].concat())
    }

    fn found(&self, args: &[&str]) -> Vec<Value> {
        let ran = self.audit(&[&["search", "--output", "json"], args].concat());
        assert_eq!(ran.code, 0, "{}", ran.shown());
        ran.stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("a record a line"))
            .collect()
    }

    fn created(&self, token: &str) -> Value {
        let all = self.found(&["--action", "token.create"]);
        all.into_iter().find(|record| record["detail"]["name"] == token).expect("it is recorded")
    }

    fn holding(&self, name: &str) -> Vec<PathBuf> {
        ["audit", "audit-index", "audit-vault"]
            .into_iter()
            .flat_map(|dir| holding(&Path::new(&self.data).join(dir), name))
            .collect()
    }

    fn erase(&self) -> Ran {
        self.server.run(&["audit", "erase", NAME, "--reason", "asked to be forgotten"])
    }
}

/// Files that hold a text.
pub(crate) fn holding(dir: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("it is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            if bytes.windows(text.len()).any(|some| some.eq_ignore_ascii_case(text.as_bytes())) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn people_are_named_where_their_keys_are_and_nowhere_else() {
    let people = people();
    let record = people.created("t1");
    assert_eq!(record["principal"], NAME);
    assert_eq!(record["detail"]["reason"], "Ada Beispiel needs it for her own work");
    assert_eq!(people.created(NAME)["principal"], "first-admin");
    assert_eq!(people.found(&["--principal", NAME]).len(), 1);
    assert!(people.found(&["--principal", "Ada"]).is_empty());
    for dir in ["audit", "audit-index"] {
        let dir = Path::new(&people.data).join(dir);
        for name in [NAME, "her own work", "new colleague", "first-admin"] {
            assert_eq!(holding(&dir, name), [] as [PathBuf; 0], "{name}");
        }
    }
    // A copy of the log alone has pseudonyms, and is as whole.
    let log = format!("{}/audit", people.data);
    let bare = run(&["audit", "tail", "-n", "1000", "--dir", &log, "--output", "json"]);
    assert!(bare.code == 0 && bare.stdout.contains("\"principal\":\"subject:"), "{}", bare.shown());
    assert!(!bare.stdout.contains(NAME), "{}", bare.shown());
    let seq = record["seq"].to_string();
    let shown = people.audit(&["show", &seq]).json();
    assert_eq!(shown["sealed"]["/detail/reason"]["found"], "opened");
    let table = people.audit(&["tail", "-n", "1000"]).stdout;
    assert!(table.contains(NAME), "{table}");
    for (format, named) in [("jsonl", false), ("csv", true), ("ocsf", true), ("cloudevents", true)]
    {
        let with = people.audit(&["export", "--format", format]).stdout;
        assert_eq!(with.contains(NAME), named, "{format}");
        let without = run(&["audit", "export", "--format", format, "--dir", &log]).stdout;
        assert!(without.contains("subject:") && !without.contains(NAME), "{format}");
    }
}

#[test]
fn who_was_erased_is_found_nowhere_and_every_proof_stays() {
    let mut people = people();
    let log = format!("{}/audit", people.data);
    let kept = people.server.dir().join("kept");
    let (data, seq) = (people.data.clone(), people.created("t1")["seq"].to_string());
    people.server.until("all of it is signed", |_| {
        run(&["audit", "verify", &format!("{data}/audit"), "--output", "json"]).json()["unsigned"]
            == 0
    });
    fs::write(&kept, people.audit(&["checkpoint"]).stdout).expect("the directory takes files");
    let bundle = people.server.dir().join("bundle").to_str().expect("it is text").to_owned();
    let evidence = ["export", "--bundle", &bundle, "--disclose", "principal,reason"];
    assert_eq!(people.audit(&evidence).code, 0);
    let bare = run(&["audit", "export", "--bundle", "x", "--disclose", "reason", "--dir", &log]);
    assert!(bare.code == 2 && bare.stderr.contains("--data-dir"), "{}", bare.shown());
    assert_eq!(people.audit(&["export", "--bundle", "x", "--disclose", "all"]).code, 2);
    assert_eq!(people.audit(&["export", "--disclose", "reason"]).code, 2, "in evidence alone");
    let key = people.audit(&["keys"]).stdout.trim().to_owned();

    let named = people.server.run(&["audit", "erase", NAME, "--reason", "ada beispiel asked"]);
    assert!(named.code == 2 && named.stderr.contains("without the name"), "{}", named.shown());
    let erased = people.erase();
    assert!(erased.code == 0 && erased.stdout.contains("subject:"), "{}", erased.shown());
    assert_eq!(people.holding(NAME), [] as [PathBuf; 0]);
    assert!(people.found(&["--principal", NAME]).is_empty());
    let record = people.audit(&["show", &seq]).json();
    assert_eq!(
        (&record["principal"], &record["detail"]["reason"]),
        (&"[erased]".into(), &"[erased]".into())
    );
    assert_eq!(record["detail"]["name"], "t1", "the token is not the person");
    let told = people.found(&["--action", "audit.erase"]);
    assert_eq!(told.len(), 2);
    assert_eq!(
        (&told[0]["step"], &told[0]["detail"]["outcome"]),
        (&"outcome".into(), &"erased".into())
    );
    assert_eq!(
        (&told[1]["step"], &told[1]["principal"]),
        (&"intent".into(), &"first-admin".into())
    );
    assert_eq!(told[1]["detail"]["reason"], "asked to be forgotten");
    let again = people.erase();
    assert!(again.code == 0 && again.stdout.contains("nothing to erase"), "{}", again.shown());

    // The running server knows the person no more: who acts again is another.
    people.acts("t2", "back again");
    let record = people.created("t2");
    assert_eq!(
        (&record["principal"], &record["detail"]["reason"]),
        (&NAME.into(), &"back again".into())
    );
    assert_eq!(people.found(&["--principal", NAME]).len(), 1);
    people.server.kill();
    let known = kept.to_str().expect("it is text");
    let found = run(&["audit", "verify", &log, "--key", &key, "--known-checkpoint", known]);
    assert_eq!(found.code, 0, "{}", found.shown());
    let held = run(&["audit", "check-bundle", &bundle, "--key", &key, "--output", "json"]);
    assert!(
        held.code == 0 && held.json()["found"]["disclosed"].as_u64() > Some(3),
        "{}",
        held.shown()
    );
    let proof = people.audit(&["prove", &seq]);
    assert_eq!(proof.code, 0, "{}", proof.shown());
    // With the server stopped it is done on its directory.
    let erased = people.audit(&["erase", NAME, "--reason", "the rest too"]);
    assert_eq!(erased.code, 0, "{}", erased.shown());
    assert_eq!(people.holding(NAME), [] as [PathBuf; 0]);
    let told = people.found(&["--action", "audit.erase"]);
    assert_eq!((told.len(), &told[1]["principal"]), (4, &"local".into()));
    people.server.again();
    let record = people.audit(&["show", &seq]).json();
    assert_eq!(record["principal"], "[erased]");
}

#[test]
fn while_a_hold_lasts_nobody_is_erased() {
    let mut people = people();
    let hold =
        |people: &People, args: &[&str]| people.server.run(&[&["audit", "hold"], args].concat());
    let placed = hold(&people, &["add", "case 7", "--reason", "a law suit"]);
    assert_eq!(placed.code, 0, "{}", placed.shown());
    let twice = hold(&people, &["add", "case 7", "--reason", "a law suit"]);
    assert!(twice.code == 2 && twice.stderr.contains("already"), "{}", twice.shown());
    people.server.kill();
    let refused = people.audit(&["erase", NAME, "--reason", "asked"]);
    assert!(refused.code == 1 && refused.stderr.contains("`case 7`"), "{}", refused.shown());
    people.server.again();
    let refused = people.erase();
    assert!(refused.code == 1 && refused.stderr.contains("hold list"), "{}", refused.shown());
    let listed = hold(&people, &["list"]).stdout;
    assert!(listed.contains("case 7") && listed.contains("first-admin"), "{listed}");
    assert_eq!(hold(&people, &["remove", "case 8", "--reason", "over"]).code, 2);
    let gone = hold(&people, &["remove", "case 7", "--reason", "over"]);
    assert_eq!(gone.code, 0, "{}", gone.shown());
    assert_eq!(people.erase().code, 0);
    for action in ["audit.hold", "audit.lift_hold"] {
        let told = people.found(&["--action", action]);
        assert_eq!((told.len(), &told[0]["detail"]["hold"]), (1, &"case 7".into()), "{action}");
    }
}

/// Records of long ago, and a server that keeps a day.
#[test]
fn old_records_go_when_the_file_says_so() {
    let world = World::new();
    let v1 = world.agent();
    let file = config::quick(&[("v1", &v1)]);
    let mut server = Server::start(&file);
    server.kill();
    let data = server.data_dir();
    for dir in ["audit", "audit-vault"] {
        fs::remove_dir_all(data.join(dir)).expect("it is there");
    }
    fs::remove_file(data.join("keys/audit-vault")).expect("it is there");
    let key = fs::read_to_string(data.join("keys/audit.key")).expect("it is there");
    let key = LogKey::parse(&key).expect("a key");
    let mut options = LogOptions::new(data.join("audit"));
    options.segment_max_bytes = 1;
    Log::create(&options, &key).expect("begins");
    let log = Log::open(&options, key).expect("opens");
    let session = log.session();
    for n in 0..700 {
        let old = Entry::event(n, "lockgate", "test.old", n.to_string());
        session.append_blocking(&old).expect("recorded");
    }
    log.close();
    server.write_config(&format!("audit: {{ retention: 1d }}\n{file}"));
    server.again();
    let log = data.join("audit").to_str().expect("it is text").to_owned();
    let verified = || run(&["audit", "verify", &log, "--output", "json"]);
    server.until("old records are gone", |_| !Path::new(&log).join("tile/entries/001").exists());
    let found = verified();
    assert_eq!(found.code, 0, "{}", found.shown());
    assert_eq!(found.json()["pruned"]["to"], 512);
    let shown = run(&["audit", "verify", &log]).stdout;
    assert!(shown.contains("records 0 to 511 by policy, recorded at"), "{shown}");
    let exported = run(&["audit", "export", "--dir", &log]).stdout;
    assert!(exported.starts_with("{\"action\":\"test.old\""), "from the first that was kept on");
    let told = run(&["audit", "export", "--dir", &log]).stderr;
    assert!(told.contains("begins at record 512"), "{told}");
    let gone = run(&["audit", "show", "511", "--dir", &log]);
    assert!(gone.code == 2 && gone.stderr.contains("were pruned"), "{}", gone.shown());
    assert_eq!(run(&["audit", "show", "512", "--dir", &log]).code, 0);
    server.kill();
    server.again();
    assert_eq!(verified().code, 0);
}
