//! The console with sample releases in it, to look at: prints its address and a token, serves
//! until stopped.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program to look at pages with")]

use std::sync::Arc;

use lockgate_api::{Api, Deps, Options, token};
use lockgate_model::decision::NoPolicy;
use lockgate_model::ids::Epoch;
use lockgate_model::path::NoOversight;
use lockgate_rollout::event::{Command, Event};

#[path = "../tests/it/world.rs"]
mod world;

use world::{NoTokens, NoUsers, Traffic, World};

const FINE: Traffic =
    Traffic { requests: 4_800, errors: 7, ms: 150, cost_nanousd: 2_100_000, good: 61, bad: 2 };
const SLOWER: Traffic =
    Traffic { requests: 1_240, errors: 4, ms: 164, cost_nanousd: 2_300_000, good: 17, bad: 1 };

#[tokio::main]
async fn main() {
    let world = World::new().await;
    let aborted = world.start("support", "v2", Some("v1"), "new retrieval prompt").await;
    world.applied(aborted.id).await;
    let abort = Event::Command {
        command: Command::Abort,
        by: "grace".into(),
        reason: "wrong prompt digest".into(),
    };
    world.step(aborted.id, abort).await.unwrap();
    world.applied(aborted.id).await;

    let running = world.start("support", "v3", Some("v1"), "prompt with the right digest").await;
    world.applied(running.id).await;
    let rollout = world
        .force(running.id, |rollout| {
            rollout.stage = 2;
            // what was seen under the first split was seen in the test environment
            rollout.epoch = Epoch(2);
            rollout.weight_bp = rollout.plan.stages[2].weight_bp;
            rollout.dwell_ms = 9_000_000;
        })
        .await;
    let epoch = Epoch(rollout.epoch.0);
    world.traffic(&rollout, epoch, &"v1".parse().unwrap(), 1, &FINE).await;
    world.traffic(&rollout, epoch, &"v3".parse().unwrap(), 2, &SLOWER).await;
    let (v1, v3) = (("support", "v1", Some(true)), ("support", "v3", Some(true)));
    world.gateway(&[v1, v3, ("billing", "b1", None)]).await;

    let (plaintext, record) = token::mint("ada", lockgate_store::Role::Admin, None);
    world.store.insert_token(&record).await.unwrap();
    let options = Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        metrics_need_token: false,
        connections_max: Options::CONNECTIONS_MAX,
    };
    let deps = Deps {
        store: world.store.clone(),
        ledger: world.ledger.clone(),
        custody: world.ledger.clone(),
        issuer: Arc::new(NoTokens),
        decisions: Arc::new(NoPolicy),
        oversight: Arc::new(NoOversight),
        users: Arc::new(NoUsers),
        fuses: None,
        metrics: Vec::new(),
        on_config: None,
    };
    let api = Api::start(options, deps).await.unwrap();
    println!("http://{} {plaintext} {} {}", api.local_addr(), running.id, aborted.id);
    tokio::join!(world.control(), async {
        loop {
            world.gateway(&[v1, v3, ("billing", "b1", None)]).await;
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        }
    });
}
