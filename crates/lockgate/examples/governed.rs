//! The server as it is, with a policy of a few lines in place of none: what tests need to see calls being made, until
//! policies can be configured. `governed serve …` takes what `lockgate serve …` takes.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use lockgate_model::decision::{ActionRequest, Decided, Decisions, Effect};
use lockgate_model::ids::{AgentName, ToolName, VersionName};
use lockgate_model::version::Digest;
use serde_json::{Value, json};

#[path = "../src/config_file.rs"]
mod config_file;
#[path = "../src/error.rs"]
#[expect(dead_code, reason = "the command line of the binary uses the rest")]
mod error;
#[path = "../src/output.rs"]
#[expect(dead_code, unused_imports, reason = "the command line of the binary uses the rest")]
mod output;
#[path = "../src/policy_files.rs"]
mod policy_files;
#[path = "../src/serve/mod.rs"]
#[expect(dead_code, reason = "the command line of the binary uses the rest")]
mod serve;
#[path = "../src/command/serve.rs"]
#[expect(dead_code, reason = "the command line of the binary uses the rest")]
mod serve_command;
#[path = "../src/text_file.rs"]
mod text_file;

#[derive(Debug, Parser)]
enum Governed {
    /// Runs the server until it is told to stop
    Serve(serve_command::Serve),
}

fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Governed::Serve(serve) = Governed::parse();
    match serve.run_with(Arc::new(Table), None) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::note(&error);
            error.kind.into()
        }
    }
}

/// `get-env` does not exist, sums above a thousand are refused, and the rest is allowed.
struct Table;

impl Decisions for Table {
    fn decide(&self, request: &ActionRequest<'_>) -> Decided {
        let is_large = |name: &str| request.arguments[name].as_i64().is_some_and(|n| n > 1_000);
        let refused = request.action == "get-sum" && (is_large("a") || is_large("b"));
        let (effect, reason) = if refused {
            (Effect::Deny, "sums are limited to a thousand")
        } else {
            (Effect::Allow, "nothing speaks against it")
        };
        Decided {
            effect,
            rules: vec!["table".into()],
            reason: reason.into(),
            message: refused.then(|| "Smaller ones are allowed.".into()),
            risk: None,
            asks: Vec::new(),
            labels: Vec::new(),
            limits: Vec::new(),
            security_event: false,
            giver: None,
            facts: if refused { json!({ "large": true }) } else { Value::Null },
            policy: Digest::of(b"table"),
        }
    }

    fn permits(&self, _: &AgentName, _: &VersionName, _: &ToolName, action: &str) -> bool {
        action != "get-env"
    }
}
