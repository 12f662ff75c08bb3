//! What cannot be known is refused, and users go on being served.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::egress_world::{World, body, gateway, post, request, token};
use crate::world::{Fake, get, until};

fn said(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let world = World::start().await;
    world.fake.unrecorded.store(true, Ordering::SeqCst);
    let answer = world.call("echo").await;
    assert_eq!(answer["result"]["isError"], true);
    assert_eq!(
        said(&answer),
        "Refused by Lockgate: it cannot be recorded, so it is not done. (not recorded)"
    );
    assert!(world.server.calls().is_empty());
    world.fake.unrecorded.store(false, Ordering::SeqCst);
    assert_eq!(world.call("echo").await["result"]["isError"], false);
    assert_eq!(world.server.calls().len(), world.intents().len());
}

#[tokio::test]
async fn an_old_snapshot_decides_nothing_and_serves_users_all_the_same() {
    let world = World::start().await;
    let mut snapshot = world.snapshot(Vec::new());
    snapshot.egress.snapshot_max_age_ms = 300;
    world.put_in_force(snapshot).await;
    assert_eq!(world.call("echo").await["result"]["isError"], false);
    world.fake.alive.store(false, Ordering::SeqCst);
    until("control is missed", || world.gateway.stats().control_age_ms > 300).await;
    let answer = world.call("echo").await;
    assert!(said(&answer).contains("the controller was last heard of"), "{answer}");
    let list = body(&world.post(&request("tools/list", &json!({}))).await);
    assert_eq!(list["error"]["code"], -32603);
    assert_eq!(world.server.calls().len(), 1);
    let mut user = crate::world::Client::connect(world.gateway.local_addr()).await;
    let got = user.send(get("/")).await;
    assert_ne!(got.header("lockgate-interaction"), "", "the ingress answers: {got:?}");
    world.fake.alive.store(true, Ordering::SeqCst);
    until("control is back", || world.gateway.stats().control_age_ms < 300).await;
    assert_eq!(world.call("echo").await["result"]["isError"], false);
}

#[tokio::test]
async fn without_a_snapshot_nobody_is_known() {
    let fake = Fake::new();
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway(&fake, &dir).await;
    let mut client = crate::world::Client::connect(gateway.egress_addr().unwrap()).await;
    let got = client.send(post(&token("v1"), &request("ping", &json!({})))).await;
    assert_eq!(got.status, 401);
}

#[tokio::test]
async fn a_credential_that_is_not_there_is_not_left_out() {
    let world = World::start().await;
    *world.fake.secret.lock().unwrap() = None;
    world.publish(Vec::new()).await;
    let answer = world.call("echo").await;
    assert!(said(&answer).contains("credential"), "{answer}");
    assert!(!answer.to_string().contains("FILES"), "where it is found is not the agent's business");
    assert!(world.server.calls().is_empty());
}
