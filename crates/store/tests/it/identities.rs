//! Tokens of agents' versions.

use lockgate_model::identity::{Identity, IdentityKey, KeyId, Revoked, Voucher};
use lockgate_model::ids::{IdentityId, VersionName};
use lockgate_model::ports::Snapshots as _;
use lockgate_model::snapshot::{Egress, Snapshot};
use lockgate_model::tool::{Tool, ToolLimits, ToolMode, ToolProtocol};
use lockgate_model::version::Digest;
use lockgate_rollout::event::Effect;
use lockgate_store::{ConfigOrigin, IDENTITY_KEYS_MAX, NewConfig, NotRotated};
use uuid::Uuid;

use crate::world::{Database, T0, agent, agent_a, config, report};

const T0_S: i64 = T0.div_euclid(1_000);

pub(crate) fn identity(n: u128, version: &str, issued_wall_s: i64) -> Identity {
    Identity {
        id: IdentityId(Uuid::from_u128(n)),
        agent: agent_a(),
        version: version.parse().unwrap(),
        manifest: Digest::of(b"manifest"),
        issued_wall_s,
        expires_wall_s: issued_wall_s + 1_000,
        voucher: Voucher::Key(KeyId::of([1; 8])),
        acting: None,
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

/// Issuers outside go on issuing: for a version that a release has cut off, in vain.
pub(crate) async fn nobody_outside_vouches_for_what_was_cut_off(db: &Database) {
    let fence = db.fence().await;
    db.activate(&[agent("agent-a", &["v1", "v2"])]).await.unwrap();
    let [v1, v2]: [VersionName; 2] = ["v1", "v2"].map(|name| name.parse().unwrap());
    db.begin(fence, &[Effect::Revoke { version: v2.clone() }]).await;
    let id = db.outbox_due(T0, 10).await.unwrap()[0].id;
    db.revoke_version(fence, id, &agent_a(), &v2, T0).await.unwrap();
    db.revoke_identities_of(&agent_a(), &v1, T0).await.unwrap();
    let revoked = newest(db).await.revoked;
    assert_eq!(revoked.len(), 3, "{revoked:?}");
    let barred = Revoked::Outside { agent: agent_a(), version: v2 };
    assert!(revoked.contains(&barred), "{revoked:?}");
    let issuer = Voucher::Issuer {
        name: "corp".parse().unwrap(),
        terms: Digest::of(b"terms"),
        kid: "k".into(),
    };
    let later = |version: &str| identity(9, version, T0_S + 1_000);
    let outside = |version: &str| Identity { voucher: issuer.clone(), ..later(version) };
    let covers = |identity: &Identity| revoked.iter().any(|one| one.covers(identity));
    assert!(covers(&outside("v2")) && !covers(&outside("v1")) && !covers(&later("v2")));
    assert!(db.insert_identity(&outside("v1"), "ada").await.is_err(), "it is not ours");
    // A person lets them again, which gives nothing of before back.
    assert!(db.is_outside_barred(&agent_a(), &outside("v2").version).await.unwrap());
    assert!(db.admit_outside(&agent_a(), &outside("v2").version, T0 + 1).await.unwrap());
    assert!(!db.admit_outside(&agent_a(), &outside("v2").version, T0 + 2).await.unwrap(), "once");
    assert!(!db.admit_outside(&agent_a(), &v1, T0 + 2).await.unwrap(), "it was never cut off");
    let revoked = newest(db).await.revoked;
    let covers = |identity: &Identity| revoked.iter().any(|one| one.covers(identity));
    assert!(!covers(&outside("v2")) && covers(&identity(9, "v2", T0_S)));
}

pub(crate) fn key(n: u8) -> IdentityKey {
    IdentityKey { kid: KeyId::of([n; 8]), public: format!("key {n}"), ends_wall_ms: None }
}

/// One key signs; the tokens of others are good until they end or someone retires them.
pub(crate) async fn keys_take_turns_and_are_retired(db: &Database) {
    let agents = [agent("agent-a", &["v1"])];
    assert_eq!(db.signing_key().await.unwrap(), None);
    assert!(db.adopt_identity_key(&key(1), "local", T0).await.unwrap());
    assert!(!db.adopt_identity_key(&key(2), "local", T0).await.unwrap(), "only the first");
    db.activate_config(config("one", &agents, ConfigOrigin::File)).await.unwrap();
    assert_eq!(newest(db).await.identity_keys, [key(1)]);

    let (one, two, three) = (key(1), key(2), key(3));
    let ends = T0 + 60_000;
    db.rotate_identity_key(&one.kid, Some(ends), &two, "ada", T0 + 1).await.unwrap();
    let good = newest(db).await.identity_keys;
    assert_eq!(good, [IdentityKey { ends_wall_ms: Some(ends), ..one.clone() }, two.clone()]);
    assert_eq!(db.signing_key().await.unwrap().map(|row| row.kid), Some(two.kid.clone()));
    let late = db.rotate_identity_key(&one.kid, None, &three, "bo", T0 + 2).await;
    assert!(matches!(late, Err(NotRotated::Other)), "{late:?}");
    assert_eq!(newest(db).await.identity_keys.len(), 2, "nothing of it was done");

    assert!(!db.retire_identity_key(&two.kid, T0 + 3).await.unwrap(), "the one that signs");
    assert!(!db.retire_identity_key(&three.kid, T0 + 3).await.unwrap(), "nobody knows it");
    assert!(db.retire_identity_key(&one.kid, T0 + 3).await.unwrap());
    assert!(!db.retire_identity_key(&one.kid, T0 + 4).await.unwrap(), "once");
    assert_eq!(newest(db).await.identity_keys, std::slice::from_ref(&two));

    db.rotate_identity_key(&two.kid, Some(T0 + 10), &three, "ada", T0 + 5).await.unwrap();
    assert!(!db.retire_identity_key(&two.kid, T0 + 10).await.unwrap(), "it is over already");
    db.revoke_identities_of(&agent_a(), &"v1".parse().unwrap(), T0 + 10).await.unwrap();
    assert_eq!(newest(db).await.identity_keys, std::slice::from_ref(&three), "what is over");
    let states: Vec<_> = db.identity_keys().await.unwrap();
    let states: Vec<_> = states.iter().map(|row| (&row.kid, row.void_since(T0 + 20))).collect();
    assert_eq!(states, [(&three.kid, None), (&two.kid, Some(T0 + 10)), (&one.kid, Some(T0 + 3))]);
}

/// Every gateway has all keys: there are never many.
pub(crate) async fn keys_are_bounded(db: &Database) {
    db.adopt_identity_key(&key(1), "local", T0).await.unwrap();
    let max = u8::try_from(IDENTITY_KEYS_MAX).unwrap();
    for n in 1..max {
        db.rotate_identity_key(&key(n).kid, None, &key(n + 1), "ada", T0).await.unwrap();
    }
    let another = db.rotate_identity_key(&key(max).kid, None, &key(200), "ada", T0).await;
    assert!(matches!(another, Err(NotRotated::TooMany)), "{another:?}");
    assert_eq!(db.signing_key().await.unwrap().map(|row| row.kid), Some(key(max).kid));
    assert!(db.retire_identity_key(&key(1).kid, T0).await.unwrap());
    db.rotate_identity_key(&key(max).kid, None, &key(200), "ada", T0).await.unwrap();
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
            limits: ToolLimits::default(),
            mode: ToolMode::Enforce,
            agent: None,
        }],
        snapshot_max_age_ms: 600_000,
        ..Egress::default()
    };
    let new = NewConfig { egress: &egress, ..config("one", &agents, ConfigOrigin::File) };
    db.activate_config(new).await.unwrap();
    assert_eq!(newest(db).await.egress, egress);
}
