//! Trees that somebody made to hurt: what is read of them is bounded, and what is left out is told.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use lockgate_collectors::{Checkout, FILES_MAX, checkout};
use lockgate_readiness::finding::Outcome;
use lockgate_readiness::tree::{Contents, TREE_BYTES_MAX};
use lockgate_readiness::{Assessment, assess};

use crate::write;

fn notes(found: &Checkout) -> String {
    found.tree.notes.join("\n")
}

fn assessed(found: &Checkout) -> Assessment {
    assess(&found.tree, &found.facts)
}

fn text_bytes(found: &Checkout) -> u64 {
    found.tree.texts().map(|(_, text)| text.len() as u64).sum()
}

fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo is there");
    assert!(made.success());
}

/// A gigabyte that no disk has to hold.
fn gigabyte(path: &Path) {
    File::create(path).expect("a file").set_len(1 << 30).expect("made longer");
}

#[test]
fn pipes_and_devices_are_not_opened_whatever_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, "a.yml", "a: 1\n");
    for name in ["pipe.yml", ".gitignore", ".gitmodules"] {
        pipe(&root.join(name));
    }
    fs::create_dir_all(root.join(".git")).unwrap();
    pipe(&root.join(".git/packed-refs"));
    fs::create_dir(root.join("sub")).unwrap();
    symlink("/dev/zero", root.join("sub/.gitignore")).unwrap();
    symlink("/dev/zero", root.join("zero.json")).unwrap();
    symlink("pipe.yml", root.join("to-pipe.yml")).unwrap();
    let found = checkout(root).unwrap();
    assert_eq!(found.tree.paths().collect::<Vec<_>>(), ["a.yml"]);
    let notes = notes(&found);
    assert!(notes.contains(".gitignore, .gitmodules, pipe.yml: is no file"), "{notes}");
    assert!(notes.contains("sub/.gitignore, to-pipe.yml, zero.json: is a link out"), "{notes}");
}

#[test]
fn files_of_a_gigabyte_are_named_and_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, ".github/workflows/ci.yml", "on: push\n");
    for name in [".github/workflows/big.yml", "big.json", ".gitignore", ".gitmodules", "big.bin"] {
        gigabyte(&root.join(name));
    }
    let found = checkout(root).unwrap();
    let too_large = Some(&Contents::Unread("the file is too large"));
    for name in [".github/workflows/big.yml", "big.json", ".gitignore"] {
        assert_eq!(found.tree.contents(name), too_large, "{name}");
    }
    assert_eq!(found.tree.contents("big.bin"), Some(&Contents::NotWanted));
    assert_eq!(text_bytes(&found), 9);
    let assessment = assessed(&found);
    let build = assessment.check("ci_cd.build").unwrap();
    assert_eq!(build.outcome, Outcome::Unknown, "what is in the large one is not known: {build:?}");
}

#[test]
fn text_is_read_up_to_a_bound_and_the_rest_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let text = "# nothing in here\n".repeat(50_000);
    let count = usize::try_from(TREE_BYTES_MAX).unwrap() / text.len() + 5;
    for n in 0..count {
        write(dir.path(), &format!("d/{n:03}.yml"), &text);
    }
    let found = checkout(dir.path()).unwrap();
    assert_eq!(found.tree.paths().count(), count);
    let read = text_bytes(&found);
    assert!((TREE_BYTES_MAX..TREE_BYTES_MAX + text.len() as u64).contains(&read), "{read}");
    let last = found.tree.contents(&format!("d/{:03}.yml", count - 1));
    assert_eq!(last, Some(&Contents::Unread("too much text in the repository")));
    assert!(notes(&found).contains("is not read, after as much text as is read"));
}

#[test]
fn links_lead_neither_out_nor_round_nor_to_what_git_keeps() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for (path, text) in [
        (".gitignore", ".env\nlocal/\n"),
        (".env", "KEY=example\n"),
        ("local/a.yml", "a: 1\n"),
        (".git/config", "[http]\n\textraheader = example\n"),
        ("real.yml", "a: 1\n"),
    ] {
        write(root, path, text);
    }
    for (target, name) in [
        ("real.yml", "good.yml"),
        (".git/config", "config.yml"),
        (".env", "env.yml"),
        ("local/a.yml", "local.yml"),
        ("/etc/passwd", "passwd.yml"),
        ("a.yml", "b.yml"),
        ("b.yml", "a.yml"),
        (".", "here"),
    ] {
        symlink(target, root.join(name)).unwrap();
    }
    let found = checkout(root).unwrap();
    assert_eq!(found.tree.paths().collect::<Vec<_>>(), [".gitignore", "good.yml", "real.yml"]);
    let expected =
        "a.yml, b.yml, config.yml and 3 more: is a link out of the repository, or to nothing";
    assert_eq!(notes(&found), expected);
}

#[test]
fn directories_too_deep_and_names_too_long_leave_the_tree_incomplete() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &format!("{}a.yml", "d/".repeat(63)), "a: 1\n");
    let found = checkout(dir.path()).unwrap();
    assert!(found.tree.paths().count() == 1 && !found.tree.incomplete);
    write(dir.path(), &format!("{}a.yml", "d/".repeat(70)), "a: 1\n");
    let found = checkout(dir.path()).unwrap();
    assert!(
        found.tree.incomplete && notes(&found).contains("is nested too deep"),
        "{}",
        notes(&found)
    );
    assert_eq!(found.tree.paths().count(), 1);
    // Longer than any path that can be opened, which holds for everybody.
    let long = tempfile::tempdir().unwrap();
    let ten = vec!["n".repeat(250); 10].join("/");
    fs::create_dir_all(long.path().join("below").join(&ten)).unwrap();
    write(long.path(), &format!("below/{ten}/a.yml"), "a: 1\n");
    fs::create_dir_all(long.path().join(&ten)).unwrap();
    fs::rename(long.path().join("below"), long.path().join(&ten).join("below")).unwrap();
    let found = checkout(long.path()).unwrap();
    assert!(found.tree.incomplete && notes(&found).contains("cannot be read"), "{}", notes(&found));
    let assessment = assessed(&found);
    assert_eq!(assessment.check("ci_cd.build").unwrap().outcome, Outcome::Unknown);
}

#[test]
fn a_directory_that_cannot_be_read_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let closed = dir.path().join("closed");
    write(dir.path(), "closed/a.yml", "a: 1\n");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    // Whoever is root may read it all the same.
    let opens = fs::read_dir(&closed).is_ok();
    let found = checkout(dir.path()).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(found.tree.incomplete, !opens);
    assert_eq!(found.tree.has("closed/a.yml"), opens);
    assert_eq!(notes(&found).contains("cannot be read"), !opens);
}

/// `./test --full` has the count that the bounds were made for.
#[test]
fn many_small_files_are_listed_once_each() {
    let count = std::env::var("LOCKGATE_TREE_FILES").ok().map_or(5_000, |n| n.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    for n in 0..count {
        let (path, text) = (format!("d{}/f{n}.txt", n / 500), format!("{n}\n"));
        if n % 500 == 0 {
            fs::create_dir(dir.path().join(format!("d{}", n / 500))).unwrap();
        }
        fs::write(dir.path().join(path), text).unwrap();
    }
    let found = checkout(dir.path()).unwrap();
    assert!(count < FILES_MAX, "the rest is told, in the test of revisions");
    assert_eq!(found.tree.paths().count(), count);
    assert_eq!(found.tree.texts().count(), count);
    assert!(!found.tree.incomplete && found.tree.notes.is_empty(), "{}", notes(&found));
    assert_eq!(assessed(&found).check("ci_cd.build").unwrap().outcome, Outcome::Fail);
}

#[test]
fn workflows_of_ten_thousand_lines_and_bombs_come_to_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let steps: Vec<String> = (0..10_000).map(|n| format!("      - run: echo {n}\n")).collect();
    let steps = steps.concat();
    let head = "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n";
    write(dir.path(), "go.mod", "module a\n");
    write(dir.path(), "a_test.go", "package a\n");
    write(
        dir.path(),
        ".github/workflows/long.yml",
        &format!("{head}{steps}      - run: go test ./...\n"),
    );
    let found = assessed(&checkout(dir.path()).unwrap());
    let unit = found.check("tests.unit").unwrap();
    assert_eq!((unit.outcome, unit.evidence[0].line), (Outcome::Pass, 10_006));
    let laughs: Vec<String> = (1..12)
        .map(|n| format!("x{n}: &x{n} [{}]\n", vec![format!("*x{}", n - 1); 10].join(", ")))
        .collect();
    let bomb = format!("x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n{}", laughs.concat());
    write(dir.path(), ".github/workflows/bomb.yml", &bomb);
    let found = assessed(&checkout(dir.path()).unwrap());
    let told = found.notes.iter().find(|note| note.starts_with(".github/workflows/bomb.yml:"));
    assert!(told.is_some_and(|note| note.contains("more than 200000 values")), "{:?}", found.notes);
    assert_eq!(found.check("tests.unit").unwrap().outcome, Outcome::Pass, "the other one is read");
}

#[test]
fn patterns_that_take_long_are_asked_for_a_while_and_the_rest_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let patterns: Vec<String> = (0..3_000).map(|n| format!("*a*b*c*{n}*")).collect();
    write(root, ".gitignore", &patterns.join("\n"));
    for n in 0..400 {
        write(root, &format!("f{n:03}.yml"), "x");
    }
    let found = checkout(root).unwrap();
    assert!(found.tree.incomplete && notes(&found).contains("several stars"), "{}", notes(&found));
    let listed = found.tree.paths().count();
    assert!((1..400).contains(&listed), "{listed}");
}
