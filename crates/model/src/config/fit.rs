//! Whether an agent can be released by a plan.

use std::fmt;

use crate::agent::Agent;
use crate::ids::VersionName;
use crate::plan::{Absent, Environment, Metric, Plan};

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
        }
    }
}

/// Everything that `plan` asks for and `agent` does not have. A file that was read has none
/// between an agent and its own plan; check again before a release follows another one. The
/// first version is no candidate, as it becomes stable at once.
pub fn misfits(agent: &Agent, plan: &Plan) -> Vec<Misfit> {
    let mut found = Vec::new();
    let sources = agent.sources();
    for (index, stage) in plan.stages.iter().enumerate() {
        for gate in &stage.gates {
            let has = gate.metric.source().is_none_or(|source| sources.contains(&source));
            if !has && gate.absent == Absent::Refuse {
                found.push(Misfit::NoSource { stage: index, metric: gate.metric });
            }
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
