//! Jenkinsfiles: whatever stands in them, they are read or said not to be, and always the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_readiness::tree::Tree;
use lockgate_readiness::{Facts, assess};

fuzz_target!(|text: &str| {
    let tree: Tree = [("Jenkinsfile", text)].into_iter().collect();
    let found = assess(&tree, &Facts::default());
    assert_eq!(found, assess(&tree, &Facts::default()));
    // What is shown stands in the file.
    let lines = text.lines().count();
    for check in ["ci_cd.build", "tests.unit", "security.static"] {
        let check = found.check(check).expect("the catalog has it");
        for shown in &check.evidence {
            assert!(shown.file != "Jenkinsfile" || shown.line as usize <= lines.max(1));
        }
    }
});
