//! Charges that may be there twice, as the server tells of them.

use serde::{Deserialize, Serialize};

use crate::output;

/// Services that are told, at most.
const ALSO_MAX: usize = 20;

/// A service that other records charge, too, for some of the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AlsoCharged {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    service: String,
    from_wall_ms: i64,
    to_wall_ms: i64,
}

impl AlsoCharged {
    /// Takes in what is told of the same service, as part of a file is after the other.
    pub(super) fn merge(all: &mut Vec<Self>, more: Vec<Self>) {
        for one in more {
            let name = (&one.agent, &one.provider, &one.service);
            let known = all
                .iter()
                .position(|known| (&known.agent, &known.provider, &known.service) == name);
            if let Some(known) = known.and_then(|at| all.get_mut(at)) {
                known.from_wall_ms = known.from_wall_ms.min(one.from_wall_ms);
                known.to_wall_ms = known.to_wall_ms.max(one.to_wall_ms);
            } else if all.len() < ALSO_MAX {
                all.push(one);
            }
        }
    }

    pub(super) fn warn(all: &[Self]) {
        for one in all {
            let provider = one.provider.as_deref().map(|name| format!(" of {name}"));
            let agent = one.agent.as_deref().map(|name| format!(" to {name}"));
            output::note(output::plain(&format!(
                "warning: {}{} is charged{} by other records, too, between {} and {}; if they are the same bill in another form, it counts twice",
                one.service,
                provider.unwrap_or_default(),
                agent.unwrap_or_default(),
                output::time(one.from_wall_ms),
                output::time(one.to_wall_ms),
            )));
        }
    }
}
