//! A whole assessment of one file that has the name of a pipeline, or of what a pipeline runs.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_readiness::tree::Tree;
use lockgate_readiness::{Facts, assess};

const NAMES: [&str; 10] = [
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
];

fuzz_target!(|data: (u8, &str)| {
    let (name, text) = data;
    let name = NAMES[usize::from(name) % NAMES.len()];
    let tree: Tree = [(name, text)].into_iter().collect();
    let found = assess(&tree, &Facts::default());
    assert_eq!(found, assess(&tree, &Facts::default()));
});
