//! How GitHub runs the script of a step.

use super::super::Script;
use super::Reader;
use super::expression::interpolate;
use super::job::Around;
use super::scope::Scope;
use crate::shell::program::{Read, from_windows, of_windows, read};
use crate::shell::{Blocking, Options, UNKNOWN};
use crate::tree::join;
use crate::yaml::Node;

impl Reader<'_> {
    /// The script of a step, and what its shell makes of failures; `None` for what is no shell.
    pub(super) fn script(
        &self,
        node: &Node,
        run: &Node,
        scope: &Scope,
        around: &Around<'_>,
    ) -> Option<(Script, Blocking)> {
        let setting = |key: &str| {
            let own = node.get(key);
            own.or_else(|| around.defaults.iter().flatten().find_map(|defaults| defaults.get(key)))
                .and_then(Node::text)
                .map(|text| interpolate(in_checkout(text), scope, UNKNOWN))
        };
        let text = interpolate(run.text()?, scope, UNKNOWN);
        let (text, options, blocking) = shell(setting("shell").as_deref(), scope.os, text)?;
        let dir = setting("working-directory").map_or(Some(String::new()), |dir| {
            let is_elsewhere = dir.contains(UNKNOWN) || dir.starts_with(['/', '~']);
            if is_elsewhere { None } else { join("", &dir) }
        });
        let source = self.tree.text(around.file).unwrap_or_default();
        let vars = scope
            .env
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.text()?)))
            .collect();
        let line = run.lines_start(source);
        let script = Script { text, line, literal: run.is_literal(), options, vars, dir };
        Some((script, blocking))
    }
}

/// A directory as it is seen from the checkout, which is the workspace of a job.
fn in_checkout(text: &str) -> &str {
    let inner = text.trim().strip_prefix("${{").and_then(|rest| rest.split_once("}}"));
    match inner {
        Some((name, rest)) if name.trim() == "github.workspace" => {
            if rest.is_empty() {
                "."
            } else {
                rest.trim_start_matches('/')
            }
        }
        _ => text,
    }
}

/// The script as its shell reads it, with what becomes of failures in it.
fn shell(
    told: Option<&str>,
    os: Option<&str>,
    text: String,
) -> Option<(String, Options, Blocking)> {
    let told = match told {
        None if os == Some("Windows") => "pwsh",
        // Without a word about it, `bash -e`; with one, `bash -eo pipefail`.
        None | Some("sh") => "sh -e",
        Some("bash") => "bash -eo pipefail",
        Some(told) => told,
    };
    let first = told.split_whitespace().next().unwrap_or_default();
    if matches!(first, "pwsh" | "powershell" | "cmd") {
        let (options, blocking) = of_windows(&text);
        return Some((from_windows(&text), options, blocking));
    }
    match read(told) {
        Read::As(options) => Some((text, options, Blocking::Yes)),
        Read::Not => None,
        Read::Unsure(why) => {
            let options = Options { errexit: true, pipefail: false };
            Some((text, options, Blocking::Unsure(why)))
        }
    }
}
