//! `docs/scenarios.md` is true: every scenario has a test, and every test that it names exists.
#![expect(clippy::disallowed_methods, reason = "the test reads sources")]

use std::fs;
use std::path::{Path, PathBuf};

const SCENARIOS: usize = 52;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All Rust sources below a directory as one text; empty when it is not there.
fn sources(dir: &Path) -> String {
    let Ok(entries) = fs::read_dir(dir) else { return String::new() };
    let mut text = String::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
    text
}

#[test]
fn every_scenario_is_listed_with_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/scenarios.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells.len() == 6 && cells[1].parse::<usize>().is_ok())
        .collect();
    let numbers: Vec<usize> = rows.iter().map(|cells| cells[1].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=SCENARIOS).collect::<Vec<_>>());
    let pure = sources(&root().join("crates/rollout/tests/it/scenarios"));
    for cells in rows {
        let named = [cells[3], cells[4]].concat();
        assert!(!named.is_empty(), "scenario {} has no test", cells[1]);
        let shown = format!("fn s{:02}_", cells[1].parse::<usize>().unwrap());
        assert_eq!(!cells[3].is_empty(), pure.contains(&shown), "scenario {}", cells[1]);
        for test in cells[4].split('`').filter(|part| part.contains("::")) {
            let (package, name) = test.split_once("::").unwrap();
            let package = root().join("crates").join(package);
            let text = [sources(&package.join("tests")), sources(&package.join("src"))].concat();
            assert!(text.contains(&format!("fn {name}(")), "scenario {}: {test}", cells[1]);
        }
    }
}
