//! Files to start from, one per scenario.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The shape of an agent system.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// One deployable unit.
    #[default]
    Monolith,
    /// Several agent services.
    Microservices,
    /// Stateless functions.
    Serverless,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Monolith, Self::Microservices, Self::Serverless];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Monolith => "monolith",
            Self::Microservices => "microservices",
            Self::Serverless => "serverless",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a scenario: use `monolith`, `microservices` or `serverless`")]
pub struct UnknownScenario {
    /// What was given.
    pub given: String,
}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(text: &str) -> Result<Self, UnknownScenario> {
        Self::ALL
            .into_iter()
            .find(|scenario| scenario.as_str() == text)
            .ok_or_else(|| UnknownScenario { given: text.to_owned() })
    }
}

/// A commented file that is valid as it is.
pub fn template(scenario: Scenario) -> String {
    match scenario {
        Scenario::Monolith => include_str!("template/monolith.yaml"),
        Scenario::Microservices => include_str!("template/microservices.yaml"),
        Scenario::Serverless => include_str!("template/serverless.yaml"),
    }
    .to_owned()
}
