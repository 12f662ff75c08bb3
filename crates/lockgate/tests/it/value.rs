//! `lockgate record`, `import` and `value`, on a server with an agent that users ask.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::config::quick;
use crate::support::server::Server;
use crate::support::{Ran, lockgate, run};

/// A server with one version that users reached.
fn asked(times: usize) -> (World, Server) {
    let world = World::new();
    let v1 = world.agent();
    let mut server = Server::start(&quick(&[("v1", &v1)]));
    server.until_served(&world);
    for user in 0..times {
        world.answer(&server.ingress(), &format!("user-{user}"));
    }
    (world, server)
}

fn report(server: &Server, more: &[&str]) -> Value {
    let args = [&["value", "report", "--agent", "support", "--from", "2026-01-01"], more].concat();
    server.json(&args)
}

/// The report as the API answers it, byte for byte.
fn api(world: &World, server: &Server, query: &str) -> String {
    let token = fs::read_to_string(server.token_file()).expect("a token");
    let at = format!("{}/api/v1/value/report{query}", server.api());
    let asked = world.http().get(at).bearer_auth(token.trim());
    world.block_on(async { asked.send().await?.text().await }).expect("an answer")
}

fn measure<'a>(report: &'a Value, id: &str) -> &'a Value {
    let all = report["measures"].as_array().expect("measures");
    all.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("{id} is not there"))
}

fn write(dir: &std::path::Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, text).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn what_users_did_is_in_the_report_and_what_is_missing_says_how_to_record_it() {
    let (world, mut server) = asked(20);
    server.until("all are counted", |server| {
        measure(&report(server, &[]), "interactions")["value"].as_f64() >= Some(20.0)
    });
    let before = report(&server, &[]);
    let uses = measure(&before, "use_cases_production");
    assert!(uses["value"].is_null(), "{uses}");
    // What it says to do can be done as it says.
    let how = uses["missing"]["how"][1].as_str().expect("a command line");
    let how = how.replace("NAME", "refunds").replace("TEXT", "map");
    let words: Vec<&str> = how.split(' ').skip(1).collect();
    let recorded = server.run(&words);
    assert_eq!(recorded.code, 0, "{how}: {}", recorded.shown());
    let one = server.run(&["value", "report", "--agent", "support", "--output", "json"]);
    assert_eq!(measure(&one.json(), "use_cases_production")["value"], 1, "{}", one.shown());
    let other = server.run(&["value", "report", "--agent", "support", "--output", "json"]);
    assert_eq!(one.stdout, other.stdout, "the same window of the same data is the same bytes");
    for compare in [false, true] {
        let query = format!("?agent=support&from=2026-01-01&to=2026-12-31&compare={compare}");
        let days = ["--from", "2026-01-01", "--to", "2026-12-31", "--compare"];
        let days = if compare { &days[..] } else { &days[..4] };
        let args = ["value", "report", "--agent", "support", "--output", "json"];
        let printed = server.run(&[&args[..], days].concat());
        assert_eq!(printed.stdout, api(&world, &server, &query), "API and command, to the byte");
    }
    for (form, has) in [("markdown", "| "), ("csv", "use_cases_production"), ("html", "<svg")] {
        let told = server.run(&["value", "report", "--agent", "support", "--format", form]);
        assert!(told.code == 0 && told.stdout.contains(has), "{form}: {}", told.shown());
    }
    let compared = report(&server, &["--compare"]);
    assert!(compared["compared"]["before"].is_object(), "{compared:#}");
    assert_eq!(server.stop(), Some(0));
    let records = server.records();
    assert_eq!(records.iter().filter(|record| record.action == "value.record").count(), 1);
}

#[test]
fn the_score_of_numbers_from_elsewhere_is_exact_and_weighs_nothing_anew() {
    let full = run(&[
        "value",
        "score",
        "--deployment-success",
        "80",
        "--replacement",
        "70",
        "--hours-per-week",
        "4",
        "--cost-saving",
        "15",
        "--nps",
        "50",
        "--output",
        "json",
    ]);
    let scored = full.json();
    assert_eq!((&scored["raw"], &scored["normalised"]), (&json!(49.55), &json!(75.25)));
    assert_eq!(scored["terms"].as_array().map(Vec::len), Some(5));
    let part = run(&["value", "score", "--nps", "-50", "--output", "json"]).json();
    assert_eq!((&part["raw"], &part["normalised"]), (&Value::Null, &Value::Null));
    assert_eq!(part["missing"].as_array().map(Vec::len), Some(4), "{part}");
    for (flag, value) in [("--nps", "101"), ("--replacement", "-1"), ("--nps", "NaN")] {
        let refused = run(&["value", "score", flag, value]);
        assert_eq!(refused.code, 2, "{}", refused.shown());
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_nothing_of_it_is_recorded() {
    let (_world, server) = asked(1);
    let dir = tempfile::tempdir().expect("a directory for the test");
    let bad = "key,at,kind,score,agent\na,2026-11-20T10:00:00Z,survey,9,support\nb,2026-11-20T10:00:00Z,survey,19,support\nc,yesterday,survey,9,support\n";
    let bad = write(dir.path(), "bad.csv", bad);
    let good = write(
        dir.path(),
        "good.jsonl",
        "{\"key\":\"a\",\"at\":\"2026-11-20T10:00:00Z\",\"kind\":\"survey\",\"score\":9,\"agent\":\"support\",\"source\":\"s\"}\n",
    );
    let bill = write(
        dir.path(),
        "bill.csv",
        "BilledCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ServiceName\n12.5,USD,2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,Search\n",
    );
    let empty = write(dir.path(), "empty.csv", "key,at,kind,score,source\n");
    let unnamed = write(dir.path(), "events.txt", "");
    let record = |more: &[&str]| {
        server.run(&[&["record", "survey", "--agent", "support", "--source", "s"], more].concat())
    };
    let semicolons = write(dir.path(), "semicolons.csv", "key;at;kind;score;source\n");
    let twice = write(dir.path(), "twice.jsonl", "{\"key\":\"a\",\"score\":1,\"score\":9}\n");
    let pipe = dir.path().join("pipe.csv").to_str().expect("UTF-8").to_owned();
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there");
    assert!(made.success());
    let refused: [(Ran, &[&str]); 12] = [
        (server.run(&["import", &bad]), &["line 3: score: 19", "line 4: at:"]),
        (server.run(&["import", &empty]), &["holds no event"]),
        (server.run(&["import", &unnamed]), &["--as csv"]),
        (server.run(&["import", "/dev/null", "--as", "csv"]), &["is no file"]),
        (server.run(&["import", &pipe]), &["is no file"]),
        (
            server.run(&["import", dir.path().to_str().expect("UTF-8"), "--as", "csv"]),
            &["is no file"],
        ),
        (server.run(&["import", &semicolons]), &["line 1: header: its columns", "semicolons"]),
        (server.run(&["import", &twice]), &["line 1: score: this field is there twice"]),
        (server.run(&["import", &bill]), &["no such column"]),
        (record(&["score=11"]), &["score: 11"]),
        (record(&["points=3"]), &["points"]),
        (
            server.run(&["record", "survey", "score=1", "--agent", "nobody", "--source", "s"]),
            &["no agent `nobody`"],
        ),
    ];
    for (ran, says) in refused {
        assert_ne!(ran.code, 0, "{}", ran.shown());
        for words in says {
            assert!(ran.stderr.contains(words), "{words}: {}", ran.shown());
        }
    }
    let tried = server.run(&["import", &good, "--dry-run"]);
    assert!(tried.stdout.contains("1 events could be imported"), "{}", tried.shown());
    assert_eq!(measure(&report(&server, &[]), "nps")["n"], 0, "nothing was recorded");
    assert_eq!(server.run(&["import", &good]).code, 0);
    assert_eq!(server.run(&["import", &bill, "--as", "focus", "--agent", "support"]).code, 0);
    let again = server.run(&["import", &good]);
    assert!(again.stderr.contains("imported before"), "{}", again.shown());
    let other = record(&["score=3", "--key", "a"]);
    assert!(other.stderr.contains("`a` is there with other content"), "{}", other.shown());
    let corrected = record(&["score=3", "--key", "a2", "--corrects", "a"]);
    assert_eq!(corrected.code, 0, "{}", corrected.shown());
    let told = report(&server, &[]);
    let nps = measure(&told, "nps");
    assert_eq!((&nps["value"], &nps["n"]), (&json!(-100), &json!(1)), "{nps}");
    let viewer = server.json(&["token", "create", "eve", "--role", "viewer", "--reason", "a test"]);
    let viewer = viewer["token"].as_str().expect("a token");
    let args = ["record", "survey", "score=1", "--agent", "support", "--source", "s"];
    assert_eq!(server.run_as(viewer, &args).code, 2, "who may look may not record");
}

/// What is recorded again is the same, and a correction stays where the corrected event was.
#[test]
fn a_record_without_a_time_is_of_now_or_of_what_it_corrects() {
    let (_world, server) = asked(1);
    let record = |more: &[&str]| {
        let survey = ["record", "survey", "--agent", "support", "--source", "s"];
        let ran = server.run(&[&survey[..], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.shown());
        ran.stdout
    };
    let at = "2026-03-17T10:00:00Z";
    let told = record(&["score=9", "--key", "a", "--at", at]);
    assert!(told.contains("recorded as a, as of 2026-03-17 10:00:00Z"), "{told}");
    for says in ["recorded as b, as of 2026-03-17", "b is recorded already, as of 2026-03-17"] {
        let told = record(&["score=2", "--key", "b", "--corrects", "a"]);
        assert!(told.contains(says), "{told}");
    }
    let march = ["--from", "2026-03-01", "--to", "2026-03-31"];
    let nps = measure(
        &server.json(&[&["value", "report", "--agent", "support"][..], &march].concat()),
        "nps",
    )
    .clone();
    assert_eq!((&nps["value"], &nps["n"]), (&json!(-100), &json!(1)), "{nps}");
    for says in ["recorded as c, as of", "c is recorded already, as of"] {
        let told = record(&["score=2", "--key", "c"]);
        assert!(told.contains(says), "{told}");
    }
    let other =
        ["record", "survey", "score=2", "--agent", "support", "--source", "s", "--key", "c"];
    let other = server.run(&[&other[..], &["--at", at]].concat());
    assert_ne!(other.code, 0);
    assert!(other.stderr.contains("`c` is there as of"), "{}", other.shown());
}

#[test]
fn a_bill_that_is_exported_otherwise_counts_once() {
    let (_world, server) = asked(1);
    let dir = tempfile::tempdir().expect("a directory for the test");
    let head = "BilledCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ServiceName,ProviderName,ChargeCategory";
    let period = "USD,2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,Search,Cloud,Usage";
    let first = write(
        dir.path(),
        "first.csv",
        &format!("{head}\n12.50,{period}\n1,{period}\n1,{period}\n"),
    );
    let other = write(
        dir.path(),
        "other.csv",
        "ChargeCategory,Tags,ProviderName,ServiceName,ChargePeriodEnd,ChargePeriodStart,BillingCurrency,BilledCost\n\
         Usage,{},Cloud,Search,2026-11-02 00:00:00,2026-11-01 00:00:00,USD,1.0\n\
         Usage,{},Cloud,Search,2026-11-02 00:00:00,2026-11-01 00:00:00,USD,12.5\n\
         Usage,{},Cloud,Search,2026-11-02 00:00:00,2026-11-01 00:00:00,USD,1.0\n",
    );
    for (file, known) in [(&first, "3 events, 0 of them"), (&other, "3 events, 3 of them")] {
        let told = server.run(&["import", file, "--as", "focus", "--agent", "support"]);
        assert!(told.code == 0 && told.stdout.contains(known), "{}", told.shown());
        let report = server.json(&[
            "value",
            "report",
            "--agent",
            "support",
            "--from",
            "2026-11-01",
            "--to",
            "2026-11-02",
        ]);
        let cost = measure(&report, "agent_cost");
        assert_eq!(cost["value"], json!(14.5), "{cost}");
    }
    // A form that leaves out what tells charges apart is told of.
    let short = "BilledCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ServiceName,ProviderName\n12.5,USD,2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,Search,Cloud\n";
    let short = write(dir.path(), "short.csv", short);
    for more in [&["--dry-run"][..], &[]] {
        let import = ["import", &short, "--as", "focus", "--agent", "support"];
        let told = server.run(&[&import[..], more].concat());
        let says = "warning: Search of Cloud is charged to support by other records, too, between 2026-11-01";
        assert!(told.code == 0 && told.stderr.contains(says), "{}", told.shown());
    }
}

fn rows() -> usize {
    std::env::var("LOCKGATE_IMPORT_ROWS")
        .ok()
        .map_or(30_000, |rows| rows.parse().expect("a number"))
}

/// Both sides are killed while a file is imported, over and over.
#[test]
fn an_import_over_kills_counts_every_event_once_and_none_before_all() {
    let (_world, mut server) = asked(1);
    let rows = rows();
    let dir = tempfile::tempdir().expect("a directory for the test");
    let mut text = "key,at,kind,score,agent,source\n".to_owned();
    for row in 0..rows {
        writeln!(text, "row-{row},2026-11-20T10:00:00Z,survey,{},support,study", row % 11)
            .expect("text");
    }
    let file: PathBuf = write(dir.path(), "study.csv", &text).into();
    let taken = |server: &Server| {
        let rows = sqlite(server, "SELECT rows_taken FROM value_import");
        rows.first().copied().unwrap_or(0)
    };
    let said = dir.path().join("said");
    for part in 1..=3 {
        let mut import = lockgate()
            .arg("import")
            .arg(&file)
            .args(["--server", &server.api(), "--token-file"])
            .arg(server.token_file())
            .stderr(fs::File::create(&said).expect("the directory takes files"))
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let enough = i64::try_from(rows * part / 4).expect("fits");
        // Patience is for each step forward: a million rows take longer than it in all.
        let mut before = taken(&server);
        while before < enough {
            server.until("more is taken", |server| {
                std::thread::sleep(Duration::from_millis(20));
                if let Some(status) = import.try_wait().expect("it can be asked") {
                    let said = fs::read_to_string(&said).unwrap_or_default();
                    panic!("the import ended with {status} after {before} events:\n{said}");
                }
                taken(server) > before
            });
            before = taken(&server);
        }
        if part == 2 {
            import.kill().expect("it runs");
        } else {
            server.kill();
        }
        let _ = import.wait();
        if part != 2 {
            server.again();
        }
        assert_eq!(measure(&report(&server, &[]), "nps")["n"], 0, "it is not whole");
    }
    let whole = server.run(&["import", file.to_str().expect("UTF-8")]);
    assert_eq!(whole.code, 0, "{}", whole.shown());
    assert!(whole.stderr.contains("going on after event"), "{}", whole.shown());
    assert!(whole.stderr.contains('%'), "it shows how far it is: {}", whole.shown());
    let told = report(&server, &[]);
    assert_eq!(measure(&told, "nps")["n"], json!(rows));
    assert_eq!(
        sqlite(&server, "SELECT COUNT(*) FROM value_event"),
        [i64::try_from(rows).expect("fits")]
    );
}

/// A number out of the server's database, read beside it.
fn sqlite(server: &Server, query: &str) -> Vec<i64> {
    let script = "import sqlite3,sys\nfor row in sqlite3.connect('file:'+sys.argv[1]+'?mode=ro',uri=True).execute(sys.argv[2]): print(row[0])";
    let path = server.data_dir().join("state.db");
    let ran = Command::new("python3").arg("-c").arg(script).arg(path).arg(query).output();
    let ran = ran.expect("python3 is there");
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    text.lines().map(|line| line.parse().expect("a number")).collect()
}
