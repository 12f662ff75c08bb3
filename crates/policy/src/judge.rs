//! How a decision is made: rules are decided here, native policies by Cedar, and nothing is allowed without Cedar.

use cedar_policy::{
    Context, Decision as Cedar, EntityId, EntityUid, PolicyId, Request as Asked, Response,
};

use crate::bundle::Bundle;
use crate::cedar::context::{Needs, context};
use crate::condition::Subject;
use crate::decide::{Asks, Decision, Failure, Obligation, Reason, Request, Verdict, observe};
use crate::facts::Fact;
use crate::names::RuleId;
use crate::observed::{Observed, Seen};
use crate::program::Facts;
use crate::rule::{Effect, Limit, Of, Rule};
use crate::slice::{Missing, Reach, Slice, Stage};
use crate::truth::{Truth, truth};

/// Which policies are evaluated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Slice,
    Everything,
}

/// What policies say, before it becomes a decision. Indexes of rules, in order.
#[derive(Default)]
struct Said {
    permitted: Vec<usize>,
    forbidden: Vec<usize>,
    failures: Vec<Failure>,
}

impl Said {
    /// Adds what Cedar says, and returns whether that is anything.
    fn add(
        &mut self,
        response: &Response,
        rule_of: impl Fn(&PolicyId) -> Option<usize>,
        rules: &[Rule],
    ) -> bool {
        let before = self.permitted.len() + self.forbidden.len();
        let reasons = response.diagnostics().reason().filter_map(&rule_of);
        match response.decision() {
            Cedar::Allow => self.permitted.extend(reasons),
            Cedar::Deny => self.forbidden.extend(reasons),
        }
        self.failures.extend(response.diagnostics().errors().map(|error| {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            let rule = rule_of(error.policy_id()).and_then(|rule| rules.get(rule));
            Failure { rule: rule.map(|rule| rule.id.clone()), error: error.inner().to_string() }
        }));
        self.permitted.len() + self.forbidden.len() > before
    }

    fn sorted(mut self) -> Self {
        self.permitted.sort_unstable();
        self.forbidden.sort_unstable();
        self.failures.sort_unstable();
        self
    }
}

/// Rules of one effect that can match.
#[derive(Default)]
struct Matched {
    /// By what was decided here.
    decided: Vec<usize>,
    /// As far as anybody but Cedar knows.
    native: Vec<usize>,
}

/// Rules that can match, by effect.
#[derive(Default)]
struct Candidates {
    deny: Matched,
    allow: Matched,
    ask: Matched,
    limit: Matched,
}

impl Candidates {
    fn of(&mut self, effect: Effect) -> &mut Matched {
        match effect {
            Effect::Deny => &mut self.deny,
            Effect::Allow => &mut self.allow,
            Effect::Ask => &mut self.ask,
            Effect::Limit => &mut self.limit,
        }
    }

    fn asks_cedar(&self) -> bool {
        let native =
            [&self.deny, &self.allow, &self.ask].into_iter().any(|of| !of.native.is_empty());
        native || (!self.allow.decided.is_empty() && self.deny.decided.is_empty())
    }

    /// What is decided in a stage, what denies first.
    fn take(&mut self, stage: Stage) -> [(Effect, Matched); 2] {
        match stage {
            Stage::Hard => [Effect::Deny, Effect::Allow],
            Stage::Approval => [Effect::Ask, Effect::Limit],
        }
        .map(|effect| (effect, std::mem::take(self.of(effect))))
    }
}

impl Bundle {
    /// Decides. Never fails: what cannot be decided is denied.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        self.decide_by(request, By::Slice)
    }

    /// The same with every policy there is, and every fact: slow, and what [`Bundle::decide`] is held against.
    pub fn decide_unsliced(&self, request: &Request<'_>) -> Decision {
        self.decide_by(request, By::Everything)
    }

    fn decide_by(&self, request: &Request<'_>, by: By) -> Decision {
        let reach = match self.index.find(request.tool, request.action) {
            Ok(reach) => reach,
            Err(Missing::Tool) => return Decision::denied(Reason::UndeclaredTool),
            Err(Missing::Action) => return Decision::denied(Reason::UndeclaredAction),
        };
        let observed = match observe(request, reach.slice, &reach.slice.needs) {
            Ok(observed) => observed,
            Err(reason) => return Decision::denied(reason),
        };
        let judged = match by {
            By::Slice => self.judge_slice(request, reach, &observed),
            By::Everything => self.judge_everything(request, reach, &observed),
        };
        let mut decision = judged.unwrap_or_else(|error| {
            Decision::denied(Reason::Failed { failures: vec![Failure { rule: None, error }] })
        });
        decision.facts = observed;
        decision
    }

    /// By the rules of the slice, decided here; and nothing is allowed unless Cedar says so too.
    ///
    /// What is against an action needs no second opinion, and Cedar takes ten times as long to give it. Native policies
    /// are Cedar's alone.
    fn judge_slice(
        &self,
        request: &Request<'_>,
        reach: Reach<'_>,
        observed: &Observed,
    ) -> Result<Decision, String> {
        let slice = reach.slice;
        let facts = Facts { observed, numbers: &slice.numbers };
        let mut candidates = Candidates::default();
        let mut needs = Needs { arguments: vec![0; slice.arguments.len()], circumstances: 0 };
        for (program, entry) in reach.entries() {
            if !program.can_match(entry, request.agent, facts) {
                continue;
            }
            if entry.native {
                needs.add(&Needs::everything(slice.arguments.len()));
                candidates.of(entry.effect).native.push(entry.rule);
                continue;
            }
            let of = candidates.of(entry.effect);
            // Only the first of those that allow is asked for.
            if entry.effect == Effect::Allow && of.decided.is_empty() {
                program.add_needs(entry, &slice.numbers, &mut needs);
            }
            of.decided.push(entry.rule);
        }
        let context =
            if candidates.asks_cedar() { context(observed, &needs)? } else { Context::empty() };
        let asked = self.asked(request, slice, context)?;
        Ok(self.judge(request.agent, reach, observed, |stage| {
            let mut said = Said::default();
            for (effect, of) in candidates.take(stage) {
                for rule in of.native {
                    self.ask(&asked, rule, &mut said);
                }
                match effect {
                    Effect::Deny => said.forbidden.extend(of.decided),
                    Effect::Ask | Effect::Limit => said.permitted.extend(of.decided),
                    Effect::Allow => self.confirm(&asked, &of.decided, &mut said),
                }
            }
            said.sorted()
        }))
    }

    /// By all policies in one set, as Cedar is meant to be asked.
    fn judge_everything(
        &self,
        request: &Request<'_>,
        reach: Reach<'_>,
        observed: &Observed,
    ) -> Result<Decision, String> {
        let needs = Needs::everything(reach.slice.arguments.len());
        let all = observe(request, reach.slice, &needs).map_err(|_| "no facts".to_owned())?;
        let asked = self.asked(request, reach.slice, context(&all, &needs)?)?;
        let everything = self.index.everything(&self.rules);
        Ok(self.judge(request.agent, reach, observed, |stage| {
            let mut said = Said::default();
            let response =
                self.authorizer.is_authorized(&asked, everything.of(stage), &self.entities);
            let rule_of = |id: &PolicyId| everything.by_id.get(id).copied();
            said.add(&response, rule_of, &self.rules);
            said.sorted()
        }))
    }

    fn asked(
        &self,
        request: &Request<'_>,
        slice: &Slice,
        context: Context,
    ) -> Result<Asked, String> {
        let agent = EntityId::new(request.agent);
        let principal = EntityUid::from_type_name_and_id(self.agent_type.clone(), agent);
        Asked::new(principal, slice.action.clone(), slice.tool.clone(), context, None)
            .map_err(|error| error.to_string())
    }

    /// What comes out of what each of the two sets says.
    fn judge(
        &self,
        agent: &str,
        reach: Reach<'_>,
        observed: &Observed,
        mut ask: impl FnMut(Stage) -> Said,
    ) -> Decision {
        let said = ask(Stage::Hard);
        if !said.failures.is_empty() {
            return Decision::denied(Reason::Failed { failures: said.failures });
        }
        if !said.forbidden.is_empty() {
            return self.ruled(Verdict::Deny, &said.forbidden, observed);
        }
        if said.permitted.is_empty() {
            return self.by_default(agent, reach, observed);
        }
        let more = ask(Stage::Approval);
        if !more.failures.is_empty() {
            return Decision::denied(Reason::Failed { failures: more.failures });
        }
        let (asks, limits): (Vec<usize>, Vec<usize>) =
            more.permitted.iter().partition(|rule| self.rules[**rule].effect == Effect::Ask);
        let mut decision = if asks.is_empty() {
            self.ruled(Verdict::Allow, &said.permitted, observed)
        } else {
            self.ruled(Verdict::Ask, &asks, observed)
        };
        decision.allowed_by = self.ids(&said.permitted);
        decision.asks = asks
            .iter()
            .map(|rule| {
                let rule = &self.rules[*rule];
                Asks { rule: rule.id.clone(), ask: rule.ask.clone().unwrap_or_default() }
            })
            .collect();
        decision.obligations = limits
            .iter()
            .filter_map(|rule| {
                let rule = &self.rules[*rule];
                let limit = rule.limit.clone()?;
                Some(Obligation { amount: amount(&limit, observed), rule: rule.id.clone(), limit })
            })
            .collect();
        decision
    }

    /// What Cedar says of one rule, and whether that is anything.
    fn ask(&self, asked: &Asked, rule: usize, said: &mut Said) -> bool {
        let set = match self.index.alone(rule, &self.rules) {
            Ok(set) => set,
            Err(error) => {
                said.failures.push(self.failure(rule, error));
                return true;
            }
        };
        let response = self.authorizer.is_authorized(asked, set, &self.entities);
        said.add(&response, |_| Some(rule), &self.rules)
    }

    /// Adds rules that allow, if Cedar agrees that the first one does. If not, one of the two is wrong, and nobody knows
    /// which.
    fn confirm(&self, asked: &Asked, allowing: &[usize], said: &mut Said) {
        let Some((first, others)) = allowing.split_first() else { return };
        if !said.forbidden.is_empty() {
            return;
        }
        if self.ask(asked, *first, said) {
            said.permitted.extend(others);
        } else {
            let error = "its condition holds, but not by Cedar".to_owned();
            said.failures.push(self.failure(*first, error));
        }
    }

    fn failure(&self, rule: usize, error: String) -> Failure {
        Failure { rule: self.rules.get(rule).map(|rule| rule.id.clone()), error }
    }

    fn ids(&self, rules: &[usize]) -> Vec<RuleId> {
        rules.iter().map(|rule| self.rules[*rule].id.clone()).collect()
    }

    fn ruled(&self, verdict: Verdict, rules: &[usize], observed: &Observed) -> Decision {
        let matched = || rules.iter().map(|rule| &self.rules[*rule]);
        // A denial for lack of knowledge is no attack.
        let is_sure = |rule: &Rule| {
            rule.when.as_ref().is_none_or(|when| truth(when, observed) != Truth::Unknown)
        };
        let unknown = match verdict {
            // What allows is sure.
            Verdict::Allow => Vec::new(),
            Verdict::Deny | Verdict::Ask => unknown(matched(), observed),
        };
        Decision {
            verdict,
            reason: Reason::Rules,
            rules: self.ids(rules),
            allowed_by: Vec::new(),
            message: matched().find_map(|rule| rule.message.clone()),
            risk: matched().find_map(|rule| rule.risk),
            obligations: Vec::new(),
            asks: Vec::new(),
            security_event: matched().any(|rule| rule.security_event && is_sure(rule)),
            unknown,
            facts: Observed::default(),
        }
    }

    /// Nothing allows it. Told apart: what no rule would allow, and what one might.
    fn by_default(&self, agent: &str, reach: Reach<'_>, observed: &Observed) -> Decision {
        let might =
            self.in_reach(reach).filter(|rule| rule.effect == Effect::Allow && rule.is_for(agent));
        let unknown = unknown(might, observed);
        let reason = if unknown.is_empty() { Reason::NoRule } else { Reason::Unknown };
        Decision { unknown, ..Decision::denied(reason) }
    }

    /// Whether some call of an action could be allowed to an agent: a rule that allows is in reach.
    pub fn permits(&self, agent: &str, tool: &str, action: &str) -> bool {
        let Ok(reach) = self.index.find(tool, action) else { return false };
        self.in_reach(reach).any(|rule| rule.effect == Effect::Allow && rule.is_for(agent))
    }

    /// The rules that a decision about this action looks at.
    fn in_reach<'a>(&'a self, reach: Reach<'a>) -> impl Iterator<Item = &'a Rule> {
        reach.rules().filter_map(|rule| self.rules.get(rule))
    }
}

/// The unknown facts that rules hang on.
fn unknown<'r>(rules: impl Iterator<Item = &'r Rule>, observed: &Observed) -> Vec<String> {
    let hang = rules
        .filter_map(|rule| rule.when.as_ref())
        .filter(|when| truth(when, observed) == Truth::Unknown);
    let is_unknown =
        |subject: &&Subject| matches!(observed.seen(subject), Seen::Fact(Fact::Unknown(_)));
    let mut names: Vec<String> = hang
        .flat_map(|when| when.clauses())
        .map(|clause| &clause.subject)
        .filter(is_unknown)
        .map(ToString::to_string)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What an action adds to a limit that adds something up; `None` when that is not known, or no amount at all.
fn amount(limit: &Limit, observed: &Observed) -> Option<u64> {
    match &limit.of {
        Of::Sum(subject) => match observed.seen(subject) {
            Seen::Fact(Fact::Long(amount)) => u64::try_from(*amount).ok(),
            _ => None,
        },
        Of::Calls | Of::Tokens | Of::CostNanousd => None,
    }
}
