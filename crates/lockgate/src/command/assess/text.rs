//! An assessment for people: a table, what comes next, what was handed in, and the gates.

use lockgate_readiness::baseline::Changes;
use lockgate_readiness::catalog::Dimension;
use lockgate_readiness::finding::{Check, Evidence, Outcome};
use lockgate_readiness::given::Told;
use lockgate_readiness::{Assessment, Package, Scenario, Standing};

use super::Show;
use crate::output;

pub(super) fn text(assessment: &Assessment, changes: Option<&Changes>, show: Show) -> String {
    let mut rows = Vec::new();
    for dimension in Dimension::ALL {
        rows.extend(of_dimension(dimension, assessment.standing(dimension), show));
    }
    let table = output::table(&["dimension", "level", "outcome", "check", "where", "why"], &rows);
    let mut parts = vec![table];
    if show == Show::Packages {
        parts.push(packages(&assessment.packages));
    }
    let fixes = fixes(assessment);
    if !fixes.is_empty() {
        parts.push(format!("next:\n{}", fixes.join("\n")));
    }
    let unknown = unknown(assessment);
    if !unknown.is_empty() {
        parts.push(format!("{CAN_BE_SAID}\n{}", unknown.join("\n")));
    }
    if let Some(changes) = changes {
        let lines = changes.lines();
        let lines = if lines.is_empty() { vec!["nothing".to_owned()] } else { lines };
        parts.push(format!("changed since the baseline:\n  {}", lines.join("\n  ")));
    }
    if !assessment.given.is_empty() {
        let lines: Vec<String> = assessment.given.iter().map(Told::line).collect();
        parts.push(format!("handed in:\n  {}", lines.join("\n  ")));
    }
    let gates: Vec<String> =
        Scenario::ALL.into_iter().map(|scenario| gate(assessment, scenario)).collect();
    parts.push(gates.join("\n"));
    parts.join("\n\n")
}

fn gate(assessment: &Assessment, scenario: Scenario) -> String {
    let gate = assessment.gate(scenario);
    let told = match (gate.pass, gate.pass_with_attestations) {
        (true, _) => "passes",
        (false, true) => "does not pass; with what is attested it would",
        (false, false) => "does not pass",
    };
    let mut lines = vec![format!("{}: {told}", scenario.name())];
    lines.extend(gate.lines().into_iter().map(|line| format!("  {line}")));
    lines.join("\n")
}

/// What is tested of each package.
fn packages(packages: &[Package]) -> String {
    if packages.is_empty() {
        return "packages: fewer than two are seen, so that there is nothing to tell apart".into();
    }
    let row = |package: &Package| {
        let parts = [
            &package.build,
            &package.unit,
            &package.integration,
            &package.end_to_end,
            &package.coverage,
        ];
        let mut row = vec![package.path.clone()];
        row.extend(parts.map(|part| outcome(part.outcome).to_owned()));
        row.push(if package.asked {
            package.unit.reason.clone()
        } else {
            "holds no code that is asked about".into()
        });
        row
    };
    let rows: Vec<Vec<String>> = packages.iter().map(row).collect();
    output::table(
        &["package", "build", "unit", "integration", "end-to-end", "coverage", "unit tests"],
        &rows,
    )
}

/// The line of a dimension, and those of its checks.
fn of_dimension(dimension: Dimension, standing: &Standing, show: Show) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for check in standing.checks.iter().filter(|check| is_shown(check, standing, show)) {
        let first = rows.is_empty();
        let head = |text: String| if first { text } else { String::new() };
        rows.push(vec![
            head(dimension.name().to_owned()),
            head(standing.level_told("attested")),
            told(check),
            check.id.split_once('.').map_or(check.id, |(_, id)| id).to_owned(),
            first_place(check),
            why(check),
        ]);
    }
    rows
}

/// Why a check came out so, with what people say of it.
fn why(check: &Check) -> String {
    let mut text = check.reason.clone();
    if let Some(by) = &check.attested {
        text = format!("by {} until {}, {}; {text}", by.owner, by.until, by.link);
    }
    if let Some(accepted) = &check.suppressed {
        text = format!("accepted until {}: {}; {text}", accepted.until, accepted.reason);
    }
    text
}

/// What proves the level, and what stands before the next one.
fn is_shown(check: &Check, standing: &Standing, show: Show) -> bool {
    let level = standing.level.unwrap_or(0);
    match (show, check.level) {
        (Show::All, _) => true,
        (Show::Next | Show::Packages, Some(of)) => of == level || of == level + 1,
        (Show::Next | Show::Packages, None) => check.outcome != Outcome::Pass,
    }
}

/// What stands before the next level, and what every gate asks for, but for what is accepted as it is.
fn told_next(assessment: &Assessment) -> impl Iterator<Item = &Check> {
    let standings = Dimension::ALL.into_iter().map(|dimension| assessment.standing(dimension));
    let checks = standings.flat_map(|standing| {
        let always =
            standing.checks.iter().filter(|check| check.level.is_none() && check.is_open());
        standing.next().chain(always)
    });
    checks.filter(|check| check.suppressed.is_none())
}

/// What would lift each dimension by a level, and let gates pass.
fn fixes(assessment: &Assessment) -> Vec<String> {
    told_next(assessment)
        .filter(|check| check.outcome == Outcome::Fail)
        .map(|check| format!("  {}: {}\n    risk: {}", check.id, check.fix, check.risk))
        .collect()
}

/// Where people's word can be written down.
const CAN_BE_SAID: &str = "unknown, since files cannot show it; whoever answers for it can say so in `lockgate.attest.yaml`:";

/// What only people can tell, and have not told.
fn unknown(assessment: &Assessment) -> Vec<String> {
    told_next(assessment)
        .filter(|check| check.outcome == Outcome::Unknown && check.attested.is_none())
        .map(|check| {
            format!("  - {{check: {}, owner: …, until: YYYY-MM-DD, link: https://…}}", check.id)
        })
        .collect()
}

/// Where it is shown: a line, or a file that was handed in.
fn first_place(check: &Check) -> String {
    let given = || check.given.first().cloned();
    check.evidence.first().map(place).or_else(given).unwrap_or_else(|| output::UNKNOWN.into())
}

fn place(evidence: &Evidence) -> String {
    format!("{}:{}", evidence.file, evidence.line)
}

fn told(check: &Check) -> String {
    let outcome = if check.attested.is_some() { "attested" } else { outcome(check.outcome) };
    if check.suppressed.is_some() { format!("{outcome}, suppressed") } else { outcome.to_owned() }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::NotApplicable => "n/a",
        Outcome::Unknown => "unknown",
    }
}
