//! Which agents' releases come before those of others.

use super::agents::Known;
use super::known_agent;
use crate::agent::Agent;
use crate::config::file::AgentFile;
use crate::config::place::Path;
use crate::config::report::Report;
use crate::ids::AgentName;

/// The agents that this one comes after.
pub(super) fn names(
    report: &mut Report<'_>,
    file: &AgentFile,
    path: &Path,
    known: &Known<'_>,
) -> Vec<AgentName> {
    let path = path.key("after");
    let Some(entries) = report.take(&file.after, &path) else { return Vec::new() };
    let mut after = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = path.index(index);
        after.extend(known_agent(report, entry, &path, &known.agents));
    }
    after
}

/// Agents that wait for one another would wait for ever. Each circle is told once.
pub(super) fn check_cycles(report: &mut Report<'_>, agents: &[(Path, Agent)]) {
    let mut told: Vec<&AgentName> = Vec::new();
    for (path, agent) in agents {
        if told.contains(&&agent.name) {
            continue;
        }
        let Some(circle) = circle(agents, &agent.name) else { continue };
        let words: Vec<&str> = circle.iter().map(|name| name.as_str()).collect();
        let message = match words.as_slice() {
            [_, _] => format!("agent `{}` comes after itself", agent.name),
            _ => format!("agents come after one another: {}", words.join(" after ")),
        };
        report.error(&path.key("after"), message, "remove one of them");
        told.extend(circle);
    }
}

/// The shortest way from an agent along `after` back to it.
fn circle<'a>(agents: &'a [(Path, Agent)], start: &'a AgentName) -> Option<Vec<&'a AgentName>> {
    let mut ways = vec![vec![start]];
    let mut seen: Vec<&AgentName> = Vec::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let last = *way.last()?;
            let Some((_, agent)) = agents.iter().find(|(_, agent)| agent.name == *last) else {
                continue;
            };
            for next in &agent.after {
                let way = || way.iter().copied().chain([next]).collect();
                if next == start {
                    return Some(way());
                }
                if !seen.contains(&next) {
                    seen.push(next);
                    longer.push(way());
                }
            }
        }
        ways = longer;
    }
    None
}
