//! Rules as Cedar policies, built as trees: no text of a rule is ever parsed as Cedar.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use cedar_policy::Policy;
use cedar_policy::pst::{
    self, ActionConstraint, BinaryOp, Clause, EntityOrSlot, EntityType, EntityUID, Expr, Literal,
    Name, PolicyID, PrincipalConstraint, PstConstructionError, ResourceConstraint, StaticPolicy,
    Template, Var,
};

use super::{AGENT, TOOL, action_id, expr, group_id};
use crate::names::ActionName;
use crate::rule::{Effect, Rule, Scope};

/// The policy of a rule that is not native itself.
pub(crate) fn policy(rule: &Rule) -> Result<Policy, PstConstructionError> {
    Policy::from_pst(pst::Policy::Static(StaticPolicy::try_from(template(rule)?)?))
}

/// The same as Cedar writes it, with the rule's name: Cedar parses names of annotations, which takes as long as all the rest.
pub(crate) fn shown(rule: &Rule) -> Option<String> {
    let id = BTreeMap::from([("id".to_owned(), rule.id.as_str().into())]);
    let named = template(rule).ok()?.with_annotations(id);
    Policy::from_pst(pst::Policy::Static(StaticPolicy::try_from(named).ok()?)).ok()?.to_cedar()
}

fn template(rule: &Rule) -> Result<Template, PstConstructionError> {
    let effect = match rule.effect {
        Effect::Deny => pst::Effect::Forbid,
        // What asks or limits is a permit of the second set: there it means that it applies.
        Effect::Allow | Effect::Ask | Effect::Limit => pst::Effect::Permit,
    };
    let (action, resource) = scope(&rule.scope)?;
    let (principal, one_of) = principal(&rule.agents)?;
    // What allows must be sure; what is against it, or asks, need not be.
    let when = rule.when.as_ref().map(|when| match rule.effect {
        Effect::Allow => expr::must(when),
        Effect::Deny | Effect::Ask | Effect::Limit => expr::may(when),
    });
    let id = PolicyID(rule.id.as_str().into());
    Template::new(id, effect, principal, action, resource)
        .try_with_clauses(one_of.into_iter().chain(when).map(Clause::When))
}

/// The types of entities, read once: Cedar parses each name as it would a policy.
struct Types {
    agent: EntityType,
    tool: EntityType,
    action: EntityType,
}

impl Types {
    fn get() -> Result<&'static Self, PstConstructionError> {
        static TYPES: OnceLock<Types> = OnceLock::new();
        if let Some(types) = TYPES.get() {
            return Ok(types);
        }
        let named = |name: &str| Name::unqualified(name).map(EntityType::from_name);
        let types = Self { agent: named(AGENT)?, tool: named(TOOL)?, action: named("Action")? };
        Ok(TYPES.get_or_init(|| types))
    }
}

fn uid(ty: &EntityType, id: &str) -> EntityUID {
    EntityUID { ty: ty.clone(), eid: id.into() }
}

fn scope(scope: &Scope) -> Result<(ActionConstraint, ResourceConstraint), PstConstructionError> {
    let types = Types::get()?;
    let of_tool = |tool: &str| ResourceConstraint::Eq(EntityOrSlot::Entity(uid(&types.tool, tool)));
    Ok(match scope {
        Scope::Everything | Scope::Native => (ActionConstraint::Any, ResourceConstraint::Any),
        Scope::Tool(tool) => {
            let group = uid(&types.action, &group_id(tool.as_str()));
            (ActionConstraint::In(vec![group]), of_tool(tool.as_str()))
        }
        Scope::Actions(tool, actions) => {
            let id = |name: &ActionName| action_id(tool.as_str(), name.as_str());
            let mut uids: Vec<EntityUID> =
                actions.iter().map(|name| uid(&types.action, &id(name))).collect();
            let constraint = match uids.len() {
                1 => ActionConstraint::Eq(uids.remove(0)),
                _ => ActionConstraint::In(uids),
            };
            (constraint, of_tool(tool.as_str()))
        }
    })
}

/// The agents: in the scope when there is one of them, else as a condition, since scopes have no lists.
fn principal(
    agents: &[String],
) -> Result<(PrincipalConstraint, Option<Arc<Expr>>), PstConstructionError> {
    let types = Types::get()?;
    let mut uids: Vec<EntityUID> = agents.iter().map(|agent| uid(&types.agent, agent)).collect();
    Ok(match uids.len() {
        0 => (PrincipalConstraint::Any, None),
        1 => (PrincipalConstraint::Eq(EntityOrSlot::Entity(uids.remove(0))), None),
        _ => {
            let set = uids.into_iter().map(|uid| expr::literal(Literal::EntityUID(uid))).collect();
            let one_of = Expr::BinaryOp {
                op: BinaryOp::Contains,
                left: Arc::new(Expr::Set(set)),
                right: Arc::new(Expr::Var(Var::Principal)),
            };
            (PrincipalConstraint::Any, Some(Arc::new(one_of)))
        }
    })
}
