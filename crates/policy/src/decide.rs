//! What is asked, and what is answered.

use cedar_policy::{
    Context, Decision as Cedar, EntityId, EntityUid, PolicyId, Request as Asked, Response,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::bundle::Bundle;
use crate::cedar::context::{Needs, context};
use crate::circumstances::Circumstances;
use crate::condition::Subject;
use crate::facts::Fact;
use crate::names::RuleId;
use crate::observed::{Observed, Seen};
use crate::program::Facts;
use crate::rule::{Effect, Limit, Risk, Rule};
use crate::slice::{Missing, Reach, Slice, Stage};
use crate::truth::{Truth, truth};

/// The deepest nesting of arguments.
pub const ARGUMENTS_DEPTH_MAX: usize = 32;
/// The most values in arguments.
pub const ARGUMENTS_VALUES_MAX: usize = 20_000;
/// The most bytes of texts in arguments, keys included.
pub const ARGUMENTS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest name of an agent, in bytes.
const AGENT_BYTES_MAX: usize = 256;

/// Whether an action may be done.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who wants to do it; whoever asks has made sure of that.
    pub agent: &'a str,
    /// Which version of the agent.
    pub version: Option<&'a str>,
    /// The tool.
    pub tool: &'a str,
    /// The tool's action.
    pub action: &'a str,
    /// Its arguments, a map.
    pub arguments: &'a Value,
    /// What is known besides.
    pub circumstances: &'a Circumstances,
}

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The action may be done.
    Allow,
    /// It may not.
    Deny,
    /// It may if a person says so.
    Ask,
}

impl Verdict {
    /// As files call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Ask => "ask",
        }
    }
}

/// A policy that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Failure {
    /// Which rule; `None` when the request itself could not be put together.
    pub rule: Option<RuleId>,
    /// Why, in Cedar's words.
    pub error: String,
}

/// Why it came out so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// Rules say so.
    Rules,
    /// No rule allows it.
    NoRule,
    /// A rule might allow it, but for facts that are unknown.
    Unknown,
    /// The tool is not declared.
    UndeclaredTool,
    /// The action is not declared.
    UndeclaredAction,
    /// An argument is not declared.
    UndeclaredArgument {
        /// The argument as it was given, cut to a printable length.
        argument: String,
    },
    /// An argument that may not be left out was left out.
    MissingArgument {
        /// Which.
        argument: String,
    },
    /// The request is not one that can be decided.
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Policies could not be evaluated.
    Failed {
        /// Which, and why.
        failures: Vec<Failure>,
    },
}

/// What an allowed action is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obligation {
    /// The rule that says so.
    pub rule: RuleId,
    /// How often it may be done.
    pub limit: Limit,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// What comes out.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The rules that decided it, in the order of the files.
    pub rules: Vec<RuleId>,
    /// The rules that allow it; what asks comes on top of these.
    pub allowed_by: Vec<RuleId>,
    /// What the first of the deciding rules that has something to say says.
    pub message: Option<String>,
    /// The risk that the first of them names.
    pub risk: Option<Risk>,
    /// What an allowed action is bound to.
    pub obligations: Vec<Obligation>,
    /// Whether this denial is a security event.
    pub security_event: bool,
    /// Facts that were unknown and mattered.
    pub unknown: Vec<String>,
    /// All facts, for the record.
    pub facts: Observed,
}

impl Decision {
    /// Why it came out so, in words.
    pub fn why(&self) -> String {
        let rules: Vec<&str> = self.rules.iter().map(RuleId::as_str).collect();
        match &self.reason {
            Reason::Rules => format!("by {}", rules.join(", ")),
            Reason::NoRule => "no rule allows it".to_owned(),
            Reason::Unknown => {
                format!("a rule might allow it, but unknown: {}", self.unknown.join(", "))
            }
            Reason::UndeclaredTool => "the tool is not declared".to_owned(),
            Reason::UndeclaredAction => "the tool has no such action".to_owned(),
            Reason::UndeclaredArgument { argument } => {
                format!("the action has no argument {}", argument.escape_debug())
            }
            Reason::MissingArgument { argument } => format!("the argument {argument} is missing"),
            Reason::Malformed { what } => (*what).to_owned(),
            Reason::Failed { failures } => {
                let failed = failures.iter().map(|failure| {
                    let rule = failure.rule.as_ref().map_or("the request", RuleId::as_str);
                    format!("{rule}: {}", failure.error)
                });
                format!("a policy failed: {}", failed.collect::<Vec<_>>().join("; "))
            }
        }
    }

    pub(crate) fn denied(reason: Reason) -> Self {
        Self {
            verdict: Verdict::Deny,
            reason,
            rules: Vec::new(),
            allowed_by: Vec::new(),
            message: None,
            risk: None,
            obligations: Vec::new(),
            security_event: false,
            unknown: Vec::new(),
            facts: Observed::default(),
        }
    }
}

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
        decision.obligations = limits
            .iter()
            .filter_map(|rule| {
                let rule = &self.rules[*rule];
                Some(Obligation { rule: rule.id.clone(), limit: rule.limit? })
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
            security_event: matched().any(|rule| rule.security_event),
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

/// The facts, or why there can be none.
fn observe(request: &Request<'_>, slice: &Slice, needs: &Needs) -> Result<Observed, Reason> {
    if request.agent.is_empty() || request.agent.len() > AGENT_BYTES_MAX {
        return Err(Reason::Malformed { what: "the agent has no name that can be one" });
    }
    let nothing = Map::new();
    let arguments = match request.arguments {
        Value::Object(arguments) => arguments,
        Value::Null => &nothing,
        _ => return Err(Reason::Malformed { what: "the arguments are not a map" }),
    };
    Size::default().add(request.arguments, 0).map_err(|what| Reason::Malformed { what })?;
    let declared = |name: &str| slice.arguments.iter().any(|(known, _)| known.as_str() == name);
    if let Some(name) = arguments.keys().find(|name| !declared(name)) {
        return Err(Reason::UndeclaredArgument { argument: name.chars().take(80).collect() });
    }
    let missing = slice
        .arguments
        .iter()
        .find(|(name, argument)| !argument.optional && !arguments.contains_key(name.as_str()));
    if let Some((name, _)) = missing {
        return Err(Reason::MissingArgument { argument: name.to_string() });
    }
    let Request { version, circumstances, .. } = request;
    Ok(Observed::of(&slice.arguments, arguments, *version, circumstances, needs))
}

/// How much there is to look at.
#[derive(Default)]
struct Size {
    values: usize,
    bytes: usize,
}

impl Size {
    fn add(&mut self, value: &Value, depth: usize) -> Result<(), &'static str> {
        if depth > ARGUMENTS_DEPTH_MAX {
            return Err("the arguments are nested too deeply");
        }
        self.values += 1;
        match value {
            Value::String(text) => self.bytes += text.len(),
            Value::Array(items) => {
                for item in items {
                    self.add(item, depth + 1)?;
                }
            }
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.bytes += key.len();
                    self.add(value, depth + 1)?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        if self.values > ARGUMENTS_VALUES_MAX || self.bytes > ARGUMENTS_BYTES_MAX {
            return Err("the arguments are too large");
        }
        Ok(())
    }
}
