//! Whether a path lets a release start: from a report that was posted before, and from what the server knows itself.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use lockgate_model::config::Scenario;
use lockgate_model::ids::{AgentName, VersionName};
use lockgate_model::path::ServerFacts;
use serde::Serialize;

use super::catalog::{Step, checks_of, steps};
use super::{Evaluated, Evaluation, Findings, Word, evaluate, server};
use crate::attest::is_link;
use crate::catalog::entry_of;

/// How long a report counts: a week.
pub const REPORT_MAX_AGE_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// A report of what a repository shows, as somebody posted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Of which path.
    pub path: Scenario,
    /// Of which version.
    pub version: VersionName,
    /// The commit that was looked at.
    pub commit: String,
    /// When it was posted, by the server's clock, milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// Its findings.
    pub findings: Findings,
}

/// What is to be released.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The path that must be open.
    pub path: Scenario,
    /// The agent.
    pub agent: &'a AgentName,
    /// The version.
    pub version: &'a VersionName,
    /// The commit that the configuration says it was built from.
    pub commit: Option<&'a str>,
    /// Milliseconds since the Unix epoch.
    pub now_wall_ms: i64,
}

/// Whether a path lets a release start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// Which path.
    pub path: Scenario,
    /// Whether it does.
    pub open: bool,
    /// What stands in the way, a sentence each.
    pub blocked_by: Vec<String>,
    /// The steps among it.
    pub steps: Vec<&'static str>,
    /// What it is open on people's word for.
    pub attested: Vec<Word>,
    /// The commit that the report is of; none while no report counts.
    pub commit: Option<String>,
}

impl Release {
    /// Why it is refused, in one line.
    pub fn why(&self) -> String {
        format!("{REFUSAL}{}{BLOCKED}{}", self.path, self.blocked_by.join("; "))
    }

    /// The same in words that are ours alone, for where nothing is erased: reasons are those of a repository.
    pub fn in_short(&self) -> String {
        let steps = if self.steps.is_empty() { "no report counts" } else { &self.steps.join(", ") };
        format!("{REFUSAL}{}{BLOCKED}{steps}", self.path)
    }
}

const REFUSAL: &str = "the path `";
const BLOCKED: &str = "` is blocked: ";

/// That a release was refused because its path is blocked, if this is why ([`Release::why`]): without the reasons, which
/// are a repository's words.
pub fn says_blocked(reason: &str) -> Option<String> {
    let (path, _) = reason.strip_prefix(REFUSAL)?.split_once(BLOCKED)?;
    Some(format!("{REFUSAL}{path}` is blocked"))
}

/// Most characters of a text in a report.
const TEXT_CHARS_MAX: usize = 1_000;

/// Most places and words of a finding in a report.
const LISTED_MAX: usize = 40;

/// Refuses a report that says anything but what files can show of this path, or too much of it.
pub fn check_report(path: Scenario, findings: &Findings) -> Result<(), String> {
    for (id, finding) in findings {
        let step = steps(path).find(|step| step.id == id && step.sees.repository());
        let step = step.ok_or_else(|| {
            format!("`{id}` is no step of the path `{path}` that a repository shows")
        })?;
        if let Some(word) = finding.attested.iter().find(|word| !is_asked(step, &word.of)) {
            return Err(format!("`{}` is nothing that `{id}` asks for", word.of));
        }
        if let Some(word) = finding.attested.iter().find(|word| !is_link(&word.link)) {
            return Err(format!(
                "the link of `{}` is no http or https URL without a user",
                word.of
            ));
        }
        let texts = finding.evidence.iter().flat_map(|one| [&one.place, &one.text]);
        let words = finding.attested.iter().flat_map(|one| [&one.of, &one.owner, &one.link]);
        let texts = || texts.clone().chain(words.clone()).chain([&finding.reason]);
        if finding.evidence.len() > LISTED_MAX
            || finding.attested.len() > LISTED_MAX
            || texts().any(|text| text.chars().count() > TEXT_CHARS_MAX)
        {
            return Err(format!(
                "`{id}` says too much: at most {TEXT_CHARS_MAX} characters and {LISTED_MAX} places"
            ));
        }
        if texts().any(|text| text.chars().any(char::is_control)) {
            return Err(format!("`{id}` has line breaks or other control characters in a text"));
        }
    }
    Ok(())
}

/// Whether a word about this is one about the step: about itself, or about a check that it asks for.
fn is_asked(step: &Step, of: &str) -> bool {
    of == step.id
        || checks_of(step).is_some_and(|checks| checks.contains(&of))
        || (step.id.ends_with(".foundations") && entry_of(of).is_some())
}

/// Whether a path lets a release start. Without a report that counts, it does not.
pub fn release(asked: &Asked<'_>, posted: Option<&Posted>, facts: &ServerFacts) -> Release {
    let today = date(asked.now_wall_ms);
    let (report, wrong) = match posted.map(|posted| counts(asked, posted)) {
        Some(Ok(posted)) => (Some(posted), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, Some(format!("there is no report of version {}", asked.version))),
    };
    let known = server(asked.path, facts);
    let evaluation =
        evaluate(asked.path, report.map(|posted| &posted.findings), Some(&known), today);
    let mut blocked_by: Vec<String> = Vec::new();
    if let Some(why) = wrong {
        let Asked { path, agent, version, .. } = asked;
        blocked_by.push(format!(
            "{why}; `lockgate path {path} --report --agent {agent} --version {version}` in its checkout posts one"
        ));
    }
    let in_the_way = in_the_way(&evaluation, report.is_some());
    blocked_by.extend(in_the_way.iter().map(|step| told(step)));
    Release {
        path: asked.path,
        open: blocked_by.is_empty(),
        blocked_by,
        steps: in_the_way.iter().map(|step| step.id).collect(),
        attested: evaluation.words().cloned().collect(),
        commit: report.map(|posted| posted.commit.clone()),
    }
}

/// The steps in the way. Without a report, what only files show is not told one by one.
fn in_the_way(evaluation: &Evaluation, has_report: bool) -> Vec<&Evaluated> {
    let by_server =
        |id: &str| steps(evaluation.path).any(|step| step.id == id && !step.sees.repository());
    evaluation.blocking().filter(|step| has_report || by_server(step.id)).collect()
}

fn told(step: &Evaluated) -> String {
    format!("{} is {}: {}", step.id, how(step.outcome), step.reason)
}

fn how(outcome: crate::finding::Outcome) -> &'static str {
    if outcome == crate::finding::Outcome::Fail { "not so" } else { "unknown" }
}

/// Whether a report is of what is to be released, and recent.
fn counts<'p>(asked: &Asked<'_>, posted: &'p Posted) -> Result<&'p Posted, String> {
    if posted.version != *asked.version {
        return Err(format!(
            "the newest report is of version {}, and version {} is to be released",
            posted.version, asked.version
        ));
    }
    if posted.path != asked.path {
        return Err(format!(
            "the newest report of version {} is of the path `{}`",
            posted.version, posted.path
        ));
    }
    if let Some(commit) = asked.commit
        && commit != posted.commit
    {
        return Err(format!(
            "the newest report is of commit {}, and version {} was built from {commit}",
            posted.commit, posted.version
        ));
    }
    let age_ms = asked.now_wall_ms.saturating_sub(posted.at_wall_ms);
    if age_ms > REPORT_MAX_AGE_MS {
        let days = age_ms / (24 * 60 * 60 * 1_000);
        return Err(format!(
            "the newest report of version {} is {days} days old, and counts for 7",
            posted.version
        ));
    }
    Ok(posted)
}

/// The day in UTC.
pub(super) fn date(wall_ms: i64) -> Option<Date> {
    let at = Timestamp::from_millisecond(wall_ms).ok()?;
    Some(TimeZone::UTC.to_datetime(at).date())
}
