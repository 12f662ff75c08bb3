//! `lockgate rollout history` and `lockgate rollout explain`

use lockgate_api::shapes::{ExplainedEffect, ExplainedStep, Explanation};
use lockgate_rollout::explain::{Cause, Verdict};
use lockgate_store::TransitionRecord;

use crate::client::{self, Client};
use crate::command::rollout::Which;
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};

/// The sentence of the cause that decided.
pub(crate) fn why(record: &TransitionRecord) -> &str {
    record.transition.causes.first().map_or(output::UNKNOWN, |cause| cause.text.as_str())
}

pub(super) async fn history(which: &Which, format: Format) -> CliResult {
    let client = Client::new(&which.server)?;
    let id = which.resolve(&client).await?;
    let answer = client.get(&["rollouts", &id, "history"]).await?;
    if format == Format::Json {
        output::print_json(&answer)?;
        return Ok(Exit::Done);
    }
    let records: Vec<TransitionRecord> = client::typed(&answer)?;
    let cells: Vec<_> = records.iter().map(cells).collect();
    let head = ["AT", "STEP", "STAGE", "WEIGHT", "DWELL", "WHY"];
    output::print(&output::table(&head, &cells))?;
    Ok(Exit::Done)
}

pub(super) async fn explain(which: &Which, format: Format) -> CliResult {
    let client = Client::new(&which.server)?;
    let id = which.resolve(&client).await?;
    let answer = client.get(&["rollouts", &id, "explain"]).await?;
    if format == Format::Json {
        output::print_json(&answer)?;
        return Ok(Exit::Done);
    }
    let told: Explanation = client::typed(&answer)?;
    let mut paragraphs: Vec<String> = told.transitions.iter().map(paragraph).collect();
    let mut now = format!("now  {}\n  because  {}", told.now.phase, told.now.why);
    for warning in &told.now.warnings {
        now.push_str("\n  warning  ");
        now.push_str(warning);
    }
    for seen in &told.now.tested {
        now.push_str("\n  test     ");
        now.push_str(seen);
    }
    for gate in told.now.gates.iter().filter(|gate| gate.verdict != Some(Verdict::Pass)) {
        now.push_str("\n  gate     ");
        now.push_str(&because(gate));
    }
    if !told.now.would_change.is_empty() {
        now.push_str("\n  next     ");
        now.push_str(&told.now.would_change);
    }
    paragraphs.push(now);
    output::print(&paragraphs.join("\n\n"))?;
    Ok(Exit::Done)
}

fn cells(record: &TransitionRecord) -> Vec<String> {
    let step = &record.transition;
    vec![
        output::time(step.at_wall_ms),
        format!("{} → {}", step.from, step.to),
        (step.stage + 1).to_string(),
        output::weight(step.weight_bp),
        output::duration(step.dwell_ms),
        why(record).to_owned(),
    ]
}

fn paragraph(step: &ExplainedStep) -> String {
    let mut lines = vec![format!("{}  {} → {}", output::time(step.at), step.from, step.to)];
    lines.extend(step.cause.iter().map(|cause| format!("  because  {}", because(cause))));
    lines.extend(step.also.iter().map(|cause| format!("  also     {}", because(cause))));
    lines.extend(step.effects.iter().map(|effect| format!("  effect   {}", effect_line(effect))));
    if !step.would_change.is_empty() {
        lines.push(format!("  next     {}", step.would_change));
    }
    lines.join("\n")
}

fn because(cause: &Cause) -> String {
    format!("{} ({})", cause.told(), cause.rule)
}

fn effect_line(effect: &ExplainedEffect) -> String {
    let note = effect.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
    format!("#{} {} {}{note}", effect.id, effect.effect, effect.state)
}
