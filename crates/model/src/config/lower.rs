//! From the file form to the model, with every check that a schema cannot make.
//!
//! Wrong fields were reported before; here they count as missing, so that the rest is checked too.
//! The result is only used when nothing was reported.

use std::collections::HashMap;
use std::str::FromStr;

use super::field::Field;
use super::file::ConfigFile;
use super::place::Path;
use super::report::Report;
use super::schema::{did_you_mean, list};
use super::text::{DurationText, NameText, SizeText, SomeText, UrlText};
use super::{Config, Source, units, url};
use crate::ids::AgentName;

mod after;
mod agents;
mod fitting;
mod gates;
mod holds;
mod issuers;
mod measures;
mod plans;
mod prices;
mod probes;
mod requests;
mod settings;
mod tools;
mod triggers;
mod versions;
mod witnesses;

/// The configuration that the file means. `None` only beside errors.
pub(super) fn config(
    file: &ConfigFile,
    source: &Source,
    report: &mut Report<'_>,
) -> Option<Config> {
    let root = Path::default();
    let listen = settings::listen(report, &file.listen, &root.key("listen"));
    let egress_url = settings::egress_url(report, &file.listen, &root.key("listen"));
    let egress_inspect = settings::egress_inspect(report, &file.listen, &root.key("listen"));
    let channels = settings::channels(report, &file.channels, &root.key("channels"));
    let prices = prices::own(report, &file.prices, &root.key("prices"));
    let prices_path = root.key("prices_file");
    let prices_file = prices::from_file(report, &file.prices_file, &prices_path, &source.files);
    let plans = plans::plans(report, &file.plans, &root.key("plans"));
    let known = agents::Known {
        agents: names(&file.agents, |agent| &agent.name),
        plans: names(&file.plans, |plan| &plan.name),
        channels: names(&file.channels, |channel| &channel.name),
        ingress: listen.map(|listen| listen.ingress),
        files: &source.files,
    };
    let agents = agents::agents(report, &file.agents, &root.key("agents"), &known);
    fitting::check(report, &agents, &plans);
    let feedback = settings::feedback(report, &file.feedback, &root.key("feedback"));
    let audit = settings::audit(report, &file.audit, &root.key("audit"));
    let stale = settings::candidate_stale_max(report, file, &root);
    let snapshot_max_age_ms = settings::snapshot_max_age(report, file, &root);
    let approvals = settings::approvals(report, &file.approvals, &root.key("approvals"));
    let authorities = settings::authorities(report, file, &root);
    let tools = tools::tools(report, &file.tools, &root.key("tools"), &known.agents);
    let versions = agents.iter().flat_map(|(_, agent)| {
        agent.versions.iter().map(|one| (agent.name.clone(), one.name.clone()))
    });
    let versions: issuers::Versions = versions.collect();
    let issuers = issuers::issuers(report, &file.issuers, &root.key("issuers"), &versions);
    let data_dir = some_text(report, &file.data_dir, &root.key("data_dir"));
    let metrics = root.key("metrics_need_token");
    Some(Config {
        listen: listen?,
        data_dir,
        candidate_stale_max_ms: stale,
        snapshot_max_age_ms,
        egress_url,
        egress_inspect,
        approvals,
        authorities,
        metrics_need_token: report.take_or(&file.metrics_need_token, &metrics, false),
        feedback,
        audit,
        agents: agents.into_iter().map(|(_, agent)| agent).collect(),
        tools,
        issuers,
        plans: plans.into_iter().map(|planned| planned.plan).collect(),
        channels,
        prices,
        prices_file,
        digest: source.digest(),
        warnings: super::Diagnostics::default(),
    })
}

/// Names as they stand in the file, also of things that are wrong otherwise.
fn names<T>(list: &Field<Vec<Field<T>>>, name: impl Fn(&T) -> &Field<NameText>) -> Vec<String> {
    let items = list.ok().into_iter().flatten().filter_map(Field::ok);
    items.filter_map(|item| name(item).ok()).map(|name| name.0.clone()).collect()
}

/// The entries of a list with their paths.
fn items<'f, T>(
    report: &mut Report<'_>,
    list: &'f Field<Vec<Field<T>>>,
    path: &Path,
) -> Vec<(Path, &'f T)> {
    let Some(entries) = report.take(list, path) else { return Vec::new() };
    let mut items = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = path.index(index);
        if let Some(item) = report.take(entry, &path) {
            items.push((path, item));
        }
    }
    items
}

fn name<N: FromStr<Err: std::fmt::Display>, T: AsRef<str>>(
    report: &mut Report<'_>,
    field: &Field<T>,
    path: &Path,
) -> Option<N> {
    let text = report.take(field, path)?;
    match text.as_ref().parse() {
        Ok(name) => Some(name),
        Err(error) => {
            report.error(path, error.to_string(), "");
            None
        }
    }
}

/// The name of an agent, which is one of those in the file.
fn known_agent(
    report: &mut Report<'_>,
    field: &Field<NameText>,
    path: &Path,
    agents: &[String],
) -> Option<AgentName> {
    let name: AgentName = name(report, field, path)?;
    if !agents.iter().any(|known| known == name.as_str()) {
        let hint = did_you_mean(name.as_str(), agents)
            .unwrap_or_else(|| format!("the agents are {}", list(agents)));
        report.error(path, format!("there is no agent `{name}`"), hint);
    }
    Some(name)
}

/// A text that is more than blanks.
fn some_text(report: &mut Report<'_>, field: &Field<SomeText>, path: &Path) -> Option<String> {
    let text = report.take(field, path)?;
    Some(text.0.trim().to_owned())
}

/// A duration, whatever its length.
fn duration(report: &mut Report<'_>, field: &Field<DurationText>, path: &Path) -> Option<u64> {
    let text = report.take(field, path)?;
    match units::duration_ms(&text.0) {
        Ok(ms) => Some(ms),
        Err(problem) => {
            report.error(path, format!("`{}` {problem}", text.0), "write it like `4h` or `90s`");
            None
        }
    }
}

/// A duration between two others; `default` when it is missing.
fn duration_within(
    report: &mut Report<'_>,
    field: &Field<DurationText>,
    path: &Path,
    (low_ms, high_ms): (u64, u64),
    default_ms: u64,
) -> u64 {
    let Some(ms) = duration(report, field, path) else { return default_ms };
    if (low_ms..=high_ms).contains(&ms) {
        return ms;
    }
    let what = path.name().unwrap_or_default();
    let (low, high) = (units::show_duration(low_ms), units::show_duration(high_ms));
    let message = if ms == 0 {
        format!("`{what}` is zero")
    } else {
        format!("`{what}` is {}", units::show_duration(ms))
    };
    report.error(path, message, format!("use a duration from {low} to {high}"));
    default_ms
}

/// A URL that something is sent to.
fn target(
    report: &mut Report<'_>,
    field: &Field<UrlText>,
    path: &Path,
) -> Option<(String, url::Target)> {
    let text = report.take(field, path)?;
    match url::check(&text.0) {
        Ok(target) => Some((text.0.trim_end_matches('/').to_owned(), target)),
        Err((problem, hint)) => {
            // A URL with credentials is not repeated.
            report.error(
                path,
                format!("the URL in `{}` {problem}", path.name().unwrap_or_default()),
                hint,
            );
            None
        }
    }
}

/// Finds names that are there twice.
struct Unique {
    what: &'static str,
    seen: HashMap<String, Path>,
}

impl Unique {
    fn of(what: &'static str) -> Self {
        Self { what, seen: HashMap::new() }
    }

    /// A name that was made up here: it is in the way of others, but no one's mistake.
    fn note(&mut self, name: &str, path: &Path) {
        self.seen.entry(name.to_owned()).or_insert_with(|| path.clone());
    }

    fn check(&mut self, report: &mut Report<'_>, name: &str, path: &Path) {
        let what = self.what;
        match self.seen.get(name) {
            Some(first) => report.error(
                path,
                format!("{what} `{name}` is there twice"),
                format!("the first one is `{first}`; give each its own name"),
            ),
            None => {
                self.seen.insert(name.to_owned(), path.clone());
            }
        }
    }
}

/// Bytes of `32MiB`.
fn size(report: &mut Report<'_>, field: &Field<SizeText>, path: &Path) -> Option<u64> {
    let text = &report.take(field, path)?.0;
    match units::size_bytes(text) {
        Ok(bytes) => Some(bytes),
        Err(problem) => {
            report.error(path, format!("`{text}` {problem}"), "write it like `32MiB`");
            None
        }
    }
}
