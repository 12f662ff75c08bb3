//! A rule: for which actions, under which condition, with which effect.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::condition::{Condition, Subject};
use crate::names::{ActionName, RuleId, ToolName};

/// What follows when a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The action may be done, unless another rule is against it.
    Allow,
    /// The action may not be done, whatever else matches.
    Deny,
    /// A person is asked before an allowed action is done.
    Ask,
    /// An allowed action is done only so often. Allows nothing by itself.
    Limit,
}

impl Effect {
    /// All of them, as files call them.
    pub const ALL: [(&'static str, Self); 4] =
        [("allow", Self::Allow), ("deny", Self::Deny), ("ask", Self::Ask), ("limit", Self::Limit)];

    /// As files call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Ask => "ask",
            Self::Limit => "limit",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A risk of the OWASP Top 10 for Agentic Applications (2026), `ASI01` to `ASI10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Risk(u8);

impl Risk {
    /// The risk of that name.
    pub fn new(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("ASI").filter(|digits| digits.len() == 2)?;
        let plain = digits.chars().all(|c| c.is_ascii_digit());
        let number = digits.parse().ok().filter(|number| plain && (1..=10).contains(number))?;
        Some(Self(number))
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ASI{:02}", self.0)
    }
}

impl Serialize for Risk {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A span that limits count in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
}

/// Who a limit counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// All versions of the agent together.
    #[default]
    Agent,
    /// Each version alone.
    Version,
    /// Each session alone.
    Session,
    /// Each user alone.
    User,
    /// Each exact action of each session alone: what an agent in a loop repeats.
    Call,
}

impl Per {
    /// Its length, milliseconds.
    pub fn ms(self) -> u64 {
        match self {
            Self::Second => 1_000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }
}

/// What a limit counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// Each action as one.
    Calls,
    /// Tokens that models read and write.
    Tokens,
    /// What models cost, in thousand-millionths of a US dollar.
    CostNanousd,
    /// What this fact of an argument says, a whole number.
    Sum(Subject),
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calls => f.write_str("calls"),
            Self::Tokens => f.write_str("tokens"),
            Self::CostNanousd => f.write_str("cost_nanousd"),
            Self::Sum(subject) => write!(f, "{subject}"),
        }
    }
}

impl Serialize for Of {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// At most so much in a span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// Of what.
    pub of: Of,
    /// How much, at least 1.
    pub most: u64,
    /// In which span.
    pub per: Per,
    /// Whose actions are counted together.
    pub count: Count,
    /// What is reserved where nobody knows how much an action can use; without it that action is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<u64>,
}

/// The most of a rate.
pub const TIMES_MAX: u64 = 1_000_000_000;
/// The most of a budget.
pub const BUDGET_MAX: u64 = 1_000_000_000_000_000_000;
/// Thousand-millionths in one.
const NANOS: u64 = 1_000_000_000;
/// Digits behind the point of an amount of money.
const DECIMALS: usize = 9;

impl Limit {
    /// `100/hour` as times and span.
    pub fn rate(text: &str) -> Option<(u64, Per)> {
        Self::budget(text, whole).filter(|(times, _)| *times <= TIMES_MAX)
    }

    /// An amount, read by `amount`, a slash and a span.
    pub fn budget(text: &str, amount: impl Fn(&str) -> Option<u64>) -> Option<(u64, Per)> {
        let (most, per) = text.split_once('/')?;
        let most = amount(most).filter(|most| (1..=BUDGET_MAX).contains(most))?;
        let per = match per {
            "second" => Per::Second,
            "minute" => Per::Minute,
            "hour" => Per::Hour,
            "day" => Per::Day,
            _ => return None,
        };
        Some((most, per))
    }
}

/// Digits and nothing else.
pub fn whole(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// `12.34` US dollars as thousand-millionths.
pub fn nanousd(text: &str) -> Option<u64> {
    let (units, parts) = text.split_once('.').unwrap_or((text, "0"));
    if parts.len() > DECIMALS {
        return None;
    }
    let parts = whole(&format!("{}{}", parts, "0".repeat(DECIMALS - parts.len())))
        .filter(|_| !parts.is_empty())?;
    whole(units)?.checked_mul(NANOS)?.checked_add(parts)
}

/// Who must agree before an action is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ask {
    /// How many people, at least 1.
    pub approvals: u32,
    /// Whose word counts; anybody's who may approve when empty.
    pub from: Vec<String>,
}

/// The most people that a rule can want.
pub const APPROVALS_MAX: u32 = 16;

impl Default for Ask {
    fn default() -> Self {
        Self { approvals: 1, from: Vec::new() }
    }
}

/// Which actions a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every action of every tool.
    Everything,
    /// Every action of a tool.
    Tool(ToolName),
    /// These actions of a tool, at least one.
    Actions(ToolName, Vec<ActionName>),
    /// What a native policy says of itself.
    Native,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, unlike any other.
    pub id: RuleId,
    /// The file that it is in.
    pub file: String,
    /// The line where it starts.
    pub line: u32,
    /// What follows when it matches.
    pub effect: Effect,
    /// Which actions it is about.
    pub scope: Scope,
    /// For these agents only; all of them when empty.
    pub agents: Vec<String>,
    /// Under this condition; always when there is none.
    pub when: Option<Condition>,
    /// The risk that it is against.
    pub risk: Option<Risk>,
    /// What the agent and people are told.
    pub message: Option<String>,
    /// Whether its denial is a security event.
    pub security_event: bool,
    /// How often, when its effect is a limit.
    pub limit: Option<Limit>,
    /// Who is asked, when its effect is to ask; one person who may approve, when that is not said.
    pub ask: Option<Ask>,
}

impl Rule {
    /// Whether it is about this agent.
    pub fn is_for(&self, agent: &str) -> bool {
        self.agents.is_empty() || self.agents.iter().any(|name| name == agent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn risks_and_rates_are_read_exactly() {
        assert_eq!(Risk::new("ASI01").unwrap().to_string(), "ASI01");
        assert_eq!(Risk::new("ASI10").unwrap().to_string(), "ASI10");
        for bad in ["ASI00", "ASI11", "ASI1", "ASI001", "asi01", "LLM01", "ASI+1", ""] {
            assert!(Risk::new(bad).is_none(), "{bad}");
        }
        assert_eq!(Limit::rate("100/hour"), Some((100, Per::Hour)));
        for bad in
            ["0/hour", "-1/hour", "+1/hour", "1/week", "1", "1 /hour", "/hour", "9999999999/day"]
        {
            assert_eq!(Limit::rate(bad), None, "{bad}");
        }
        for (text, nanos) in [
            ("25", Some(25_000_000_000)),
            ("0.5", Some(500_000_000)),
            ("12.34", Some(12_340_000_000)),
            ("0.000000001", Some(1)),
            ("0.0000000001", None),
            ("1.", None),
            (".5", None),
            ("1.2.3", None),
            ("1e3", None),
            ("-1", None),
            ("99999999999", None),
        ] {
            assert_eq!(nanousd(text), nanos, "{text}");
        }
        let budget = |text| Limit::budget(text, nanousd);
        assert_eq!(budget("2.50/day"), Some((2_500_000_000, Per::Day)));
        assert_eq!([budget("0/day"), budget("0.00/day"), budget("1000000001/day")], [None; 3]);
    }
}
