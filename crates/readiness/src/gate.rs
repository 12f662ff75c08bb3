//! What each way to run agents asks of the six dimensions.

use serde::Serialize;

use crate::assess::{Assessment, Standing};
use crate::catalog::Dimension;
use crate::finding::{Check, Outcome};

/// A way to run agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// One deployable unit.
    Monolith,
    /// Several services of agents.
    Microservices,
    /// Functions without state.
    Serverless,
}

impl Scenario {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Monolith, Self::Microservices, Self::Serverless];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Monolith => "monolith",
            Self::Microservices => "microservices",
            Self::Serverless => "serverless",
        }
    }

    /// The level that it asks for, and of how many dimensions.
    pub(crate) fn asks(self) -> (u8, usize) {
        match self {
            Self::Monolith => (2, 4),
            Self::Microservices => (3, 6),
            Self::Serverless => (2, 6),
        }
    }
}

/// Whether a scenario may go ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// Everything that it asks for is shown.
    pub pass: bool,
    /// What is not shown, and whether it is missing or unknown. Of dimensions of which not all are needed, what is short.
    pub missing: Vec<String>,
    /// Everything is shown, or attested where no file shows it.
    pub pass_with_attestations: bool,
    /// The level that dimensions need.
    pub level: u8,
    /// Dimensions below that level that this scenario cannot do without.
    pub short: Vec<Short>,
    /// How many more of `others` are needed beside those.
    pub more: usize,
    /// Dimensions below that level of which that many are needed.
    pub others: Vec<Short>,
    /// Checks that are asked beside the levels, always, and are not shown.
    pub always: Vec<&'static str>,
}

/// A dimension that is below the level that a scenario asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Short {
    /// The dimension.
    pub dimension: Dimension,
    /// The level that is shown; none when it is unknown or not applicable.
    pub level: Option<u8>,
}

impl Short {
    fn told(self) -> String {
        let level = self.level.map_or("unknown".to_owned(), |level| format!("L{level}"));
        format!("{} ({level})", self.dimension.name())
    }
}

impl Gate {
    /// What it needs, in a few lines: which dimensions are short, how many more are needed, and which checks are asked
    /// always.
    pub fn lines(&self) -> Vec<String> {
        let told =
            |list: &[Short]| list.iter().copied().map(Short::told).collect::<Vec<_>>().join(", ");
        let mut parts = Vec::new();
        if !self.short.is_empty() {
            parts.push(told(&self.short));
        }
        if self.more > 0 {
            parts.push(format!("{} of {}", self.more, told(&self.others)));
        }
        let mut lines = Vec::new();
        if !parts.is_empty() {
            lines.push(format!("needed at L{}: {}", self.level, parts.join(", and ")));
        }
        if !self.always.is_empty() {
            lines.push(format!("asked always: {}", self.always.join(", ")));
        }
        lines
    }
}

/// Asked for beside the levels, always: coverage; monitoring, alerts and health checks.
const ALWAYS: [&str; 4] = [
    "tests.coverage_over_80",
    "observability.metrics",
    "observability.alerts",
    "observability.health_checks",
];

/// How a scenario comes out.
pub(crate) fn gate(scenario: Scenario, assessment: &Assessment) -> Gate {
    let lacks = Lacks::of(scenario, assessment, Counted::Shown);
    let level = scenario.asks().0;
    let short = |dimension: &Dimension| Short {
        dimension: *dimension,
        level: assessment.standing(*dimension).level,
    };
    let missing = lacks.missing(scenario, assessment);
    let attested = Lacks::of(scenario, assessment, Counted::Attested);
    Gate {
        pass: lacks.is_nothing(),
        missing,
        pass_with_attestations: attested.is_nothing(),
        level,
        short: lacks.short.iter().map(short).collect(),
        more: lacks.more,
        others: if lacks.more > 0 { lacks.others.iter().map(short).collect() } else { Vec::new() },
        always: lacks.always.iter().map(|check| check.id).collect(),
    }
}

/// Whether a scenario could go ahead if all that is unknown were so.
pub(crate) fn could_pass(scenario: Scenario, assessment: &Assessment) -> bool {
    Lacks::of(scenario, assessment, Counted::Hoped).is_nothing()
}

/// The checks that a scenario stands on and that people say are so.
pub(crate) fn attested(scenario: Scenario, assessment: &Assessment) -> Vec<&Check> {
    let (level, _) = scenario.asks();
    let standings = Dimension::ALL.into_iter().map(|dimension| assessment.standing(dimension));
    standings
        .flat_map(|standing| &standing.checks)
        .filter(|check| check.attested.is_some())
        .filter(|check| check.level.is_some_and(|of| of <= level) || ALWAYS.contains(&check.id))
        .collect()
}

/// What counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// What files show.
    Shown,
    /// That, and people's word for what no file shows.
    Attested,
    /// That, and whatever is unknown, as if it were so.
    Hoped,
}

impl Counted {
    fn level(self, standing: &Standing) -> Option<u8> {
        match self {
            Self::Shown => standing.level,
            Self::Attested => standing.level_with_attestations,
            Self::Hoped => standing.level_at_best(),
        }
    }

    fn outcome(self, check: &Check) -> Outcome {
        match self {
            Self::Shown => check.outcome,
            Self::Attested => check.outcome_with_attestation(),
            Self::Hoped => check.outcome_at_best(),
        }
    }
}

/// What a scenario lacks.
struct Lacks<'a> {
    /// Those that it cannot do without.
    short: Vec<Dimension>,
    more: usize,
    others: Vec<Dimension>,
    always: Vec<&'a Check>,
}

impl<'a> Lacks<'a> {
    fn of(scenario: Scenario, assessment: &'a Assessment, counted: Counted) -> Self {
        let (level, count) = scenario.asks();
        let holds = |dimension: &Dimension| {
            counted.level(assessment.standing(*dimension)).is_some_and(|found| found >= level)
        };
        let is_needed = |dimension: &Dimension| {
            count == Dimension::ALL.len()
                || matches!(dimension, Dimension::Tests | Dimension::Observability)
        };
        let (short, others): (Vec<Dimension>, Vec<Dimension>) = Dimension::ALL
            .into_iter()
            .filter(|dimension| !holds(dimension))
            .partition(|dimension| is_needed(dimension));
        // Those that it cannot do without will hold before it passes.
        let will_hold = Dimension::ALL.len() - others.len();
        let always = ALWAYS.iter().filter_map(|id| assessment.check(id));
        let always = always.filter(|check| counted.outcome(check) != Outcome::Pass).collect();
        Self { short, more: count.saturating_sub(will_hold), others, always }
    }

    fn is_nothing(&self) -> bool {
        self.short.is_empty() && self.more == 0 && self.always.is_empty()
    }

    fn missing(&self, scenario: Scenario, assessment: &Assessment) -> Vec<String> {
        let (level, count) = scenario.asks();
        let of = |dimension: &Dimension| said(*dimension, level, assessment.standing(*dimension));
        let mut missing: Vec<String> = self.short.iter().map(of).collect();
        if self.more > 0 {
            let others: Vec<String> = self.others.iter().map(of).collect();
            missing.push(format!(
                "level {level} is needed in {count} of 6 dimensions, so in {} more of these: {}",
                self.more,
                others.join("; ")
            ));
        }
        missing.extend(
            self.always
                .iter()
                .map(|check| format!("{} is {}: {}", check.id, how(check), check.reason)),
        );
        missing
    }
}

/// In which way a check is not shown.
fn how(check: &Check) -> &'static str {
    match check.outcome {
        Outcome::Unknown if check.attested.is_some() => "unknown and only attested",
        Outcome::Unknown => "unknown",
        _ => "missing",
    }
}

fn said(dimension: Dimension, level: u8, standing: &Standing) -> String {
    let name = dimension.name();
    let found = match (standing.level, standing.outcome) {
        (_, Outcome::NotApplicable) => "not applicable, so that it cannot be shown".to_owned(),
        (None, _) => "unknown".to_owned(),
        (Some(found), Outcome::Unknown) => format!("level {found}, and unknown above"),
        (Some(found), _) => format!("level {found}"),
    };
    let open: Vec<String> = standing
        .checks
        .iter()
        .filter(|check| check.level.is_some_and(|of| of <= level) && check.is_open())
        .map(|check| format!("{} {}", check.id, how(check)))
        .collect();
    let open = if open.is_empty() { String::new() } else { format!(" ({})", open.join(", ")) };
    format!("{name} is {found}, level {level} is needed{open}")
}
