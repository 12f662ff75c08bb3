//! Actions that others do: allowed here, and under way until it is told what became of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockgate_model::identity::Identity;
use lockgate_model::ids::{AgentName, IdentityId, VersionName};

use crate::egress::outcome::{End, Open};
use crate::live::lock;

/// Actions under way of one token.
const OF_A_TOKEN_MAX: usize = 1_024;
/// Of all.
const ALL_MAX: usize = 65_536;

/// One of them.
#[derive(Debug)]
struct One {
    agent: AgentName,
    version: VersionName,
    token: IdentityId,
    open: Open,
}

/// All of them, by the place of their intent.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<HashMap<u64, One>>);

impl Held {
    /// Whether there is room for one more of this caller.
    pub(crate) fn has_room(&self, whose: &Identity) -> bool {
        let held = lock(&self.0);
        let own = held.values().filter(|one| one.token == whose.id).count();
        held.len() < ALL_MAX && own < OF_A_TOKEN_MAX
    }

    /// Keeps an action until its outcome is told, or so long.
    pub(crate) fn keep(self: &Arc<Self>, whose: &Identity, open: Open, wait_max: Duration) {
        let record = open.record;
        let Identity { agent, version, .. } = whose.clone();
        lock(&self.0).insert(record, One { agent, version, token: whose.id, open });
        let held = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(wait_max).await;
            let late = lock(&held.0).remove(&record);
            if let Some(mut one) = late {
                one.open.end(End::Timeout);
            }
        });
    }

    /// The action whose outcome is told; `None` when it is not this caller's, or not under way any more.
    pub(crate) fn take(&self, whose: &Identity, record: u64) -> Option<Open> {
        let mut held = lock(&self.0);
        let is_own = |one: &One| one.agent == whose.agent && one.version == whose.version;
        if !held.get(&record).is_some_and(is_own) {
            return None;
        }
        held.remove(&record).map(|one| one.open)
    }

    /// Nobody can tell any more.
    pub(crate) fn give_up(&self) {
        let all = std::mem::take(&mut *lock(&self.0));
        for mut one in all.into_values() {
            one.open.end(End::Cut("Lockgate stopped before it was told what became of it"));
        }
    }
}
