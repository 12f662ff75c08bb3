//! What is asked, and what is answered.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::cedar::context::Needs;
use crate::circumstances::Circumstances;
use crate::names::RuleId;
use crate::observed::Observed;
use crate::rule::{Ask, Limit, Risk};
use crate::slice::Slice;

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
    /// How often it may be done, or how much it may use.
    pub limit: Limit,
    /// What it adds, where the limit adds up what arguments say; `None` when that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<u64>,
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

/// The facts, or why there can be none.
pub(crate) fn observe(
    request: &Request<'_>,
    slice: &Slice,
    needs: &Needs,
) -> Result<Observed, Reason> {
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
