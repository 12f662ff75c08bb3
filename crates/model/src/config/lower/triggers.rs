//! Triggers of a plan. Those that are not written stay armed as they are built in.

use super::duration_within;
use super::gates::{bound_at, own};
use crate::config::bound::Role;
use crate::config::field::Field;
use crate::config::file::{TriggerFile, TriggersFile};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::standard::{self, DAY_MS, SECOND_MS};
use crate::config::text::BoundOr;
use crate::plan::{Bound, Judge, Metric, Trigger};

/// One key under `triggers`.
#[derive(Clone, Copy)]
struct Key {
    metric: Metric,
    /// Whether it is the one that compares errors with those of the stable version.
    compares_errors: bool,
}

impl Key {
    fn of(metric: Metric) -> Self {
        Self { metric, compares_errors: false }
    }

    fn name(&self) -> &str {
        if self.compares_errors { "errors_vs_baseline" } else { self.metric.as_str() }
    }

    fn built_in(self) -> Option<Trigger> {
        if self.compares_errors {
            Some(standard::errors_vs_baseline())
        } else {
            standard::trigger(self.metric)
        }
    }
}

impl TriggersFile {
    fn by_key(&self) -> [(Key, &Field<BoundOr<TriggerFile>>); 11] {
        let against_baseline = Key { metric: Metric::ErrorRate, compares_errors: true };
        [
            (Key::of(Metric::ErrorRate), &self.error_rate),
            (against_baseline, &self.errors_vs_baseline),
            (Key::of(Metric::P95Ms), &self.p95_ms),
            (Key::of(Metric::CostUsd), &self.cost_usd),
            (Key::of(Metric::SecurityEvents), &self.security_events),
            (Key::of(Metric::SatisfiedShare), &self.satisfied_share),
            (Key::of(Metric::NegativeShare), &self.negative_share),
            (Key::of(Metric::Nps), &self.nps),
            (Key::of(Metric::Health), &self.health),
            (Key::of(Metric::ReplacementRate), &self.replacement_rate),
            (Key::of(Metric::CostPerResolvedUsd), &self.cost_per_resolved_usd),
        ]
    }
}

/// All triggers of a plan whose own are written at `path`.
pub(super) fn triggers(
    report: &mut Report<'_>,
    field: &Field<TriggersFile>,
    path: &Path,
) -> Vec<Trigger> {
    let Some(file) = report.take(field, path) else { return standard::triggers() };
    let mut triggers = Vec::new();
    for (key, field) in file.by_key() {
        triggers.extend(trigger(report, key, field, &path.key(key.name())));
    }
    for (metric, path, field) in own(report, &file.measures, &path.key("measures")) {
        triggers.extend(trigger(report, Key::of(metric), field, &path));
    }
    triggers
}

fn trigger(
    report: &mut Report<'_>,
    key: Key,
    field: &Field<BoundOr<TriggerFile>>,
    path: &Path,
) -> Option<Trigger> {
    match report.take(field, path) {
        None => key.built_in(),
        Some(BoundOr::Bound(text)) => {
            bound_of(report, key, text, path).map(|bound| changed(key, Some(bound)))
        }
        Some(BoundOr::More(file)) => full(report, key, file, path),
    }
}

fn bound_of(report: &mut Report<'_>, key: Key, text: &str, path: &Path) -> Option<Bound> {
    let bound = bound_at(report, key.metric, Role::Trigger, text, path)?;
    let relative = bound.is_relative();
    if key.compares_errors && !relative {
        let message = format!("`{text}` does not compare with the baseline");
        report.error(path, message, "write it like `errors_vs_baseline: \"> baseline + 10%\"`");
        return None;
    }
    Some(bound)
}

/// The built-in trigger with another bound; one of its own kind where none is built in.
fn changed(key: Key, bound: Option<Bound>) -> Trigger {
    match (key.built_in(), bound) {
        (Some(trigger), None) => trigger,
        (_, Some(bound)) => standard::trigger_of(key.metric, bound),
        (None, None) => standard::trigger_of(key.metric, Bound::Equal(0.0)),
    }
}

fn full(report: &mut Report<'_>, key: Key, file: &TriggerFile, path: &Path) -> Option<Trigger> {
    let Key { metric, .. } = key;
    let name = key.name();
    if !file.off_because.is_missing() {
        off(report, key, file, path);
        return None;
    }
    let bound_path = path.key("bound");
    let bound = match report.take(&file.bound, &bound_path) {
        Some(text) => Some(bound_of(report, key, &text.0, &bound_path)?),
        None if file.bound.is_missing() && key.built_in().is_none() => {
            let message = format!("`bound` is missing: no trigger on `{name}` is built in");
            report.missing(path, "bound", message, "add `bound` with the bad side");
            return None;
        }
        None => None,
    };
    let default = changed(key, bound);
    let judge = report.take_or(&file.judge, &path.key("judge"), default.judge);
    let window_path = path.key("window");
    let range = (SECOND_MS, DAY_MS);
    let window_ms = duration_within(report, &file.window, &window_path, range, default.window_ms);
    if judge == Judge::Statistical && !file.window.is_missing() {
        let message = "`window` belongs to the threshold judge";
        let hint = "add `judge: threshold`, or remove `window`: the statistical judge reads \
                    everything since the start of the release";
        report.key_error(&window_path, message, hint);
    }
    let min_samples = report.take(&file.min_samples, &path.key("min_samples")).copied();
    if min_samples.is_some() && matches!(metric, Metric::Health | Metric::SecurityEvents) {
        let message = format!("`{metric}` is not counted in samples");
        report.key_error(&path.key("min_samples"), message, "remove `min_samples`");
    }
    let dry_run = report.take_or(&file.dry_run, &path.key("dry_run"), false);
    if dry_run {
        report.warning(
            &path.key("dry_run"),
            format!("trigger `{name}` only watches: it takes nothing back"),
            "",
        );
    }
    Some(Trigger {
        judge,
        window_ms,
        min_samples: min_samples
            .unwrap_or_else(|| standard::trigger_samples(metric, default.bound, judge)),
        action: report.take_or(&file.action, &path.key("action"), default.action),
        alert: report.take_or(&file.alert, &path.key("alert"), default.alert),
        dry_run,
        ..default
    })
}

fn off(report: &mut Report<'_>, key: Key, file: &TriggerFile, path: &Path) {
    let Key { metric, .. } = key;
    let name = key.name();
    let at = path.key("off_because");
    let alone = file.bound.is_missing()
        && file.judge.is_missing()
        && file.window.is_missing()
        && file.min_samples.is_missing()
        && file.action.is_missing()
        && file.alert.is_missing()
        && file.dry_run.is_missing();
    if !alone {
        let message = "`off_because` switches the trigger off; other fields have no meaning then";
        report.key_error(&at, message, "remove `off_because` or the other fields");
    } else if metric == Metric::SecurityEvents {
        let message = "the trigger on security events cannot be switched off";
        report.key_error(
            &at,
            message,
            "`bound: \"> baseline\"` spares events that stable shows too",
        );
    } else if let Some(reason) = report.take(&file.off_because, &at) {
        report.warning(path, format!("trigger `{name}` is off: {}", reason.0.trim()), "");
    }
}
