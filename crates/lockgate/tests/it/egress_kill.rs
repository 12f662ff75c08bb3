//! Calls that are under way when the server is killed: nothing was done that is not recorded, and every record says in
//! the end what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::server::Server;
use crate::support::tools;

const LANES: u64 = 8;

/// A count that `./test --full` makes larger.
fn kills() -> u64 {
    std::env::var("LOCKGATE_EGRESS_KILLS").map_or(8, |text| text.parse().expect("a number"))
}

#[test]
fn no_call_without_its_intent_and_no_intent_without_its_outcome_over_kills() {
    let world = World::new();
    let (url, calls) = tools::start(world.runtime());
    let mut server = Server::start_governed(&tools::config(&world.agent().url, &url));
    let args = ["identity", "issue", "support", "v1", "--reason", "a test", "--expires", "1h"];
    let token = server.json(&args)["token"].as_str().expect("a text").to_owned();
    let (next, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    for kill in 0..kills() {
        let stop = Arc::new(AtomicBool::new(false));
        let at = format!("{}/mcp/desk", server.egress());
        let lanes: Vec<_> = (0..LANES)
            .map(|_| {
                world.spawn(lane(
                    world.http(),
                    at.clone(),
                    token.clone(),
                    [&next, &answered].map(Arc::clone),
                    Arc::clone(&stop),
                ))
            })
            .collect();
        let enough = calls.lock().expect("nobody panics with it").len() as u64 + 5 + kill * 7 % 40;
        server.until("calls are made", |_| {
            calls.lock().expect("nobody panics with it").len() as u64 >= enough
        });
        server.kill();
        stop.store(true, Ordering::SeqCst);
        for lane in lanes {
            world.block_on(lane).expect("a lane ends in order");
        }
        server.again();
    }
    assert_eq!(server.stop(), Some(0), "{}", server.log());

    let records = server.records();
    let of_step =
        |step: &str| records.iter().filter(move |record| record.step == step).collect::<Vec<_>>();
    let (intents, outcomes) = (of_step("intent"), of_step("outcome"));
    let asked: BTreeMap<&str, u64> = intents
        .iter()
        .map(|intent| (intent.detail["request"].as_str().expect("a text"), intent.seq))
        .collect();
    assert_eq!(asked.len(), intents.len(), "one intent a call");
    let made = calls.lock().expect("nobody panics with it").clone();
    assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), made.len(), "no call twice");
    for id in &made {
        assert!(asked.contains_key(id.as_str()), "{id} was made and not recorded");
    }
    assert!(made.len() <= intents.len());
    let mut ended: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    for outcome in &outcomes {
        ended
            .entry(outcome.step_of.expect("an outcome is of an intent"))
            .or_default()
            .push(&outcome.detail["outcome"]);
    }
    for intent in &intents {
        let ends = ended.get(&intent.seq).map_or(0, Vec::len);
        assert_eq!(ends, 1, "{} outcomes of {}", ends, intent.seq);
    }
    assert_eq!(outcomes.len(), intents.len());
    let count =
        |name: &str| outcomes.iter().filter(|one| one.detail["outcome"] == name).count() as u64;
    assert!(count("unknown") > 0, "some were under way when the server was killed");
    assert!(count("ok") > 0 && answered.load(Ordering::SeqCst) > 0);
}

/// Calls one after the other until told to stop.
async fn lane(
    http: reqwest::Client,
    at: String,
    token: String,
    [next, answered]: [Arc<AtomicU64>; 2],
    stop: Arc<AtomicBool>,
) {
    while !stop.load(Ordering::SeqCst) {
        let id = format!("c-{}", next.fetch_add(1, Ordering::SeqCst));
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": "echo", "arguments": {} } });
        match http.post(&at).bearer_auth(&token).json(&call).send().await {
            Ok(answer) => {
                let Ok(answer) = answer.json::<Value>().await else { continue };
                assert_eq!(
                    (&answer["id"], &answer["result"]["isError"]),
                    (&id.into(), &false.into())
                );
                answered.fetch_add(1, Ordering::SeqCst);
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}
