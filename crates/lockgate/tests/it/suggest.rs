//! `lockgate value suggest`, on a server that has run for weeks: releases of the real machine, written as it would have.

use std::fs;
use std::process::Command;
use std::time::Duration;

use lockgate_model::config;
use lockgate_model::ids::{AgentName, ApprovalId, BootId, Epoch, RolloutId};
use lockgate_rollout::replay::Past;
use lockgate_rollout::start::NewRollout;
use lockgate_rollout::state::Rollout;
use lockgate_store::{CONTROL_LEASE, StepCommit, Store};
use lockgate_telemetry::ports::Windows as _;
use lockgate_telemetry::window::Window;
use lockgate_testkit::history::{Live, Quality, windows};
use lockgate_testkit::release::new_rollout;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::agent::{Agent, World};
use crate::support::server::Server;
use crate::support::{Ran, lockgate};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Days of history.
const DAYS: i64 = 24;

/// 1 % of errors, 100 ms.
const USUAL: Quality = Quality { errors_per_mille: 10, latency_ms: 100 };

/// One agent whose plan is loose: `p95_ms` of the slow release would break a closer gate.
fn configuration(v1: &Agent) -> String {
    format!(
        "agents:
  - name: support
    health: {{path: /healthz, interval: 100ms, timeout: 2s, unhealthy_after: 20, healthy_after: 1}}
    plan: loose
    versions:
      - {{name: v1, endpoint: \"{}\"}}
  - name: other
    match: [{{path: /other}}]
    plan: loose
    versions:
      - {{name: v1, endpoint: \"{}\"}}
plans:
  - name: loose
    override: {{by: ada, reason: a test}}
    tick: 60s
    stages:
      - {{weight: 25%, duration: 3h}}
      - {{weight: 50%, duration: 3h}}
      - {{weight: 100%}}
    gates:
      error_rate: \"< 5%\"
      p95_ms: \"< 1000\"
      security_events: \"= 0\"
    triggers:
      error_rate: \"> 30%\"
      p95_ms: \"> baseline + 300%\"
      errors_vs_baseline: {{off_because: this test is about fixed bounds}}
",
        v1.url, v1.url
    )
}

/// What is written of the past. Releases on different days; the third is bad, the last slow and good.
struct History {
    first_ms: i64,
    releases: Vec<Past>,
}

impl History {
    fn of(text: &str, now_ms: i64) -> Self {
        let config = config::read("lockgate.yaml", text).expect("the test's own");
        let plan = &config.plans[0];
        let first_ms = (now_ms - DAYS * DAY_MS).div_euclid(DAY_MS) * DAY_MS;
        let bad = Quality { errors_per_mille: 80, ..USUAL };
        let slow = Quality { latency_ms: 300, ..USUAL };
        let releases = [(3, USUAL), (8, USUAL), (13, bad), (DAYS - 3, slow)];
        let mut stable = "w0".to_owned();
        let mut past = Vec::new();
        for (number, (day, candidate)) in releases.into_iter().enumerate() {
            let name = format!("w{}", number + 1);
            let new = NewRollout {
                id: RolloutId(Uuid::from_u128(900 + number as u128)),
                candidate: name.parse().expect("a name"),
                sources: Vec::new(),
                ..new_rollout(plan.clone(), Some(&stable))
            };
            let versions = [candidate, USUAL];
            let ended = Live::begin(new, first_ms + day * DAY_MS, 400, versions).run();
            if ended.rollout.phase.as_str() == "promoted" {
                stable = name;
            }
            past.push(ended);
        }
        Self { first_ms, releases: past }
    }

    /// What users of the stable version met between releases: an hour's traffic in its first second.
    fn between(&self, agent: &AgentName) -> Vec<Window> {
        let mut windows = Vec::new();
        for hour in 0..(DAYS - 3) * 24 {
            let at_ms = self.first_ms + hour * HOUR_MS;
            let of = |past: &&Past| past.rollout.started_wall_ms <= at_ms;
            let (mut version, mut rollout) = ("w0".parse().expect("a name"), None);
            let mut epoch = Epoch(0);
            for past in self.releases.iter().filter(of) {
                let Rollout { candidate, ended_wall_ms, phase, id, .. } = &past.rollout;
                if phase.as_str() == "promoted" && ended_wall_ms.is_some_and(|end| end < at_ms) {
                    (version, rollout, epoch) = (candidate.clone(), Some(*id), past.rollout.epoch);
                }
            }
            let under_way = self.releases.iter().any(|past| {
                let ended_ms = past.rollout.ended_wall_ms.unwrap_or(0);
                past.rollout.started_wall_ms < at_ms + HOUR_MS && at_ms <= ended_ms
            });
            if under_way {
                continue;
            }
            windows.push(Window {
                gateway: "gw-1".parse().expect("a name"),
                boot: BootId(Uuid::from_u128(1)),
                seq: windows.len() as u64 + 1,
                second_wall_ms: at_ms,
                agent: agent.clone(),
                version,
                rollout,
                epoch,
                arm: USUAL.arm(500),
                keys: Vec::new(),
                keys_dropped: 0,
            });
        }
        windows
    }

    async fn write(&self, path: &std::path::Path, now_ms: i64) {
        let store = Store::open(path).await.expect("the database");
        let mut fence = None;
        while fence.is_none() {
            // The server that was stopped may hold it for a while.
            tokio::time::sleep(Duration::from_millis(20)).await;
            fence = store.acquire_lease(CONTROL_LEASE, "the-test", 60_000).await.expect("a lease");
        }
        let fence = fence.expect("it was waited for");
        for past in &self.releases {
            let Past { rollout, steps, .. } = past;
            let begun = Rollout {
                ended_wall_ms: None,
                phase: lockgate_rollout::state::Phase::Running,
                ..rollout.clone()
            };
            let (first, rest) = steps.split_first().expect("steps");
            store.create_rollout(fence, &begun, Some(first), &[], &[]).await.expect("written");
            store.publish(windows(past)).await.expect("published");
            for (at, step) in rest.iter().enumerate() {
                let is_last = at + 1 == rest.len();
                let commit = StepCommit {
                    fence,
                    rollout: if is_last { rollout } else { &begun },
                    row_version: i64::try_from(at).expect("few") + 1,
                    transition: Some(step),
                    effects: &[],
                    handled: &[],
                };
                store.commit_step(commit).await.expect("written");
            }
        }
        let agent = "support".parse().expect("a name");
        store.publish(self.between(&agent)).await.expect("published");
        while store.compact(now_ms).await.expect("compacted").more {}
        store.release_lease(CONTROL_LEASE, "the-test").await.expect("given back");
        store.close().await;
    }
}

/// Questions of a rule that a person always granted, written beside the server.
fn grant(server: &Server, count: usize, asked_ms: i64) {
    let terms = json!([{ "rule": "refund-asks", "approvals": 1, "from": [] }]).to_string();
    let settings =
        json!({ "hold_ms": 0, "expires_ms": 900_000, "use_within_ms": 300_000, "refusal_ms": 1 });
    let rows: Vec<Value> = (0..count)
        .map(|_| {
            let id = ApprovalId(Uuid::now_v7()).to_string();
            json!([
                id,
                "support",
                "v1",
                "orders",
                "refund",
                id,
                Uuid::nil().to_string(),
                terms,
                settings.to_string(),
                "null",
                "used",
                asked_ms,
                asked_ms,
                asked_ms
            ])
        })
        .collect();
    let script = "import sqlite3,sys,json
db=sqlite3.connect(sys.argv[1])
db.executemany('INSERT INTO approval (id,agent,version,tool,action,hash,token,terms,settings,shown,state,asked_wall_ms,until_wall_ms,changed_wall_ms) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)', json.load(sys.stdin))
db.commit()";
    let path = server.data_dir().join("state.db");
    let mut child = Command::new("python3")
        .args(["-c", script])
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("python3 is there");
    let text = serde_json::to_string(&rows).expect("JSON");
    std::io::Write::write_all(child.stdin.as_mut().expect("a pipe"), text.as_bytes())
        .expect("written");
    assert!(child.wait().expect("it ends").success());
}

fn rule<'a>(agent: &'a Value, rule: &str) -> &'a Value {
    let all = agent["thresholds"].as_array().expect("thresholds");
    all.iter().find(|one| one["rule"] == rule).unwrap_or_else(|| panic!("{rule}: {all:#?}"))
}

const POLICY: &str = "tools:
  orders:
    actions:
      refund: { arguments: { number: text } }
rules:
  - id: refund
    tool: orders
    action: refund
    effect: allow
  - id: refund-asks
    tool: orders
    action: refund
    effect: ask
";

#[test]
fn weeks_of_releases_give_suggestions_that_a_person_can_accept() {
    let world = World::new();
    let v1 = world.agent();
    let text = configuration(&v1);
    let mut server = Server::start(&text);
    server.until_served(&world);
    assert_eq!(server.stop(), Some(0));
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let history = History::of(&text, now_ms);
    let phases: Vec<&str> =
        history.releases.iter().map(|past| past.rollout.phase.as_str()).collect();
    assert_eq!(phases, ["promoted", "promoted", "rolled_back", "promoted"]);
    world.block_on(history.write(&server.data_dir().join("state.db"), now_ms));
    grant(&server, 80, now_ms - 2 * DAY_MS);
    server.again();

    let day = |ms: i64| {
        let at = jiff::Timestamp::from_millisecond(ms).expect("a time");
        jiff::tz::TimeZone::UTC.to_datetime(at).date().to_string()
    };
    let (from, to) = (day(history.first_ms), day(history.first_ms + (DAYS - 2) * DAY_MS));
    let policies = server.dir().join("policies");
    fs::create_dir(&policies).expect("a directory");
    fs::write(policies.join("orders.yaml"), POLICY).expect("written");
    let args = |more: &[&str]| -> Vec<String> {
        let fixed = ["value", "suggest", "--from", &from, "--to", &to, "--policies", "policies"];
        fixed.iter().chain(more).map(ToString::to_string).collect()
    };
    let run = |more: &[&str]| -> Ran {
        let mut command = lockgate();
        command.args(args(more)).arg("--server").arg(server.api()).arg("--token-file");
        command.arg(server.token_file()).current_dir(server.dir());
        command.output().expect("the binary starts").into()
    };
    let one = run(&["--output", "json"]);
    assert_eq!(one.code, 0, "{}", one.shown());
    let told = one.json();
    assert_eq!(told["agents"].as_array().map(Vec::len), Some(2), "{told:#}");
    let support = &told["agents"][1];
    assert_eq!(
        (&support["agent"], &support["plan_also_of"]),
        (&json!("support"), &json!(["other"]))
    );

    thresholds(&told, &history.releases[2]);
    let asked = &told["questions"][0];
    assert_eq!(
        (&asked["rule"], &asked["finding"]),
        (&json!("refund-asks"), &json!("narrow")),
        "{asked:#}"
    );
    assert_eq!(asked["effect"]["not_asked"], 80);

    let other = run(&["--output", "json"]);
    assert_eq!(one.stdout, other.stdout, "the same window of the same data is the same bytes");
    let words = run(&["--agent", "support"]);
    assert_eq!(words.code, 0, "{}", words.shown());
    for says in [
        "closer: > 1.5%",
        "1 bad releases taken back sooner",
        "would be worse",
        "ask about less",
        "patch -p0",
    ] {
        assert!(words.stdout.contains(says), "{says}: {}", words.stdout);
    }
    accepted(&server, &told, &policies);
    refused(&server, &args(&[]));
}

fn thresholds(told: &Value, bad: &Past) {
    let support = &told["agents"][1];
    // The bad release was found at the end of a stage; a trigger at 1.5 % would have found it sooner.
    let trigger = rule(support, "trigger error_rate");
    assert_eq!(
        (&trigger["finding"], &trigger["proposed"]),
        (&json!("tighten"), &json!("> 1.5%")),
        "{trigger:#}"
    );
    let effect = &trigger["effect"];
    assert_eq!(
        (&effect["earlier"], &effect["missed"], &effect["stopped"]),
        (&json!(1), &json!(0), &json!(0))
    );
    assert!(effect["exposed"][1].as_u64() < effect["exposed"][0].as_u64(), "{effect:#}");
    assert_eq!(effect["releases"][2]["rule"], "newly");
    let back = bad.steps.iter().find(|step| step.to == "rolling_back").expect("taken back");
    assert_eq!(effect["releases"][2]["present"]["any"]["at_wall_ms"], json!(back.at_wall_ms));

    // A closer gate on latency would have taken the slow release back, which is good: shown, not suggested.
    let latency = rule(support, "gate p95_ms");
    assert_eq!(
        (&latency["finding"], &latency["change"]),
        (&json!("worse"), &Value::Null),
        "{latency:#}"
    );
    assert_eq!(latency["effect"]["stopped"], 1, "{latency:#}");
    // Releases lie on four days: too few for a comparison of both versions.
    let beside = rule(support, "trigger p95_ms");
    assert_eq!(beside["finding"], "insufficient", "{beside:#}");
    let none = rule(&told["agents"][0], "trigger error_rate");
    assert_eq!(
        (&none["finding"], none["missing"].as_array().map(Vec::len)),
        (&json!("insufficient"), Some(3))
    );
}

/// Patches are taken by `patch`, and what they make is right and is what was said.
fn accepted(server: &Server, told: &Value, policies: &std::path::Path) {
    let changes = told["changes"].as_array().expect("changes");
    let rules: Vec<&str> = changes.iter().filter_map(|change| change["rule"].as_str()).collect();
    assert_eq!(
        rules,
        ["trigger error_rate", "gate error_rate", "rule refund-asks"],
        "{changes:#?}"
    );
    for change in changes {
        let patch = change["patch"].as_str().unwrap_or_else(|| panic!("no patch: {change:#}"));
        let mut child = Command::new("patch")
            .args(["-p0", "--quiet"])
            .current_dir(server.dir())
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("patch is there");
        let pipe = child.stdin.as_mut().expect("a pipe");
        std::io::Write::write_all(pipe, patch.as_bytes()).expect("written");
        assert!(child.wait().expect("it ends").success(), "{patch}");
    }
    let file = server.file().display().to_string();
    let diff = server.run(&["diff", &file]);
    assert!(diff.code == 0 && diff.stdout.contains("1.5"), "{}", diff.shown());
    let applied = server.run(&["apply", &file, "--reason", "as suggested"]);
    assert_eq!(applied.code, 0, "{}", applied.shown());
    let policy = fs::read_to_string(policies.join("orders.yaml")).expect("there");
    assert!(policy.contains("id: refund\n") && !policy.contains("refund-asks"), "{policy}");
    let checked = server.run(&["value", "suggest", "--agent", "nobody"]);
    assert!(
        checked.code != 0 && checked.stderr.contains("no agent `nobody`"),
        "{}",
        checked.shown()
    );
}

/// Who sees one agent is told of that one.
fn refused(server: &Server, args: &[String]) {
    let create =
        ["token", "create", "eve", "--role", "viewer", "--agent", "other", "--reason", "a test"];
    let viewer = server.json(&create);
    let viewer = viewer["token"].as_str().expect("a token");
    let args: Vec<String> =
        args.iter().cloned().chain(["--output".into(), "json".into()]).collect();
    let told = server.run_as(viewer, &args);
    assert_eq!(told.code, 0, "{}", told.shown());
    let told = told.json();
    assert_eq!(told["agents"].as_array().map(Vec::len), Some(1), "{told:#}");
    assert_eq!((&told["agents"][0]["agent"], &told["questions"]), (&json!("other"), &json!([])));
    assert_eq!(told["agents"][0]["plan_also_of_others"], true);
    let args: Vec<String> =
        args.iter().cloned().chain(["--agent".into(), "support".into()]).collect();
    assert_ne!(server.run_as(viewer, &args).code, 0);
}
