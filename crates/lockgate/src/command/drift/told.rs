//! A report for people.

use lockgate_model::drift::{Difference, Report, Root};

use crate::output;

/// Differences of a root that are shown.
const SHOWN_MAX: usize = 20;

pub(super) fn text(report: &Report) -> String {
    let rows: Vec<Vec<String>> = report
        .roots
        .iter()
        .map(|root| {
            let Root { kind, path, outcome, reason, .. } = root;
            vec![path.clone(), kind.as_str().into(), outcome.as_str().into(), reason.clone()]
        })
        .collect();
    let mut parts = vec![output::table(&["path", "kind", "drift", "why"], &rows)];
    for root in &report.roots {
        parts.extend(listed(&root.path, "differs", &root.changes, root.changes_total));
        parts.extend(listed(&root.path, "counts for nothing", &root.noise, root.noise_total));
    }
    parts.push(format!("drift: {}", report.outcome.as_str()));
    parts.join("\n\n")
}

fn listed(path: &str, what: &str, all: &[Difference], total: u64) -> Option<String> {
    if total == 0 {
        return None;
    }
    let shown = all.iter().take(SHOWN_MAX).map(|one| {
        let attributes = match one.attributes.as_slice() {
            [] => String::new(),
            names => format!(" ({})", names.join(", ")),
        };
        output::plain(&format!("  {}: {}{attributes}", one.what, one.how))
    });
    let mut lines = vec![output::plain(&format!("{path}: {what}"))];
    lines.extend(shown);
    let left = total.saturating_sub(all.len().min(SHOWN_MAX) as u64);
    if left > 0 {
        lines.push(format!("  and {} more", output::count(left)));
    }
    Some(lines.join("\n"))
}
