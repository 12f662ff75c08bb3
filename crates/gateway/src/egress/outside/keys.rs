//! The keys that issuers outside have at the moment, as far as that is known.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use lockgate_model::version::Digest;
use tokio::sync::Notify;

use crate::egress::identity::Refused;
use crate::egress::outside::Issuer;
use crate::egress::outside::jwk::{Jwk, Set};
use crate::live::lock;

/// What was read last.
#[derive(Debug)]
struct Held {
    set: Set,
    at: Instant,
}

/// By where they come from. Looked at for every token, written by one task.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    held: ArcSwap<HashMap<Digest, Arc<Held>>>,
    /// Where a key was looked for that is not there.
    missed: Mutex<HashSet<Digest>>,
    pub(super) wake: Notify,
}

impl Keys {
    /// The issuer's key of this name. One that is not there is looked for again, soon and not too often.
    pub(super) fn find(&self, issuer: &Issuer, kid: &str) -> Result<Arc<Jwk>, Refused> {
        let held = self.fresh(issuer).ok_or(Refused::KeysTooOld)?;
        held.set.get(kid).cloned().ok_or_else(|| {
            lock(&self.missed).insert(issuer.source.clone());
            self.wake.notify_one();
            Refused::UnknownKey
        })
    }

    /// Whether the issuer has a key of this name now.
    pub(super) fn holds(&self, issuer: &Issuer, kid: &str) -> bool {
        self.fresh(issuer).is_some_and(|held| held.set.contains_key(kid))
    }

    fn fresh(&self, issuer: &Issuer) -> Option<Arc<Held>> {
        let max_age = Duration::from_millis(issuer.settings.max_age_ms);
        let held = self.held.load().get(&issuer.source).cloned()?;
        (held.at.elapsed() <= max_age).then_some(held)
    }

    /// Looks at other issuers, or at the same otherwise.
    pub(crate) fn look_again(&self) {
        self.wake.notify_one();
    }

    /// Where keys were looked for since the last time.
    pub(super) fn missed(&self) -> HashSet<Digest> {
        std::mem::take(&mut *lock(&self.missed))
    }

    /// These were there when it was asked `at`.
    pub(super) fn put(&self, source: &Digest, set: Set, at: Instant) {
        let mut all = HashMap::clone(&self.held.load());
        all.insert(source.clone(), Arc::new(Held { set, at }));
        self.held.store(Arc::new(all));
    }

    /// Forgets what comes from anywhere else.
    pub(super) fn keep(&self, sources: &HashSet<&Digest>) {
        let held = self.held.load();
        if held.keys().all(|source| sources.contains(source)) {
            return;
        }
        let kept = held.iter().filter(|(source, _)| sources.contains(source));
        let kept = kept.map(|(source, held)| (source.clone(), Arc::clone(held))).collect();
        self.held.store(Arc::new(kept));
    }
}
