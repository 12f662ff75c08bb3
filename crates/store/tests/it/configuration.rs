//! Activating configurations.

use lockgate_model::ids::Revision;
use lockgate_store::{ConfigOrigin, StepCommit, StoreError};

use crate::world::{Database, T0, agent, agent_a, config, ended, set_split, split};

pub(crate) async fn activation_is_idempotent_by_digest(db: &Database) {
    assert_eq!(db.active_config().await.unwrap(), None);
    let agents = [agent("agent-a", &["v1"])];
    let first = db.activate(&agents).await.unwrap();
    let snapshot = db.newest_snapshot().await.unwrap().unwrap();
    assert_eq!(snapshot.revision, Revision(1));
    assert_eq!(snapshot.candidate_stale_max_ms, 600_000);
    assert_eq!(snapshot.route(&agent_a()).unwrap().agent, agents[0]);
    assert_eq!(snapshot.route(&agent_a()).unwrap().split, None);

    let again = db.activate(&agents).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(db.newest_snapshot().await.unwrap().unwrap(), snapshot);
    assert_eq!(db.active_config().await.unwrap(), Some(first));
    assert_eq!(db.active_agents().await.unwrap(), agents);
    let kinds: Vec<_> = db.feed_since(0, 10).await.unwrap().into_iter().map(|r| r.kind).collect();
    assert_eq!(kinds, ["config"]);
}

pub(crate) async fn an_older_configuration_can_come_back(db: &Database) {
    let one = [agent("agent-a", &["v1"])];
    let two = [agent("agent-a", &["v1", "v2"])];
    let first = db.activate(&one).await.unwrap();
    let second = db.activate(&two).await.unwrap();
    let third = db.activate(&one).await.unwrap();
    assert!(first.revision < second.revision && second.revision < third.revision);
    assert_eq!(first.digest, third.digest);
    assert_eq!(db.active_agents().await.unwrap(), one);
}

pub(crate) async fn a_known_version_never_changes(db: &Database) {
    db.activate(&[agent("agent-a", &["v1"])]).await.unwrap();
    let mut changed = [agent("agent-a", &["v1"]), agent("agent-b", &["v1"])];
    changed[0].versions[0].endpoint = "http://elsewhere.example".into();
    let refused = db.activate(&changed).await;
    assert!(matches!(refused, Err(StoreError::VersionChanged { .. })), "{refused:?}");
    assert_eq!(db.active_agents().await.unwrap().len(), 1, "nothing of it was written");
    assert_eq!(db.newest_snapshot().await.unwrap().unwrap().revision, Revision(1));

    // gone from the file is not forgotten
    db.activate(&[agent("agent-b", &["v1"])]).await.unwrap();
    let refused = db.activate(&changed).await;
    assert!(matches!(refused, Err(StoreError::VersionChanged { .. })), "{refused:?}");
}

pub(crate) async fn the_file_is_remembered_beside_what_the_api_activates(db: &Database) {
    let (a, b) = ([agent("agent-a", &["v1"])], [agent("agent-b", &["v1"])]);
    assert_eq!(db.last_file_digest().await.unwrap(), None);
    db.activate_config(config("a", &a, ConfigOrigin::File)).await.unwrap();
    db.activate_config(config("b", &b, ConfigOrigin::Api)).await.unwrap();
    assert_eq!(db.last_file_digest().await.unwrap().as_deref(), Some("a"));
    // the file now says what is active already: nothing to do, but no longer news either
    let record = db.activate_config(config("b", &b, ConfigOrigin::File)).await.unwrap();
    assert_eq!(record.origin, ConfigOrigin::Api);
    assert_eq!(db.last_file_digest().await.unwrap().as_deref(), Some("b"));
}

pub(crate) async fn what_is_in_use_cannot_be_removed(db: &Database) {
    let fence = db.fence().await;
    db.activate(&[agent("agent-a", &["v1", "v2"])]).await.unwrap();
    let rollout = db.begin(fence, &[set_split(1)]).await;
    let id = db.outbox_due(T0, 10).await.unwrap()[0].id;
    db.publish_split(fence, id, &split(rollout.id, 1, 1_000), &agent_a(), T0).await.unwrap();

    let without_agent = db.activate(&[agent("agent-b", &["v1"])]).await;
    assert!(matches!(without_agent, Err(StoreError::AgentBusy { .. })), "{without_agent:?}");
    for kept in [&["v1"], &["v2"]] {
        let without_version = db.activate(&[agent("agent-a", kept)]).await;
        assert!(matches!(without_version, Err(StoreError::VersionBusy { .. })), "{kept:?}");
    }

    db.commit_step(StepCommit {
        fence,
        rollout: &ended(&rollout, T0),
        row_version: 1,
        transition: None,
        effects: &[],
        handled: &[],
    })
    .await
    .unwrap();
    // the stable version stays; the one on its way out is added back for gateways
    assert!(db.activate(&[agent("agent-a", &["v2"])]).await.is_err());
    db.activate(&[agent("agent-a", &["v1"])]).await.unwrap();
    let snapshot = db.newest_snapshot().await.unwrap().unwrap();
    assert!(snapshot.routes[0].agent.version(&"v2".parse().unwrap()).is_some());

    // an agent that is not being released may go, and comes back as it was
    db.activate(&[agent("agent-b", &["v1"])]).await.unwrap();
    assert!(db.newest_snapshot().await.unwrap().unwrap().route(&agent_a()).is_none());
    db.activate(&[agent("agent-a", &["v1", "v2"])]).await.unwrap();
    let snapshot = db.newest_snapshot().await.unwrap().unwrap();
    assert_eq!(snapshot.routes[0].split, Some(split(rollout.id, 1, 1_000)));

    // unless its stable version did not come back with it
    db.activate(&[agent("agent-b", &["v1"])]).await.unwrap();
    db.activate(&[agent("agent-a", &["v3"])]).await.unwrap();
    assert_eq!(db.split(&agent_a()).await.unwrap(), None);
}
