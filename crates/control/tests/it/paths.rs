//! Releases that wait for their path to production.

use lockgate_model::config::Scenario;
use lockgate_readiness::path::STEPS;
use lockgate_rollout::event::Command;
use lockgate_store::{InboxBody, InboxState, PathReport};
use serde_json::{Value, json};

use crate::world::World;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// `support` follows a plan that asks for the path of a monolith, and provides for it.
const CONFIG: &str = "
agents:
  - name: support
    plan: gated
    health: off
    versions:
      - { name: v1, endpoint: \"http://127.0.0.1:9/v1\" }
      - { name: v2, endpoint: \"http://127.0.0.1:9/v2\", commit: cccccccccccccccccccccccccccccccccccccccc }
      - { name: v3, endpoint: \"http://127.0.0.1:9/v3\" }
plans:
  - name: gated
    path: monolith
    tick: 20ms
    stages:
      - { weight: 0, duration: 24h, gates: {} }
      - { weight: 10, duration: 4h, gates: {} }
      - { weight: 50, duration: 4h, gates: {} }
      - { weight: 100 }
  - name: free
    tick: 20ms
    stages:
      - { weight: 0, duration: 24h, gates: {} }
      - { weight: 10, duration: 4h, gates: {} }
      - { weight: 50, duration: 4h, gates: {} }
      - { weight: 100 }
";

fn wall_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

fn findings(outcome: &str) -> Value {
    let of_files =
        STEPS.iter().filter(|step| step.path == Scenario::Monolith && step.sees.repository());
    let one =
        |id: &str| (id.to_owned(), json!({ "outcome": outcome, "reason": "as the test says" }));
    of_files.map(|step| one(step.id)).collect::<serde_json::Map<_, _>>().into()
}

impl World {
    async fn report(&self, version: &str, commit: char, age_ms: i64, outcome: &str) {
        let report = PathReport {
            agent: "support".parse().unwrap(),
            version: version.parse().unwrap(),
            path: Scenario::Monolith,
            commit: commit.to_string().repeat(40),
            by: "ci".into(),
            at_wall_ms: wall_ms() - age_ms,
            findings: findings(outcome),
        };
        self.store.add_path_report(&report).await.unwrap();
    }

    async fn begin(
        &self,
        version: &str,
        plan: Option<&str>,
        replace: bool,
        because: Option<&str>,
    ) -> InboxState {
        let body = InboxBody::Start {
            agent: "support".parse().unwrap(),
            candidate: version.parse().unwrap(),
            plan: plan.map(|plan| plan.parse().unwrap()),
            reason: "because".into(),
            retry_of: None,
            replace,
            in_spite_because: because.map(str::to_owned),
        };
        self.submit(None, body).await
    }

    async fn refused(&self, version: &str, said: &str) {
        match self.begin(version, None, false, None).await {
            InboxState::Refused { reason } => {
                assert!(reason.contains(said), "{reason} (not {said})");
            }
            other => panic!("{other:?}"),
        }
    }

    async fn gated() -> Self {
        let world = Self::of(CONFIG).await;
        world.report("v1", 'a', 0, "pass").await;
        world.until("a stable version", async || world.stable().await.is_some()).await;
        world
    }
}

#[tokio::test]
async fn a_release_is_refused_until_a_report_of_it_opens_its_path() {
    let world = World::gated().await;
    world.refused("v2", "the newest report is of version v1").await;
    world.report("v2", 'c', 8 * DAY_MS, "pass").await;
    world.refused("v2", "is 8 days old, and counts for 7").await;
    world.report("v2", 'd', 0, "pass").await;
    world.refused("v2", "is of commit dddd").await;
    world.report("v2", 'c', 0, "fail").await;
    world.refused("v2", "monolith.tests is not so: as the test says").await;
    world.report("v2", 'c', 0, "unknown").await;
    world.refused("v2", "monolith.tests is unknown").await;
    match world.begin("v2", Some("free"), false, None).await {
        InboxState::Refused { reason } => {
            assert!(reason.contains("the path `monolith` is blocked"));
        }
        other => panic!("another plan does not lead around it: {other:?}"),
    }
    assert_eq!(world.store.rollouts_open().await.unwrap().len(), 0);
    world.report("v2", 'c', 0, "pass").await;
    let InboxState::Done { result } = world.begin("v2", None, false, None).await else {
        panic!("it is open")
    };
    let history = world.store.transitions(result.parse().unwrap()).await.unwrap();
    let causes = &history[0].transition.causes;
    assert_eq!(causes[1].rule, "path monolith");
    assert!(causes[1].text.contains("open, by the report of commit cccc"), "{causes:?}");
}

#[tokio::test]
async fn an_override_starts_it_and_says_who_and_why() {
    let world = World::gated().await;
    let InboxState::Done { result } =
        world.begin("v2", None, false, Some("the fix must go out")).await
    else {
        panic!("it starts")
    };
    let history = world.store.transitions(result.parse().unwrap()).await.unwrap();
    let causes = &history[0].transition.causes;
    assert!(
        causes[1].text.starts_with("started although the path `monolith` is blocked"),
        "{causes:?}"
    );
    assert_eq!(
        (causes[2].by.as_deref(), causes[2].text.as_str()),
        (Some("ada"), "the fix must go out")
    );
    let entry = async || {
        let entries = world.ledger.entries().into_iter();
        entries
            .filter(|entry| entry.action == "rollout.transition")
            .find(|entry| entry.detail.to_string().contains("the fix must go out"))
    };
    world.until("the record", async || entry().await.is_some()).await;
    let marked = entry().await.unwrap().personal;
    assert!(marked.iter().any(|one| one.at == "/transition/causes/2/text"), "it is ada's own");
}

/// What is refused touches nothing that runs, and what was stable may always come back.
#[tokio::test]
async fn nothing_that_runs_is_touched_and_no_way_back_is_held_up() {
    let world = World::gated().await;
    let InboxState::Done { result } = world.begin("v2", None, false, Some("first")).await else {
        panic!("it starts")
    };
    let v2 = result.parse().unwrap();
    match world.begin("v3", None, true, None).await {
        InboxState::Refused { reason } => assert!(reason.contains("is blocked"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_ne!(world.phase(v2).await, "rolling_back", "the open release goes on");
    world.command(v2, Command::Promote).await;
    world.until("v2 is stable", async || world.stable().await.as_deref() == Some("v2")).await;
    let back = world.begin("v1", None, false, None).await;
    assert!(matches!(back, InboxState::Done { .. }), "the report of v1 is not asked for: {back:?}");
}

#[tokio::test]
async fn a_first_version_waits_for_its_path_and_starts_by_itself() {
    let world = World::of(CONFIG).await;
    let refusals = || {
        let entries = world.ledger.entries().into_iter();
        entries.filter(|entry| entry.action == "rollout.start.refused").count()
    };
    world.until("the refusal", async || refusals() == 1).await;
    world.settle().await;
    assert_eq!((world.stable().await, refusals()), (None, 1), "it is told once");
    world.report("v1", 'a', 0, "fail").await;
    world.until("another reason", async || refusals() == 2).await;
    let told =
        world.ledger.entries().iter().map(|entry| entry.detail.to_string()).collect::<String>();
    assert!(
        told.contains("is blocked: monolith.foundations, monolith.agent, monolith.tests"),
        "{told}"
    );
    assert!(!told.contains("as the test says"), "no word of a repository: {told}");
    world.report("v1", 'a', 0, "pass").await;
    world.until("a stable version", async || world.stable().await.as_deref() == Some("v1")).await;
}
