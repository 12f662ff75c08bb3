//! `kill -9` at random moments under traffic: nothing acknowledged is lost, nothing is done twice,
//! no stage is passed early, and what was cut off stays cut off.
//!
//! `LOCKGATE_CHAOS_KILLS` says how often (20 unless set), `LOCKGATE_CHAOS_SEED` repeats a run.

mod invariants;
mod random;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::agent::{Agent, World};
use crate::support::config;
use crate::support::server::Server;
use random::Random;

const VERSIONS: [&str; 3] = ["v1", "v2", "v3"];
const KILLS_DEFAULT: u64 = 20;

/// Where traffic goes at the moment; `None` while the server is down.
type Place = Arc<Mutex<Option<String>>>;

/// What the server has promised by answering.
#[derive(Debug, Default)]
pub(crate) struct Promised {
    commands: Vec<i64>,
    security_events: Vec<String>,
}

struct Chaos {
    world: World,
    agents: Vec<Agent>,
    server: Server,
    place: Place,
    http: reqwest::Client,
    random: Random,
    promised: Promised,
    /// A version that was cut off, and how many requests it had begun by then.
    cut_off: Option<(usize, u64)>,
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

#[expect(clippy::print_stdout, reason = "a failed run must say how to repeat it")]
#[test]
fn kill_9_loses_nothing_acknowledged_and_repeats_nothing() {
    let kills = from_env("LOCKGATE_CHAOS_KILLS", KILLS_DEFAULT);
    let seed = from_env("LOCKGATE_CHAOS_SEED", u64::from(std::process::id()));
    println!("LOCKGATE_CHAOS_SEED={seed} LOCKGATE_CHAOS_KILLS={kills}");
    let mut chaos = Chaos::start(seed);
    let place = Arc::clone(&chaos.place);
    let _traffic = chaos.world.traffic(4, move || lock(&place).clone());
    for kill in 0..kills {
        chaos.live_and_die(kill);
    }
    chaos.settle();
    assert_eq!(chaos.server.stop(), Some(0), "{}", chaos.server.log());
    let Chaos { world, server, promised, .. } = &chaos;
    assert!(!promised.commands.is_empty(), "the run has asked for something");
    world.block_on(invariants::hold(&server.data_dir().join("state.db"), promised));
}

#[test]
fn what_was_cut_off_stays_cut_off_over_a_kill() {
    let mut chaos = Chaos::start(1);
    let place = Arc::clone(&chaos.place);
    let _traffic = chaos.world.traffic(4, move || lock(&place).clone());
    let (stable, candidate) = (0, 1);
    chaos.server.json(&["rollout", "start", "support", VERSIONS[candidate], "--reason", "a test"]);
    let begun = Arc::clone(&chaos.agents[candidate].behaviour);
    chaos.server.until("it gets traffic", |_| begun.begun.load(Ordering::Relaxed) > 0);
    let told = ["version", "security-event", "support", VERSIONS[candidate], "--detail", "a test"];
    assert_eq!(chaos.server.json(&told)["latched"], true);
    chaos.cut_off = Some((candidate, chaos.begun(candidate)));
    chaos.restart();
    let served = chaos.begun(stable);
    let behaviour = Arc::clone(&chaos.agents[stable].behaviour);
    let goes_on = |_: &mut Server| behaviour.begun.load(Ordering::Relaxed) > served + 100;
    chaos.server.until("traffic goes on", goes_on);
    chaos.check_cut_off();
    chaos.until_ended();
    chaos.check_cut_off();
    let latest = chaos.server.json(&["rollout", "list", "--limit", "1"]);
    assert_eq!(latest[0]["phase"], "rolled_back");
}

fn lock(place: &Place) -> std::sync::MutexGuard<'_, Option<String>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Chaos {
    fn start(seed: u64) -> Self {
        let world = World::new();
        let agents: Vec<_> = VERSIONS.iter().map(|_| world.agent()).collect();
        let versions: Vec<_> = VERSIONS.into_iter().zip(&agents).collect();
        let mut server = Server::start(&config::with_stages(&versions, "1s"));
        server.until_served(&world);
        let token = std::fs::read_to_string(server.token_file()).expect("the first token");
        let mut headers = reqwest::header::HeaderMap::new();
        let bearer = format!("Bearer {}", token.trim());
        headers.insert("authorization", bearer.parse().expect("a token is ASCII"));
        let http = reqwest::Client::builder()
            .tls_certs_only([])
            .default_headers(headers)
            .timeout(Duration::from_secs(10))
            .build()
            .expect("a client");
        let place = Arc::new(Mutex::new(Some(server.ingress())));
        let (random, promised) = (Random::new(seed), Promised::default());
        Self { world, agents, server, place, http, random, promised, cut_off: None }
    }

    #[expect(clippy::print_stdout, reason = "a failed run must say what it did")]
    /// One life: some time passes, something is asked, and the process is killed in the middle.
    fn live_and_die(&mut self, kill: u64) {
        self.check_cut_off();
        let before_ms = self.random.below(1_500);
        std::thread::sleep(Duration::from_millis(before_ms));
        let asked = self.ask();
        let url = format!("{}/api/v1/{}", self.server.api(), asked.path);
        let request = self.http.post(url).json(&asked.body);
        let answer = self.world.spawn(async move {
            let answer = request.send().await.ok().filter(|answer| answer.status().is_success())?;
            answer.json::<Value>().await.ok()
        });
        std::thread::sleep(Duration::from_millis(self.random.below(400)));
        *lock(&self.place) = None;
        self.server.kill();
        if let Some(answer) = self.world.block_on(answer).expect("no panic") {
            self.promise(&asked, &answer);
        }
        self.server.again();
        *lock(&self.place) = Some(self.server.ingress());
        println!("kill {kill}: {} {}", asked.path, asked.body);
    }

    /// Something to ask for that makes sense as things are.
    fn ask(&mut self) -> Asked {
        let rollouts = self.server.json(&["rollout", "list", "--limit", "1"]);
        let latest = &rollouts[0];
        let id = latest["id"].as_str().expect("the first version's").to_owned();
        let candidate = latest["candidate"].as_str().expect("a version").to_owned();
        let body = json!({ "reason": "chaos" });
        let command = |verb: &str| Asked {
            path: format!("rollouts/{id}/{verb}"),
            body: body.clone(),
            cuts: None,
        };
        if latest["ended_wall_ms"].is_null() {
            return match self.random.below(12) {
                0 => command("pause"),
                1 => command("abort"),
                2 => command("promote"),
                3..5 => {
                    let index = VERSIONS.iter().position(|name| *name == candidate);
                    Asked {
                        path: format!("agents/support/versions/{candidate}/security-events"),
                        body: json!({ "detail": "chaos" }),
                        cuts: index,
                    }
                }
                // Mostly refused, so that stages have their time.
                _ => command("resume"),
            };
        }
        // Starting a version gives it traffic again.
        self.check_cut_off();
        self.cut_off = None;
        let version = self.other_than_stable();
        let body = json!({ "agent": "support", "version": version, "reason": "chaos" });
        Asked { path: "rollouts".into(), body, cuts: None }
    }

    fn promise(&mut self, asked: &Asked, answer: &Value) {
        if let Some(command) = answer["command"].as_i64() {
            self.promised.commands.push(command);
        }
        let Some(version) = asked.cuts else {
            return;
        };
        let event = answer["id"].as_str().expect("an event has an id").to_owned();
        self.promised.security_events.push(event);
        if answer["latched"] == true {
            self.cut_off = Some((version, self.begun(version)));
        }
    }

    /// A latch that was acknowledged outlives the process.
    fn check_cut_off(&self) {
        if let Some((version, begun)) = self.cut_off {
            assert_eq!(self.begun(version), begun, "{} got traffic", VERSIONS[version]);
        }
    }

    fn begun(&self, version: usize) -> u64 {
        self.agents[version].behaviour.begun.load(Ordering::Relaxed)
    }

    /// Lets the last release end, and takes one more all the way over one more kill.
    fn settle(&mut self) {
        self.check_cut_off();
        self.until_ended();
        // Who is stable shows once the last split is published.
        self.until_done();
        let version = self.other_than_stable();
        self.server.json(&["rollout", "start", "support", version, "--reason", "the last one"]);
        std::thread::sleep(Duration::from_millis(500 + self.random.below(1_500)));
        self.restart();
        self.until_ended();
        self.until_done();
        let stable = self.server.json(&["agent", "show", "support"])["stable"].clone();
        assert_eq!(stable, version, "a good version gets through: {}", self.server.log());
    }

    fn until_done(&mut self) {
        self.server.until("alerts and splits are done", |server| {
            let history = server.json(&["rollout", "history", "--agent", "support"]);
            let records = history.as_array().into_iter().flatten();
            let effects = records.filter_map(|record| record["effects"].as_array()).flatten();
            effects.into_iter().all(|effect| effect["state"] == "done")
        });
    }

    fn restart(&mut self) {
        *lock(&self.place) = None;
        self.server.kill();
        self.server.again();
        *lock(&self.place) = Some(self.server.ingress());
    }

    fn until_ended(&mut self) {
        self.server.until("the release ends", |server| {
            let rollouts = server.json(&["rollout", "list", "--limit", "1"]);
            if rollouts[0]["phase"] == "paused" {
                let id = rollouts[0]["id"].as_str().expect("an id");
                server.run(&["rollout", "resume", id, "--reason", "the run is over"]);
            }
            !rollouts[0]["ended_wall_ms"].is_null()
        });
    }

    fn other_than_stable(&mut self) -> &'static str {
        let stable = self.server.json(&["agent", "show", "support"])["stable"].clone();
        let others: Vec<_> = VERSIONS.into_iter().filter(|name| stable != *name).collect();
        let pick = self.random.below(others.len() as u64);
        others[usize::try_from(pick).expect("a small number")]
    }
}

/// A request to the API.
struct Asked {
    path: String,
    body: Value,
    /// The version that it cuts off.
    cuts: Option<usize>,
}
