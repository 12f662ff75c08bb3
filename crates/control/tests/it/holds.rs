//! What holds a release up, or brings it back faster, over a real store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lockgate_control::{Channels, Secrets};
use lockgate_model::ids::RolloutId;
use lockgate_rollout::event::{Command, OutsideGate};
use lockgate_rollout::explain::Transition;
use lockgate_store::{InboxBody, InboxState, NewInboxItem};
use lockgate_testkit::receiver::answering;
use sqlx::Connection as _;

use crate::world::{PLAN, World, activate};

/// Two agents of which `support` comes after `tools`; its plan with something more.
fn text(more: &str) -> String {
    let agent = |name: &str, after: &str, plan: &str| {
        let version = |v: &str| {
            format!("      - {{ name: {v}, endpoint: \"http://127.0.0.1:9/{name}/{v}\" }}\n")
        };
        let versions: String = ["v1", "v2", "v3"].map(version).concat();
        format!(
            "  - name: {name}\n    match: [{{ path: /{name} }}]\n    plan: {plan}\n    health: off\n    after: {after}\n    versions:\n{versions}"
        )
    };
    let slow = PLAN.replace("50ms", "1h").replace("20ms", "50ms");
    format!(
        "agents:\n{}{}plans:\n  - name: slow{slow}  - name: own{PLAN}{more}",
        agent("tools", "[]", "slow"),
        agent("support", "[tools]", "own"),
    )
}

async fn world(more: &str) -> World {
    let world = World::of(&text(more)).await;
    world.until("stable versions", async || world.store.splits().await.unwrap().len() == 2).await;
    world
}

impl World {
    async fn transitions(&self, id: RolloutId) -> Vec<Transition> {
        let records = self.store.transitions(id).await.unwrap();
        records.into_iter().map(|record| record.transition).collect()
    }

    /// Whether a step of it names this rule.
    async fn told(&self, id: RolloutId, rule: &str) -> bool {
        let steps = self.transitions(id).await;
        steps.iter().flat_map(|step| &step.causes).any(|cause| cause.rule.starts_with(rule))
    }

    async fn promoted(&self, version: &str) -> RolloutId {
        let id = self.started(version).await;
        self.until("the end", async || self.phase(id).await == "promoted").await;
        self.until("the outbox", async || self.pending(id).await == 0).await;
        id
    }

    async fn start_of(&self, agent: &str, version: &str) -> RolloutId {
        let agent: lockgate_model::ids::AgentName = agent.parse().unwrap();
        let item = NewInboxItem {
            key: None,
            agent: agent.clone(),
            rollout: None,
            body: InboxBody::Start {
                agent: agent.clone(),
                candidate: version.parse().unwrap(),
                plan: None,
                reason: "because".into(),
                retry_of: None,
                replace: false,
                in_spite_because: None,
            },
            by: "ada".into(),
            at_wall_ms: 1,
        };
        let item = self.store.submit(item).await.unwrap();
        let state = async || self.store.inbox_item(item).await.unwrap().unwrap().state;
        self.until("an answer", async || state().await != InboxState::Pending).await;
        match state().await {
            InboxState::Done { result } => result.parse().unwrap(),
            other => panic!("not started: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_was_stable_until_lately_comes_back_without_its_stages() {
    let world = world("").await;
    world.promoted("v2").await;
    let back = world.promoted("v1").await;
    assert!(world.told(back, "rollback window").await, "the first version had no stages to pass");
    assert_eq!(world.transitions(back).await[0].weight_bp, 10_000);
    assert_eq!(world.stable().await, Some("v1".into()));
    let again = world.promoted("v2").await;
    assert!(world.told(again, "rollback window").await);
    let never_before = world.promoted("v3").await;
    assert!(!world.told(never_before, "rollback window").await);
}

#[tokio::test]
async fn what_a_person_took_back_has_to_pass_its_stages_when_it_comes_back() {
    let world = world("").await;
    world.promoted("v2").await;
    world.promoted("v3").await;
    // It would be stable again before anyone could say a word.
    world.frozen.store(true, Ordering::SeqCst);
    let back = world.started("v2").await;
    assert!(world.told(back, "rollback window").await, "it was stable until lately");
    world.command(back, Command::Abort).await;
    world.frozen.store(false, Ordering::SeqCst);
    world.until("the end", async || world.phase(back).await == "aborted").await;
    let again = world.promoted("v2").await;
    assert!(!world.told(again, "rollback window").await);
    assert_eq!(world.transitions(again).await[0].weight_bp, 0);
}

#[tokio::test]
async fn what_was_forced_through_has_to_pass_its_stages_when_it_comes_back() {
    let world = world("").await;
    let id = world.started("v2").await;
    world.command(id, Command::Pause).await;
    world.command(id, Command::Promote).await;
    world.until("the end", async || world.phase(id).await == "promoted").await;
    world.promoted("v3").await;
    let back = world.promoted("v2").await;
    assert!(!world.told(back, "rollback window").await);
}

#[tokio::test]
async fn a_stage_waits_for_its_confirmation_and_goes_on() {
    let held = PLAN.replace(
        "weight: 10, duration: 50ms",
        "weight: 10, duration: 50ms, confirm: { by: person }",
    );
    let text = text("").replace(&format!("  - name: own{PLAN}"), &format!("  - name: own{held}"));
    let world = World::of(&text).await;
    world.until("a stable version", async || world.stable().await.is_some()).await;
    let id = world.started("v2").await;
    world.until("the gate", async || world.phase(id).await == "waiting_gate").await;
    let say = async |gate| {
        let reason = "looked at it".into();
        let body = InboxBody::Gate { gate, about: None, open: true, reason };
        world.submit(Some(id), body).await
    };
    let said = say(OutsideGate::Confirm).await;
    assert!(matches!(said, InboxState::Done { .. }), "{said:?}");
    world.until("the end", async || world.phase(id).await == "promoted").await;
    let late = say(OutsideGate::Confirm).await;
    assert!(matches!(late, InboxState::Refused { .. }), "{late:?}");
}

#[tokio::test]
async fn an_edited_plan_reaches_the_release_at_its_next_stage() {
    let slow = |text: &str| text.replace("duration: 50ms", "duration: 1h");
    let world = World::of(&slow(&text(""))).await;
    world.until("a stable version", async || world.stable().await.is_some()).await;
    let id = world.started("v2").await;
    world.until("the stage", async || world.phase(id).await == "running").await;
    let edited = slow(&text("")).replace("weight: 10,", "weight: 20,");
    activate(&world.store, &edited).await;
    world.until("word of it", async || world.told(id, "plan changed by test").await).await;
    let rollout = world.store.rollout(id).await.unwrap().unwrap().value;
    assert_eq!(rollout.plan.stages[1].weight_bp, 1_000, "the stage under way keeps its own");
    assert_eq!(rollout.next_plan.unwrap().stages[1].weight_bp, 2_000);
    world.settle().await;
    let steps = world.transitions(id).await;
    let told = steps
        .iter()
        .flat_map(|step| &step.causes)
        .filter(|cause| cause.rule.starts_with("plan changed"));
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn a_release_begins_after_that_of_the_agent_that_comes_first() {
    let world = world("").await;
    let tools = world.start_of("tools", "v2").await;
    let support = world.start_of("support", "v2").await;
    world.settle().await;
    assert_eq!(world.phase(support).await, "pending");
    assert_eq!(world.store.effects(support).await.unwrap().len(), 0);
    world.command(tools, Command::Promote).await;
    world.until("the end", async || world.phase(support).await == "promoted").await;
    let free = world.start_of("support", "v3").await;
    world.until("the end", async || world.phase(free).await == "promoted").await;
    assert!(!world.told(free, "after tools").await, "nothing is open that comes first");
}

#[tokio::test]
async fn a_release_whose_forerunner_was_taken_back_waits_for_a_person() {
    let world = world("").await;
    let tools = world.start_of("tools", "v2").await;
    let support = world.start_of("support", "v2").await;
    world.command(tools, Command::Abort).await;
    world.until("the pause", async || world.phase(support).await == "paused").await;
    world.command(support, Command::Resume).await;
    world.until("the end", async || world.phase(support).await == "promoted").await;
}

#[tokio::test]
async fn s31_a_split_that_somebody_else_changed_is_written_again() {
    let world = World::with_stable().await;
    let id = world.started("slow").await;
    world.until("the stage", async || world.phase(id).await == "running").await;
    let epoch = async || world.store.rollout(id).await.unwrap().unwrap().value.epoch;
    let before = epoch().await;
    let mut outside = world.outside().await;
    sqlx::query("UPDATE split SET body = json_set(body, '$.candidate.weight_bp', 8000)")
        .execute(&mut outside)
        .await
        .unwrap();
    outside.close().await.unwrap();
    world.until("word of it", async || world.told(id, "read-back differs").await).await;
    world.until("the stage", async || world.phase(id).await == "running").await;
    assert_eq!(epoch().await, before.next());
    let split = world.store.split(&"support".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(split.candidate.unwrap().weight_bp, 0);
}

#[tokio::test]
async fn s12_numbers_that_cannot_be_read_for_too_long_take_a_release_back() {
    let text = text("    source_errors_max: 3\n").replace("duration: 50ms", "duration: 1h");
    let world = World::of(&text).await;
    world.until("a stable version", async || world.stable().await.is_some()).await;
    let id = world.started("v2").await;
    world.until("the stage", async || world.phase(id).await == "running").await;
    let mut outside = world.outside().await;
    sqlx::query("INSERT INTO evidence (rollout, epoch, version, arm) VALUES (?, 1, 'v2', '{')")
        .bind(id.to_string())
        .execute(&mut outside)
        .await
        .unwrap();
    outside.close().await.unwrap();
    world.until("the end", async || world.phase(id).await == "rolled_back").await;
    let steps = world.transitions(id).await;
    let cause = steps.iter().flat_map(|step| &step.causes);
    let cause = cause.into_iter().find(|cause| cause.rule == "source of the numbers").unwrap();
    assert!(cause.text.contains("4 times in a row"), "{cause:?}");
}

#[tokio::test]
async fn s33_a_webhook_that_says_yes_opens_its_gate() {
    let asked = answering(2, "200 OK").await;
    let confirm = format!(
        "duration: 50ms, confirm: {{ by: webhook, url: \"{}\", secret: env:GATE }}",
        asked.url
    );
    let text = text("");
    let (head, own) = text.split_at(text.find("- name: own").unwrap());
    let own = own.replacen("weight: 10, duration: 50ms", &format!("weight: 10, {confirm}"), 1);
    let world = World::of(&format!("{head}{own}")).await;
    world.channels.store(Arc::new(Channels {
        secrets: Secrets([("env:GATE".parse().unwrap(), b"secret".to_vec())].into()),
        ..Channels::default()
    }));
    world.until("a stable version", async || world.stable().await.is_some()).await;
    let id = world.promoted("v2").await;
    assert!(world.told(id, "gate confirm of stage 10% opened by webhook").await);
    let seen = asked.seen();
    assert!(seen.len() >= 3, "asked until it said yes: {seen:?}");
    for question in &seen {
        assert!(question.signed_with(b"secret"), "{question:?}");
        let body: serde_json::Value = serde_json::from_str(&question.body).unwrap();
        assert_eq!((&body["gate"], &body["candidate"]), (&"confirm".into(), &"v2".into()));
    }
}

/// One that takes every question and answers none.
async fn silent() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (url, asked)
}

#[tokio::test]
async fn s33_a_webhook_that_is_slow_keeps_no_other_waiting_and_is_not_asked_twice_at_once() {
    let (slow, slow_asked) = silent().await;
    let asked = answering(2, "200 OK").await;
    let text = text("").replace("after: [tools]", "after: []");
    let at = text.find("- name: own").unwrap();
    let (head, own) = text.split_at(at);
    let head = head.replacen(
        "tick: 50ms",
        &format!("tick: 50ms\n    rollback_gate: {{ url: \"{slow}\" }}"),
        1,
    );
    let confirm =
        format!("weight: 10, duration: 50ms, confirm: {{ by: webhook, url: \"{}\" }}", asked.url);
    let own = own.replacen("weight: 10, duration: 50ms", &confirm, 1);
    let world = World::of(&format!("{head}{own}")).await;
    world.until("stable versions", async || world.store.splits().await.unwrap().len() == 2).await;
    world.start_of("tools", "v2").await;
    world.until("a question", async || slow_asked.load(Ordering::SeqCst) > 0).await;
    world.promoted("v2").await;
    assert!(asked.seen().len() >= 3, "asked until it said yes");
    assert_eq!(slow_asked.load(Ordering::SeqCst), 1, "it has not answered yet");
}

#[tokio::test]
async fn s34_a_rollback_gate_that_says_yes_takes_the_release_back() {
    let asked = answering(2, "200 OK").await;
    let more = format!("    rollback_gate: {{ url: \"{}\" }}\n", asked.url);
    let text = text(&more).replace("duration: 50ms", "duration: 1h");
    let world = World::of(&text).await;
    world.until("a stable version", async || world.stable().await.is_some()).await;
    let id = world.started("v2").await;
    world.until("the end", async || world.phase(id).await == "rolled_back").await;
    assert!(world.told(id, "rollback gate opened by webhook").await);
    let asked_then = asked.seen().len();
    world.settle().await;
    assert_eq!(asked.seen().len(), asked_then, "it has ended");
}

/// Anything but 200 is no yes, also a redirect to one.
#[tokio::test]
async fn s33_other_answers_keep_the_gate_closed() {
    let asked = answering(0, "202 Accepted").await;
    let more = format!("    rollback_gate: {{ url: \"{}\" }}\n", asked.url);
    let world = world(&more).await;
    world.promoted("v2").await;
    assert!(!asked.seen().is_empty(), "it was asked");
}
