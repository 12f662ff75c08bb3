//! What a file changes, or would change, as the server tells it.

use lockgate_model::config::{self, Change, Config, Source, Told};
use serde_json::Value;

use crate::client::{self, Client};
use crate::config_file::Read;
use crate::error::CliResult;
use crate::output;

/// What fits on one line; longer values get lines of their own.
const LINE_CHARS: usize = 100;

/// The server's answer to a file, which it takes unless this is a dry run.
#[derive(Debug)]
pub(crate) struct Answer {
    /// As it came.
    pub(crate) body: Value,
    /// What differs, in full.
    pub(crate) changes: Vec<Change>,
    /// The same in the words of the file, for people.
    pub(crate) told: Vec<Change>,
}

impl Answer {
    /// Sends a file; without a reason it is only tried. Says where less is looked at than before,
    /// and what waits for a restart.
    pub(crate) async fn to(client: &Client, file: &Read, reason: Option<&str>) -> CliResult<Self> {
        #[derive(serde::Deserialize)]
        struct Row {
            path: String,
            from: Option<Value>,
            to: Option<Value>,
        }
        let before = active(client).await;
        let mut url = client.url(&["config"])?;
        match reason {
            Some(reason) => url.query_pairs_mut().append_pair("reason", reason),
            None => url.query_pairs_mut().append_pair("dry_run", "true"),
        };
        let body = client.put_source(url, &file.source).await?;
        let listed = |key: &str| body.get(key).cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        let rows: Vec<Row> = client::typed(&listed("diff"))?;
        let weaker: Vec<String> = client::typed(&listed("weaker"))?;
        for loss in &weaker {
            output::note(format!("warning: {loss}"));
        }
        let later: Vec<String> = client::typed(&listed("at_next_start"))?;
        if !later.is_empty() {
            output::note(format!("takes effect at the next start: {}", later.join(", ")));
        }
        let changes = rows.into_iter().map(|Row { path, from, to }| Change { path, from, to });
        let changes: Vec<Change> = changes.collect();
        let told = match &before {
            Some((source, config)) => {
                let before = Told { config, text: &source.text };
                let now = Told { config: &file.config, text: &file.source.text };
                config::diff_in_words(before, now)
            }
            None => changes.clone(),
        };
        Ok(Self { body, changes, told })
    }
}

/// What runs, if this program can read it: only words depend on it.
async fn active(client: &Client) -> Option<(Source, Config)> {
    let body = client.get(&["config"]).await.ok()?;
    let of = |key: &str| body.get(key).cloned().unwrap_or_default();
    let source =
        Source { text: client::typed(&of("text")).ok()?, files: client::typed(&of("files")).ok()? };
    let config = config::read_with("what runs", &source).ok()?;
    Some((source, config))
}

/// Changes as people read them: a line each, and more only for what is new and long.
pub(crate) fn lines(changes: &[Change]) -> String {
    let lines: Vec<String> = changes.iter().map(line).collect();
    lines.join("\n")
}

fn line(change: &Change) -> String {
    let path = &change.path;
    match (&change.from, &change.to) {
        (None, Some(to)) => format!("+ {path}:{}", block(to, 4, path.chars().count() + 3)),
        // What is gone was read before; its name is enough.
        (Some(Value::Object(_) | Value::Array(_)), None) => format!("- {path}"),
        (Some(from), None) => format!("- {path}: {}", flow(from)),
        (Some(from), Some(to)) => format!("~ {path}: {} → {}", flow(from), flow(to)),
        (None, None) => format!("  {path}"),
    }
}

/// A value after a colon: on the same line if it fits behind what is there, else below it.
fn block(value: &Value, indent: usize, used: usize) -> String {
    let short = flow(value);
    if used + 1 + short.chars().count() <= LINE_CHARS {
        return format!(" {short}");
    }
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) => {
            let lines = map.iter().map(|(key, part)| {
                let used = indent + key.chars().count() + 1;
                format!("\n{pad}{key}:{}", block(part, indent + 2, used))
            });
            lines.collect::<Vec<_>>().concat()
        }
        Value::Array(items) => {
            let lines =
                items.iter().map(|item| format!("\n{pad}-{}", block(item, indent + 2, indent + 1)));
            lines.collect::<Vec<_>>().concat()
        }
        _ => format!(" {short}"),
    }
}

/// A value on one line, as YAML.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let parts: Vec<String> =
                map.iter().map(|(key, part)| format!("{key}: {}", flow(part))).collect();
            format!("{{{}}}", parts.join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a text means itself without quotes.
fn is_plain(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    let inside = |c: char| c.is_ascii_alphanumeric() || "/._:%-".contains(c);
    let is_other = text.parse::<f64>().is_ok() || matches!(text, "true" | "false" | "null");
    starts && text.chars().all(inside) && !text.ends_with(':') && !is_other
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn added(value: Value) -> String {
        line(&Change { path: "plans.p".into(), from: None, to: Some(value) })
    }

    #[test]
    fn what_fits_stays_on_its_line_and_what_does_not_gets_lines() {
        assert_eq!(added(json!({"name": "p", "tick": "1s"})), "+ plans.p: {name: p, tick: 1s}");
        let stages: Vec<Value> = (1..=4)
            .map(|n| json!({"weight": n, "duration": "1h", "extension_max": "30m"}))
            .collect();
        let text = added(json!({"name": "p", "stages": stages, "gates": {"nps": "> 50"}}));
        assert_eq!(
            text,
            "+ plans.p:\n    name: p\n    stages:\n      - {weight: 1, duration: 1h, extension_max: 30m}\n      - {weight: 2, duration: 1h, extension_max: 30m}\n      - {weight: 3, duration: 1h, extension_max: 30m}\n      - {weight: 4, duration: 1h, extension_max: 30m}\n    gates: {nps: \"> 50\"}"
        );
    }

    #[test]
    fn a_text_that_would_mean_something_else_is_quoted() {
        for plain in ["v2", "http://127.0.0.1:1/a", "10%", "1h30m"] {
            assert_eq!(flow(&json!(plain)), plain);
        }
        for quoted in ["1.10", "true", "null", "< 5%", "a: b", "", "a:", "-", "\u{1b}[31m", "a, b"]
        {
            assert_eq!(flow(&json!(quoted)), json!(quoted).to_string());
        }
    }

    #[test]
    fn what_is_gone_is_named() {
        let gone = Change { path: "plans.p".into(), from: Some(json!({"name": "p"})), to: None };
        assert_eq!(line(&gone), "- plans.p");
    }
}
