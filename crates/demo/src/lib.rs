//! The demo: a small agent that does real work, users who replay a real trace, and six releases.
//!
//! It uses Lockgate as anyone would: a configuration file, the ingress address, the REST API. It
//! knows nothing of the other rooms' insides.

mod agent;
mod answer;
mod api;
mod args;
mod chat;
mod children;
mod config_file;
mod documents;
mod error;
mod live;
mod model;
mod questions;
mod report;
mod run;
mod server;
mod stage;
mod text;
mod toolbox;
mod tools;
mod trace;
mod users;
mod versions;

pub use agent::agent;
pub use args::{AgentArgs, AnswerQuality, DemoArgs, ToolsArgs};
pub use error::DemoError;
pub use report::{DemoReport, RolledBack};
pub use run::run;
pub use tools::tools;
