//! The packs of `policies/`: each alone and all together, with every rule tested.

use std::fs;

use serde_json::json;

use crate::support::packs;
use crate::support::peers::repository;
use crate::support::run;

const PACKS: [&str; 7] = ["filesystem", "http", "mail", "memory", "payments", "shell", "sql"];

#[test]
fn every_pack_is_right_without_a_warning_and_all_its_rules_are_tested() {
    let listed = fs::read_dir(repository("policies")).expect("the packs are there");
    let mut names: Vec<String> = listed
        .map(|entry| entry.expect("it can be read"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().expect("it is text"))
        .collect();
    names.sort();
    assert_eq!(names, PACKS, "a pack that is not tested");
    for name in PACKS {
        let directory = repository("policies").join(name);
        let directory = directory.to_str().expect("it is text");
        let checked = run(&["policy", "check", directory]);
        assert_eq!((checked.code, checked.stderr.as_str()), (0, ""), "{name}: {}", checked.shown());
        let tested = run(&["policy", "test", directory, "--require-coverage", "--output", "json"]);
        assert_eq!(tested.code, 0, "{name}: {}", tested.shown());
        let told = tested.json();
        assert!(told["tests"].as_u64().is_some_and(|tests| tests > 10), "{name}: {told}");
        assert_eq!((&told["failed"], &told["untested"]), (&json!(0), &json!([])), "{name}");
    }
}

#[test]
fn all_packs_go_into_one_directory_and_decide_there_as_they_do_alone() {
    let all = tempfile::tempdir().expect("a directory for the test");
    packs::copy(&PACKS, all.path(), "/home/agents/project".as_ref());
    let directory = all.path().to_str().expect("it is text");
    let tested = run(&["policy", "test", directory, "--require-coverage"]);
    assert_eq!(tested.code, 0, "{}", tested.shown());
}

#[test]
fn who_names_the_directory_of_all_packs_is_told_to_name_one() {
    let directory = repository("policies");
    let ran = run(&["policy", "check", directory.to_str().expect("it is text")]);
    assert_eq!(ran.code, 2, "{}", ran.shown());
    assert!(ran.stderr.contains("name one, such as "), "{}", ran.stderr);
    assert!(ran.stderr.trim_end().ends_with("policies/filesystem"), "{}", ran.stderr);
}
