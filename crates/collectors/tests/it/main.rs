//! What is gone and looked for: trees on disk, revisions of git, and forges.

mod fake;
mod forge;
mod head;
mod hostile;
mod revision;
mod trees;

mod program;

use std::fs;
use std::path::Path;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, text).expect("written");
}
