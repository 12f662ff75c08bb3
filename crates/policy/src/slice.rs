//! Rules by the action that they can be about, so that a decision looks at these and no others.
//!
//! Leaving out policies whose scope cannot match changes neither decision nor reasons nor errors.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use cedar_policy::{ActionConstraint, EntityUid, Policy, PolicyId, PolicySet, ResourceConstraint};

use crate::cedar::context::{Needs, THERE};
use crate::cedar::policy;
use crate::condition::Subject;
use crate::names::ArgumentName;
use crate::program::{Entry, Numbers, Program};
use crate::rule::{Effect, Limit, Of, Rule, Scope};
use crate::tools::Argument;

/// A native policy about more actions than this is kept once, beside all slices.
const WIDE: usize = 64;

/// What a decision about one action takes.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) action: EntityUid,
    pub(crate) tool: EntityUid,
    pub(crate) arguments: Vec<(ArgumentName, Argument)>,
    /// The numbers that the tool's program has for them, ascending as their names do.
    pub(crate) numbers: Vec<u32>,
    /// What the rules in reach look at.
    pub(crate) needs: Needs,
    /// The rules of the tool that can be about it, in order: indexes of its program.
    entries: Vec<u32>,
}

impl Slice {
    /// One without rules.
    pub(crate) fn new(
        action: EntityUid,
        tool: EntityUid,
        arguments: Vec<(ArgumentName, Argument)>,
    ) -> Self {
        let needs = Needs { arguments: vec![0; arguments.len()], circumstances: 0 };
        Self { action, tool, arguments, numbers: Vec::new(), needs, entries: Vec::new() }
    }
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

/// The slices of a tool, and its rules.
#[derive(Debug)]
pub(crate) struct Actions {
    pub(crate) slices: HashMap<Box<str>, Slice>,
    program: Program,
}

impl Actions {
    /// Without rules.
    pub(crate) fn of(slices: HashMap<Box<str>, Slice>) -> Self {
        Self { slices, program: Program::default() }
    }
}

/// All slices.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) tools: HashMap<Box<str>, Actions>,
    /// Rules about every action, or too many, in order.
    global: Program,
    /// For each rule the set of its policy alone, once a decision has asked for it.
    alone: Vec<OnceLock<Box<PolicySet>>>,
    everything: OnceLock<Everything>,
}

/// All policies in one set for each stage, and which rule is behind each.
#[derive(Debug)]
pub(crate) struct Everything {
    hard: PolicySet,
    approval: PolicySet,
    pub(crate) by_id: HashMap<PolicyId, usize>,
}

impl Everything {
    pub(crate) fn of(&self, stage: Stage) -> &PolicySet {
        match stage {
            Stage::Hard => &self.hard,
            Stage::Approval => &self.approval,
        }
    }
}

/// What is not declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Tool,
    Action,
}

/// The rules that can be about an action.
#[derive(Clone, Copy)]
pub(crate) struct Reach<'a> {
    pub(crate) slice: &'a Slice,
    program: &'a Program,
    global: &'a Program,
}

impl<'a> Reach<'a> {
    /// Each with the program that it is in.
    pub(crate) fn entries(self) -> impl Iterator<Item = (&'a Program, &'a Entry)> {
        let Self { slice, program, global } = self;
        let own = slice.entries.iter().filter_map(|entry| program.entries.get(*entry as usize));
        own.map(move |entry| (program, entry))
            .chain(global.entries.iter().map(move |entry| (global, entry)))
    }

    /// Their indexes in the bundle.
    pub(crate) fn rules(self) -> impl Iterator<Item = usize> {
        self.entries().map(|(_, entry)| entry.rule)
    }
}

impl Index {
    /// Puts rules where they belong. `natives` are the policies of the last ones.
    pub(crate) fn add_all(
        &mut self,
        rules: &[Rule],
        natives: &[Policy],
    ) -> Result<(), Box<cedar_policy::PolicySetError>> {
        let places = self.places();
        let numbers = self.number_arguments();
        let compiled = rules.len().saturating_sub(natives.len());
        let policies = vec![None; compiled].into_iter().chain(natives.iter().map(Some));
        for (index, (rule, native)) in rules.iter().zip(policies).enumerate() {
            self.add(index, rule, native, &places, &numbers);
            self.alone.push(match native {
                Some(native) => OnceLock::from(Box::new(only(native.clone())?)),
                None => OnceLock::new(),
            });
        }
        self.add_global_needs();
        Ok(())
    }

    fn add(
        &mut self,
        index: usize,
        rule: &Rule,
        native: Option<&Policy>,
        places: &HashMap<EntityUid, (String, String)>,
        numbers: &HashMap<Box<str>, Numbers>,
    ) {
        let nothing = Numbers::new();
        let reach = self.reach(rule, native, places);
        let Some(reach) = reach.filter(|slices| native.is_none() || slices.len() <= WIDE) else {
            self.global.add(index, rule, &nothing);
            return;
        };
        let mut entry: Option<(&str, usize)> = None;
        for (name, action) in &reach {
            let Some(tool) = self.tools.get_mut(name.as_str()) else { continue };
            let numbers = numbers.get(name.as_str()).unwrap_or(&nothing);
            // Sorted by tool, so that a rule about several actions is there once.
            let at = match entry.filter(|(of, _)| of == name) {
                Some((_, at)) => at,
                None => tool.program.add(index, rule, numbers),
            };
            entry = Some((name, at));
            if let Some(slice) = tool.slices.get_mut(action.as_str()) {
                slice.entries.push(u32::try_from(at).unwrap_or(u32::MAX));
                slice.add_needs(&tool.program.entries[at], &tool.program);
                slice.add_summed(rule.limit.as_ref());
            }
        }
    }

    fn add_global_needs(&mut self) {
        let mut needs = Needs::default();
        for entry in &self.global.entries {
            self.global.add_needs(entry, &[], &mut needs);
        }
        let native = self.global.entries.iter().any(|entry| entry.native);
        for slice in self.tools.values_mut().flat_map(|tool| tool.slices.values_mut()) {
            slice.needs.add(&needs);
            if native {
                slice.needs.add(&Needs::everything(slice.arguments.len()));
            }
        }
    }

    /// Gives the arguments of each tool their numbers.
    fn number_arguments(&mut self) -> HashMap<Box<str>, Numbers> {
        let mut all = HashMap::new();
        for (name, tool) in &mut self.tools {
            let slices = tool.slices.values();
            let names: BTreeSet<&ArgumentName> =
                slices.flat_map(|slice| slice.arguments.iter().map(|(name, _)| name)).collect();
            let numbers: Numbers = names.into_iter().cloned().zip(0..).collect();
            for slice in tool.slices.values_mut() {
                let of = slice.arguments.iter().filter_map(|(name, _)| numbers.get(name).copied());
                slice.numbers = of.collect();
            }
            all.insert(name.clone(), numbers);
        }
        all
    }

    /// The rules that can be about an action.
    pub(crate) fn find(&self, tool: &str, action: &str) -> Result<Reach<'_>, Missing> {
        let tool = self.tools.get(tool).ok_or(Missing::Tool)?;
        let slice = tool.slices.get(action).ok_or(Missing::Action)?;
        Ok(Reach { slice, program: &tool.program, global: &self.global })
    }

    /// The policy of one rule, in a set of its own.
    pub(crate) fn alone(&self, index: usize, rules: &[Rule]) -> Result<&PolicySet, String> {
        let (Some(place), Some(rule)) = (self.alone.get(index), rules.get(index)) else {
            return Err("there is no such rule".to_owned());
        };
        if let Some(set) = place.get() {
            return Ok(set);
        }
        let policy = policy::policy(rule).map_err(|error| error.to_string())?;
        let set = only(policy).map_err(|error| error.to_string())?;
        Ok(place.get_or_init(|| Box::new(set)))
    }

    /// Tool and action of each action's entity.
    fn places(&self) -> HashMap<EntityUid, (String, String)> {
        let all = self.tools.iter().flat_map(|(tool, actions)| {
            actions.slices.iter().map(move |(action, slice)| {
                (slice.action.clone(), (tool.to_string(), action.to_string()))
            })
        });
        all.collect()
    }

    /// The actions that a rule can be about, sorted; `None` for all of them.
    fn reach(
        &self,
        rule: &Rule,
        native: Option<&Policy>,
        places: &HashMap<EntityUid, (String, String)>,
    ) -> Option<Vec<(String, String)>> {
        let all_of = |tool: &str| -> Vec<(String, String)> {
            let actions = self.tools.get(tool).into_iter().flat_map(|tool| tool.slices.keys());
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
        let policy = native?;
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

    /// All policies, put together when they are first asked for.
    pub(crate) fn everything(&self, rules: &[Rule]) -> &Everything {
        self.everything.get_or_init(|| {
            let mut by_id = HashMap::new();
            let [mut hard, mut approval] = [PolicySet::new(), PolicySet::new()];
            for (index, rule) in rules.iter().enumerate() {
                let set = match Stage::of(rule.effect) {
                    Stage::Hard => &mut hard,
                    Stage::Approval => &mut approval,
                };
                for policy in self.alone(index, rules).iter().flat_map(|alone| alone.policies()) {
                    by_id.insert(policy.id().clone(), index);
                    // Ids were found to be unique when the files were read.
                    let _ = set.add(policy.clone());
                }
            }
            Everything { hard, approval, by_id }
        })
    }
}

impl Slice {
    fn add_needs(&mut self, entry: &Entry, program: &Program) {
        if entry.native {
            // What it looks at is not known.
            self.needs.add(&Needs::everything(self.arguments.len()));
        } else {
            program.add_needs(entry, &self.numbers, &mut self.needs);
        }
    }

    /// A limit that adds something up looks at it too.
    fn add_summed(&mut self, limit: Option<&Limit>) {
        let Some(Of::Sum(Subject::Fact { argument, fact, .. })) = limit.map(|limit| &limit.of)
        else {
            return;
        };
        let at = self.arguments.iter().position(|(name, _)| name == argument);
        if let Some(needed) = at.and_then(|at| self.needs.arguments.get_mut(at)) {
            *needed |= THERE | 1 << fact;
        }
    }
}

fn only(policy: Policy) -> Result<PolicySet, Box<cedar_policy::PolicySetError>> {
    PolicySet::from_policies([policy]).map_err(Box::new)
}
