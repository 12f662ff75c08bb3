//! Whether an agent can be released by a plan.

use std::fmt;

use crate::agent::Agent;
use crate::ids::VersionName;
use crate::measure::{Better, Measure};
use crate::plan::{Absent, Bound, Environment, Metric, Plan};

/// Something that a plan asks for and an agent does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// A gate's signal has no source, and the gate is not waived.
    NoSource {
        /// Index of the stage.
        stage: usize,
        /// The gate.
        metric: Metric,
    },
    /// A stage asks for health, and the agent's checks are switched off.
    NoHealthChecks {
        /// Index of the stage.
        stage: usize,
    },
    /// A test stage asks for health, and a version that may become a candidate has no endpoint
    /// there.
    NoTestEndpoint {
        /// Index of the stage.
        stage: usize,
        /// The version.
        version: VersionName,
    },
    /// A bound on a measure that nothing or everything keeps, or on its wrong side.
    SenselessBound {
        /// Index of the stage whose gate it is; `None` for a trigger.
        stage: Option<usize>,
        /// The measure.
        metric: Metric,
        /// What is wrong with it.
        why: String,
    },
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSource { stage, metric } => {
                write!(f, "gate `{metric}` of stage {stage} has no source of its signal")
            }
            Self::NoHealthChecks { stage } => {
                write!(f, "stage {stage} asks for health, and health checks are off")
            }
            Self::NoTestEndpoint { stage, version } => {
                write!(f, "stage {stage} looks at the test endpoint, and `{version}` has none")
            }
            Self::SenselessBound { stage: Some(stage), metric, why } => {
                write!(f, "gate `{metric}` of stage {stage}: {why}")
            }
            Self::SenselessBound { stage: None, metric, why } => {
                write!(f, "trigger `{metric}`: {why}")
            }
        }
    }
}

/// Everything that `plan` asks for and `agent` does not have. A file that was read has none
/// between an agent and its own plan; check again before a release follows another one. The
/// first version is no candidate, as it becomes stable at once.
pub fn misfits(agent: &Agent, plan: &Plan) -> Vec<Misfit> {
    let mut found = Vec::new();
    let sources = agent.sources();
    let senseless = |stage, metric, bound, is_gate| {
        let Metric::Measure(name) = metric else { return None };
        let why = senseless(agent.measure(name)?, bound, is_gate)?;
        Some(Misfit::SenselessBound { stage, metric, why })
    };
    let triggers = plan.triggers.iter();
    found.extend(triggers.filter_map(|one| senseless(None, one.metric, one.bound, false)));
    for (index, stage) in plan.stages.iter().enumerate() {
        for gate in &stage.gates {
            let lacking = gate.metric.lacks(&sources).is_some();
            if lacking && gate.absent == Absent::Refuse {
                found.push(Misfit::NoSource { stage: index, metric: gate.metric });
            }
            found.extend(senseless(Some(index), gate.metric, gate.bound, true));
        }
        if !stage.gates.iter().any(|gate| gate.metric == Metric::Health) {
            continue;
        }
        if agent.health.is_none() {
            found.push(Misfit::NoHealthChecks { stage: index });
        }
        if stage.environment == Environment::Test {
            let without = agent.versions.iter().skip(1).filter(|v| v.test_endpoint.is_none());
            found.extend(without.map(|version| Misfit::NoTestEndpoint {
                stage: index,
                version: version.name.clone(),
            }));
        }
    }
    found
}

/// What is wrong with a bound on a measure, if anything.
fn senseless(measure: &Measure, bound: Bound, is_gate: bool) -> Option<String> {
    let Measure { name, better, from, to } = measure;
    let names_high_values = matches!(bound, Bound::Above(_) | Bound::AboveBaselineBy(_));
    if names_high_values != (is_gate == (*better == Better::Higher)) {
        let (high, side) = match better {
            Better::Higher => ("higher", if is_gate { ">" } else { "<" }),
            Better::Lower => ("lower", if is_gate { "<" } else { ">" }),
        };
        return Some(format!("{high} values of `{name}` are the good ones: write `{side}`"));
    }
    match bound {
        Bound::Below(value) | Bound::Above(value) | Bound::Equal(value) => {
            let inside = value > *from && value < *to;
            (!inside).then(|| format!("`{name}` lies between {from} and {to}: so must its bound"))
        }
        Bound::AboveBaselineBy(_) | Bound::BelowBaselineBy(_) => (*from < 0.0)
            .then(|| format!("`{name}` can be negative, and percents of it would mean nothing")),
    }
}
