//! What is asked, and what is answered.

use cedar_policy::{Context, Decision as Cedar, EntityId, EntityUid, PolicySet, Request as Asked};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::bundle::Bundle;
use crate::cedar::context::{Needs, context};
use crate::circumstances::Circumstances;
use crate::condition::Subject;
use crate::facts::Fact;
use crate::names::RuleId;
use crate::observed::{Observed, Seen};
use crate::rule::{Ask, Effect, Limit, Risk, Rule, Scope};
use crate::slice::{Slice, Stage};
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

/// Who must agree to an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asks {
    /// The rule that says so.
    pub rule: RuleId,
    /// Whom it asks.
    #[serde(flatten)]
    pub ask: Ask,
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
    /// Who must agree, when somebody must.
    pub asks: Vec<Asks>,
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
            asks: Vec::new(),
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
        let Some(tool) = self.index.tools.get(request.tool) else {
            return Decision::denied(Reason::UndeclaredTool);
        };
        let Some(slice) = tool.get(request.action) else {
            return Decision::denied(Reason::UndeclaredAction);
        };
        let observed = match observe(request, slice) {
            Ok(observed) => observed,
            Err(reason) => return Decision::denied(reason),
        };
        let asked = match by {
            By::Slice => context(&observed, &slice.needs),
            By::Everything => context(&observed, &Needs::everything(slice.arguments.len())),
        };
        let asked = asked.and_then(|context| self.asked(request, slice, context));
        let mut decision = match asked {
            Ok(asked) => self.judge(&asked, request.agent, slice, &observed, by),
            Err(error) => {
                let failures = vec![Failure { rule: None, error }];
                Decision::denied(Reason::Failed { failures })
            }
        };
        decision.facts = observed;
        decision
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

    fn judge(
        &self,
        asked: &Asked,
        agent: &str,
        slice: &Slice,
        observed: &Observed,
        by: By,
    ) -> Decision {
        let ask = |stage| match by {
            By::Slice => self.ask(asked, self.candidates(agent, slice, observed, stage)),
            By::Everything => {
                self.ask(asked, std::iter::once((self.index.everything(&self.rules, stage), None)))
            }
        };
        let said = ask(Stage::Hard);
        if !said.failures.is_empty() {
            return Decision::denied(Reason::Failed { failures: said.failures });
        }
        if !said.forbidden.is_empty() {
            return self.ruled(Verdict::Deny, &said.forbidden, observed);
        }
        if said.permitted.is_empty() {
            return self.by_default(agent, slice, observed);
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
                Some(Obligation { rule: rule.id.clone(), limit: rule.limit? })
            })
            .collect();
        decision
    }

    /// The policies that can still match: not those whose condition, decided here, leaves them no chance.
    ///
    /// Cedar has the last word on every policy that says something, and takes a hundred times as long to say nothing.
    fn candidates<'a>(
        &'a self,
        agent: &'a str,
        slice: &'a Slice,
        observed: &'a Observed,
        stage: Stage,
    ) -> impl Iterator<Item = (&'a PolicySet, Option<usize>)> {
        let rules = slice.rules.iter().chain(&self.index.global_rules).copied();
        rules
            .filter(move |index| {
                let rule = &self.rules[*index];
                Stage::of(rule.effect) == stage && rule.can_match(agent, observed)
            })
            .filter_map(|index| {
                let sure = self.rules[index].scope != Scope::Native;
                Some((self.index.alone.get(index)?, sure.then_some(index)))
            })
    }

    /// What sets say together: just what one set of all their policies would say.
    ///
    /// A set comes with the rule that it should speak for, where that was decided here. When Cedar does not agree, one of
    /// the two is wrong, and nobody knows which.
    fn ask<'a>(
        &self,
        asked: &Asked,
        sets: impl Iterator<Item = (&'a PolicySet, Option<usize>)>,
    ) -> Said {
        let mut said = Said::default();
        for (set, sure) in sets {
            let before = said.permitted.len() + said.forbidden.len();
            let response = self.authorizer.is_authorized(asked, set, &self.entities);
            let rules = response.diagnostics().reason().filter_map(|id| self.index.by_id.get(id));
            match response.decision() {
                Cedar::Allow => said.permitted.extend(rules),
                Cedar::Deny => said.forbidden.extend(rules),
            }
            said.failures.extend(response.diagnostics().errors().map(|error| {
                let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
                Failure {
                    rule: self
                        .index
                        .by_id
                        .get(error.policy_id())
                        .map(|rule| self.rules[*rule].id.clone()),
                    error: error.inner().to_string(),
                }
            }));
            if let Some(rule) = sure
                && said.permitted.len() + said.forbidden.len() == before
            {
                let error = "its condition holds, but not by Cedar".to_owned();
                said.failures.push(Failure { rule: Some(self.rules[rule].id.clone()), error });
            }
        }
        said.permitted.sort_unstable();
        said.forbidden.sort_unstable();
        said.failures.sort_unstable();
        said
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
            asks: Vec::new(),
            security_event: matched().any(|rule| rule.security_event),
            unknown,
            facts: Observed::default(),
        }
    }

    /// Nothing allows it. Told apart: what no rule would allow, and what one might.
    fn by_default(&self, agent: &str, slice: &Slice, observed: &Observed) -> Decision {
        let might =
            self.in_reach(slice).filter(|rule| rule.effect == Effect::Allow && rule.is_for(agent));
        let unknown = unknown(might, observed);
        let reason = if unknown.is_empty() { Reason::NoRule } else { Reason::Unknown };
        Decision { unknown, ..Decision::denied(reason) }
    }

    /// The rules that a decision about this action looks at.
    pub(crate) fn in_reach<'a>(&'a self, slice: &'a Slice) -> impl Iterator<Item = &'a Rule> {
        let rules = slice.rules.iter().chain(&self.index.global_rules);
        rules.map(|rule| &self.rules[*rule])
    }
}

impl Rule {
    /// Whether its policy can be satisfied. Of a native one only Cedar knows.
    fn can_match(&self, agent: &str, observed: &Observed) -> bool {
        if self.scope == Scope::Native {
            return true;
        }
        let truth = || self.when.as_ref().map_or(Truth::True, |when| truth(when, observed));
        self.is_for(agent)
            && match self.effect {
                Effect::Allow => truth() == Truth::True,
                Effect::Deny | Effect::Ask | Effect::Limit => truth() != Truth::False,
            }
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
fn observe(request: &Request<'_>, slice: &Slice) -> Result<Observed, Reason> {
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
    Ok(Observed::of(&slice.arguments, arguments, request.version, request.circumstances))
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
