//! Security events that are seen on the way: written down, then the version is cut off from users and from its tools.
//!
//! They are charged to versions that showed who they are. Of a token that is nobody's, no version is to blame: whoever
//! could send one would have any version taken back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use lockgate_model::identity::Identity;
use lockgate_model::ids::{AgentName, SecurityEventId, VersionName};
use lockgate_model::ports::Fuses as _;
use lockgate_model::security::{SecurityCause, SecurityEvent};
use tracing::{error, warn};
use uuid::Uuid;

use crate::clock;
use crate::core::Core;
use crate::egress::identity::Refused;
use crate::fuse::FusePort;
use crate::live::lock;

/// A version that goes on showing what is forged raises one event in this time, milliseconds.
const FORGED_EVERY_MS: i64 = 60_000;

/// When a version last showed what is forged, milliseconds since the Unix epoch.
#[derive(Debug, Default)]
pub(crate) struct Forgeries(Mutex<HashMap<(AgentName, VersionName), i64>>);

impl Forgeries {
    /// Whether it is told again.
    fn is_told(&self, who: &Identity, now_ms: i64) -> bool {
        let mut seen = lock(&self.0);
        let last = seen.entry((who.agent.clone(), who.version.clone())).or_insert(i64::MIN);
        let is_due = now_ms >= last.saturating_add(FORGED_EVERY_MS);
        if is_due {
            *last = now_ms;
        }
        is_due
    }

    /// Raises one, if a version that is known showed a delegation that is forged, or somebody else's.
    pub(super) fn note(&self, core: &Arc<Core>, who: &Identity, refused: Refused) {
        let forged = matches!(refused, Refused::DelegationForged | Refused::DelegationOther);
        if forged && self.is_told(who, clock::wall_ms()) {
            let event = event(who, SecurityCause::Identity, refused.to_string());
            tokio::spawn(raise(Arc::clone(core), event));
        }
    }
}

/// One about a version, by what it did or was shown itself.
pub(super) fn event(who: &Identity, cause: SecurityCause, detail: String) -> SecurityEvent {
    SecurityEvent {
        id: SecurityEventId(Uuid::now_v7()),
        agent: who.agent.clone(),
        version: who.version.clone(),
        cause,
        rule: None,
        principal: format!("agent {}/{}", who.agent, who.version),
        detail,
        stable_shows_it: None,
        at_wall_ms: clock::wall_ms(),
    }
}

/// Writes it down, then cuts its version off.
pub(super) async fn raise(core: Arc<Core>, event: SecurityEvent) {
    let (agent, version) = (event.agent.clone(), event.version.clone());
    if let Err(error) = core.ports.events.security(event.clone()).await {
        error!(%error, %agent, %version, "a security event is not written down");
    }
    match FusePort(Arc::clone(&core)).latch(&event).await {
        Ok(Some(fuse)) => {
            // The next report carries it as well, should this fail.
            if let Err(error) = core.ports.events.fuse(fuse).await {
                warn!(%error, "control could not be told of the fuse; the next report carries it");
            }
        }
        Ok(None) => {}
        Err(error) => error!(%error, %agent, %version, "a fuse could not be latched"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::identity::somebody;

    #[test]
    fn a_version_that_goes_on_is_told_of_once_a_minute() {
        let forgeries = Forgeries::default();
        let (one, other) = (somebody("support", "v1"), somebody("support", "v2"));
        let told = [(&one, 0), (&one, 59_999), (&other, 59_999), (&one, 60_000)]
            .map(|(who, now_ms)| forgeries.is_told(who, now_ms));
        assert_eq!(told, [true, false, true, true]);
    }
}
