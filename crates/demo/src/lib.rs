//! The demo: a small agent that does real work, users who replay a real trace, and six releases.
//!
//! It uses Lockgate as anyone would: a configuration file, the ingress address, the REST API. It
//! knows nothing of the other rooms' insides. Its parts are public for tests that put on plays of
//! their own, such as `tests/it/live.rs`.

mod agent;
mod answer;
mod api;
mod args;
mod chat;
mod children;
mod config_file;
mod documents;
mod error;
mod facts;
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
pub use api::{Api, Step};
pub use args::{AgentArgs, AnswerQuality, DemoArgs, ToolsArgs};
pub use children::Process;
pub use error::DemoError;
pub use report::{DemoReport, RolledBack};
pub use run::run;
pub use stage::{Cast, Player, Running};
pub use tools::tools;
pub use trace::Trace;
pub use users::Users;
pub use versions::{FIRST, RELEASED, VersionSpec};
