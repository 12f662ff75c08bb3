//! Which requests are an agent's own, and what makes their users stick.

use std::collections::HashMap;

use super::{items, some_text};
use crate::agent::{Agent, Match, StickyKey};
use crate::config::field::Field;
use crate::config::file::{AgentFile, MatchFile, StickyFile};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::text::{SomeText, UrlPathText};
use crate::config::url;
use crate::ids::AgentName;

/// Paths that the gateway answers itself, on every host.
const RESERVED_PATHS: [&str; 2] = ["/feedback", "/outcome"];

/// The requests that are an agent's own.
pub(super) fn matches(report: &mut Report<'_>, file: &AgentFile, path: &Path) -> Vec<Match> {
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
pub(super) fn check_collisions(
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
        let at = path.key("match");
        let at = if file.matches.is_missing() { at } else { at.index(index) };
        let message = if *other == agent.name {
            format!("the agent matches {requests} twice")
        } else {
            format!("agent `{other}` already takes {requests}")
        };
        report.error(&at, message, "give each agent its own `match` with a host or a path");
    }
}

/// What makes a user stick.
pub(super) fn sticky(
    report: &mut Report<'_>,
    field: &Field<StickyFile>,
    path: &Path,
) -> Option<StickyKey> {
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
