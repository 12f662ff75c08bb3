//! What is stopped by order, made ready to be looked up.

use std::borrow::Cow;
use std::collections::HashMap;

use lockgate_model::identity::Identity;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: QuarantineId,
    pub(crate) what: Cow<'static, str>,
}

impl Order {
    fn new(id: QuarantineId, what: &'static str) -> Self {
        Self { id, what: Cow::Borrowed(what) }
    }

    /// The same, saying whose it is when that is not the one who acts.
    fn of_party(self, identity: &Identity, party: &Identity) -> Self {
        if party.agent == identity.agent {
            return self;
        }
        Self {
            what: format!("{} of {}, for whom it is done,", self.what, party.agent).into(),
            ..self
        }
    }
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
        let of_agent = self.agents.get(agent).map(|id| Order::new(*id, "the agent"));
        of_agent.or_else(|| {
            let id = *self.versions.get(agent)?.get(version)?;
            Some(Order::new(id, "the version"))
        })
    }

    /// Against a user of an agent.
    pub(crate) fn user(&self, agent: &AgentName, user: u64) -> Option<Order> {
        let id = *self.users.get(agent)?.get(&user)?;
        Some(Order::new(id, "the user"))
    }

    /// Against all calls.
    pub(crate) fn calls(&self) -> Option<Order> {
        self.calls.map(|id| Order::new(id, "every agent"))
    }

    /// Against a call of somebody, or of those that it calls for, whichever user it is for.
    pub(crate) fn call(&self, identity: &Identity, tool: &ToolName) -> Option<Order> {
        let of_party = || {
            identity.parties().find_map(|one| {
                Some(self.version(&one.agent, &one.version)?.of_party(identity, one))
            })
        };
        self.calls().or_else(of_party).or_else(|| {
            let id = *self.tools.get(tool)?;
            Some(Order::new(id, "the tool"))
        })
    }

    /// Against a user of an agent that calls, or is called for.
    pub(crate) fn user_of_call(&self, identity: &Identity, user: u64) -> Option<Order> {
        identity
            .parties()
            .find_map(|one| Some(self.user(&one.agent, user)?.of_party(identity, one)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lockgate_model::delegation::Delegation;
    use lockgate_model::ids::DelegationId;
    use lockgate_model::ledger::Link;
    use uuid::Uuid;

    use super::*;
    use crate::egress::identity::somebody;

    fn identity(agent: &AgentName, version: &VersionName) -> Identity {
        somebody(agent.as_str(), version.as_str())
    }

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
            [(&a, &v1, &files), (&a, &v2, &files), (&b, &v1, &files), (&a, &v1, &mail)].map(
                |(agent, version, tool)| orders.call(&identity(agent, version), tool).is_some(),
            )
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

    #[test]
    fn an_order_against_a_giver_names_it() {
        let stopped =
            Stopped::Version { agent: "a".parse().unwrap(), version: "v1".parse().unwrap() };
        let orders = Quarantines::compile(&[Quarantine { id: QuarantineId(Uuid::nil()), stopped }]);
        let giver = somebody("a", "v1");
        let what = |identity: &Identity| {
            orders.call(identity, &"files".parse().unwrap()).map(|order| order.what.into_owned())
        };
        assert_eq!(what(&giver).as_deref(), Some("the version"));
        let acting = Delegation {
            id: DelegationId(Uuid::nil()),
            to: "b".parse().unwrap(),
            givers: vec![giver],
            scope: vec!["files/*".parse().unwrap()].try_into().unwrap(),
            interaction: None,
            link: Link::None,
            expires_wall_s: 0,
        };
        let done_for = Identity { acting: Some(Arc::new(acting)), ..somebody("b", "v1") };
        assert_eq!(what(&done_for).as_deref(), Some("the version of a, for whom it is done,"));
        assert_eq!(what(&somebody("b", "v1")), None);
    }
}
