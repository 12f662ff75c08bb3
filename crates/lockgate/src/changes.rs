//! What a file changes, or would change, as the server tells it.

use std::io::IsTerminal;

use lockgate_model::config::{Change, Source};
use serde_json::Value;

use crate::client::{self, Client};
use crate::error::CliResult;
use crate::output;

/// Longest value shown whole on a terminal. Elsewhere nothing is cut.
const VALUE_CHARS_MAX: usize = 100;

/// The server's answer to a file, which it takes unless this is a dry run.
#[derive(Debug)]
pub(crate) struct Answer {
    /// As it came.
    pub(crate) body: Value,
    /// What differs.
    pub(crate) changes: Vec<Change>,
}

impl Answer {
    /// Sends a file; without a reason it is only tried. Says where less is looked at than before.
    pub(crate) async fn to(
        client: &Client,
        source: &Source,
        reason: Option<&str>,
    ) -> CliResult<Self> {
        #[derive(serde::Deserialize)]
        struct Row {
            path: String,
            from: Option<Value>,
            to: Option<Value>,
        }
        let mut url = client.url(&["config"])?;
        match reason {
            Some(reason) => url.query_pairs_mut().append_pair("reason", reason),
            None => url.query_pairs_mut().append_pair("dry_run", "true"),
        };
        let body = client.put_source(url, source).await?;
        let listed = |key: &str| body.get(key).cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        let rows: Vec<Row> = client::typed(&listed("diff"))?;
        let weaker: Vec<String> = client::typed(&listed("weaker"))?;
        for loss in &weaker {
            output::note(format!("warning: {loss}"));
        }
        let changes = rows.into_iter().map(|Row { path, from, to }| Change { path, from, to });
        Ok(Self { changes: changes.collect(), body })
    }
}

/// One line a change, for this stream.
pub(crate) fn lines(changes: &[Change], stream: &impl IsTerminal) -> String {
    let chars_max = if stream.is_terminal() { VALUE_CHARS_MAX } else { usize::MAX };
    let lines: Vec<String> = changes.iter().map(|change| line(change, chars_max)).collect();
    lines.join("\n")
}

fn line(change: &Change, chars_max: usize) -> String {
    let short = |value: &Value| {
        let text = value.to_string();
        if text.chars().count() <= chars_max {
            return text;
        }
        text.chars().take(chars_max - 1).chain(['…']).collect()
    };
    match (&change.from, &change.to) {
        (None, Some(to)) => format!("+ {}: {}", change.path, short(to)),
        (Some(from), None) => format!("- {}: {}", change.path, short(from)),
        (Some(from), Some(to)) => format!("~ {}: {} → {}", change.path, short(from), short(to)),
        (None, None) => format!("  {}", change.path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_people_get_long_values_cut() {
        let value = Value::String("x".repeat(200));
        let change = Change { path: "a".into(), from: None, to: Some(value) };
        assert_eq!(line(&change, VALUE_CHARS_MAX).chars().count(), "+ a: ".len() + VALUE_CHARS_MAX);
        assert!(line(&change, usize::MAX).ends_with("xx\""));
    }
}
