//! The bugs of the mutation check still fit the code. `./test --full` plants them.

#[expect(clippy::disallowed_methods, reason = "it looks at the code")]
#[path = "../../mutants/mod.rs"]
mod list;

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_bug_can_be_planted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mutants = list::all();
    let names: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
    assert_eq!(names.len(), mutants.len(), "each has a name of its own");
    assert!(mutants.len() >= 25, "{}", mutants.len());
    let unfit = mutants.iter().filter_map(|mutant| {
        let why = mutant.planted(&root).err()?;
        Some(format!("{}: {why}", mutant.name))
    });
    let unfit: Vec<String> = unfit.collect();
    assert!(unfit.is_empty(), "{}", unfit.join("\n"));
}
