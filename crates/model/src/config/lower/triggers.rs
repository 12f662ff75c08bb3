//! Triggers of a plan. Those that are not written stay armed as they are built in.

use super::duration_within;
use super::gates::bound_at;
use crate::config::bound::Role;
use crate::config::field::Field;
use crate::config::file::{TriggerFile, TriggersFile};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::standard::{self, DAY_MS, SECOND_MS};
use crate::config::text::BoundOr;
use crate::plan::{Metric, Trigger};

impl TriggersFile {
    fn by_metric(&self) -> [(Metric, &Field<BoundOr<TriggerFile>>); 8] {
        [
            (Metric::ErrorRate, &self.error_rate),
            (Metric::P95Ms, &self.p95_ms),
            (Metric::CostUsd, &self.cost_usd),
            (Metric::SecurityEvents, &self.security_events),
            (Metric::SatisfiedShare, &self.satisfied_share),
            (Metric::NegativeShare, &self.negative_share),
            (Metric::Nps, &self.nps),
            (Metric::Health, &self.health),
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
    for (metric, field) in file.by_metric() {
        let path = path.key(metric.as_str());
        let trigger = match report.take(field, &path) {
            None => standard::trigger(metric),
            Some(BoundOr::Bound(text)) => bound_at(report, metric, Role::Trigger, text, &path)
                .map(|bound| changed(metric, Some(bound))),
            Some(BoundOr::More(file)) => full(report, metric, file, &path),
        };
        triggers.extend(trigger);
    }
    triggers
}

/// The built-in trigger with another bound; one of its own kind where none is built in.
fn changed(metric: Metric, bound: Option<crate::plan::Bound>) -> Trigger {
    match (standard::trigger(metric), bound) {
        (Some(trigger), None) => trigger,
        (_, Some(bound)) => standard::trigger_of(metric, bound),
        (None, None) => standard::trigger_of(metric, crate::plan::Bound::Equal(0.0)),
    }
}

fn full(
    report: &mut Report<'_>,
    metric: Metric,
    file: &TriggerFile,
    path: &Path,
) -> Option<Trigger> {
    if !file.off_because.is_missing() {
        off(report, metric, file, path);
        return None;
    }
    let bound_path = path.key("bound");
    let bound = match report.take(&file.bound, &bound_path) {
        Some(text) => Some(bound_at(report, metric, Role::Trigger, &text.0, &bound_path)?),
        None if file.bound.is_missing() && standard::trigger(metric).is_none() => {
            let message = format!("`bound` is missing: no trigger on `{metric}` is built in");
            report.missing(path, "bound", message, "add `bound` with the bad side");
            return None;
        }
        None => None,
    };
    let default = changed(metric, bound);
    let window_path = path.key("window");
    let range = (SECOND_MS, DAY_MS);
    let min_samples = report.take(&file.min_samples, &path.key("min_samples")).copied();
    if min_samples.is_some() && matches!(metric, Metric::Health | Metric::SecurityEvents) {
        let message = format!("`{metric}` is not counted in samples");
        report.key_error(&path.key("min_samples"), message, "remove `min_samples`");
    }
    let dry_run = report.take_or(&file.dry_run, &path.key("dry_run"), false);
    if dry_run {
        report.warning(
            &path.key("dry_run"),
            format!("trigger `{metric}` only watches: it takes nothing back"),
            "",
        );
    }
    Some(Trigger {
        window_ms: duration_within(report, &file.window, &window_path, range, default.window_ms),
        min_samples: min_samples.unwrap_or(default.min_samples),
        action: report.take_or(&file.action, &path.key("action"), default.action),
        alert: report.take_or(&file.alert, &path.key("alert"), default.alert),
        dry_run,
        ..default
    })
}

fn off(report: &mut Report<'_>, metric: Metric, file: &TriggerFile, path: &Path) {
    let at = path.key("off_because");
    let alone = file.bound.is_missing()
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
        report.warning(path, format!("trigger `{metric}` is off: {}", reason.0.trim()), "");
    }
}
