//! Gates of a stage.

use std::collections::BTreeMap;

use crate::config::bound::{self, Role};
use crate::config::field::Field;
use crate::config::file::{GateFile, GatesFile};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::text::BoundOr;
use crate::config::{samples, standard};
use crate::plan::{Absent, Assurance, Gate, Judge, Metric};

impl GatesFile {
    fn by_metric(&self) -> [(Metric, &Field<BoundOr<GateFile>>); 11] {
        [
            (Metric::ErrorRate, &self.error_rate),
            (Metric::P95Ms, &self.p95_ms),
            (Metric::CostUsd, &self.cost_usd),
            (Metric::Nps, &self.nps),
            (Metric::SatisfiedShare, &self.satisfied_share),
            (Metric::NegativeShare, &self.negative_share),
            (Metric::SecurityEvents, &self.security_events),
            (Metric::Health, &self.health),
            (Metric::Probes, &self.probes),
            (Metric::ReplacementRate, &self.replacement_rate),
            (Metric::CostPerResolvedUsd, &self.cost_per_resolved_usd),
        ]
    }
}

/// The gates that are written at `path`, each with its own path.
pub(super) fn gates(report: &mut Report<'_>, file: &GatesFile, path: &Path) -> Vec<(Path, Gate)> {
    let mut gates = Vec::new();
    for (metric, field) in file.by_metric() {
        let path = path.key(metric.as_str());
        if let Some(gate) = gate(report, metric, field, &path) {
            gates.push((path, gate));
        }
    }
    for (metric, path, field) in own(report, &file.measures, &path.key("measures")) {
        if let Some(gate) = gate(report, metric, field, &path) {
            gates.push((path, gate));
        }
    }
    gates
}

/// What is written at `path` by the names of an agent's own measures.
pub(super) fn own<'f, T>(
    report: &mut Report<'_>,
    field: &'f Field<BTreeMap<String, Field<T>>>,
    path: &Path,
) -> Vec<(Metric, Path, &'f Field<T>)> {
    let mut found = Vec::new();
    for (name, field) in report.take(field, path).into_iter().flatten() {
        let path = path.key(name);
        match name.parse() {
            Ok(name) => found.push((Metric::Measure(name), path, field)),
            Err(error) => report.key_error(&path, error.to_string(), "name a measure of the agent"),
        }
    }
    found
}

fn gate(
    report: &mut Report<'_>,
    metric: Metric,
    field: &Field<BoundOr<GateFile>>,
    path: &Path,
) -> Option<Gate> {
    match report.take(field, path)? {
        BoundOr::Bound(text) => bound_at(report, metric, Role::Gate, text, path)
            .map(|bound| standard::gate(metric, bound)),
        BoundOr::More(file) => full(report, metric, file, path),
    }
}

/// A bound, with what is wrong with it at `path`.
pub(super) fn bound_at(
    report: &mut Report<'_>,
    metric: Metric,
    role: Role,
    text: &str,
    path: &Path,
) -> Option<crate::plan::Bound> {
    match bound::parse(metric, role, text) {
        Ok(bound) => Some(bound),
        Err((message, hint)) => {
            report.error(path, message, hint);
            None
        }
    }
}

fn full(report: &mut Report<'_>, metric: Metric, file: &GateFile, path: &Path) -> Option<Gate> {
    let assurance = report.take_or(&file.assurance, &path.key("assurance"), Assurance::default());
    let absent = report.take_or(&file.absent, &path.key("absent"), Absent::default());
    let dry_run = report.take_or(&file.dry_run, &path.key("dry_run"), false);
    let min_samples = report.take(&file.min_samples, &path.key("min_samples")).copied();
    if absent == Absent::Waive && metric.sources().next().is_none() {
        report.error(
            &path.key("absent"),
            format!("`{metric}` always has a source, so it cannot be waived"),
            "remove `absent`, or leave the gate out",
        );
    }
    if min_samples.is_some() && matches!(metric, Metric::Health | Metric::SecurityEvents) {
        let message = format!("`{metric}` is not counted in samples");
        report.key_error(&path.key("min_samples"), message, "remove `min_samples`");
    }
    let judge = report.take_or(&file.judge, &path.key("judge"), Judge::default());
    if assurance == Assurance::Proved && judge == Judge::Threshold {
        report.key_error(
            &path.key("assurance"),
            "the threshold judge proves nothing",
            "remove `judge: threshold`, or use `assurance: observed`",
        );
    }
    let bound_path = path.key("bound");
    let text = report.take(&file.bound, &bound_path)?;
    let bound = bound_at(report, metric, Role::Gate, &text.0, &bound_path)?;
    let needed = samples::needed(metric, bound);
    if let Some(given) = min_samples.filter(|given| *given < needed) {
        report.warning(
            &path.key("min_samples"),
            format!("{given} samples are fewer than the {needed} that `{metric} {bound}` can be decided with"),
            format!("leave `min_samples` out to wait for {}", samples::of_gate(metric, bound)),
        );
    }
    let default = standard::gate(metric, bound);
    let min_samples = min_samples.unwrap_or(default.min_samples);
    Some(Gate { min_samples, judge, assurance, absent, dry_run, ..default })
}
