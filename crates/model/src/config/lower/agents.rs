//! Agents: what they are called, speak and refer to, and their limits.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::{
    Unique, after, duration_within, items, measures, name, probes, requests, size, versions,
};
use crate::agent::{Agent, HealthCheck, LatencyMeasure, Limits, OnNewVersion, Protocol};
use crate::config::STANDARD_PLAN;
use crate::config::field::Field;
use crate::config::file::{AgentFile, HealthFile, LimitsFile};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::schema::{did_you_mean, list};
use crate::config::standard::{HOUR_MS, MINUTE_MS};
use crate::config::text::{NameText, Switchable};
use crate::ids::{AgentName, ChannelName, PlanName};

/// What agents may refer to.
pub(super) struct Known<'f> {
    pub(super) agents: Vec<String>,
    pub(super) plans: Vec<String>,
    pub(super) channels: Vec<String>,
    pub(super) ingress: Option<SocketAddr>,
    /// Files that the configuration may name.
    pub(super) files: &'f BTreeMap<String, String>,
}

pub(super) fn agents(
    report: &mut Report<'_>,
    entries: &Field<Vec<Field<AgentFile>>>,
    path: &Path,
    known: &Known<'_>,
) -> Vec<(Path, Agent)> {
    let mut names = Unique::of("agent");
    let mut matches = HashMap::new();
    let mut agents = Vec::new();
    for (path, file) in items(report, entries, path) {
        if let Some(name) = file.name.ok() {
            names.check(report, &name.0, &path.key("name"));
        }
        let name: Option<AgentName> = name(report, &file.name, &path.key("name"));
        let has_name = name.is_some();
        let agent = agent(report, file, &path, name, known);
        if has_name {
            requests::check_collisions(report, &agent, file, &path, &mut matches);
            agents.push((path, agent));
        }
    }
    after::check_cycles(report, &agents);
    agents
}

/// An agent without a right name gets one that shows nowhere, so that the rest is checked.
fn agent(
    report: &mut Report<'_>,
    file: &AgentFile,
    path: &Path,
    name: Option<AgentName>,
    known: &Known<'_>,
) -> Agent {
    let name = name.unwrap_or_else(|| "unnamed".parse().expect("a literal that is a name"));
    let versions = versions::versions(report, file, path, &name, known);
    let mut signals = report.take(&file.signals, &path.key("signals")).cloned().unwrap_or_default();
    signals.sort_unstable();
    signals.dedup();
    Agent {
        matches: requests::matches(report, file, path),
        sticky: requests::sticky(report, &file.sticky, &path.key("sticky")),
        protocol: report.take_or(&file.protocol, &path.key("protocol"), Protocol::default()),
        signals,
        measures: measures::measures(report, &file.measures, &path.key("measures")),
        latency: report.take_or(&file.latency, &path.key("latency"), LatencyMeasure::default()),
        health: health(report, &file.health, &path.key("health")),
        limits: limits(report, &file.limits, &path.key("limits")),
        plan: plan(report, &file.plan, &path.key("plan"), known),
        channels: channels(report, file, path, known),
        on_new_version: report.take_or(
            &file.on_new_version,
            &path.key("on_new_version"),
            OnNewVersion::default(),
        ),
        after: after::names(report, file, path, known),
        probes: probes::probes(report, &file.probes, &path.key("probes"), known.files),
        versions,
        name,
    }
}

fn plan(
    report: &mut Report<'_>,
    field: &Field<NameText>,
    path: &Path,
    known: &Known<'_>,
) -> PlanName {
    let standard = || STANDARD_PLAN.parse().expect("a literal that is a name");
    let Some(name): Option<PlanName> = name(report, field, path) else { return standard() };
    let mut plans: Vec<&str> = known.plans.iter().map(String::as_str).collect();
    if !plans.contains(&STANDARD_PLAN) {
        plans.push(STANDARD_PLAN);
    }
    if !plans.contains(&name.as_str()) {
        let hint = did_you_mean(name.as_str(), &plans)
            .unwrap_or_else(|| format!("the plans are {}", list(&plans)));
        report.error(path, format!("there is no plan `{name}`"), hint);
    }
    name
}

fn channels(
    report: &mut Report<'_>,
    file: &AgentFile,
    path: &Path,
    known: &Known<'_>,
) -> Vec<ChannelName> {
    if file.channels.is_missing() {
        return known.channels.iter().filter_map(|name| name.parse().ok()).collect();
    }
    let path = path.key("channels");
    let Some(entries) = report.take(&file.channels, &path) else { return Vec::new() };
    let mut channels = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = path.index(index);
        let Some(name) = name::<ChannelName, _>(report, entry, &path) else { continue };
        if !known.channels.iter().any(|known| known == name.as_str()) {
            let all = if known.channels.is_empty() {
                "the file has no `channels`; add them at the top level".to_owned()
            } else {
                format!("the channels are {}", list(&known.channels))
            };
            let hint = did_you_mean(name.as_str(), &known.channels).unwrap_or(all);
            report.error(&path, format!("there is no channel `{name}`"), hint);
        }
        channels.push(name);
    }
    channels
}

fn health(
    report: &mut Report<'_>,
    field: &Field<Switchable<HealthFile>>,
    path: &Path,
) -> Option<HealthCheck> {
    let default = HealthCheck::default();
    let file = match field {
        Field::Missing => return Some(default),
        field => match report.take(field, path)? {
            Switchable::Off(_) => return None,
            Switchable::On(file) => file,
        },
    };
    let range = (10, HOUR_MS);
    let interval_ms =
        duration_within(report, &file.interval, &path.key("interval"), range, default.interval_ms);
    let timeout_ms =
        duration_within(report, &file.timeout, &path.key("timeout"), range, default.timeout_ms);
    let check = HealthCheck {
        path: report.take(&file.path, &path.key("path")).map_or(default.path, |p| p.0.clone()),
        interval_ms,
        timeout_ms,
        unhealthy_after: report.take_or(
            &file.unhealthy_after,
            &path.key("unhealthy_after"),
            default.unhealthy_after,
        ),
        healthy_after: report.take_or(
            &file.healthy_after,
            &path.key("healthy_after"),
            default.healthy_after,
        ),
    };
    Some(check)
}

fn limits(report: &mut Report<'_>, field: &Field<LimitsFile>, path: &Path) -> Limits {
    let default = Limits::default();
    let Some(file) = report.take(field, path) else { return default };
    let mut within = |field, name: &str, default_ms| {
        duration_within(report, field, &path.key(name), (10, 24 * HOUR_MS), default_ms)
    };
    let connect_timeout_ms =
        within(&file.connect_timeout, "connect_timeout", default.connect_timeout_ms);
    let first_byte_timeout_ms =
        within(&file.first_byte_timeout, "first_byte_timeout", default.first_byte_timeout_ms);
    let idle_timeout_ms = within(&file.idle_timeout, "idle_timeout", default.idle_timeout_ms);
    if connect_timeout_ms > 5 * MINUTE_MS {
        let message = "`connect_timeout` is longer than 5m";
        report.error(&path.key("connect_timeout"), message, "a few seconds are enough to connect");
    }
    Limits {
        connect_timeout_ms,
        first_byte_timeout_ms,
        idle_timeout_ms,
        request_body_bytes_max: size(report, &file.request_body_max, &path.key("request_body_max"))
            .unwrap_or(default.request_body_bytes_max),
        in_flight_max: report.take_or(
            &file.in_flight_max,
            &path.key("in_flight_max"),
            default.in_flight_max,
        ),
    }
}
