//! A gateway with an MCP server behind it, and an agent that calls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use lockgate_gateway::identity::Signer;
use lockgate_gateway::{EgressOptions, Gateway};
use lockgate_model::config::SecretRef;
use lockgate_model::identity::{Identity, Issuer as _, Revoked, Voucher};
use lockgate_model::ids::{IdentityId, Revision};
use lockgate_model::ledger::{LedgerEntry, Step};
use lockgate_model::snapshot::{Egress, Snapshot, Split};
use lockgate_model::tool::{Credential, Tool, ToolLimits, ToolMode, ToolProtocol};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::mcp_server::{self, State};
use crate::world::{Client, Fake, Got, agent, route, start_gateway, until, version, wall_ms};

pub(crate) const MAX_AGE_MS: u64 = 600_000;

pub(crate) struct World {
    pub(crate) fake: Arc<Fake>,
    pub(crate) gateway: Gateway,
    pub(crate) server: Arc<State>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) dir: TempDir,
}

pub(crate) fn signer() -> Signer {
    Signer::new(&[9; 32])
}

/// A token of a version as of now.
pub(crate) fn identity(name: &str) -> Identity {
    let agent = agent(&[(name, "127.0.0.1:1".parse().unwrap())]);
    let now_s = wall_ms() / 1_000;
    Identity {
        id: IdentityId(Uuid::now_v7()),
        agent: agent.name.clone(),
        version: version(name),
        manifest: agent.versions[0].digest(),
        issued_wall_s: now_s,
        expires_wall_s: now_s + 600,
        voucher: Voucher::Key(signer().public().kid),
        acting: None,
    }
}

/// The same, so that the token says it.
pub(crate) fn token(name: &str) -> String {
    signer().issue(&identity(name)).unwrap()
}

/// Whether a stream that would go on for long ends, and not in order.
pub(crate) async fn breaks_off(body: Incoming) -> bool {
    let ended = tokio::time::timeout(Duration::from_secs(20), body.collect()).await;
    ended.is_ok_and(|ended| ended.is_err())
}

pub(crate) async fn gateway(fake: &Arc<Fake>, dir: &TempDir) -> Gateway {
    start_gateway(fake, dir, |options| {
        let listen = "127.0.0.1:0".parse().unwrap();
        options.egress = Some(EgressOptions::new(listen));
    })
    .await
}

impl World {
    pub(crate) async fn start() -> Self {
        let (address, server) = mcp_server::start().await;
        let tool = Tool {
            name: "files".parse().unwrap(),
            url: format!("http://{address}/deep/mcp"),
            protocol: ToolProtocol::Mcp,
            credential: Some(Credential {
                header: "authorization".into(),
                value: SecretRef::Env("FILES".into()),
            }),
            timeout_ms: 1_000,
            limits: ToolLimits::default(),
            mode: ToolMode::Enforce,
            agent: None,
        };
        let fake = Fake::new();
        let dir = tempfile::tempdir().unwrap();
        let gateway = gateway(&fake, &dir).await;
        let tools = vec![tool];
        let world = Self { fake, gateway, server, tools, dir };
        world.publish(Vec::new()).await;
        world
    }

    /// The same, and no silence of the server's ends anything before the test does.
    pub(crate) async fn patient() -> Self {
        let mut world = Self::start().await;
        world.tools[0].timeout_ms = 3_600_000;
        world.publish(Vec::new()).await;
        world
    }

    /// The snapshot of two versions, of which these tokens are revoked.
    pub(crate) fn snapshot(&self, revoked: Vec<Revoked>) -> Snapshot {
        let at = "127.0.0.1:1".parse().unwrap();
        let agent = agent(&[("v1", at), ("v2", at), ("v9", at)]);
        let mut snapshot =
            self.fake.snapshot(vec![route(agent, Split::whole(version("v1")))], vec![]);
        snapshot.egress = Egress {
            tools: self.tools.clone(),
            snapshot_max_age_ms: MAX_AGE_MS,
            ..Egress::default()
        };
        snapshot.revoked = revoked;
        snapshot.identity_keys = vec![signer().public()];
        snapshot
    }

    /// Publishes it and waits until it is in force.
    pub(crate) async fn publish(&self, revoked: Vec<Revoked>) {
        let snapshot = self.snapshot(revoked);
        self.put_in_force(snapshot).await;
    }

    pub(crate) async fn put_in_force(&self, snapshot: Snapshot) {
        let revision: Revision = snapshot.revision;
        self.fake.send(snapshot);
        // What is reported is on disk, and a moment later calls are decided by it.
        let in_force = || {
            let reported = self.fake.report().is_some_and(|report| report.applied >= revision);
            reported && self.gateway.stats().is_current
        };
        until("the snapshot is applied", in_force).await;
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.gateway.egress_addr().unwrap()).await
    }

    /// A message of version v1.
    pub(crate) async fn post(&self, body: &Value) -> Got {
        self.client().await.send(post(&token("v1"), body)).await
    }

    /// A call of a tool of version v1; what the agent gets.
    pub(crate) async fn call(&self, name: &str) -> Value {
        body(&self.post(&call(name)).await)
    }

    pub(crate) fn entries(&self) -> Vec<LedgerEntry> {
        self.fake.entries.lock().unwrap().clone()
    }

    pub(crate) fn intents(&self) -> Vec<LedgerEntry> {
        self.entries().into_iter().filter(|entry| entry.step == Step::Intent).collect()
    }

    /// Outcomes of the only intent, once there is one.
    pub(crate) async fn outcome(&self) -> Value {
        let outcomes = || {
            let is_outcome = |entry: &LedgerEntry| matches!(entry.step, Step::Outcome { .. });
            self.entries().into_iter().filter(is_outcome).collect::<Vec<_>>()
        };
        until("the outcome is recorded", || !outcomes().is_empty()).await;
        let [outcome] = &outcomes()[..] else { panic!("one outcome: {:?}", outcomes()) };
        let Step::Outcome { of } = outcome.step else { unreachable!("filtered") };
        let intent = &self.entries()[usize::try_from(of).unwrap()];
        assert_eq!(intent.step, Step::Intent);
        assert_eq!(intent.object, outcome.object);
        outcome.detail.clone()
    }
}

/// One of the old family: no headers, no version.
pub(crate) fn post(token: &str, body: &Value) -> Request<Full<Bytes>> {
    post_text(token, body.to_string())
}

pub(crate) fn post_text(token: &str, body: String) -> Request<Full<Bytes>> {
    Request::post("/mcp/files")
        .header("host", "egress.test")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(Full::new(body.into()))
        .unwrap()
}

pub(crate) fn request(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 41, "method": method, "params": params })
}

pub(crate) fn call(name: &str) -> Value {
    request("tools/call", &json!({ "name": name, "arguments": { "path": "/tmp/a" } }))
}

/// The answer's JSON.
pub(crate) fn body(got: &Got) -> Value {
    serde_json::from_slice(&got.body).unwrap_or_else(|_| panic!("no JSON: {got:?}"))
}

/// Data of the events in a body.
pub(crate) fn events(got: &Got) -> Vec<Value> {
    let text = std::str::from_utf8(&got.body).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}
