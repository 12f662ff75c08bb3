//! Trees as they are found on disk, hostile ones included.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use lockgate_collectors::{CollectError, checkout};
use lockgate_readiness::tree::Contents;

use crate::write;

#[test]
fn what_belongs_to_the_repository_is_read_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for (path, text) in [
        (".gitignore", "target/\n*.log\n"),
        (".git/config", "x"),
        (".git/refs/remotes/origin/HEAD", "ref: refs/remotes/origin/trunk\n"),
        ("target/a.rs", "x"),
        ("b.log", "x"),
        (".github/workflows/ci.yml", "on: push\n"),
        ("src/a.rs", "x"),
        ("sub/.git", "gitdir: elsewhere"),
        ("sub/a.rs", "x"),
        ("picture.png", "x"),
    ] {
        write(root, path, text);
    }
    let found = checkout(root).unwrap();
    let paths: Vec<&str> = found.tree.paths().collect();
    assert_eq!(paths, [".github/workflows/ci.yml", ".gitignore", "picture.png", "src/a.rs"]);
    assert_eq!(found.tree.contents("picture.png"), Some(&Contents::NotWanted));
    assert_eq!(found.tree.text("src/a.rs"), Some("x"));
    assert_eq!(found.facts.main_branch.as_deref(), Some("trunk"));
    assert!(!found.tree.incomplete && found.tree.notes.is_empty(), "{:?}", found.tree.notes);
}

#[test]
fn hostile_files_are_left_out_with_a_note() {
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "secret.yml", "x");
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, "real/CODEOWNERS", "* @a\n");
    symlink("real/CODEOWNERS", root.join("CODEOWNERS")).unwrap();
    symlink(outside.path().join("secret.yml"), root.join("secret.yml")).unwrap();
    symlink("loop.yml", root.join("loop.yml")).unwrap();
    symlink("..", root.join("real/up")).unwrap();
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"bad\xff.yml")), "x").unwrap();
    fs::write(root.join("binary.yml"), b"a\0b").unwrap();
    fs::write(root.join("latin.yml"), b"caf\xe9").unwrap();
    // Sparse: a gigabyte that no disk has to hold.
    fs::File::create(root.join("huge.json")).unwrap().set_len(1 << 30).unwrap();
    let found = checkout(root).unwrap();
    assert_eq!(found.tree.text("CODEOWNERS"), Some("* @a\n"), "a link inside is followed");
    assert!(!found.tree.has("secret.yml") && !found.tree.has("loop.yml"));
    assert_eq!(found.tree.contents("binary.yml"), Some(&Contents::Binary));
    assert_eq!(found.tree.contents("latin.yml"), Some(&Contents::Binary));
    assert_eq!(found.tree.contents("huge.json"), Some(&Contents::Unread("the file is too large")));
    let notes = found.tree.notes.join("\n");
    for part in ["loop.yml, secret.yml: is a link out", "huge.json: is larger", "not UTF-8"] {
        assert!(notes.contains(part), "{part}: {notes}");
    }
    assert_eq!(
        found.tree.paths().filter(|path| path.starts_with("real/")).count(),
        1,
        "no loop is walked"
    );
}

#[test]
fn a_path_that_is_no_checkout_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a", "x");
    assert!(matches!(checkout(&dir.path().join("a")), Err(CollectError::NotADirectory(_))));
    assert!(matches!(checkout(&dir.path().join("b")), Err(CollectError::Unreadable { .. })));
}

#[test]
fn a_place_that_is_no_root_of_a_checkout_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let empty = checkout(dir.path()).unwrap();
    assert!(empty.tree.incomplete && empty.tree.notes == ["there is no file in it"]);
}
