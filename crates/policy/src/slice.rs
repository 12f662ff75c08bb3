//! Rules by the action that they can be about, so that a decision looks at these and no others.
//!
//! Leaving out policies whose scope cannot match changes neither decision nor reasons nor errors.

use std::collections::HashMap;
use std::sync::OnceLock;

use cedar_policy::{ActionConstraint, EntityUid, Policy, PolicyId, PolicySet, ResourceConstraint};

use crate::cedar::context::{Needs, THERE};
use crate::condition::Subject;
use crate::names::ArgumentName;
use crate::rule::{Effect, Rule, Scope};
use crate::tools::Argument;

/// A native policy about more actions than this is kept once, beside all slices.
const WIDE: usize = 64;

/// What a decision about one action takes.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) action: EntityUid,
    pub(crate) tool: EntityUid,
    pub(crate) arguments: Vec<(ArgumentName, Argument)>,
    pub(crate) needs: Needs,
    /// The rules that can be about it, in order.
    pub(crate) rules: Vec<usize>,
}

/// The two sets that decisions are made with, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// What allows and what denies.
    Hard,
    /// What asks or limits, as permits.
    Approval,
}

impl Stage {
    pub(crate) fn of(effect: Effect) -> Self {
        match effect {
            Effect::Allow | Effect::Deny => Self::Hard,
            Effect::Ask | Effect::Limit => Self::Approval,
        }
    }
}

type Actions = HashMap<Box<str>, Slice>;

/// All slices.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) tools: HashMap<Box<str>, Actions>,
    /// Rules about every action, or too many, in order.
    pub(crate) global_rules: Vec<usize>,
    pub(crate) by_id: HashMap<PolicyId, usize>,
    /// For each rule the set of its policy alone.
    pub(crate) alone: Vec<PolicySet>,
    everything: OnceLock<[PolicySet; 2]>,
}

impl Index {
    /// Puts policies where they belong. `policies` has one for each rule, in the same order.
    pub(crate) fn add_all(
        &mut self,
        rules: &[Rule],
        policies: Vec<Policy>,
    ) -> Result<(), Box<cedar_policy::PolicySetError>> {
        let places = self.places();
        let mut global_needs = Needs::default();
        let mut native = false;
        for (index, (rule, policy)) in rules.iter().zip(policies).enumerate() {
            self.by_id.insert(policy.id().clone(), index);
            match self.reach(rule, &policy, &places) {
                Some(slices) if rule.scope != Scope::Native || slices.len() <= WIDE => {
                    for (tool, action) in slices {
                        let actions = self.tools.get_mut(tool.as_str());
                        if let Some(slice) =
                            actions.and_then(|actions| actions.get_mut(action.as_str()))
                        {
                            slice.needs.add(&needs(rule, &slice.arguments));
                            slice.rules.push(index);
                        }
                    }
                }
                _ => {
                    global_needs.add(&needs(rule, &[]));
                    native |= rule.scope == Scope::Native;
                    self.global_rules.push(index);
                }
            }
            self.alone.push(PolicySet::from_policies([policy]).map_err(Box::new)?);
        }
        for slice in self.tools.values_mut().flat_map(HashMap::values_mut) {
            slice.needs.add(&global_needs);
            if native {
                slice.needs.add(&Needs::everything(slice.arguments.len()));
            }
        }
        Ok(())
    }

    /// Tool and action of each action's entity.
    fn places(&self) -> HashMap<EntityUid, (String, String)> {
        let all = self.tools.iter().flat_map(|(tool, actions)| {
            actions.iter().map(move |(action, slice)| {
                (slice.action.clone(), (tool.to_string(), action.to_string()))
            })
        });
        all.collect()
    }

    /// The actions that a policy can be about; `None` for all of them.
    fn reach(
        &self,
        rule: &Rule,
        policy: &Policy,
        places: &HashMap<EntityUid, (String, String)>,
    ) -> Option<Vec<(String, String)>> {
        let all_of = |tool: &str| -> Vec<(String, String)> {
            let actions = self.tools.get(tool).into_iter().flat_map(HashMap::keys);
            actions.map(|action| (tool.to_owned(), action.to_string())).collect()
        };
        match &rule.scope {
            Scope::Everything => return None,
            Scope::Tool(tool) => return Some(all_of(tool.as_str())),
            Scope::Actions(tool, actions) => {
                let tool = tool.as_str().to_owned();
                return Some(
                    actions.iter().map(|action| (tool.clone(), action.to_string())).collect(),
                );
            }
            Scope::Native => {}
        }
        let tool = match policy.resource_constraint() {
            ResourceConstraint::Eq(tool)
            | ResourceConstraint::In(tool)
            | ResourceConstraint::IsIn(_, tool) => Some(tool),
            ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
        };
        let mut actions: Vec<(String, String)> = match policy.action_constraint() {
            ActionConstraint::Any => all_of(tool.as_ref()?.id().unescaped()),
            ActionConstraint::Eq(uid) => places.get(&uid).cloned().into_iter().collect(),
            ActionConstraint::In(uids) => uids
                .iter()
                .flat_map(|uid| match uid.id().unescaped().strip_suffix("/*") {
                    Some(tool) => all_of(tool),
                    None => places.get(uid).cloned().into_iter().collect(),
                })
                .collect(),
        };
        if let Some(tool) = tool {
            actions.retain(|(of, _)| of == tool.id().unescaped());
        }
        actions.sort_unstable();
        actions.dedup();
        Some(actions)
    }

    /// All policies in one set for each stage, put together when they are first asked for.
    pub(crate) fn everything(&self, rules: &[Rule], stage: Stage) -> &PolicySet {
        let [hard, approval] = self.everything.get_or_init(|| {
            [Stage::Hard, Stage::Approval].map(|stage| {
                let of_stage = rules.iter().zip(&self.alone);
                let of_stage = of_stage.filter(|(rule, _)| Stage::of(rule.effect) == stage);
                let policies = of_stage.flat_map(|(_, set)| set.policies()).cloned();
                // Ids were found to be unique when the files were read.
                PolicySet::from_policies(policies).unwrap_or_default()
            })
        });
        match stage {
            Stage::Hard => hard,
            Stage::Approval => approval,
        }
    }

    /// The policy of the rule at `index`.
    pub(crate) fn policy(&self, index: usize) -> Option<&Policy> {
        self.alone.get(index).and_then(|set| set.policies().next())
    }
}

/// What a rule looks at. Of a native policy that is not known: everything.
fn needs(rule: &Rule, arguments: &[(ArgumentName, Argument)]) -> Needs {
    if rule.scope == Scope::Native {
        return Needs::everything(arguments.len());
    }
    let mut needs = Needs { arguments: vec![0; arguments.len()], circumstances: 0 };
    for clause in rule.when.iter().flat_map(|when| when.clauses()) {
        let (name, bits) = match &clause.subject {
            Subject::Argument { name } => (name, THERE),
            Subject::Fact { argument, fact, .. } => (argument, THERE | 1 << fact),
            Subject::Circumstance(index) => {
                needs.circumstances |= 1 << index;
                continue;
            }
        };
        let index = arguments.iter().position(|(known, _)| known == name);
        if let Some(needed) = index.and_then(|index| needs.arguments.get_mut(index)) {
            *needed |= bits;
        }
    }
    needs
}
