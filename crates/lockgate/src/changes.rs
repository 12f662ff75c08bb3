//! Shows what differs between two configurations.

use lockgate_model::config::{self, Change, Config};
use serde_json::Value;

use crate::client::{self, Client};
use crate::error::{CliError, CliResult, Exit};

/// Longest value printed whole.
const VALUE_CHARS_MAX: usize = 100;

/// What the file would change on the server, and whether the server runs any configuration.
pub(crate) async fn against_server(client: &Client, new: &Config) -> CliResult<Vec<Change>> {
    let running: Value = client.get(&["config"]).await?;
    let Some(text) = running.get("text").and_then(Value::as_str) else {
        return Err(CliError::text(
            Exit::Failed,
            "the server's answer holds no configuration text",
        ));
    };
    let old = config::read("the running configuration", text).map_err(|diagnostics| {
        CliError::new(Exit::Failed, diagnostics)
            .context("cannot read the running configuration".into())
            .hint("the server and this command may be of different versions")
    })?;
    Ok(config::diff(&old, new))
}

/// One line a change.
pub(crate) fn lines(changes: &[Change]) -> String {
    let lines: Vec<String> = changes.iter().map(line).collect();
    lines.join("\n")
}

fn line(change: &Change) -> String {
    match (&change.from, &change.to) {
        (None, Some(to)) => format!("+ {}: {}", change.path, short(to)),
        (Some(from), None) => format!("- {}: {}", change.path, short(from)),
        (Some(from), Some(to)) => format!("~ {}: {} → {}", change.path, short(from), short(to)),
        (None, None) => format!("  {}", change.path),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= VALUE_CHARS_MAX {
        return text;
    }
    text.chars().take(VALUE_CHARS_MAX - 1).chain(['…']).collect()
}

/// Reads changes out of the server's answer.
pub(crate) fn from_answer(answer: &Value) -> CliResult<Vec<Change>> {
    #[derive(serde::Deserialize)]
    struct Row {
        path: String,
        from: Option<Value>,
        to: Option<Value>,
    }
    let Some(listed) = answer.get("diff") else {
        return Ok(Vec::new());
    };
    let rows: Vec<Row> = client::typed(listed)?;
    Ok(rows.into_iter().map(|Row { path, from, to }| Change { path, from, to }).collect())
}
