//! A security event is durable, then cut off, then acknowledged: in this order or not at all.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lockgate_model::ids::FuseId;
use lockgate_model::ports::{Fuses, PortError};
use lockgate_model::security::{Fuse, FuseCause, SecurityEvent};
use lockgate_store::{InboxBody, Store};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::{json, problem, start, without_control};
use crate::world::{World, name};

const RAISE: &str = "/api/v1/agents/support/versions/v2/security-events";

/// A gateway that cannot latch.
pub(crate) struct Broken;

#[async_trait]
impl Fuses for Broken {
    async fn latch(&self, _: &SecurityEvent) -> Result<Option<Fuse>, PortError> {
        Err(PortError::new("the disk is full"))
    }
}

/// A gateway that latches, and notes what was in the inbox when it was asked to.
struct Watching {
    store: Store,
    seen: Mutex<Vec<Vec<&'static str>>>,
}

fn kinds(items: &[lockgate_store::InboxItem]) -> Vec<&'static str> {
    let kind = |body: &InboxBody| match body {
        InboxBody::Security(_) => "security",
        InboxBody::Fuse(_) => "fuse",
        InboxBody::Start { .. } | InboxBody::Command { .. } | InboxBody::Gate { .. } => "command",
    };
    items.iter().map(|item| kind(&item.body)).collect()
}

#[async_trait]
impl Fuses for Watching {
    async fn latch(&self, event: &SecurityEvent) -> Result<Option<Fuse>, PortError> {
        let pending = self.store.inbox_pending(10).await.map_err(PortError::new)?;
        self.seen.lock().unwrap().push(kinds(&pending));
        Ok(Some(Fuse {
            id: FuseId(Uuid::now_v7()),
            gateway: name("gateway-1"),
            agent: event.agent.clone(),
            version: event.version.clone(),
            rollout: None,
            cause: FuseCause::SecurityEvent { event: event.id },
            at_wall_ms: event.at_wall_ms,
        }))
    }
}

async fn pending(store: &Store) -> Vec<&'static str> {
    kinds(&store.inbox_pending(10).await.unwrap())
}

#[tokio::test]
async fn the_event_is_durable_before_the_latch_and_the_latch_before_the_answer() {
    let world = World::new().await;
    let fuses = Arc::new(Watching { store: world.store.clone(), seen: Mutex::default() });
    let server = start(world, Some(fuses.clone()), |_| {}).await;
    server.world.start("support", "v2", Some("v1"), "test").await;
    let body =
        json!({"detail": "it printed the system prompt", "rule": "r-1", "stable_shows_it": false});
    let raised = json(server.post(RAISE, &server.admin, body).await, 201).await;
    assert_eq!(raised["latched"], true);
    assert_eq!(*fuses.seen.lock().unwrap(), [vec!["security"]]);
    assert_eq!(pending(&server.world.store).await, ["security", "fuse"]);
    let journal = json(server.get("/api/v1/journal", &server.admin).await, 200).await;
    assert_eq!(journal[0]["action"], "security_event.raise");
    assert_eq!(journal[0]["detail"]["event"], raised["id"]);
    assert_eq!(journal[0]["detail"]["latched"], true);
}

#[tokio::test]
async fn a_latch_that_fails_is_not_acknowledged() {
    let server = without_control(Some(Arc::new(Broken))).await;
    server.world.start("support", "v2", Some("v1"), "test").await;
    let answer = server.post(RAISE, &server.admin, json!({"detail": "seen"})).await;
    let problem = problem(answer, 503).await;
    assert!(problem["hint"].is_string() && problem["id"] == Value::Null);
    // the event itself stays: control acts on it
    assert_eq!(pending(&server.world.store).await, ["security"]);
    assert_eq!(server.world.store.journal_recent(10).await.unwrap().len(), 0);
}

#[tokio::test]
async fn without_a_gateway_in_reach_nothing_is_said_to_be_latched() {
    let server = without_control(None).await;
    let raised =
        json(server.post(RAISE, &server.admin, json!({"detail": "seen"})).await, 201).await;
    assert_eq!(raised["latched"], false);
}

#[tokio::test]
async fn an_event_needs_a_known_version_and_a_detail() {
    let server = without_control(None).await;
    let unknown = "/api/v1/agents/support/versions/v9/security-events";
    problem(server.post(unknown, &server.admin, json!({"detail": "x"})).await, 404).await;
    problem(server.post(RAISE, &server.admin, json!({"detail": " "})).await, 422).await;
    problem(server.post(RAISE, &server.admin, json!({"detail": "x", "level": 3})).await, 422).await;
    assert_eq!(pending(&server.world.store).await, Vec::<&str>::new());
}
