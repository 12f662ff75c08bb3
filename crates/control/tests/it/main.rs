//! The reconcile loop over a real store, with a gateway that only reports.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod holds;
mod paths;
mod world;

use std::sync::atomic::Ordering;

use lockgate_control::{Control, Options};
use lockgate_model::ids::{Revision, SecurityEventId};
use lockgate_model::ledger::Kept;
use lockgate_model::plan::AlertLevel;
use lockgate_model::ports::Events as _;
use lockgate_model::security::{SecurityCause, SecurityEvent};
use lockgate_model::snapshot::Mode;
use lockgate_rollout::event::Command;
use lockgate_store::{InboxState, StoreError};
use lockgate_testkit::receiver::receiver;
use uuid::Uuid;

use crate::world::{PLAN, World};

#[tokio::test]
async fn the_first_version_becomes_stable_by_itself() {
    let world = World::new("v1").await;
    world.until("a stable version", async || world.stable().await == Some("v1".into())).await;
    let rollouts = world.store.rollouts(None, 10).await.unwrap();
    assert_eq!(rollouts.len(), 1);
    assert_eq!(rollouts[0].phase.as_str(), "promoted");
}

#[tokio::test]
async fn a_release_without_gates_is_carried_to_the_end() {
    let world = World::with_stable().await;
    let id = world.started("v2").await;
    world.until("the end", async || world.phase(id).await == "promoted").await;
    world.until("the outbox", async || world.pending(id).await == 0).await;
    assert_eq!(world.stable().await, Some("v2".into()));
    let weights: Vec<u32> = world
        .store
        .transitions(id)
        .await
        .unwrap()
        .iter()
        .map(|record| record.transition.weight_bp)
        .collect();
    assert_eq!(weights.first(), Some(&0));
    assert!(weights.is_sorted(), "{weights:?}");
    for effect in world.store.effects(id).await.unwrap() {
        assert_eq!(effect.applied_count, 1, "{effect:?}");
    }
}

#[tokio::test]
async fn nothing_moves_while_no_gateway_confirms() {
    let world = World::with_stable().await;
    world.frozen.store(true, Ordering::SeqCst);
    let id = world.started("v2").await;
    world.settle().await;
    assert_eq!(world.phase(id).await, "confirming");
    world.frozen.store(false, Ordering::SeqCst);
    world.until("the end", async || world.phase(id).await == "promoted").await;
}

#[tokio::test]
async fn commands_are_answered_and_those_without_sense_refused() {
    let world = World::with_stable().await;
    let id = world.started("slow").await;
    let pause = world.command(id, Command::Pause).await;
    assert!(matches!(pause, InboxState::Done { .. }), "{pause:?}");
    assert_eq!(world.phase(id).await, "paused");
    let again = world.command(id, Command::Pause).await;
    let InboxState::Refused { reason } = again else { panic!("{again:?}") };
    assert!(reason.contains("held already"), "{reason}");
    world.command(id, Command::Abort).await;
    world.until("the end", async || world.phase(id).await == "aborted").await;
    assert_eq!(world.stable().await, Some("v1".into()));
}

#[tokio::test]
async fn unknown_versions_and_releases_under_way_are_refused() {
    let world = World::with_stable().await;
    for (version, part) in [("nosuch", "no version nosuch"), ("v1", "stable already")] {
        let state = world.start(version).await;
        let InboxState::Refused { reason } = state else { panic!("{version}: {state:?}") };
        assert!(reason.contains(part), "{reason}");
    }
    let id = world.started("slow").await;
    let state = world.start("slow").await;
    let InboxState::Refused { reason } = state else { panic!("{state:?}") };
    assert!(reason.contains("being released already"), "{reason}");
    let state = world.start("v2").await;
    let InboxState::Refused { reason } = state else { panic!("{state:?}") };
    assert!(reason.contains("version slow is being released"), "nobody asked to: {reason}");
    assert_ne!(world.phase(id).await, "superseded");
}

#[tokio::test]
async fn a_newer_version_waits_until_the_older_release_is_at_zero() {
    let world = World::with_stable().await;
    let old = world.started("slow").await;
    let state = world.replace("v2").await;
    let InboxState::Done { result } = state else { panic!("{state:?}") };
    let new = result.parse().unwrap();
    assert_eq!(world.phase(old).await, "superseded");
    world.until("the end", async || world.phase(new).await == "promoted").await;
}

#[tokio::test]
async fn a_release_of_what_is_stable_only_takes_back() {
    let world = World::with_stable().await;
    let id = world.started("slow").await;
    let state = world.replace("v1").await;
    assert!(matches!(state, InboxState::Done { .. }), "{state:?}");
    world.until("the end", async || world.phase(id).await == "superseded").await;
    assert_eq!(world.store.rollouts_open().await.unwrap().len(), 0);
}

fn security_event(version: &str) -> SecurityEvent {
    SecurityEvent {
        id: SecurityEventId(Uuid::now_v7()),
        agent: "support".parse().unwrap(),
        version: version.parse().unwrap(),
        cause: SecurityCause::Rule,
        rule: Some("no-secrets".into()),
        principal: "ada".into(),
        detail: "read outside its documents".into(),
        stable_shows_it: None,
        at_wall_ms: 1,
    }
}

#[tokio::test]
async fn a_security_event_cuts_the_candidate_off() {
    let world = World::with_stable().await;
    let id = world.started("slow").await;
    world.store.security(security_event("slow")).await.unwrap();
    world.until("the end", async || world.phase(id).await == "rolled_back").await;
    let split = world.store.split(&"support".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(split.candidate, None);
    assert_eq!(split.retiring.unwrap().mode, Mode::Cut);
}

#[tokio::test]
async fn a_security_event_on_what_users_get_is_told_to_people() {
    let receiver = receiver(0).await;
    let world = World::with_stable().await;
    world.tell(receiver.url.clone(), AlertLevel::High);
    let handled = async || {
        let pending = async || world.store.inbox_pending(10).await.unwrap().is_empty();
        world.until("the event is handled", pending).await;
    };
    // of one that nobody gets it is enough to keep the record
    world.store.security(security_event("v2")).await.unwrap();
    handled().await;
    let told = security_event("v1");
    for _ in 0..2 {
        world.store.security(told.clone()).await.unwrap();
        handled().await;
    }
    let id = world.started("slow").await;
    world.store.security(security_event("v1")).await.unwrap();
    handled().await;
    world.until("two alerts", async || receiver.seen().len() >= 2).await;
    world.until("the outbox", async || world.pending(id).await == 0).await;
    let seen = receiver.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_ne!(seen[0].id, seen[1].id);
    for request in &seen {
        let event: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(event["data"]["level"], "high", "as the plan says");
        let said = event["data"].to_string();
        for part in ["support", "stable version v1", "read outside its documents", "no-secrets"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert!(!world.phase(id).await.contains("roll"), "the candidate is not to blame");
    assert_eq!(world.stable().await, Some("v1".into()));
}

#[tokio::test]
async fn a_second_controller_waits_and_takes_over_without_doing_anything_twice() {
    let mut world = World::with_stable().await;
    let options = Options { lease_ttl_ms: 300, ..Options::new("other") };
    let second = Control::spawn(
        world.store.clone(),
        world.ledger.clone(),
        world::watch(),
        world.channels.clone(),
        options,
    );
    let id = world.started("v2").await;
    world.control.take().unwrap().shutdown().await;
    world.until("the end", async || world.phase(id).await == "promoted").await;
    for effect in world.store.effects(id).await.unwrap() {
        assert!(effect.applied_count <= 1, "{effect:?}");
    }
    second.shutdown().await;
}

#[tokio::test]
async fn what_a_former_controller_still_sends_is_refused() {
    let world = World::with_stable().await;
    let id = world.started("slow").await;
    world.command(id, Command::Pause).await;
    let open = world.store.rollout(id).await.unwrap().unwrap();
    let late = world
        .store
        .commit_step(lockgate_store::StepCommit {
            fence: 999,
            rollout: &open.value,
            row_version: open.row_version,
            transition: None,
            effects: &[],
            handled: &[],
        })
        .await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
}

#[tokio::test]
async fn alerts_are_signed_retried_and_keep_their_id() {
    let receiver = receiver(2).await;
    let world = World::with_stable().await;
    world.tell(receiver.url.clone(), AlertLevel::Medium);
    let id = world.started("slow").await;
    world.command(id, Command::Abort).await;
    world.until("three attempts", async || receiver.seen().len() >= 3).await;
    let seen = receiver.seen();
    assert_eq!(seen[0].id, seen[2].id, "a retry is the same event");
    for request in &seen {
        assert!(request.signed_with(b"secret"), "{request:?}");
        let event: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["data"]["level"], "medium");
        assert!(event["data"]["text"].as_str().unwrap().contains("because"), "{event}");
    }
    world.until("the outbox", async || world.pending(id).await == 0).await;
}

/// Runs another test in a process that finds no certificate authorities.
#[test]
fn alerts_over_plain_http_need_no_certificate_authorities() {
    let ran = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "alerts_are_signed_retried_and_keep_their_id"])
        .env("SSL_CERT_FILE", "/dev/null")
        .env("SSL_CERT_DIR", "/dev/null")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn the_revision_only_grows() {
    let world = World::with_stable().await;
    let id = world.started("v2").await;
    world.until("the end", async || world.phase(id).await == "promoted").await;
    world.until("the outbox", async || world.pending(id).await == 0).await;
    let revisions: Vec<Revision> = world
        .store
        .effects(id)
        .await
        .unwrap()
        .iter()
        .filter_map(|effect| effect.revision)
        .collect();
    assert!(revisions.is_sorted() && revisions.len() >= 4, "{revisions:?} for {PLAN}");
}

#[tokio::test]
async fn every_step_is_recorded_with_its_numbers_and_its_place() {
    let world = World::with_stable().await;
    let id = world.started("v2").await;
    world.until("the end", async || world.phase(id).await == "promoted").await;
    world.until("the outbox", async || world.pending(id).await == 0).await;
    let steps = world.store.transitions(id).await.unwrap();
    let entries = world.ledger.entries();
    for step in &steps {
        let place = usize::try_from(step.ledger_seq.unwrap()).unwrap();
        let entry = &entries[place];
        assert_eq!(entry.action, "rollout.transition");
        assert_eq!(entry.detail["step"], step.seq);
        assert_eq!(entry.detail["transition"], serde_json::to_value(&step.transition).unwrap());
    }
    let said = entries.iter().find(|entry| entry.object == id.to_string()).unwrap();
    let marked: Vec<(&str, Kept)> =
        said.personal.iter().map(|one| (&one.at[..], one.kept)).collect();
    let at = |name: &str| format!("/transition/causes/0/{name}");
    let expected = [(at("by"), Kept::Name), (at("rule"), Kept::Sealed), (at("text"), Kept::Sealed)];
    assert_eq!(marked, expected.each_ref().map(|(at, kept)| (&at[..], *kept)), "who started it");
    let of_it = entries.iter().filter(|entry| entry.object == id.to_string());
    assert_eq!(of_it.count(), steps.len(), "each step once");
}

#[tokio::test]
async fn a_release_that_cannot_be_recorded_gets_no_users_and_goes_on_later() {
    let world = World::with_stable().await;
    world.ledger.refuse(Some("the disk is full"));
    let id = world.started("v2").await;
    world.settle().await;
    let split = world.store.split(&"support".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(split.candidate, None, "nothing was published: {split:?}");
    assert_eq!(world.phase(id).await, "confirming");
    world.ledger.refuse(None);
    world.until("the end", async || world.stable().await == Some("v2".into())).await;
}

#[tokio::test]
async fn the_way_back_does_not_wait_for_the_audit_log() {
    let world = World::with_stable().await;
    let id = world.started("slow").await;
    let at = async || world.store.split(&"support".parse().unwrap()).await.unwrap().unwrap();
    world.until("users", async || at().await.candidate.is_some()).await;
    world.ledger.refuse(Some("the disk is full"));
    world.command(id, Command::Abort).await;
    world.until("the end", async || world.phase(id).await == "aborted").await;
    world.until("no users", async || at().await.candidate.is_none()).await;
    let unrecorded = world.store.steps_unrecorded(100).await.unwrap();
    assert!(!unrecorded.is_empty());
    world.ledger.refuse(None);
    world
        .until("the record", async || world.store.steps_unrecorded(1).await.unwrap().is_empty())
        .await;
    let last = world.ledger.entries().pop().unwrap();
    assert_eq!(last.labels.last(), Some(&("decision", "aborted".to_owned())));
}
