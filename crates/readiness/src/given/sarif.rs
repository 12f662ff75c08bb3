//! SARIF 2.1.0 (OASIS standard, errata 01) as scanners write it: which tool, when, how many results of which level.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::GivenError;
use super::scan::{Scan, Target};
use crate::finding::cut;

const KIND: &str = "a SARIF log";

/// Most runs of a log.
const RUNS_MAX: usize = 100;

/// Longest name of a tool, in characters.
const TOOL_CHARS_MAX: usize = 60;

pub(super) fn read(text: &str) -> Result<Vec<Scan>, GivenError> {
    #[derive(Deserialize)]
    struct Looks {
        version: Option<serde_json::Value>,
        runs: Option<IgnoredAny>,
    }
    let broken = |error: serde_json::Error| GivenError::broken("JSON", error.to_string());
    let looks: Looks = serde_json::from_str(text).map_err(broken)?;
    match (&looks.version, &looks.runs) {
        (Some(version), Some(_)) if version == "2.1.0" => {}
        (Some(version), Some(_)) => {
            let why =
                format!("its version is {}, and only 2.1.0 is read", cut(&version.to_string(), 20));
            return Err(GivenError::broken(KIND, why));
        }
        _ => {
            return Err(GivenError::Unknown(
                "JSON that is neither a SARIF log nor a drift report".into(),
            ));
        }
    }
    let log: Log =
        serde_json::from_str(text).map_err(|error| GivenError::broken(KIND, error.to_string()))?;
    if log.runs.len() > RUNS_MAX {
        return Err(GivenError::broken(KIND, format!("it has more than {RUNS_MAX} runs")));
    }
    Ok(log.runs.iter().map(Run::scan).collect())
}

#[derive(Deserialize)]
struct Log {
    runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    #[serde(default)]
    invocations: Vec<Invocation>,
    /// Left out or null when the results are elsewhere, or there are none because it did not get to them (3.14.23).
    results: Option<Vec<Found>>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Component,
    #[serde(default)]
    extensions: Vec<Component>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(default)]
    name: String,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    id: String,
    #[serde(default)]
    default_configuration: Configuration,
    #[serde(default)]
    properties: Properties,
}

#[derive(Default, Deserialize)]
struct Configuration {
    level: Option<String>,
}

#[derive(Default, Deserialize)]
struct Properties {
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    end_time_utc: Option<String>,
    start_time_utc: Option<String>,
    execution_successful: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    rule_id: Option<String>,
    rule: Option<RuleReference>,
    kind: Option<String>,
    level: Option<String>,
    baseline_state: Option<String>,
    suppressions: Option<Vec<Suppressed>>,
}

#[derive(Deserialize)]
struct RuleReference {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Suppressed {
    status: Option<String>,
}

impl Run {
    fn scan(&self) -> Scan {
        let tool = cut(&self.tool.driver.name, TOOL_CHARS_MAX);
        let mut scan = Scan {
            targets: self.targets(),
            tool: if tool.is_empty() { "a tool without a name".into() } else { tool },
            date: self.invocations.iter().filter_map(Invocation::day).max(),
            failed: self.results.is_none()
                || self.invocations.iter().any(|one| one.execution_successful == Some(false)),
            errors: 0,
            warnings: 0,
            notes: 0,
            suppressed: 0,
        };
        let components = || std::iter::once(&self.tool.driver).chain(&self.tool.extensions);
        let levels: BTreeMap<&str, &str> = components()
            .flat_map(|component| &component.rules)
            .filter_map(|rule| {
                Some((rule.id.as_str(), rule.default_configuration.level.as_deref()?))
            })
            .collect();
        for found in self.results.iter().flatten() {
            let is_finding = found.kind.as_deref().is_none_or(|kind| kind == "fail")
                && found.baseline_state.as_deref() != Some("absent");
            let rule = found.rule.as_ref().and_then(|rule| rule.id.as_deref());
            let rule = found.rule_id.as_deref().or(rule).unwrap_or_default();
            // 3.27.10: the result's own level, that of its rule, or a warning.
            let level = found.level.as_deref().or_else(|| levels.get(rule).copied());
            let count = match level.unwrap_or("warning") {
                _ if !is_finding => continue,
                _ if found.is_suppressed() => &mut scan.suppressed,
                "error" => &mut scan.errors,
                "note" => &mut scan.notes,
                "none" => continue,
                _ => &mut scan.warnings,
            };
            *count += 1;
        }
        scan
    }

    /// By the tool, or where one looks for several things, by the tags of its rules.
    fn targets(&self) -> Vec<Target> {
        let tool = self.tool.driver.name.to_ascii_lowercase();
        if let Some((_, target)) = TOOLS.iter().find(|(name, _)| tool == *name) {
            return vec![*target];
        }
        if let Some((_, target)) =
            TOOLS_BY_BEGINNING.iter().find(|(name, _)| tool.starts_with(name))
        {
            return vec![*target];
        }
        if tool != "trivy" {
            return Vec::new();
        }
        let tags = self.tool.driver.rules.iter().flat_map(|rule| &rule.properties.tags);
        let mut targets: Vec<Target> = tags
            .filter_map(|tag| match tag.as_str() {
                "vulnerability" => Some(Target::Dependencies),
                "secret" => Some(Target::Secrets),
                "misconfiguration" => Some(Target::Code),
                _ => None,
            })
            .collect();
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}

/// What tools look for, by their names in lower case.
const TOOLS: &[(&str, Target)] = &[
    ("bandit", Target::Code),
    ("brakeman", Target::Code),
    ("checkov", Target::Code),
    ("clippy", Target::Code),
    ("codeql", Target::Code),
    ("detect-secrets", Target::Secrets),
    ("gitleaks", Target::Secrets),
    ("gosec", Target::Code),
    ("grype", Target::Dependencies),
    ("hadolint", Target::Code),
    ("kics", Target::Code),
    ("kube-linter", Target::Code),
    ("njsscan", Target::Code),
    ("osv-scanner", Target::Dependencies),
    ("owasp zap", Target::Dynamic),
    ("snykcode", Target::Code),
    ("snyk iac", Target::Code),
    ("snyk open source", Target::Dependencies),
    ("terrascan", Target::Code),
    ("tfsec", Target::Code),
    ("trufflehog", Target::Secrets),
    ("zap", Target::Dynamic),
    ("zizmor", Target::Code),
];

/// The same for tools that add an edition to their names.
const TOOLS_BY_BEGINNING: &[(&str, Target)] = &[
    ("dependency-check", Target::Dependencies),
    ("opengrep", Target::Code),
    ("semgrep", Target::Code),
    ("sonar", Target::Code),
];

impl Invocation {
    fn day(&self) -> Option<Date> {
        let at = self.end_time_utc.as_deref().or(self.start_time_utc.as_deref())?;
        let at: jiff::Timestamp = at.parse().ok()?;
        Some(jiff::tz::TimeZone::UTC.to_datetime(at).date())
    }
}

impl Found {
    /// 3.35.3: a suppression without a status is accepted; others are under review, or were rejected.
    fn is_suppressed(&self) -> bool {
        let all = self.suppressions.as_deref().unwrap_or_default();
        !all.is_empty()
            && all.iter().all(|one| one.status.as_deref().is_none_or(|status| status == "accepted"))
    }
}
