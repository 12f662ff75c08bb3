//! `lockgate rollout history` and `lockgate rollout explain`

use lockgate_rollout::explain::Transition;
use serde::Deserialize;
use serde_json::Value;

use crate::client::{self, Client};
use crate::command::rollout::Which;
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};

/// One transition as the server lists it.
#[derive(Debug, Deserialize)]
pub(crate) struct Record {
    pub(crate) transition: Transition,
    #[serde(default)]
    effects: Vec<Value>,
}

impl Record {
    /// The sentence of the cause that decided.
    pub(crate) fn why(&self) -> &str {
        self.transition.causes.first().map_or(output::UNKNOWN, |cause| cause.text.as_str())
    }

    fn cells(&self) -> Vec<String> {
        let Transition { at_wall_ms, from, to, stage, weight_bp, dwell_ms, .. } = &self.transition;
        vec![
            output::time(*at_wall_ms),
            format!("{from} → {to}"),
            stage.to_string(),
            output::weight(*weight_bp),
            output::duration(*dwell_ms),
            self.why().to_owned(),
        ]
    }

    fn paragraph(&self) -> String {
        let Transition { at_wall_ms, from, to, causes, would_change, .. } = &self.transition;
        let mut lines = vec![format!("{}  {from} → {to}", output::time(*at_wall_ms))];
        lines.extend(
            causes.iter().map(|cause| format!("  because  {} ({})", cause.text, cause.rule)),
        );
        lines.extend(
            self.effects.iter().map(|effect| format!("  effect   {}", effect_line(effect))),
        );
        if !would_change.is_empty() {
            lines.push(format!("  else     {would_change}"));
        }
        lines.join("\n")
    }
}

/// An effect's name and what became of it.
fn effect_line(effect: &Value) -> String {
    let inner = effect.get("effect").unwrap_or(effect);
    let name = inner.get("effect").or(Some(inner)).and_then(Value::as_str).unwrap_or("effect");
    let state = effect.get("state").map_or_else(String::new, |state| match state {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    format!("{name} {state}").trim_end().to_owned()
}

pub(super) async fn history(which: &Which, format: Format) -> CliResult {
    let client = Client::new(&which.server)?;
    let id = which.resolve(&client).await?;
    let answer = client.get(&["rollouts", &id, "history"]).await?;
    if format == Format::Json {
        output::print_json(&answer)?;
        return Ok(Exit::Done);
    }
    let records: Vec<Record> = client::typed(&answer)?;
    let cells: Vec<_> = records.iter().map(Record::cells).collect();
    let head = ["AT", "STEP", "STAGE", "WEIGHT", "DWELL", "WHY"];
    output::print(&output::table(&head, &cells))?;
    Ok(Exit::Done)
}

pub(super) async fn explain(which: &Which, format: Format) -> CliResult {
    let client = Client::new(&which.server)?;
    let id = which.resolve(&client).await?;
    if format == Format::Json {
        output::print_json(&client.get(&["rollouts", &id, "explain"]).await?)?;
        return Ok(Exit::Done);
    }
    let view = client.get(&["rollouts", &id]).await?;
    let why = view.get("why").and_then(Value::as_str).unwrap_or(output::UNKNOWN);
    let records: Vec<Record> = client::typed(&client.get(&["rollouts", &id, "history"]).await?)?;
    let mut paragraphs: Vec<String> = records.iter().map(Record::paragraph).collect();
    paragraphs.push(format!("now\n  {why}"));
    output::print(&paragraphs.join("\n\n"))?;
    Ok(Exit::Done)
}
