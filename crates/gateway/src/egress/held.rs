//! Actions that others do: allowed here, and under way until it is told what became of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockgate_model::identity::{Caller, Identity};
use lockgate_model::ids::{AgentName, VersionName};
use tokio::task::AbortHandle;

use crate::egress::outcome::{End, Open};
use crate::live::lock;

/// Actions under way of one token: no more than half of what one tool has by default.
const OF_A_TOKEN_MAX: usize = 512;
/// Of all.
const ALL_MAX: usize = 65_536;

/// One of them.
#[derive(Debug)]
struct One {
    agent: AgentName,
    version: VersionName,
    caller: Caller,
    open: Open,
    /// Ends it when nobody tells its outcome in time.
    late: AbortHandle,
}

impl One {
    fn is_of(&self, whose: &Identity) -> bool {
        self.agent == whose.agent && self.version == whose.version
    }
}

/// All of them, by the place of their intent.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<HashMap<u64, One>>);

impl Held {
    /// Whether there is room for one more of this caller, after so many that are about to be kept.
    pub(crate) fn has_room(&self, whose: &Identity, before: usize) -> bool {
        let held = lock(&self.0);
        let caller = whose.caller();
        let own = held.values().filter(|one| one.caller == caller).count();
        held.len() + before < ALL_MAX && own + before < OF_A_TOKEN_MAX
    }

    /// Keeps an action until its outcome is told, or so long.
    pub(crate) fn keep(self: &Arc<Self>, whose: &Identity, open: Open, wait_max: Duration) {
        let record = open.record;
        let Identity { agent, version, .. } = whose.clone();
        let held = Arc::clone(self);
        // Not before it is kept.
        let mut all = lock(&self.0);
        let late = tokio::spawn(async move {
            tokio::time::sleep(wait_max).await;
            let late = lock(&held.0).remove(&record);
            if let Some(mut one) = late {
                one.open.end(End::Timeout);
            }
        });
        let (caller, late) = (whose.caller(), late.abort_handle());
        all.insert(record, One { agent, version, caller, open, late });
    }

    /// The action whose outcome is told; `None` when it is not this caller's, or not under way any more.
    pub(crate) fn take(&self, whose: &Identity, record: u64) -> Option<Open> {
        let mut held = lock(&self.0);
        if !held.get(&record).is_some_and(|one| one.is_of(whose)) {
            return None;
        }
        let one = held.remove(&record)?;
        one.late.abort();
        Some(one.open)
    }

    /// Nobody can tell any more.
    pub(crate) fn give_up(&self) {
        let all = std::mem::take(&mut *lock(&self.0));
        for mut one in all.into_values() {
            one.open.end(End::Cut("Lockgate stopped before it was told what became of it"));
        }
    }
}
