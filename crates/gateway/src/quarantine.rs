//! What is stopped by order, made ready to be looked up.

use std::collections::HashMap;

use lockgate_model::ids::{AgentName, QuarantineId, ToolName, VersionName};
use lockgate_model::quarantine::{Quarantine, Stopped};

/// Orders by what they stop.
#[derive(Debug, Default)]
pub(crate) struct Quarantines {
    calls: Option<QuarantineId>,
    agents: HashMap<AgentName, QuarantineId>,
    versions: HashMap<AgentName, HashMap<VersionName, QuarantineId>>,
    tools: HashMap<ToolName, QuarantineId>,
    users: HashMap<AgentName, HashMap<u64, QuarantineId>>,
}

/// An order that stands against something, and in words what it stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: QuarantineId,
    pub(crate) what: &'static str,
}

impl Quarantines {
    /// Of the orders in force.
    pub(crate) fn compile(orders: &[Quarantine]) -> Self {
        let mut all = Self::default();
        for Quarantine { id, stopped } in orders {
            match stopped.clone() {
                Stopped::Calls => all.calls = Some(*id),
                Stopped::Agent { agent } => drop(all.agents.insert(agent, *id)),
                Stopped::Version { agent, version } => {
                    all.versions.entry(agent).or_default().insert(version, *id);
                }
                Stopped::Tool { tool } => drop(all.tools.insert(tool, *id)),
                Stopped::User { agent, user } => {
                    all.users.entry(agent).or_default().insert(user, *id);
                }
            }
        }
        all
    }

    /// Against a version, wherever it acts.
    pub(crate) fn version(&self, agent: &AgentName, version: &VersionName) -> Option<Order> {
        let of_agent = self.agents.get(agent).map(|id| Order { id: *id, what: "the agent" });
        of_agent.or_else(|| {
            let id = *self.versions.get(agent)?.get(version)?;
            Some(Order { id, what: "the version" })
        })
    }

    /// Against a user of an agent.
    pub(crate) fn user(&self, agent: &AgentName, user: u64) -> Option<Order> {
        let id = *self.users.get(agent)?.get(&user)?;
        Some(Order { id, what: "the user" })
    }

    /// Against a call, whoever it is for.
    pub(crate) fn call(
        &self,
        agent: &AgentName,
        version: &VersionName,
        tool: &ToolName,
    ) -> Option<Order> {
        let all = self.calls.map(|id| Order { id, what: "every agent" });
        all.or_else(|| self.version(agent, version)).or_else(|| {
            let id = *self.tools.get(tool)?;
            Some(Order { id, what: "the tool" })
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_order_stops_what_it_names_and_nothing_else() {
        let (a, b): (AgentName, AgentName) = ("a".parse().unwrap(), "b".parse().unwrap());
        let (v1, v2): (VersionName, VersionName) = ("v1".parse().unwrap(), "v2".parse().unwrap());
        let (files, mail): (ToolName, ToolName) =
            ("files".parse().unwrap(), "mail".parse().unwrap());
        let of = |stopped: Stopped| {
            Quarantines::compile(&[Quarantine { id: QuarantineId(Uuid::from_u128(7)), stopped }])
        };
        let all = |orders: &Quarantines| {
            [(&a, &v1, &files), (&a, &v2, &files), (&b, &v1, &files), (&a, &v1, &mail)]
                .map(|(agent, version, tool)| orders.call(agent, version, tool).is_some())
        };
        let agent = of(Stopped::Agent { agent: a.clone() });
        assert_eq!(all(&agent), [true, true, false, true]);
        assert!(agent.version(&a, &v2).is_some() && agent.version(&b, &v2).is_none());
        let version = of(Stopped::Version { agent: a.clone(), version: v1.clone() });
        assert_eq!(all(&version), [true, false, false, true]);
        let tool = of(Stopped::Tool { tool: files.clone() });
        assert_eq!(all(&tool), [true, true, true, false]);
        assert!(tool.version(&a, &v1).is_none(), "users' requests go on");
        let calls = of(Stopped::Calls);
        assert_eq!(all(&calls), [true; 4]);
        assert!(calls.version(&a, &v1).is_none());
        let user = of(Stopped::User { agent: a.clone(), user: 5 });
        assert_eq!(all(&user), [false; 4]);
        assert!(user.user(&a, 5).is_some() && user.user(&a, 6).is_none());
        assert!(user.user(&b, 5).is_none());
        assert_eq!(all(&Quarantines::default()), [false; 4]);
    }
}
