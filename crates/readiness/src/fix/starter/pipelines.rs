//! Workflows of GitHub Actions: building and testing what is there, and scanning it.

use std::fmt::Write as _;

use super::toolchain::{Toolchain, toolchains};
use super::{File, HEAD, Starter};
use crate::assess::Facts;
use crate::tree::{Tree, has_end, name};

/// What brings the files, by the commit of a release.
pub(super) const CHECKOUT: &str =
    "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";

/// Most characters of a name that is written into a workflow.
const NAME_CHARS_MAX: usize = 100;

/// Whether a path or a branch can stand in YAML and in a shell as it is.
pub(super) fn is_plain(text: &str) -> bool {
    text.len() <= NAME_CHARS_MAX
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.'))
}

/// The main branch; where nothing says which it is, both names that it usually has.
fn main_branch(facts: &Facts) -> &str {
    facts.main_branch.as_deref().filter(|name| is_plain(name)).unwrap_or("main, master")
}

/// The head of a workflow for every change.
fn head(name: &str, facts: &Facts) -> String {
    let main = main_branch(facts);
    format!(
        "{HEAD}name: {name}
on:
  pull_request:
  push:
    branches: [{main}]
permissions:
  contents: read
jobs:
"
    )
}

/// A job, up to its steps.
fn job(text: &mut String, name: &str, more: &str) {
    // Writing to a String does not fail.
    let _ = write!(
        text,
        "  {name}:
    runs-on: ubuntu-latest
    timeout-minutes: 30
    steps:
      - uses: {CHECKOUT}
        with:
          persist-credentials: false
{more}"
    );
}

/// A workflow at the first of these names that is free.
fn free(tree: &Tree, name: &str) -> String {
    let path = format!(".github/workflows/{name}.yml");
    if tree.has(&path) { format!(".github/workflows/lockgate-{name}.yml") } else { path }
}

/// Whether something is not built or tested.
fn is_missing(fails: &dyn Fn(&str) -> bool) -> bool {
    const MISSING: [&str; 6] = [
        "ci_cd.build",
        "ci_cd.build_on_pull_request",
        "ci_cd.test_on_pull_request",
        "ci_cd.test_on_main",
        "tests.unit",
        "tests.unit_on_pull_request",
    ];
    MISSING.iter().any(|id| fails(id))
}

/// Whether there is something that could be scanned, whatever builds it.
fn has_code(tree: &Tree) -> bool {
    const ENDS: [&str; 17] = [
        "c", "cc", "cpp", "h", "hpp", "cs", "fs", "rb", "php", "swift", "ex", "scala", "tf",
        "tofu", "bicep", "sh", "lua",
    ];
    tree.paths().any(|path| ENDS.iter().any(|end| has_end(path, end)))
}

/// Why no workflow that builds and tests is offered.
pub(super) fn why_no_tests(tree: &Tree, fails: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    (has_code(tree) && toolchains(tree).is_empty() && is_missing(fails)).then_some(
        "nothing that builds and tests is offered: it is known for Rust, Python, Node, Go, Maven and Gradle alone; run your own commands on `pull_request`",
    )
}

/// Build and test, in every language that is seen.
pub(super) fn tests(tree: &Tree, facts: &Facts, fails: &dyn Fn(&str) -> bool) -> Option<Starter> {
    let found = toolchains(tree);
    if found.is_empty() || !is_missing(fails) {
        return None;
    }
    let mut text = head("tests", facts);
    job(&mut text, "test", "");
    for Toolchain { title, dir, commands } in found {
        let _ = writeln!(text, "      - name: {title}");
        if !dir.is_empty() {
            let _ = writeln!(text, "        working-directory: {dir}");
        }
        text.push_str("        run: |\n");
        for command in commands {
            let _ = writeln!(text, "          {command}");
        }
    }
    let file = File::whole(free(tree, "tests"), text);
    Some(Starter { files: vec![file], fill_in: Vec::new() })
}

/// What is not scanned: secrets, dependencies and code, and a bill of materials. The check, the job, and its steps.
const SCANS: [(&str, &str, &str); 4] = [
    (
        "security.secrets_on_pull_request",
        "secrets",
        "          fetch-depth: 0 # a secret that was committed once is out
      - run: docker run --rm -v \"$PWD:/src\" ghcr.io/gitleaks/gitleaks:v8.30.1 git --redact /src
",
    ),
    (
        "security.dependencies_on_pull_request",
        "dependencies",
        "      - run: docker run --rm -v \"$PWD:/src\" ghcr.io/google/osv-scanner:v2.5.0 scan source --recursive /src
",
    ),
    (
        "security.code_on_pull_request",
        "code",
        "      - run: pipx run --spec semgrep==1.185.0 semgrep scan --config p/default --error --metrics off
",
    ),
    (
        "security.compliance",
        "bill-of-materials",
        "      - run: docker run --rm -v \"$PWD:/src\" ghcr.io/anchore/syft:v1.51.0 scan dir:/src -o cyclonedx-json=/src/sbom.cdx.json
      - uses: actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0
        with:
          name: sbom
          path: sbom.cdx.json
",
    ),
];

/// Lock files of languages that nothing is built for here.
const LOCKS: [&str; 5] =
    ["Gemfile.lock", "composer.lock", "packages.lock.json", "conan.lock", "mix.lock"];

pub(super) fn security(
    tree: &Tree,
    facts: &Facts,
    fails: &dyn Fn(&str) -> bool,
) -> Option<Starter> {
    let is_known = !toolchains(tree).is_empty();
    // Without a lock file there is nothing for it to look at, and it fails.
    let has_locks = || tree.paths().any(|path| LOCKS.contains(&name(path)));
    let fits =
        |check: &str| is_known || check != "security.dependencies_on_pull_request" || has_locks();
    let missing: Vec<_> = SCANS.iter().filter(|(check, ..)| fails(check) && fits(check)).collect();
    if missing.is_empty() || !is_known && !has_code(tree) {
        return None;
    }
    let mut text = head("security", facts);
    for (_, name, steps) in missing {
        job(&mut text, name, steps);
    }
    let file = File::whole(free(tree, "security"), text);
    Some(Starter { files: vec![file], fill_in: Vec::new() })
}
