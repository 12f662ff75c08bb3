//! Tokens of agents' versions.

use lockgate_model::identity::{Identity, Revoked};
use lockgate_model::ids::IdentityId;
use lockgate_model::ports::Snapshots as _;
use lockgate_model::snapshot::{Egress, Snapshot};
use lockgate_model::tool::{Tool, ToolProtocol};
use lockgate_model::version::Digest;
use lockgate_store::{ConfigOrigin, NewConfig};
use uuid::Uuid;

use crate::world::{Database, T0, agent, agent_a, config, report};

const T0_S: i64 = T0.div_euclid(1_000);

fn identity(n: u128, version: &str, issued_wall_s: i64) -> Identity {
    Identity {
        id: IdentityId(Uuid::from_u128(n)),
        agent: agent_a(),
        version: version.parse().unwrap(),
        manifest: Digest::of(b"manifest"),
        issued_wall_s,
        expires_wall_s: issued_wall_s + 1_000,
    }
}

async fn newest(db: &Database) -> Snapshot {
    let heard = db.exchange(report("looker", 0), 0).await.unwrap();
    heard.snapshot.expect("there is one")
}

/// One token by its name, and all of a version whether they are remembered or not; what is over needs no mention.
pub(crate) async fn revoked_tokens_are_told_to_gateways(db: &Database) {
    let agents = [agent("agent-a", &["v1", "v2"])];
    db.activate_config(config("one", &agents, ConfigOrigin::File)).await.unwrap();
    let (one, two) = (identity(1, "v1", T0_S), identity(2, "v1", T0_S + 5));
    let (other, over) = (identity(3, "v2", T0_S), identity(4, "v2", T0_S - 2_000));
    for identity in [&one, &two, &other, &over] {
        db.insert_identity(identity, "ada").await.unwrap();
    }
    assert_eq!(db.live_identities(T0_S + 1).await.unwrap(), 3);
    assert!(newest(db).await.revoked.is_empty());
    assert!(db.revoke_identity(other.id, T0).await.unwrap());
    assert!(!db.revoke_identity(other.id, T0).await.unwrap(), "once");
    assert!(!db.revoke_identity(IdentityId(Uuid::from_u128(9)), T0).await.unwrap());
    assert!(db.revoke_identity(over.id, T0).await.unwrap());
    assert_eq!(newest(db).await.revoked, [Revoked::Token { id: other.id }]);

    assert_eq!(db.identity_floor(&agent_a(), &one.version).await.unwrap(), None);
    assert_eq!(db.revoke_identities_of(&agent_a(), &one.version, T0 + 1).await.unwrap(), 2);
    let floor = db.identity_floor(&agent_a(), &one.version).await.unwrap().unwrap();
    assert_eq!(floor, T0_S + 6, "after the last one that was issued, whatever the clock says");
    let revoked = newest(db).await.revoked;
    assert_eq!(revoked.len(), 2);
    let covers = |identity: &Identity| revoked.iter().any(|one| one.covers(identity));
    assert!(covers(&one) && covers(&two) && covers(&other));
    assert!(covers(&identity(7, "v1", T0_S + 5)), "one that nobody remembers");
    assert!(!covers(&identity(7, "v1", floor)), "one that is issued since");
    let rows = db.identities(10).await.unwrap();
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row.revoked_wall_ms.is_some() && row.by == "ada"));
}

/// What agents may reach is part of what gateways hear.
pub(crate) async fn tools_are_in_the_snapshot(db: &Database) {
    let agents = [agent("agent-a", &["v1"])];
    let egress = Egress {
        tools: vec![Tool {
            name: "files".parse().unwrap(),
            url: "http://127.0.0.1:1/mcp".into(),
            protocol: ToolProtocol::Mcp,
            credential: None,
            timeout_ms: 60_000,
        }],
        snapshot_max_age_ms: 600_000,
        ..Egress::default()
    };
    let new = NewConfig { egress: &egress, ..config("one", &agents, ConfigOrigin::File) };
    db.activate_config(new).await.unwrap();
    assert_eq!(newest(db).await.egress, egress);
}
