//! Reports that are handed in, as coverage, SARIF or drift: any text is one or refused, and counts in an assessment the same way twice.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_readiness::given::Given;
use lockgate_readiness::tree::Tree;
use lockgate_readiness::{Facts, assess, markdown};

fuzz_target!(|text: &str| {
    let read = match Given::read("report", text) {
        Ok(read) => read,
        Err(error) => {
            assert!(error.to_string().len() < 4_096, "what is told is bounded");
            return;
        }
    };
    let files = [
        ("Cargo.toml", "[package]\nname = \"a\"\n"),
        ("src/lib.rs", "pub fn one() -> u8 {\n    1\n}\n"),
        ("src/app.py", "def one():\n    return 1\n"),
        ("main.tf", "resource \"aws_instance\" \"a\" {\n  ami = \"b\"\n}\n"),
    ];
    let tree: Tree = files.into_iter().collect();
    let today = "2026-11-27".parse().ok();
    let dated = today.map(|day| read.clone().made_on(day));
    let given = std::iter::once(read).chain(dated).collect();
    let facts = Facts { today, given, ..Facts::default() };
    let found = assess(&tree, &facts);
    assert_eq!(found, assess(&tree, &facts));
    assert_eq!(found.given.len(), 2);
    let _ = markdown(&found, None);
});
