//! Whether what runs is what was written: what `lockgate drift` reports, and what a plan asks of it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::DriftSource;

/// The version of a report's form.
pub const SCHEMA: u32 = 1;

/// The word that a report is known by.
pub const KIND: &str = "lockgate.drift";

/// The longest report that is read, in bytes.
pub const REPORT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most roots of a report.
pub const ROOTS_MAX: usize = 100;

/// Most entries that a report lists of what one root has.
pub const LISTED_MAX: usize = 50;

/// How a comparison came out. Unknown is a state of its own, and never `none`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// What runs is what was written.
    None,
    /// It differs.
    Drifted,
    /// It could not be told.
    Unknown,
}

impl Drift {
    /// The name used in reports and explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Drifted => "drifted",
            Self::Unknown => "unknown",
        }
    }

    /// How several come out together: drift that was seen is seen whatever else is unknown, and nothing at all is unknown.
    pub fn of(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter()
            .reduce(|one, other| match (one, other) {
                (Self::Drifted, _) | (_, Self::Drifted) => Self::Drifted,
                (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
                (Self::None, Self::None) => Self::None,
            })
            .unwrap_or(Self::Unknown)
    }
}

/// What was compared with what runs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RootKind {
    /// A root module of Terraform or `OpenTofu`.
    Terraform,
    /// Manifests, or a kustomization.
    Kubernetes,
    /// Lockgate's own configuration file.
    Lockgate,
    /// A directory of policies.
    Policies,
}

impl RootKind {
    /// The name used in reports and explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::Kubernetes => "kubernetes",
            Self::Lockgate => "lockgate",
            Self::Policies => "policies",
        }
    }

    /// Whether it is about infrastructure, and not about Lockgate itself.
    pub fn is_infrastructure(self) -> bool {
        matches!(self, Self::Terraform | Self::Kubernetes)
    }
}

/// One thing that differs, or seems to. Never its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Which: an address of Terraform, an object of Kubernetes, a path in a configuration.
    pub what: String,
    /// What would be done, such as `update`; why it counts for nothing, where it does.
    pub how: String,
    /// Names of its attributes that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
}

/// One thing that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// What it is.
    pub kind: RootKind,
    /// Where it is in the checkout; `.` is the checkout itself.
    pub path: String,
    /// How it came out.
    pub outcome: Drift,
    /// Why it came out so, in one sentence.
    pub reason: String,
    /// The program that compared, with its version where it told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// How many things differ.
    #[serde(default)]
    pub changes_total: u64,
    /// The first of them.
    #[serde(default)]
    pub changes: Vec<Difference>,
    /// How many things seem to differ and count for nothing.
    #[serde(default)]
    pub noise_total: u64,
    /// The first of them.
    #[serde(default)]
    pub noise: Vec<Difference>,
}

/// Who made a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// `lockgate`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What one run of `lockgate drift` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Drift report")]
pub struct Report {
    /// [`SCHEMA`].
    #[schemars(extend("const" = 1))]
    pub schema: u32,
    /// [`KIND`].
    #[schemars(extend("const" = "lockgate.drift"))]
    pub kind: String,
    /// Who made it.
    pub tool: Tool,
    /// When the comparison began, RFC 3339.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// `drifted` when a root is; otherwise `unknown` when one is; otherwise `none`.
    pub outcome: Drift,
    /// What was compared, at least one.
    #[schemars(extend("minItems" = 1, "maxItems" = 100))]
    pub roots: Vec<Root>,
}

/// Why a text is no report.
#[derive(Debug, thiserror::Error)]
pub enum InvalidReport {
    /// It is longer than any report.
    #[error("it is longer than {REPORT_BYTES_MAX} bytes")]
    TooLong,
    /// It is not JSON of a report's form.
    #[error("it does not have the form of a drift report")]
    Form(#[from] serde_json::Error),
    /// It is something else, or of another version.
    #[error("it is `{kind}` of schema {schema}, and not `{KIND}` of schema {SCHEMA}")]
    Kind {
        /// What it calls itself.
        kind: String,
        /// Which version.
        schema: u32,
    },
    /// It compares nothing, or more than a report can.
    #[error("it has {0} roots, and not 1 to {ROOTS_MAX}")]
    Roots(usize),
    /// A root says that there is no drift, and counts some.
    #[error("a root says `none`, and counts {0} changes")]
    Counts(u64),
    /// Its outcome is not what follows from its roots.
    #[error("it says `{}`, and its roots come to `{}`", said.as_str(), follows.as_str())]
    Outcome {
        /// What it says.
        said: Drift,
        /// What follows.
        follows: Drift,
    },
}

impl Report {
    /// A report of what was compared.
    pub fn new(version: &str, at: Timestamp, roots: Vec<Root>) -> Self {
        Self {
            schema: SCHEMA,
            kind: KIND.into(),
            tool: Tool { name: "lockgate".into(), version: version.into() },
            at,
            outcome: Drift::of(roots.iter().map(|root| root.outcome)),
            roots,
        }
    }

    /// Reads one, and believes it only as far as it agrees with itself.
    pub fn read(text: &str) -> Result<Self, InvalidReport> {
        if text.len() > REPORT_BYTES_MAX {
            return Err(InvalidReport::TooLong);
        }
        let report: Self = serde_json::from_str(text)?;
        report.check().map(|()| report)
    }

    /// Whether it is a report, and agrees with itself.
    pub fn check(&self) -> Result<(), InvalidReport> {
        if self.kind != KIND || self.schema != SCHEMA {
            let kind = self.kind.chars().take(80).collect();
            return Err(InvalidReport::Kind { kind, schema: self.schema });
        }
        if self.roots.is_empty() || self.roots.len() > ROOTS_MAX {
            return Err(InvalidReport::Roots(self.roots.len()));
        }
        for root in &self.roots {
            let changes = root.changes_total.max(root.changes.len() as u64);
            if root.outcome == Drift::None && changes > 0 {
                return Err(InvalidReport::Counts(changes));
            }
        }
        let follows = Drift::of(self.roots.iter().map(|root| root.outcome));
        if follows != self.outcome {
            return Err(InvalidReport::Outcome { said: self.outcome, follows });
        }
        Ok(())
    }

    /// The same without what differs one by one.
    #[must_use]
    pub fn summary(mut self) -> Self {
        for root in &mut self.roots {
            root.changes.clear();
            root.noise.clear();
        }
        self
    }

    /// Roots that came out so.
    pub fn count(&self, outcome: Drift) -> usize {
        self.roots.iter().filter(|root| root.outcome == outcome).count()
    }
}

/// The JSON Schema (2020-12) of a report.
pub fn schema() -> Value {
    schemars::schema_for!(Report).to_value()
}

/// What a plan asks before its releases begin and go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftGate {
    /// Older results count for nothing.
    pub max_age_ms: u64,
    /// Each of these must have said that there is none.
    pub of: Vec<DriftSource>,
}

impl DriftGate {
    /// Whether it asks for all that another one asks for.
    pub fn covers(&self, other: &Self) -> bool {
        self.max_age_ms <= other.max_age_ms
            && other.of.iter().all(|source| self.of.contains(source))
    }

    /// What both ask for.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.max_age_ms = self.max_age_ms.min(other.max_age_ms);
        let more = other.of.iter().filter(|source| !self.of.contains(source)).cloned();
        let more: Vec<DriftSource> = more.collect();
        self.of.extend(more);
        self
    }
}

/// What was said last on behalf of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftSeen {
    /// Who said it.
    pub source: DriftSource,
    /// What.
    pub outcome: Drift,
    /// When what was compared was looked at, milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
}

/// The source of a result that names none.
pub const SOURCE_DEFAULT: &str = "default";

#[cfg(test)]
mod tests {
    use super::*;

    fn root(outcome: Drift) -> Root {
        Root {
            kind: RootKind::Terraform,
            path: "infra/prod".into(),
            outcome,
            reason: "the plan is empty".into(),
            program: None,
            changes_total: 0,
            changes: Vec::new(),
            noise_total: 0,
            noise: Vec::new(),
        }
    }

    fn report(outcomes: &[Drift]) -> Report {
        let roots = outcomes.iter().copied().map(root).collect();
        Report::new("1.0.0", Timestamp::from_second(1_790_000_000).expect("a time"), roots)
    }

    #[test]
    fn unknown_is_never_none_and_drift_is_seen_beside_it() {
        use Drift::{Drifted, None, Unknown};
        for (all, comes_to) in [
            (vec![], Unknown),
            (vec![None], None),
            (vec![None, None], None),
            (vec![None, Unknown], Unknown),
            (vec![Unknown, None], Unknown),
            (vec![None, Drifted], Drifted),
            (vec![Unknown, Drifted], Drifted),
            (vec![Drifted, Unknown, None], Drifted),
        ] {
            assert_eq!(Drift::of(all.clone()), comes_to, "{all:?}");
        }
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let report = report(&[Drift::None, Drift::Unknown]);
        let text = serde_json::to_string(&report).expect("JSON");
        assert_eq!(Report::read(&text).expect("a report"), report);
        let schema = jsonschema::options().build(&schema()).expect("a schema");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert!(schema.is_valid(&value), "{text}");
        assert!(!schema.is_valid(&serde_json::json!({"schema": 1})));
    }

    #[test]
    fn a_report_that_says_otherwise_than_its_roots_is_not_believed() {
        let mut claims = report(&[Drift::Drifted]);
        claims.outcome = Drift::None;
        let text = serde_json::to_string(&claims).expect("JSON");
        assert!(matches!(Report::read(&text), Err(InvalidReport::Outcome { .. })));
        let mut empty = report(&[]);
        empty.outcome = Drift::None;
        let text = serde_json::to_string(&empty).expect("JSON");
        assert!(matches!(Report::read(&text), Err(InvalidReport::Roots(0))));
        for text in ["", "{}", "[]", "{\"kind\":\"lockgate.drift\"}"] {
            assert!(matches!(Report::read(text), Err(InvalidReport::Form(_))), "{text}");
        }
        let mut later = report(&[Drift::None]);
        later.schema = 2;
        let text = serde_json::to_string(&later).expect("JSON");
        assert!(matches!(Report::read(&text), Err(InvalidReport::Kind { schema: 2, .. })));
    }
}
