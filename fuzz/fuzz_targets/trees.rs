//! Small repositories: `### path` before the text of each file. Whatever is in them, the assessment is the same twice, what
//! it shows stands in the files, and every form of it can be written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_model::config::Scenario as Path;
use lockgate_readiness::baseline::Baseline;
use lockgate_readiness::path::{evaluate, repository};
use lockgate_readiness::tree::Tree;
use lockgate_readiness::{Assessment, Facts, Scenario, assess, badge, markdown, sarif};

const FILES_MAX: usize = 16;

fuzz_target!(|text: &str| {
    let tree = tree(text);
    let today = "2026-11-27".parse().ok();
    let facts = Facts { main_branch: Some("main".into()), today, ..Facts::default() };
    let found = assess(&tree, &facts);
    assert_eq!(found, assess(&tree, &facts));
    shown(&found, &tree);
    let json = serde_json::to_string(&found).expect("an assessment can be written");
    let before = Baseline::read(&json).expect("and read again");
    assert!(before.changes(&found).lines().is_empty(), "nothing changed since");
    let _ = (markdown(&found, None), sarif(&found, &Scenario::ALL), badge(&found, None));
    for path in Path::ALL {
        let seen = repository(path, &tree, &facts, &found);
        assert!(!evaluate(path, Some(&seen.findings), None, today).steps.is_empty());
    }
});

fn tree(text: &str) -> Tree {
    let files = text.split("### ").skip(1).take(FILES_MAX);
    files.filter_map(|file| file.split_once('\n')).collect()
}

fn shown(found: &Assessment, tree: &Tree) {
    let json = serde_json::to_value(found).expect("an assessment can be written");
    let dimensions = json["dimensions"].as_object().expect("they are a map");
    let checks = dimensions.values().filter_map(|dimension| dimension["checks"].as_array());
    for evidence in checks.flatten().filter_map(|check| check["evidence"].as_array()).flatten() {
        let file = evidence["file"].as_str().expect("a file");
        let line = evidence["line"].as_u64().expect("a line");
        let text = tree.text(file).expect("evidence is in a file of the tree");
        // YAML and others end lines in more ways than one.
        let lines = text.chars().filter(|c| matches!(c, '\n' | '\r')).count() as u64 + 1;
        assert!((1..=lines).contains(&line), "{file}:{line}");
    }
}
