//! Agents and their versions.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use super::{Unique, duration_within, items, name, some_text, target};
use crate::agent::{Agent, HealthCheck, Limits, Match, StickyKey};
use crate::config::STANDARD_PLAN;
use crate::config::field::Field;
use crate::config::file::{AgentFile, HealthFile, LimitsFile, MatchFile, StickyFile, VersionFile};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::schema::{did_you_mean, list};
use crate::config::standard::{HOUR_MS, MINUTE_MS};
use crate::config::text::{NameText, SizeText, SomeText, Switchable, UrlPathText};
use crate::config::{units, url};
use crate::ids::{AgentName, ChannelName, PlanName, VersionName};
use crate::version::{Manifest, ToolPin};

/// What agents may refer to.
pub(super) struct Known {
    pub(super) plans: Vec<String>,
    pub(super) channels: Vec<String>,
    pub(super) ingress: Option<SocketAddr>,
}

/// Paths that the gateway answers itself, on every host.
const RESERVED_PATHS: [&str; 2] = ["/feedback", "/outcome"];

pub(super) fn agents(
    report: &mut Report<'_>,
    entries: &Field<Vec<Field<AgentFile>>>,
    path: &Path,
    known: &Known,
) -> Vec<(Path, Agent)> {
    let mut names = Unique::of("agent");
    let mut matches = HashMap::new();
    let mut agents = Vec::new();
    for (path, file) in items(report, entries, path) {
        if let Some(name) = file.name.ok() {
            names.check(report, &name.0, &path.key("name"));
        }
        let name: Option<AgentName> = name(report, &file.name, &path.key("name"));
        let named = name.is_some();
        let agent = agent(report, file, &path, name, known);
        if named {
            check_matches(report, &agent, file, &path, &mut matches);
            agents.push((path, agent));
        }
    }
    agents
}

/// An agent without a right name gets one that shows nowhere, so that the rest is checked.
fn agent(
    report: &mut Report<'_>,
    file: &AgentFile,
    path: &Path,
    name: Option<AgentName>,
    known: &Known,
) -> Agent {
    let name = name.unwrap_or_else(|| "unnamed".parse().expect("a literal that is a name"));
    let versions = versions(report, file, path, &name, known);
    let mut signals = report.take(&file.signals, &path.key("signals")).cloned().unwrap_or_default();
    signals.sort_unstable();
    signals.dedup();
    Agent {
        matches: matches_of(report, file, path),
        sticky: sticky(report, &file.sticky, &path.key("sticky")),
        protocol: report.take_or(&file.protocol, &path.key("protocol"), Default::default()),
        signals,
        latency: report.take_or(&file.latency, &path.key("latency"), Default::default()),
        health: health(report, &file.health, &path.key("health")),
        limits: limits(report, &file.limits, &path.key("limits")),
        plan: plan(report, &file.plan, &path.key("plan"), known),
        channels: channels(report, file, path, known),
        on_new_version: report.take_or(
            &file.on_new_version,
            &path.key("on_new_version"),
            Default::default(),
        ),
        versions,
        name,
    }
}

fn plan(report: &mut Report<'_>, field: &Field<NameText>, path: &Path, known: &Known) -> PlanName {
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
    known: &Known,
) -> Vec<ChannelName> {
    if file.channels.is_missing() {
        return known.channels.iter().filter_map(|name| name.parse().ok()).collect();
    }
    let path = path.key("channels");
    let Some(entries) = report.take(&file.channels, &path) else { return Vec::new() };
    let mut channels = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = path.index(index);
        let Some(name) = name::<ChannelName>(report, entry, &path) else { continue };
        if !known.channels.iter().any(|known| known == name.as_str()) {
            let hint = did_you_mean(name.as_str(), &known.channels).unwrap_or_else(|| match known
                .channels
                .is_empty()
            {
                true => "the file has no `channels`; add them at the top level".into(),
                false => format!("the channels are {}", list(&known.channels)),
            });
            report.error(&path, format!("there is no channel `{name}`"), hint);
        }
        channels.push(name);
    }
    channels
}

fn matches_of(report: &mut Report<'_>, file: &AgentFile, path: &Path) -> Vec<Match> {
    if file.matches.is_missing() {
        return vec![Match { host: None, path: None, strip_path: false }];
    }
    items(report, &file.matches, &path.key("match"))
        .into_iter()
        .map(|(path, file)| Match {
            host: host(report, file, &path.key("host")),
            path: prefix(report, &file.path, &path.key("path")),
            strip_path: strip_path(report, file, &path),
        })
        .collect()
}

fn host(report: &mut Report<'_>, file: &MatchFile, path: &Path) -> Option<String> {
    let host = some_text(report, &file.host, path)?.to_ascii_lowercase();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    if !url::is_host(bare) {
        let hint = if host.contains("://") || host.contains('/') {
            "write the host name alone, and the path in `path`"
        } else if host.contains(':') {
            "leave out the port: hosts are matched without it"
        } else if host.contains('*') {
            "write each host name out, or leave `host` out to match all"
        } else {
            "write a host name such as `support.example.com`"
        };
        report.error(path, format!("`{host}` is not a host name"), hint);
    }
    Some(host)
}

fn prefix(report: &mut Report<'_>, field: &Field<UrlPathText>, path: &Path) -> Option<String> {
    let text = &report.take(field, path)?.0;
    if text.contains(['?', '#', '*'])
        || text.contains("//")
        || text.chars().any(char::is_whitespace)
    {
        let hint = "write plain segments such as `/support`; the path is a prefix already";
        report.error(path, format!("`{text}` is not a path prefix"), hint);
    }
    let trimmed = text.trim_end_matches('/');
    for reserved in RESERVED_PATHS {
        let below = trimmed
            .strip_prefix(reserved)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if below {
            let message = format!("`{reserved}` is reserved: users' answers arrive there");
            report.error(path, message, "choose another path for the agent");
        }
    }
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

fn strip_path(report: &mut Report<'_>, file: &MatchFile, path: &Path) -> bool {
    let strip = report.take_or(&file.strip_path, &path.key("strip_path"), false);
    if strip && file.path.is_missing() {
        let message = "`strip_path` has no `path` to remove";
        report.key_error(&path.key("strip_path"), message, "add `path`, or remove `strip_path`");
    }
    strip
}

/// Two agents for the same requests: only one would ever be asked.
fn check_matches(
    report: &mut Report<'_>,
    agent: &Agent,
    file: &AgentFile,
    path: &Path,
    seen: &mut HashMap<(Option<String>, Option<String>), AgentName>,
) {
    for (index, one) in agent.matches.iter().enumerate() {
        let key = (one.host.clone(), one.path.clone());
        let Some(other) = seen.get(&key) else {
            seen.insert(key, agent.name.clone());
            continue;
        };
        let requests = match (&one.host, &one.path) {
            (None, None) => "all requests".to_owned(),
            (Some(host), None) => format!("requests to {host}"),
            (None, Some(path)) => format!("requests below {path}"),
            (Some(host), Some(path)) => format!("requests to {host}{path}"),
        };
        let at = match file.matches.is_missing() {
            true => path.key("match"),
            false => path.key("match").index(index),
        };
        let message = if *other == agent.name {
            format!("the agent matches {requests} twice")
        } else {
            format!("agent `{other}` already takes {requests}")
        };
        report.error(&at, message, "give each agent its own `match` with a host or a path");
    }
}

fn sticky(report: &mut Report<'_>, field: &Field<StickyFile>, path: &Path) -> Option<StickyKey> {
    let file = report.take(field, path)?;
    if let Some(header) = token(report, &file.header, &path.key("header"), "a header name") {
        let header = header.to_ascii_lowercase();
        if header.starts_with("lockgate-") {
            let message =
                format!("`{header}` cannot be used: `lockgate-` headers are Lockgate's own");
            report.error(&path.key("header"), message, "choose a header that names the user");
        }
        return Some(StickyKey::Header(header));
    }
    if let Some(cookie) = token(report, &file.cookie, &path.key("cookie"), "a cookie name") {
        return Some(StickyKey::Cookie(cookie));
    }
    let query = token(report, &file.query, &path.key("query"), "a query parameter")?;
    Some(StickyKey::Query(query))
}

/// A token of RFC 9110, section 5.6.2.
fn token(
    report: &mut Report<'_>,
    field: &Field<SomeText>,
    path: &Path,
    what: &str,
) -> Option<String> {
    let text = some_text(report, field, path)?;
    let ok = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if text.len() > 128 || !text.chars().all(ok) {
        report.error(
            path,
            format!("this is not {what}"),
            "use letters, digits and `-`, such as `x-user-id`",
        );
    }
    Some(text)
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

fn versions(
    report: &mut Report<'_>,
    file: &AgentFile,
    path: &Path,
    agent: &AgentName,
    known: &Known,
) -> Vec<Manifest> {
    let mut names = Unique::of("version");
    let mut endpoints: HashMap<String, VersionName> = HashMap::new();
    let mut versions = Vec::new();
    for (path, file) in items(report, &file.versions, &path.key("versions")) {
        if let Some(name) = file.name.ok() {
            names.check(report, &name.0, &path.key("name"));
        }
        let Some(manifest) = version(report, file, &path, agent, known) else { continue };
        match endpoints.get(&manifest.endpoint) {
            Some(other) => report.warning(
                &path.key("endpoint"),
                format!("versions `{other}` and `{}` have the same endpoint", manifest.name),
                "each version should run at an endpoint of its own",
            ),
            None => {
                endpoints.insert(manifest.endpoint.clone(), manifest.name.clone());
            }
        }
        versions.push(manifest);
    }
    versions
}

fn version(
    report: &mut Report<'_>,
    file: &VersionFile,
    path: &Path,
    agent: &AgentName,
    known: &Known,
) -> Option<Manifest> {
    let mut text = |field, name: &str| some_text(report, field, &path.key(name));
    let (image, model) = (text(&file.image, "image"), text(&file.model, "model"));
    let prompt_digest = text(&file.prompt_digest, "prompt_digest");
    let policy_digest = text(&file.policy_digest, "policy_digest");
    let tools = tools(report, file, path);
    let side_effects =
        report.take_or(&file.side_effects, &path.key("side_effects"), Default::default());
    let mut endpoint = |field, name: &str| {
        let (url, target) = target(report, field, &path.key(name))?;
        if known.ingress.is_some_and(|ingress| leads_to(&target, ingress)) {
            let message =
                format!("`{name}` is Lockgate's own ingress: requests would go in a circle");
            report.error(
                &path.key(name),
                message,
                "write the address at which the version listens",
            );
        }
        Some(url)
    };
    let test_endpoint = endpoint(&file.test_endpoint, "test_endpoint");
    let endpoint = endpoint(&file.endpoint, "endpoint");
    let name = name(report, &file.name, &path.key("name"));
    Some(Manifest {
        agent: agent.clone(),
        name: name?,
        endpoint: endpoint?,
        test_endpoint,
        image,
        model,
        prompt_digest,
        policy_digest,
        tools,
        side_effects,
    })
}

fn tools(report: &mut Report<'_>, file: &VersionFile, path: &Path) -> Vec<ToolPin> {
    let mut names = Unique::of("tool");
    let mut tools = Vec::new();
    for (path, file) in items(report, &file.tools, &path.key("tools")) {
        let name = some_text(report, &file.name, &path.key("name"));
        let digest = some_text(report, &file.digest, &path.key("digest"));
        if let Some(name) = &name {
            names.check(report, name, &path.key("name"));
        }
        if let (Some(name), Some(digest)) = (name, digest) {
            tools.push(ToolPin { name, digest });
        }
    }
    tools
}

fn leads_to(target: &url::Target, ingress: SocketAddr) -> bool {
    let here = match target.host.parse::<IpAddr>() {
        Ok(ip) => ip == ingress.ip() || (ip.is_loopback() && ingress.ip().is_unspecified()),
        Err(_) => {
            target.host == "localhost"
                && (ingress.ip().is_loopback() || ingress.ip().is_unspecified())
        }
    };
    here && target.port == ingress.port()
}
