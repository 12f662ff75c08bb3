//! Conditions of pipelines: one text as the `if` of a step in every system at once. Whatever it is, the step is there or it is not known.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_readiness::tree::Tree;
use lockgate_readiness::{Facts, assess};

fuzz_target!(|text: &str| {
    // JSON is YAML, and a text in quotes stays the text that it is.
    let quoted = serde_json::Value::from(text).to_string();
    let files = [
        (
            ".github/workflows/ci.yml",
            format!(
                "on: [push, pull_request]\njobs:\n  a:\n    if: {quoted}\n    runs-on: x\n    strategy:\n      matrix:\n        v: [1, 2]\n    steps:\n      - if: {quoted}\n        name: {quoted}\n        run: cargo test\n"
            ),
        ),
        (
            ".gitlab-ci.yml",
            format!("variables: {{A: b}}\na:\n  rules:\n    - if: {quoted}\n  script: [cargo test]\n"),
        ),
        (
            "azure-pipelines.yml",
            format!(
                "variables: {{a: b}}\nsteps:\n  - script: cargo test\n    condition: {quoted}\n  - ${{{{ if eq(variables.a, 'b') }}}}:\n    - script: {quoted}\n"
            ),
        ),
        (
            ".circleci/config.yml",
            format!(
                "version: 2.1\njobs:\n  a:\n    docker: [{{image: x}}]\n    steps:\n      - when:\n          condition: {quoted}\n          steps: [{{run: cargo test}}]\nworkflows:\n  w:\n    when: {quoted}\n    jobs: [a]\n"
            ),
        ),
        (
            ".buildkite/pipeline.yml",
            format!("steps:\n  - command: cargo test\n    if: {quoted}\n    branches: {quoted}\n"),
        ),
    ];
    let tree: Tree = files.into_iter().collect();
    let found = assess(&tree, &Facts::default());
    assert!(found.check("tests.unit").is_some());
});
