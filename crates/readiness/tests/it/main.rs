//! Small whole repositories, and what is found of them.

mod attested;
mod azure;
mod buildkite;
mod circleci;
mod commands;
mod corpus;
mod docs;
mod fixes;
mod forge;
mod gates;
mod gitlab;
mod given;
mod given_drift;
mod hostile;
mod infrastructure;
mod jenkins;
mod levels;
mod limits;
mod observability;
mod packages;
mod pages;
mod recipes;
mod reports;
mod runners;
mod shells;
mod steps;
mod templates;
mod traps;

use lockgate_readiness::finding::{Check, Outcome};
use lockgate_readiness::tree::Tree;
use lockgate_readiness::{Assessment, Facts, assess};

/// Files of a repository.
type Files<'a> = &'a [(&'a str, &'a str)];

fn tree(files: Files<'_>) -> Tree {
    files.iter().map(|&(path, text)| (path, text)).collect()
}

fn assessed(files: Files<'_>) -> Assessment {
    assess(&tree(files), &Facts::default())
}

fn check<'a>(assessment: &'a Assessment, id: &str) -> &'a Check {
    assessment.check(id).unwrap_or_else(|| panic!("no check {id}"))
}

/// Outcome, where, and why of a check, for messages.
fn told(check: &Check) -> String {
    let places: Vec<String> =
        check.evidence.iter().map(|one| format!("{}:{}", one.file, one.line)).collect();
    format!("{} {:?} {} [{}]", check.id, check.outcome, check.reason, places.join(" "))
}

/// Asserts an outcome, and that the first evidence is at `place`, as `file:line`; nothing for none.
fn assert_check(assessment: &Assessment, id: &str, outcome: Outcome, place: &str) {
    let check = check(assessment, id);
    let first =
        check.evidence.first().map(|one| format!("{}:{}", one.file, one.line)).unwrap_or_default();
    assert_eq!((check.outcome, first.as_str()), (outcome, place), "{}", told(check));
}

/// What makes a tree one of something that is deployed.
const CONTAINER: (&str, &str) = ("Dockerfile", "FROM scratch\n");

/// The same of files beside a container.
fn assert_of(files: Files<'_>, id: &str, outcome: Outcome, place: &str) {
    assert_check(&assessed(&with(&[&[CONTAINER], files])), id, outcome, place);
}

/// A Rust package with a unit test.
const RUST: Files<'static> = &[
    ("Cargo.toml", "[package]\nname = \"a\"\n\n[dependencies]\naxum = \"0.8\"\n"),
    (
        "src/lib.rs",
        "pub fn one() -> u8 {\n    1\n}\n\n#[test]\nfn it_is() {\n    assert_eq!(one(), 1);\n}\n",
    ),
];

fn with<'a>(files: &[&[(&'a str, &'a str)]]) -> Vec<(&'a str, &'a str)> {
    files.concat()
}
