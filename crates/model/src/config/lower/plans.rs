//! Plans and their stages.

use super::{Unique, duration, duration_within, gates, holds, items, name, some_text, triggers};
use crate::config::field::Field;
use crate::config::file::{HardLimitsFile, OverrideFile, PlanFile, StageFile};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::standard::{self, DAY_MS, DRAIN_MS, HOUR_MS, MINUTE_MS, TICK_MS};
use crate::config::text::{DeadlineText, WeightText};
use crate::config::{STANDARD_PLAN, units};
use crate::ids::PlanName;
use crate::plan::{
    ALPHA_DEFAULT, Environment, Gate, HardLimit, Metric, OnInsufficient, Override, Plan,
    SOURCE_ERRORS_MAX_DEFAULT, STAGES_MIN, Stage, WHOLE_BP,
};

/// A plan, and where its parts are written.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) path: Path,
    /// By stage and gate. Empty for a stage whose gates are built in.
    pub(super) gates: Vec<Vec<Path>>,
}

/// The plans of the file, and the built-in one unless the file has its own.
pub(super) fn plans(
    report: &mut Report<'_>,
    list: &Field<Vec<Field<PlanFile>>>,
    path: &Path,
) -> Vec<Planned> {
    let mut names = Unique::of("plan");
    let mut plans = Vec::new();
    for (path, file) in items(report, list, path) {
        let name_path = path.key("name");
        if let Some(name) = file.name.ok() {
            names.check(report, &name.0, &name_path);
        }
        let name: Option<PlanName> = name(report, &file.name, &name_path);
        let planned = plan(report, file, &path, name.as_ref());
        plans.extend(name.is_some().then_some(planned));
    }
    if !plans.iter().any(|planned| planned.plan.name.as_str() == STANDARD_PLAN) {
        plans.push(plan(report, &PlanFile::default(), &Path::default(), None));
    }
    plans
}

fn plan(report: &mut Report<'_>, file: &PlanFile, path: &Path, name: Option<&PlanName>) -> Planned {
    let standard = || STANDARD_PLAN.parse().expect("a literal that is a name");
    let (stages, gate_paths) = stages(report, file, path);
    let tick_path = path.key("tick");
    let tick_ms = duration_within(report, &file.tick, &tick_path, (10, MINUTE_MS), TICK_MS);
    let drain_ms = duration_within(report, &file.drain, &path.key("drain"), (0, DAY_MS), DRAIN_MS);
    let few_stages = few_stages(report, file, path, stages.len());
    let plan = Plan {
        name: name.cloned().unwrap_or_else(standard),
        triggers: triggers::triggers(report, &file.triggers, &path.key("triggers")),
        hard_limits: hard_limits(report, &file.hard_limits, &path.key("hard_limits")),
        on_insufficient: report.take_or(
            &file.on_insufficient,
            &path.key("on_insufficient"),
            OnInsufficient::default(),
        ),
        alpha: alpha(report, &file.alpha, &path.key("alpha")),
        tick_ms,
        drain_ms,
        progress_deadline_ms: deadline(report, &file.progress_deadline, path, &stages),
        few_stages,
        freeze: holds::freeze(report, &file.freeze, &path.key("freeze")),
        initial_delay_ms: holds::initial_delay(report, file, path),
        source_errors_max: report.take_or(
            &file.source_errors_max,
            &path.key("source_errors_max"),
            SOURCE_ERRORS_MAX_DEFAULT,
        ),
        rollback_window_ms: holds::rollback_window(report, file, path),
        rollback_gate: holds::hook(report, &file.rollback_gate, &path.key("rollback_gate")),
        drift: holds::drift(report, &file.drift, &path.key("drift")),
        path: report.take(&file.path, &path.key("path")).copied(),
        stages,
    };
    Planned { plan, path: path.clone(), gates: gate_paths }
}

fn alpha(report: &mut Report<'_>, field: &Field<f64>, path: &Path) -> f64 {
    let Some(alpha) = report.take(field, path).copied() else { return ALPHA_DEFAULT };
    if (0.0001..=0.2).contains(&alpha) {
        return alpha;
    }
    let message = format!("`alpha` must be between 0.0001 and 0.2, not {alpha}");
    report.error(path, message, "0.01 takes back one good release in a hundred, at most");
    ALPHA_DEFAULT
}

fn hard_limits(
    report: &mut Report<'_>,
    field: &Field<HardLimitsFile>,
    path: &Path,
) -> Vec<HardLimit> {
    let Some(file) = report.take(field, path) else { return Vec::new() };
    let errors = report.take(&file.consecutive_errors, &path.key("consecutive_errors"));
    errors.map(|count| HardLimit::ConsecutiveErrors(*count)).into_iter().collect()
}

fn few_stages(
    report: &mut Report<'_>,
    file: &PlanFile,
    path: &Path,
    count: usize,
) -> Option<Override> {
    let override_path = path.key("override");
    let written = report.take(&file.few_stages, &override_path);
    let lowered = written.and_then(|file| {
        let OverrideFile { by, reason } = file;
        let by = some_text(report, by, &override_path.key("by"));
        let reason = some_text(report, reason, &override_path.key("reason"));
        Some(Override { by: by?, reason: reason? })
    });
    if file.stages.is_missing() || count == 0 {
        return lowered;
    }
    if count < STAGES_MIN {
        match (&lowered, file.few_stages.is_missing()) {
            (Some(Override { by, reason }), _) => report.warning(
                &path.key("stages"),
                format!("only {count} of at least {STAGES_MIN} stages, allowed by {by}: {reason}"),
                "",
            ),
            (None, true) => report.error(
                &path.key("stages"),
                format!("{count} stages are fewer than {STAGES_MIN}: traffic would move in too large steps"),
                "add stages, or say who allows it: `override: { by: NAME, reason: WHY }`",
            ),
            (None, false) => {}
        }
    } else if lowered.is_some() {
        let message = format!("`override` changes nothing: the plan has {count} stages");
        report.warning(&override_path, message, "remove it");
    }
    lowered
}

fn deadline(
    report: &mut Report<'_>,
    field: &Field<DeadlineText>,
    path: &Path,
    stages: &[Stage],
) -> Option<u64> {
    let stages_path = path.key("stages");
    let path = path.key("progress_deadline");
    let shortest_ms: u64 = stages.iter().map(|stage| stage.duration_ms).sum();
    let longest_ms: u64 =
        stages.iter().map(|stage| stage.duration_ms.saturating_add(stage.extension_max_ms)).sum();
    let Some(text) = report.take(field, &path) else {
        return Some(standard::PROGRESS_DEADLINE_MS.max(longest_ms.saturating_mul(2)));
    };
    if text.0 == "none" {
        return None;
    }
    match units::duration_ms(&text.0) {
        Ok(ms) if ms > shortest_ms || report.is_wrong_within(&stages_path) => Some(ms),
        Ok(_) => {
            let shortest = units::show_duration(shortest_ms);
            report.error(
                &path,
                format!("the stages take {shortest}, which is not less than the deadline"),
                format!("write more than {shortest}, or `none`"),
            );
            None
        }
        Err(problem) => {
            report.error(&path, format!("`{}` {problem}", text.0), "write it like `7d`");
            None
        }
    }
}

fn stages(report: &mut Report<'_>, file: &PlanFile, path: &Path) -> (Vec<Stage>, Vec<Vec<Path>>) {
    let plan_gates_path = path.key("gates");
    let plan_gates = report
        .take(&file.gates, &plan_gates_path)
        .map(|file| gates::gates(report, file, &plan_gates_path));
    if let Some(written) = &plan_gates {
        let gates: Vec<Gate> = written.iter().map(|(_, gate)| gate.clone()).collect();
        warn_of_no_security(report, "the plan's gates", &gates, &plan_gates_path);
    }
    if file.stages.is_missing() {
        return built_in_stages(plan_gates.as_deref());
    }
    let entries = items(report, &file.stages, &path.key("stages"));
    let mut names = Unique::of("stage");
    let (mut stages, mut paths) = (Vec::new(), Vec::new());
    let last = entries.len().saturating_sub(1);
    for (index, (path, file)) in entries.iter().enumerate() {
        let (stage, gates) = stage(report, file, path, index == last, plan_gates.as_deref());
        if file.name.is_missing() {
            names.note(&stage.name, path);
        } else {
            names.check(report, &stage.name, &path.key("name"));
        }
        stages.push(stage);
        paths.push(gates);
    }
    let weights: Vec<(Path, Option<u32>)> = entries
        .iter()
        .zip(&stages)
        .map(|((path, file), stage)| {
            (path.key("weight"), file.weight.ok().map(|_| stage.weight_bp))
        })
        .collect();
    check_weights(report, &weights);
    (stages, paths)
}

fn built_in_stages(gates: Option<&[(Path, Gate)]>) -> (Vec<Stage>, Vec<Vec<Path>>) {
    let mut stages = standard::stages();
    let mut paths = vec![Vec::new(); stages.len()];
    let with_traffic = stages
        .iter_mut()
        .zip(&mut paths)
        .filter(|(stage, _)| stage.weight_bp > 0 && stage.duration_ms > 0);
    for (stage, paths) in with_traffic {
        if let Some(gates) = gates {
            (*paths, stage.gates) = gates.iter().cloned().unzip();
        }
    }
    (stages, paths)
}

/// Weights rise, and the last one is the whole. A wrong weight was reported: it is `None`.
fn check_weights(report: &mut Report<'_>, weights: &[(Path, Option<u32>)]) {
    for pair in weights.windows(2) {
        let [(_, Some(before)), (path, Some(weight))] = pair else { continue };
        if weight <= before {
            let (before, weight) = (units::show_percent(*before), units::show_percent(*weight));
            report.error(
                path,
                format!("the weight is {weight} %, and the stage before it has {before} %"),
                "weights rise from stage to stage",
            );
        }
    }
    if let Some((path, Some(weight))) = weights.last()
        && *weight != WHOLE_BP
    {
        let weight = units::show_percent(*weight);
        let message = format!("the last stage has {weight} %, so the release would never be whole");
        report.error(path, message, "end with a stage of `weight: 100`");
    }
}

fn stage(
    report: &mut Report<'_>,
    file: &StageFile,
    path: &Path,
    is_last: bool,
    plan_gates: Option<&[(Path, Gate)]>,
) -> (Stage, Vec<Path>) {
    let weight_bp = weight(report, &file.weight, &path.key("weight"));
    let environment_path = path.key("environment");
    let environment = report
        .take(&file.environment, &environment_path)
        .copied()
        .unwrap_or_else(|| standard::environment(weight_bp));
    if environment == Environment::Test && weight_bp > 0 {
        let message = "a stage in the test environment gets no user traffic";
        report.error(&environment_path, message, "use `weight: 0`, or `environment: production`");
    }
    let duration_ms = stage_duration(report, file, path, is_last);
    let extension_path = path.key("extension_max");
    let extension = duration_within(
        report,
        &file.extension_max,
        &extension_path,
        (0, 30 * DAY_MS),
        duration_ms,
    );
    let name = some_text(report, &file.name, &path.key("name"))
        .unwrap_or_else(|| standard::stage_name(weight_bp, environment));
    let (gate_paths, gates) = stage_gates(report, file, path, weight_bp, plan_gates);
    let ends_at_once = is_last && file.duration.is_missing();
    let gates_path = path.key("gates");
    // `gates: {}` says what is so anyway.
    if ends_at_once && !file.gates.is_missing() && !gates.is_empty() {
        report.key_error(
            &gates_path,
            "the last stage has gates but no duration in which they could be judged",
            "add `duration`, or remove the gates",
        );
    }
    if gates.is_empty() && !ends_at_once && file.gates.ok().is_some() && weight_bp > 0 {
        let message = format!("stage `{name}` has no gates: it is passed when its time is over");
        report.warning(&gates_path, message, "leave `gates` out to get the built-in ones");
    }
    if weight_bp > 0 && !ends_at_once && !file.gates.is_missing() {
        warn_of_no_security(report, &format!("the gates of stage `{name}`"), &gates, &gates_path);
    }
    let mirror_bp = mirror(report, file, path, environment);
    let (gate_paths, gates) = if ends_at_once { Default::default() } else { (gate_paths, gates) };
    let confirm = holds::confirm(report, &file.confirm, &path.key("confirm"));
    let extension_max_ms = extension;
    let stage = Stage {
        name,
        weight_bp,
        duration_ms,
        extension_max_ms,
        environment,
        mirror_bp,
        gates,
        confirm,
    };
    (stage, gate_paths)
}

fn mirror(report: &mut Report<'_>, file: &StageFile, path: &Path, environment: Environment) -> u32 {
    if file.mirror.is_missing() {
        return standard::mirror_bp(environment);
    }
    let path = path.key("mirror");
    let mirror_bp = weight(report, &file.mirror, &path);
    if environment != Environment::Test {
        let message = "requests are mirrored in the test environment only";
        report.key_error(&path, message, "remove `mirror`, or move it to the stage of `weight: 0`");
    }
    mirror_bp
}

/// Gates that are written replace the built-in ones as a whole, and this one is easily forgotten.
fn warn_of_no_security(report: &mut Report<'_>, whose: &str, gates: &[Gate], path: &Path) {
    let asks = gates.iter().any(|gate| gate.metric == Metric::SecurityEvents);
    if !asks && !gates.is_empty() && !report.is_wrong_within(path) {
        report.warning(
            path,
            format!("{whose} do not ask for `security_events`; only the trigger looks at them"),
            "add `security_events: \"= 0\"`",
        );
    }
}

fn weight(report: &mut Report<'_>, field: &Field<WeightText>, path: &Path) -> u32 {
    let Some(written) = report.take(field, path) else { return 0 };
    let percent = match written {
        WeightText::Number(percent) => Some(*percent),
        WeightText::Text(text) => text.strip_suffix('%').and_then(|text| text.trim().parse().ok()),
    };
    let points = percent.ok_or("is not a percentage").and_then(units::basis_points);
    points.unwrap_or_else(|problem| {
        let hint = "write a percentage from 0 to 100 with at most two decimals";
        let what = path.name().unwrap_or("weight");
        report.error(path, format!("the {what} {problem}"), hint);
        0
    })
}

fn stage_duration(report: &mut Report<'_>, file: &StageFile, path: &Path, is_last: bool) -> u64 {
    if file.duration.is_missing() {
        if !is_last {
            let hint = "add `duration: 4h`. Only the last stage may leave it out";
            report.missing(path, "duration", "`duration` is missing", hint);
        }
        return 0;
    }
    let path = path.key("duration");
    let Some(ms) = duration(report, &file.duration, &path) else { return HOUR_MS };
    if ms == 0 {
        let hint = if is_last {
            "leave `duration` out: the release then ends on reaching this stage"
        } else {
            "use a duration such as `4h`, or remove the stage"
        };
        report.error(&path, "`duration` is zero", hint);
        return HOUR_MS;
    }
    ms
}

/// A stage's own gates, else the plan's, else the built-in ones.
fn stage_gates(
    report: &mut Report<'_>,
    file: &StageFile,
    path: &Path,
    weight_bp: u32,
    plan_gates: Option<&[(Path, Gate)]>,
) -> (Vec<Path>, Vec<Gate>) {
    let path = path.key("gates");
    if file.gates.is_missing() {
        return match plan_gates {
            _ if weight_bp == 0 => (Vec::new(), standard::gates_without_traffic()),
            Some(gates) => gates.iter().cloned().unzip(),
            None => (Vec::new(), standard::gates()),
        };
    }
    let Some(written) = report.take(&file.gates, &path) else { return Default::default() };
    let gates = gates::gates(report, written, &path);
    let weight_known = file.weight.ok().is_some();
    for (path, gate) in &gates {
        if gate.metric == Metric::Probes && weight_bp > 0 {
            let message = "probes are sent in the test environment only";
            report.error(path, message, "move the gate to the stage of `weight: 0`");
        }
        let needs_traffic =
            !matches!(gate.metric, Metric::Health | Metric::SecurityEvents | Metric::Probes);
        if weight_bp == 0 && weight_known && needs_traffic {
            let message =
                format!("`{}` cannot be measured in a stage without user traffic", gate.metric);
            report.error(path, message, "use `health` here, or move the gate to a later stage");
        }
    }
    gates.into_iter().unzip()
}
