//! What scanners found: that a scan was made, of what, and when. That a pipeline makes it is not in its results.

use jiff::civil::Date;

use super::several;
use crate::finding::{Finding, Outcome};

/// What a scanner looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Dependencies,
    Secrets,
    /// Code or templates.
    Code,
    /// The running program.
    Dynamic,
}

impl Target {
    fn words(self) -> &'static str {
        match self {
            Self::Dependencies => "dependencies",
            Self::Secrets => "secrets",
            Self::Code => "code or templates",
            Self::Dynamic => "the running program",
        }
    }
}

/// A run of a scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) tool: String,
    /// None when neither the tool nor its rules say so.
    pub(super) targets: Vec<Target>,
    /// The day on which it ended, UTC; none when the file does not say.
    pub(super) date: Option<Date>,
    /// It says of itself that it failed.
    pub(super) failed: bool,
    pub(super) errors: usize,
    pub(super) warnings: usize,
    pub(super) notes: usize,
    /// Accepted by somebody, and in none of the other counts.
    pub(super) suppressed: usize,
}

impl Scan {
    fn counts(&self) -> String {
        let counts = [(self.errors, "error"), (self.warnings, "warning"), (self.notes, "note")];
        let found = counts.iter().filter(|(n, _)| *n > 0);
        let mut told: Vec<String> = found.map(|(n, what)| several(*n as u64, what)).collect();
        if self.suppressed > 0 {
            told.push(format!("{} suppressed", self.suppressed));
        }
        if told.is_empty() { "nothing found".into() } else { told.join(", ") }
    }

    fn says(&self) -> String {
        let of = if self.targets.is_empty() {
            "what it looked for it does not say".to_owned()
        } else {
            let words: Vec<&str> = self.targets.iter().map(|target| target.words()).collect();
            words.join(", ")
        };
        let failed =
            if self.failed { "; it says that it failed, and counts for nothing" } else { "" };
        format!("{} ({of}): {}{failed}", self.tool, self.counts())
    }

    fn on(&self) -> String {
        self.date.map_or("on a day that it does not name".into(), |date| format!("on {date}"))
    }
}

pub(super) fn says(scans: &[Scan]) -> String {
    let said: Vec<String> = scans.iter().map(Scan::says).collect();
    if said.is_empty() {
        "SARIF without a run".into()
    } else {
        format!("SARIF: {}", said.join("; "))
    }
}

/// What scans make of a check: where no step of a pipeline is seen, they show that somebody scans, which leaves open who
/// does, when, and whether anything stops. They never make a check pass.
pub(super) fn weigh(id: &str, finding: Finding, scans: &[(&str, &Scan)]) -> Finding {
    use Target::{Code, Dependencies, Dynamic, Secrets};
    let wanted: &[Target] = match id {
        "security.static" => &[Dependencies, Secrets, Code],
        "security.dependencies_on_pull_request" => &[Dependencies],
        "security.secrets_on_pull_request" => &[Secrets],
        "security.code_on_pull_request" => &[Code],
        "security.dynamic" => &[Dynamic],
        _ => return finding,
    };
    let is_meant = |scan: &Scan| !scan.failed && scan.targets.iter().any(|of| wanted.contains(of));
    let meant: Vec<&(&str, &Scan)> = scans.iter().filter(|(_, scan)| is_meant(scan)).collect();
    let Some((_, latest)) = meant.iter().max_by_key(|(_, scan)| scan.date) else { return finding };
    let told = format!("{} scanned {}: {}", latest.tool, latest.on(), latest.counts());
    let found = if finding.outcome == Outcome::Fail && finding.evidence.is_empty() {
        Finding::unknown(format!("{told}; no step of a pipeline that does so is seen"))
    } else {
        Finding { reason: format!("{}; {told}", finding.reason), ..finding }
    };
    found.given(meant.iter().map(|(name, _)| *name))
}
