//! Why a decision came out as it did: each rule that had a say or nearly had one, clause by clause.

use serde::Serialize;

use crate::bundle::Bundle;
use crate::cedar::policy;
use crate::decide::{Decision, Request};
use crate::names::RuleId;
use crate::rule::{Effect, Rule};
use crate::truth::{Traced, Truth, trace};

/// The most rules that are explained though they did not match.
const NEAR_MAX: usize = 20;

/// A rule, and how it came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// Its name.
    pub id: RuleId,
    /// Its effect.
    pub effect: Effect,
    /// The file that it is in.
    pub file: String,
    /// The line where it starts.
    pub line: u32,
    /// Whether it had its effect: what denies and asks has it when its condition is unknown, too.
    pub matched: bool,
    /// How its condition came out; `None` for a native policy, whose condition only Cedar knows.
    pub truth: Option<Truth>,
    /// The condition part by part; `None` when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<Traced>,
    /// Why it is not about this agent, when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_for: Option<Vec<String>>,
    /// The policy that Cedar evaluates.
    pub cedar: String,
}

/// A decision, explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// Rules about this action: those that matched, then those that nearly did.
    pub rules: Vec<Explained>,
    /// How many more rules are about this action and did not match.
    pub others: usize,
}

impl Bundle {
    /// Decides and says why.
    pub fn explain(&self, request: &Request<'_>) -> Explanation {
        let decision = self.decide(request);
        let reach = self.index.find(request.tool, request.action).ok();
        // Without arguments that can be looked at, no rule was.
        let Some(reach) = reach.filter(|_| !decision.facts.circumstances.is_empty()) else {
            return Explanation { decision, rules: Vec::new(), others: 0 };
        };
        let mut rules: Vec<(u8, Explained)> = reach
            .rules()
            .filter_map(|index| Some((index, self.rule(index)?)))
            .map(|(index, rule)| self.explained(index, rule, request.agent, &decision))
            .map(|rule| (distance(&rule), rule))
            .collect();
        rules.sort_by_key(|(distance, _)| *distance);
        let all = rules.len();
        let matched = rules.iter().filter(|(_, rule)| rule.matched).count();
        rules.truncate(matched + NEAR_MAX);
        let others = all - rules.len();
        let rules = rules.into_iter().map(|(_, rule)| rule).collect();
        Explanation { decision, rules, others }
    }

    fn explained(&self, index: usize, rule: &Rule, agent: &str, decision: &Decision) -> Explained {
        let when = rule.when.as_ref().map(|when| trace(when, &decision.facts));
        let is_for = rule.is_for(agent);
        let native = rule.scope == crate::rule::Scope::Native;
        let truth = match (native, is_for, &when) {
            (true, ..) => None,
            (_, false, _) => Some(Truth::False),
            (_, true, None) => Some(Truth::True),
            (_, true, Some(when)) => Some(when.truth),
        };
        let matched = match (truth, rule.effect) {
            (None, _) => {
                let Decision { rules, allowed_by, .. } = decision;
                rules.iter().chain(allowed_by).any(|id| *id == rule.id)
            }
            (Some(truth), Effect::Allow) => truth == Truth::True,
            (Some(truth), _) => truth != Truth::False,
        };
        let cedar = if native {
            let alone = self.index.alone(index, &self.rules).ok();
            let policy = alone.and_then(|alone| alone.policies().next());
            policy.and_then(cedar_policy::Policy::to_cedar)
        } else {
            policy::shown(rule)
        };
        Explained {
            id: rule.id.clone(),
            effect: rule.effect,
            file: rule.file.clone(),
            line: rule.line,
            matched,
            truth,
            when,
            only_for: (!is_for).then(|| rule.agents.clone()),
            cedar: cedar.unwrap_or_default(),
        }
    }
}

/// How far a rule is from matching: fewer failing parts are nearer.
fn distance(rule: &Explained) -> u8 {
    if rule.matched {
        return 0;
    }
    if rule.truth == Some(Truth::Unknown) {
        return 1;
    }
    let failing = match &rule.when {
        Some(when) if when.text == "all" => {
            when.parts.iter().filter(|part| part.truth == Truth::False).count()
        }
        Some(when) => usize::from(when.truth == Truth::False),
        None => 0,
    };
    let failing = failing + usize::from(rule.only_for.is_some());
    u8::try_from(failing.saturating_add(1)).unwrap_or(u8::MAX)
}
