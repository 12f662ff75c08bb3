//! Others that a release depends on: webhooks that are asked, receivers of alerts, users' votes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{number, steps_to};
use crate::support::scene::{Scene, causes, scene_with};

/// A webhook that says no until it says yes.
#[derive(Default)]
struct Hook {
    yes: AtomicBool,
    asked: AtomicU64,
    bodies: Mutex<Vec<Value>>,
}

impl Hook {
    fn bodies(&self) -> Vec<Value> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(State(hook): State<Arc<Hook>>, body: String) -> StatusCode {
    hook.asked.fetch_add(1, Ordering::Relaxed);
    let body = serde_json::from_str(&body).unwrap_or(Value::Null);
    hook.bodies.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    if hook.yes.load(Ordering::Relaxed) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// A place on this machine where nobody listens yet.
fn place() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
    (listener, url)
}

fn listen(scene: &Scene, listener: std::net::TcpListener) -> Arc<Hook> {
    let hook = Arc::new(Hook::default());
    let app = Router::new().fallback(answer).with_state(Arc::clone(&hook));
    scene.world.spawn(async move {
        listener.set_nonblocking(true).expect("a socket");
        let listener = TcpListener::from_std(listener).expect("a socket");
        axum::serve(listener, app).await
    });
    hook
}

#[test]
fn s33_a_webhook_that_is_down_or_says_no_keeps_its_gate_closed() {
    let (listener, url) = place();
    drop(listener);
    let mut scene = scene_with(&["v1", "v2"], |text| {
        let confirm = format!("{{weight: 25%, confirm: {{by: webhook, url: \"{url}\"}},");
        text.replace("{weight: 25%,", &confirm)
    });
    scene.start("v2");
    scene.until("it waits at the gate", |view| view["phase"] == "waiting_gate");
    let address = url.trim_start_matches("http://").trim_end_matches("/hook");
    let listener = std::net::TcpListener::bind(address).expect("the port is still free");
    let hook = listen(&scene, listener);
    scene.server.until("it is asked", |_| hook.asked.load(Ordering::Relaxed) > 2);
    assert_eq!(scene.view()["phase"], "waiting_gate", "no is not yes");
    hook.yes.store(true, Ordering::Relaxed);
    assert_eq!(scene.end(), "promoted");
}

#[test]
fn s34_a_rollback_gate_that_says_yes_takes_the_release_back() {
    let (listener, url) = place();
    let mut scene = scene_with(&["v1", "v2"], |text| {
        text.replace(
            "    drain: 1s\n",
            &format!("    drain: 1s\n    rollback_gate: {{url: \"{url}\"}}\n"),
        )
        .replace("duration: 200ms", "duration: 60s")
    });
    let hook = listen(&scene, listener);
    scene.start("v2");
    scene.server.until("it is asked", |_| hook.asked.load(Ordering::Relaxed) > 2);
    assert_eq!(scene.view()["ended_wall_ms"], Value::Null);
    hook.yes.store(true, Ordering::Relaxed);
    assert_eq!(scene.end(), "rolled_back");
    let history = scene.history();
    let decided = steps_to(&history, "rolling_back")[0];
    assert!(causes(decided).contains("rollback"), "{decided}");
    assert_eq!(scene.stable(), "v1");
}

#[test]
fn a_receiver_of_alerts_that_is_down_holds_nothing_up_and_is_told_later() {
    let (listener, url) = place();
    drop(listener);
    let mut scene = scene_with(&["v1", "v2"], |text| {
        format!("{text}channels:\n  - name: on-call\n    webhook: {{url: \"{url}\"}}\n")
    });
    scene.start("v2");
    assert_eq!(scene.end(), "promoted");
    let alerts = |scene: &Scene| -> Vec<Value> {
        let history = scene.history();
        let effects = history.iter().filter_map(|step| step["effects"].as_array()).flatten();
        effects.filter(|effect| effect["effect"]["effect"] == "notify").cloned().collect()
    };
    let waiting = alerts(&scene);
    assert!(!waiting.is_empty());
    assert!(waiting.iter().all(|effect| effect["state"] == "pending"), "{waiting:?}");
    // Whoever waits for an answer does not get it twice because of a restart.
    scene.kill();
    let address = url.trim_start_matches("http://").trim_end_matches("/hook");
    let listener = std::net::TcpListener::bind(address).expect("the port is still free");
    let hook = listen(&scene, listener);
    hook.yes.store(true, Ordering::Relaxed);
    scene.again();
    scene.server.until("the alerts are out", |server| {
        let history = server.json(&["rollout", "history", "--agent", "support"]);
        let steps = history.as_array().expect("a list").iter();
        let mut effects = steps.filter_map(|step| step["effects"].as_array()).flatten();
        effects.all(|effect| effect["state"] == "done")
    });
    let told = hook.bodies();
    assert_eq!(told.len(), waiting.len(), "each once: {told:?}");
}

#[test]
fn s51_votes_count_once_a_user_and_only_with_a_ticket_that_was_given_out() {
    let mut scene = scene_with(&["v1", "v2"], |text| {
        text.replace(
            "    plan: quick\n",
            "    signals: [feedback]\n    sticky: {header: x-user}\n    plan: quick\n",
        )
        .replace("duration: 200ms", "duration: 60s")
    });
    scene.start("v2");
    scene.until("it gets traffic", |view| number(view, "/candidate_arm/requests") > 0);
    let ingress = scene.server.ingress();
    let mut mine = Vec::new();
    for user in 0..500 {
        let answer = scene.world.answer(&ingress, &format!("voter-{user}"));
        if answer.version == "v2" {
            mine.push((format!("voter-{user}"), answer.ticket));
        }
        if mine.len() == 2 {
            break;
        }
    }
    let [(one, first), (_, second)] = mine.as_slice() else { panic!("two users of v2") };
    let vote = |ticket: &str| scene.world.vote(&ingress, ticket, &json!({"score": -1}));
    let forged = format!("{}x", first.trim_end_matches(char::is_alphanumeric));
    assert_eq!(vote(&forged), Some(403), "forged");
    assert_eq!(vote(first), Some(202));
    assert_eq!(vote(first), Some(202), "replayed, and taken without effect");
    let again = scene.world.answer(&ingress, one);
    assert_eq!(again.version, "v2");
    assert_eq!(vote(&again.ticket), Some(202), "another answer, the same user");
    assert_eq!(vote(second), Some(202));
    scene.until("both users count", |view| number(view, "/candidate_arm/feedback") >= 2);
    scene.serve(super::ENOUGH);
    assert_eq!(scene.view()["candidate_arm"]["feedback"], 2, "one vote a user");
}
