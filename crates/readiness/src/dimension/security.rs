//! Scans in pipelines.

use super::{ON_CHANGES, Seen, Wanted, judge};
use crate::act::{Act, Class};
use crate::finding::{Evidence, Finding, Outcome};
use crate::pipeline::Occasion;

fn is_static(act: &Act) -> bool {
    matches!(act.class, Class::Dependencies | Class::Secrets | Class::Code)
}

pub(super) fn findings(seen: &Seen<'_>) -> Vec<(&'static str, Finding)> {
    let judge = |is: &dyn Fn(&Act) -> bool,
                 on: &[Occasion],
                 what: &str,
                 when: &str,
                 need_not_block: bool| {
        judge(seen, &Wanted { is, on, what, when, by_scripts: false, need_not_block })
    };
    let of = |class: Class| move |act: &Act| act.class == class;
    let any = Occasion::ALL.map(|occasion| occasion);
    let any: Vec<Occasion> =
        any.into_iter().filter(|on| !matches!(on, Occasion::Manual | Occasion::Other)).collect();
    let first = judge(&is_static, &any, "static scans", "in a pipeline", false);
    vec![
        ("security.static", with_bots(seen, first)),
        (
            "security.dependencies_on_pull_request",
            judge(
                &of(Class::Dependencies),
                ON_CHANGES,
                "scans of dependencies",
                "on pull requests",
                false,
            ),
        ),
        (
            "security.secrets_on_pull_request",
            judge(&of(Class::Secrets), ON_CHANGES, "scans for secrets", "on pull requests", false),
        ),
        (
            "security.code_on_pull_request",
            judge(
                &of(Class::Code),
                ON_CHANGES,
                "scans of code or templates",
                "on pull requests",
                false,
            ),
        ),
        (
            "security.dynamic",
            judge(&of(Class::Dynamic), &any, "dynamic scans or fuzzing", "in a pipeline", false),
        ),
        (
            "security.compliance",
            judge(&of(Class::Compliance), &any, "checks of compliance", "in a pipeline", true),
        ),
    ]
}

/// A robot that updates dependencies is named, so that nobody takes it for a scan.
fn with_bots(seen: &Seen<'_>, finding: Finding) -> Finding {
    const BOTS: [&str; 6] = [
        ".github/dependabot.yml",
        ".github/dependabot.yaml",
        "renovate.json",
        ".github/renovate.json",
        ".github/renovate.json5",
        "renovate.json5",
    ];
    let bot = BOTS.into_iter().find(|file| seen.tree.has(file));
    match bot {
        Some(file) if finding.outcome == Outcome::Fail && finding.evidence.is_empty() => {
            let shown = Evidence::file(file, seen.tree.text(file).unwrap_or_default());
            Finding::fail("a robot opens updates of dependencies, which is no scan in a pipeline")
                .with([shown])
        }
        _ => finding,
    }
}
