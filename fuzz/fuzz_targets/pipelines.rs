//! A whole assessment of one file that has the name of a pipeline, of what a pipeline runs, or of a template.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_readiness::tree::Tree;
use lockgate_readiness::{Facts, assess};

const NAMES: [&str; 14] = [
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
];

fuzz_target!(|data: (u8, &str)| {
    let (name, text) = data;
    let name = NAMES[usize::from(name) % NAMES.len()];
    let tree: Tree = [(name, text)].into_iter().collect();
    let found = assess(&tree, &Facts::default());
    assert_eq!(found, assess(&tree, &Facts::default()));
});
