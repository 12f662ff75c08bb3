//! Packs of `policies/`, for a directory of the test.

use std::fs;
use std::path::Path;

use super::peers::repository;

/// Copies packs into one directory, with `workspace` in place of the one that they name.
pub(crate) fn copy(names: &[&str], into: &Path, workspace: &Path) {
    let workspace = workspace.to_str().expect("it is text");
    for name in names {
        let pack = repository("policies").join(name);
        for entry in fs::read_dir(&pack).unwrap_or_else(|error| panic!("{name}: {error}")) {
            let path = entry.expect("the pack can be read").path();
            let text = fs::read_to_string(&path).expect("it is text");
            let file = into.join(path.file_name().expect("it has a name"));
            fs::write(file, text.replace("/srv/workspace", workspace)).expect("it is written");
        }
    }
}
