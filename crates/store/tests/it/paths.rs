//! Reports of paths.

use lockgate_model::config::Scenario;
use lockgate_store::PathReport;
use serde_json::json;

use crate::world::{Database, T0, agent_a};

fn report(version: &str, path: Scenario, commit: &str) -> PathReport {
    PathReport {
        agent: agent_a(),
        version: version.parse().unwrap(),
        path,
        commit: commit.into(),
        by: "ada".into(),
        at_wall_ms: T0,
        findings: json!({ "monolith.agent": { "attested": [{ "of": "x", "owner": "ada", "link": "l" }] } }),
    }
}

pub(crate) async fn the_newest_report_of_what_is_asked_comes_first(db: &Database) {
    use Scenario::{Monolith, Serverless};
    let v2 = "v2".parse().unwrap();
    let newest = async |path| db.path_report(&agent_a(), &v2, path).await.unwrap();
    assert_eq!(newest(Monolith).await, None);
    let other = report("v1", Monolith, "a");
    db.add_path_report(&other).await.unwrap();
    assert_eq!(newest(Monolith).await, Some(other), "of another version is better than none");
    for commit in ["b", "c"] {
        db.add_path_report(&report("v2", Monolith, commit)).await.unwrap();
    }
    db.add_path_report(&report("v2", Serverless, "d")).await.unwrap();
    db.add_path_report(&report("v3", Monolith, "e")).await.unwrap();
    assert_eq!(newest(Monolith).await.unwrap().commit, "c");
    assert_eq!(newest(Serverless).await.unwrap().commit, "d");
    assert_eq!(newest(Scenario::Microservices).await.unwrap().commit, "d", "its newest");
    let another = "b".parse().unwrap();
    assert_eq!(db.path_report(&another, &v2, Monolith).await.unwrap(), None);
}

pub(crate) async fn reports_are_bounded_and_forget_people(db: &Database) {
    let v2 = "v2".parse().unwrap();
    for commit in 0..502 {
        let path = Scenario::Monolith;
        db.add_path_report(&report("v2", path, &commit.to_string())).await.unwrap();
    }
    db.forget_person("ada").await.unwrap();
    let newest = db.path_report(&agent_a(), &v2, Scenario::Monolith).await.unwrap().unwrap();
    assert_eq!((newest.commit.as_str(), newest.by.as_str()), ("501", "[erased]"));
    assert_eq!(newest.findings["monolith.agent"]["attested"][0]["owner"], "[erased]");
    let deleted = db.compact(T0 + 401 * 24 * 60 * 60_000).await.unwrap().deleted;
    assert!((500..520).contains(&deleted), "{deleted}");
    assert_eq!(db.path_report(&agent_a(), &v2, Scenario::Monolith).await.unwrap(), None);
}
