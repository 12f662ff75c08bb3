//! The commit of a checkout, as git tells it.

use std::fs;
use std::path::Path;

use lockgate_collectors::{HeadError, head};

fn git(dir: &Path, args: &[&str]) {
    let mut command = std::process::Command::new("git");
    command.arg("-C").arg(dir).args(["-c", "user.name=test", "-c", "user.email=test@example.org"]);
    assert!(command.args(args).output().expect("git starts").status.success(), "{args:?}");
}

#[test]
fn the_commit_and_what_is_otherwise_than_in_it_are_told() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(head(dir.path()), Err(HeadError::NoCommit(_))), "no repository");
    git(dir.path(), &["init", "--quiet"]);
    assert!(matches!(head(dir.path()), Err(HeadError::NoCommit(_))), "no commit");
    fs::write(dir.path().join("a"), "1").unwrap();
    git(dir.path(), &["add", "."]);
    git(dir.path(), &["commit", "--quiet", "-m", "a"]);
    let clean = head(dir.path()).unwrap();
    assert_eq!((clean.commit.len(), clean.changed.len()), (40, 0), "{clean:?}");
    fs::write(dir.path().join("a"), "2").unwrap();
    for n in 0..9 {
        fs::write(dir.path().join(format!("new {n}")), "1").unwrap();
    }
    let dirty = head(dir.path()).unwrap();
    assert_eq!(dirty.commit, clean.commit);
    assert_eq!(dirty.changed, ["a", "new 0", "new 1", "new 2", "new 3"], "some of them");
}
