//! How ready a repository is to run agents in production: pipelines, levels, and the lines that prove them. From a file
//! tree and given facts to findings.
//!
//! Not here: going and looking (`collectors`), files, processes, network, clocks.

mod act;
pub mod advise;
mod assess;
pub mod attest;
mod badge;
pub mod baseline;
pub mod catalog;
mod code;
mod dimension;
pub mod drift;
pub mod finding;
pub mod fix;
pub mod forge;
mod gate;
pub mod given;
mod hcl;
mod html;
mod lines;
mod manifest;
mod markdown;
mod package;
pub mod path;
mod pipeline;
mod sarif;
mod secret;
mod serverless;
mod shell;
mod template;
mod toml;
pub mod tree;
pub mod tried;
mod yaml;

pub use assess::{Assessment, Facts, JSON_SCHEMA, SCHEMA, Standing, assess};
pub use badge::badge;
pub use dimension::packages::{Package, Part};
pub use gate::{Gate, Scenario, Short};
pub use html::{About, html};
pub use markdown::markdown;
pub use sarif::sarif;
