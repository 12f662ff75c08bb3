//! Long inputs: one or two parts that come again and again, for every reader of text. Twice as much of them takes about twice as long,
//! in time of the processor: a reader that takes four times as long stands still on a file of a megabyte.
//!
//! The first byte chooses the reader. What stands before, again and again, between, again and again, and after follows, with `\0` between.

#![no_main]

use std::time::Duration;

use cpu_time::ThreadTime;
use libfuzzer_sys::fuzz_target;
use lockgate_model::{config, drift, probe};
use lockgate_policy::facts::FactType;
use lockgate_policy::{ActionName, Bundle, Importing, ToolName, import};
use lockgate_readiness::drift::{Ended, Ran, kubernetes, terraform};
use lockgate_readiness::given::Given;
use lockgate_readiness::tree::Tree;
use lockgate_readiness::{Facts, advise, assess, tried};
use lockgate_value::import::{Columns, Defaults, jsonl};

const BYTES: usize = 48 * 1024;

/// Less says nothing about how it grows.
const SHORT: Duration = Duration::from_millis(100);

/// Files that an assessment looks into, each by its own reader.
const NAMES: [&str; 48] = [
    ".github/workflows/ci.yml",
    ".gitlab-ci.yml",
    "Jenkinsfile",
    ".buildkite/pipeline.yml",
    "azure-pipelines.yml",
    ".circleci/config.yml",
    "package.json",
    "Makefile",
    "CODEOWNERS",
    "ops/alerts.yml",
    "main.tf",
    "main.bicep",
    "app.py",
    "stack.ts",
    "lockgate.attest.yaml",
    "Cargo.toml",
    "pyproject.toml",
    "setup.cfg",
    "tox.ini",
    "noxfile.py",
    "justfile",
    "Taskfile.yml",
    "pom.xml",
    "build.gradle",
    "go.mod",
    "main.go",
    "src/lib.rs",
    "src/App.java",
    "Dockerfile",
    "compose.yaml",
    "k8s/deployment.yaml",
    "kustomization.yaml",
    "chart/Chart.yaml",
    "chart/values.yaml",
    "template.yaml",
    "azuredeploy.json",
    "Pulumi.yaml",
    "serverless.yml",
    "jest.config.js",
    "vitest.config.ts",
    ".coveragerc",
    "requirements.txt",
    ".pre-commit-config.yaml",
    "renovate.json",
    ".golangci.yml",
    "ruff.toml",
    "grafana/dashboard.json",
    "scripts/test.sh",
];

fuzz_target!(|data: &[u8]| {
    let Some((which, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut parts = text.splitn(5, '\0');
    let [before, one, between, two, after] =
        std::array::from_fn(|_| parts.next().unwrap_or_default());
    if one.is_empty() || text.len() > BYTES / 8 {
        return;
    }
    let halves = if two.is_empty() { 1 } else { 2 };
    let text = |bytes: usize| {
        let again = |part: &str| part.repeat(bytes / halves / part.len().max(1));
        format!("{before}{}{between}{}{after}", again(one), again(two))
    };
    let taken = |bytes: usize| taken(*which, &text(bytes));
    let once = taken(BYTES);
    if once > SHORT {
        let twice = taken(2 * BYTES);
        // Again, for what else the machine does.
        let (once, twice) = (once.min(taken(BYTES)), twice.min(taken(2 * BYTES)));
        assert!(twice < once * 3, "{once:?} for {BYTES} bytes and {twice:?} for twice as many");
    }
});

fn taken(which: u8, text: &str) -> Duration {
    let start = ThreadTime::now();
    read(which, text);
    start.elapsed()
}

fn read(which: u8, text: &str) {
    let which = usize::from(which);
    let Some(which) = which.checked_sub(NAMES.len()) else {
        let tree: Tree = [(NAMES[which], text)].into_iter().collect();
        let found = assess(&tree, &Facts::default());
        assert!(found.check("tests.unit").is_some());
        return;
    };
    match which % 14 {
        0 => drop(tried::commands(text)),
        1 => drop(tried::hcl(text)),
        2 => drop(tried::yaml(text)),
        3 => drop(Given::read("report", text)),
        4 => drop(advise::read(text)),
        5 => drop(config::read("lockgate.yaml", text)),
        6 => drop(probe::read(text)),
        7 => drop(Bundle::load(&[("policy.yaml", text)])),
        8 => facts(text),
        9 => theirs(text),
        10 => drop(drift::Report::read(text)),
        11 => judged(text),
        12 => rows(text),
        _ => tried::program(text),
    }
}

fn facts(text: &str) {
    for of in FactType::ALL {
        let _ = of.extract(&text.into());
    }
}

fn theirs(text: &str) {
    let Some(tool) = ToolName::new("tool") else { return };
    let actions = ActionName::new("run").into_iter().collect();
    let importing = Importing { tool, actions, arguments: std::collections::BTreeMap::new() };
    let _ = import(&[("theirs.yaml", text)], &importing);
}

fn judged(text: &str) {
    let ran =
        Ran { ended: Ended::Exited(1), stdout: text.into(), stderr: text.into(), cut: false };
    let shown = Ran { ended: Ended::Exited(0), ..ran.clone() };
    let _ = (terraform::judge(".", "terraform", &shown, Some(&shown)), kubernetes::judge(".", &ran));
    let _ = kubernetes::kustomization_parts(text);
}

fn rows(text: &str) {
    let _ = jsonl(1, text, &Defaults::default());
    let _ = Columns::of(text.split(','), Defaults::default());
}
