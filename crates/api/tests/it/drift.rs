//! Results of looks for drift: who may report them, which are taken, and that they are written down.

use lockgate_model::drift::{Drift, Report, Root, RootKind};
use lockgate_store::Role;
use serde_json::{Value, json};

use crate::server::{json, problem, server};

const INFRA: &str = "/api/v1/agents/support/drift/infra";
const ALL: &str = "/api/v1/agents/support/drift";

/// A report of a comparison that began so many seconds ago.
fn report(outcome: Drift, seconds_ago: i64) -> Value {
    let root = Root {
        kind: RootKind::Terraform,
        path: "infra/prod".into(),
        outcome,
        reason: "the plan".into(),
        program: Some("terraform 1.11.4".into()),
        changes_total: if outcome == Drift::None { 0 } else { 3 },
        changes: Vec::new(),
        noise_total: 0,
        noise: Vec::new(),
    };
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let at_ms = i64::try_from(now_ms.as_millis()).unwrap() - seconds_ago * 1_000;
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap();
    serde_json::to_value(Report::new("1.0.0", at, vec![root])).unwrap()
}

#[tokio::test]
async fn the_newest_of_each_source_is_kept_and_everything_is_written_down() {
    let server = server().await;
    let operator = server.token(Role::Operator, Some(&["support"])).await;
    let kept = json(server.post(INFRA, &operator, report(Drift::None, 60)).await, 201).await;
    assert_eq!((&kept["source"], &kept["outcome"]), (&json!("infra"), &json!("none")));
    let again = json(server.post(INFRA, &operator, report(Drift::Drifted, 30)).await, 201).await;
    assert_eq!(again["outcome"], "drifted");
    assert_eq!(again["roots"][0]["changes_total"], 3);
    let cluster = "/api/v1/agents/support/drift/cluster";
    json(server.post(cluster, &operator, report(Drift::Unknown, 30)).await, 201).await;
    let rows = json(server.get(ALL, &operator).await, 200).await;
    let told: Vec<(&str, &str)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["source"].as_str().unwrap(), row["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("cluster", "unknown"), ("infra", "drifted")]);
    let actions = server.world.ledger.actions();
    assert_eq!(actions.iter().filter(|action| *action == "drift.report").count(), 3);
    let journal = server.world.store.journal_recent(1).await.unwrap();
    assert_eq!(journal[0].subject, "support/cluster");
    assert_eq!(journal[0].detail["not_none"], json!(["infra/prod"]));
}

#[tokio::test]
async fn an_old_result_takes_the_place_of_none() {
    let server = server().await;
    let admin = &server.admin;
    let drifted = report(Drift::Drifted, 30);
    json(server.post(INFRA, admin, drifted.clone()).await, 201).await;
    problem(server.post(INFRA, admin, drifted).await, 409).await;
    problem(server.post(INFRA, admin, report(Drift::None, 31)).await, 409).await;
    let rows = json(server.get(ALL, admin).await, 200).await;
    assert_eq!(rows[0]["outcome"], "drifted");
    assert_eq!(server.world.ledger.actions().iter().filter(|a| *a == "drift.report").count(), 1);
}

#[tokio::test]
async fn what_is_of_a_time_to_come_or_contradicts_itself_is_refused() {
    let server = server().await;
    let admin = &server.admin;
    problem(server.post(INFRA, admin, report(Drift::None, -600)).await, 422).await;
    let mut claims = report(Drift::Drifted, 30);
    claims["outcome"] = json!("none");
    problem(server.post(INFRA, admin, claims).await, 422).await;
    let mut counts = report(Drift::None, 30);
    counts["roots"][0]["changes_total"] = json!(2);
    problem(server.post(INFRA, admin, counts).await, 422).await;
    let mut empty = report(Drift::None, 30);
    empty["roots"] = json!([]);
    problem(server.post(INFRA, admin, empty).await, 422).await;
    problem(server.post(INFRA, admin, json!({"outcome": "none"})).await, 422).await;
    assert_eq!(json(server.get(ALL, admin).await, 200).await, json!([]));
    // A clock that is a little ahead: it was looked at now, and no later.
    let ahead = json(server.post(INFRA, admin, report(Drift::None, -60)).await, 201).await;
    assert_eq!(ahead["at_wall_ms"], ahead["received_wall_ms"]);
}

#[tokio::test]
async fn not_everybody_may_and_not_for_every_agent() {
    let server = server().await;
    let viewer = server.token(Role::Viewer, None).await;
    problem(server.post(INFRA, &viewer, report(Drift::None, 30)).await, 403).await;
    json(server.get(ALL, &viewer).await, 200).await;
    let other = server.token(Role::Operator, Some(&["billing"])).await;
    problem(server.post(INFRA, &other, report(Drift::None, 30)).await, 404).await;
    problem(server.get(ALL, &other).await, 404).await;
    let unknown = "/api/v1/agents/nobody/drift/infra";
    problem(server.post(unknown, &server.admin, report(Drift::None, 30)).await, 404).await;
}
