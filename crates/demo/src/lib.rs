//! The demo: a small agent that does real work, users who replay a real trace, and six releases.
//!
//! It uses Lockgate as anyone would: a configuration file, the ingress address, the REST API. It
//! knows nothing of the other rooms' insides.

mod answer;
mod args;
mod documents;
mod error;
mod questions;
mod report;
mod text;

pub use args::{AgentArgs, AnswerQuality, DemoArgs, ToolsArgs};
pub use error::DemoError;
pub use report::{DemoReport, RolledBack};

/// temporary
pub async fn run(_args: DemoArgs) -> Result<DemoReport, DemoError> {
    Err(DemoError::Stopped)
}
/// temporary
pub async fn agent(_args: AgentArgs) -> Result<(), DemoError> {
    Err(DemoError::Stopped)
}
/// temporary
pub async fn tools(_args: ToolsArgs) -> Result<(), DemoError> {
    Err(DemoError::Stopped)
}
