//! Revisions out of real repositories, made by git.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use lockgate_collectors::{CollectError, FILES_MAX, Submodules, checkout, checkout_with, revision};
use lockgate_readiness::tree::{Contents, FILE_BYTES_MAX, Tree};
use tempfile::TempDir;

use crate::write;

/// Runs git, which reads nothing but what is in the repository. Returns what it prints.
fn git(dir: &Path, args: &[&str]) -> String {
    git_told(dir, args, "")
}

fn git_told(dir: &Path, args: &[&str], input: &str) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).args(["-c", "protocol.file.allow=always"]).args(args);
    for (name, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_AUTHOR_NAME", "A"),
        ("GIT_AUTHOR_EMAIL", "a@example.com"),
        ("GIT_COMMITTER_NAME", "A"),
        ("GIT_COMMITTER_EMAIL", "a@example.com"),
    ] {
        command.env(name, value);
    }
    command.env_remove("GIT_DIR").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = command.spawn().expect("git is there");
    let mut stdin = running.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut stdin, input.as_bytes()).expect("it reads");
    drop(stdin);
    let done = running.wait_with_output().expect("it ends");
    assert!(done.status.success(), "git {args:?}");
    String::from_utf8(done.stdout).expect("UTF-8").trim().to_owned()
}

/// Three commits: `a.yml` says one, two, three. The second has a tag, the first another branch.
fn history() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory for the test");
    git(dir.path(), &["init", "-q", "-b", "trunk"]);
    for text in ["one", "two", "three"] {
        write(dir.path(), "a.yml", text);
        write(dir.path(), &format!("{text}/b.txt"), text);
        git(dir.path(), &["add", "."]);
        git(dir.path(), &["commit", "-q", "-m", text]);
    }
    git(dir.path(), &["tag", "-a", "-m", "x", "v2", "HEAD~1"]);
    git(dir.path(), &["branch", "old/one", "HEAD~2"]);
    dir
}

fn text(dir: &Path, rev: &str) -> String {
    let found = revision(dir, rev).unwrap_or_else(|error| panic!("{rev}: {error}"));
    found.tree.text("a.yml").expect("read").to_owned()
}

#[test]
fn a_revision_is_read_whatever_is_checked_out() {
    let dir = history();
    write(dir.path(), "a.yml", "changed and not committed");
    write(dir.path(), "new.yml", "x");
    let first = git(dir.path(), &["rev-parse", "HEAD~2"]);
    let names = [
        ("HEAD", "three"),
        ("@", "three"),
        ("trunk", "three"),
        ("refs/heads/trunk", "three"),
        ("heads/trunk^0", "three"),
        ("v2", "two"),
        ("v2^{commit}", "two"),
        ("trunk~1", "two"),
        ("HEAD^^", "one"),
        ("old/one", "one"),
        (&first, "one"),
        (&first[..8], "one"),
    ];
    for packed in [false, true] {
        if packed {
            git(dir.path(), &["gc", "-q", "--prune=now"]);
            git(dir.path(), &["pack-refs", "--all"]);
            assert!(!dir.path().join(".git/refs/heads/trunk").exists(), "it is packed");
        }
        for (rev, expected) in names {
            assert_eq!(text(dir.path(), rev), expected, "{rev}, packed: {packed}");
        }
        let found = revision(dir.path(), "HEAD~1").unwrap();
        assert_eq!(found.tree.paths().collect::<Vec<_>>(), ["a.yml", "one/b.txt", "two/b.txt"]);
    }
}

#[test]
fn what_is_no_revision_is_an_error() {
    let dir = history();
    for (rev, why) in [
        ("gone", "there is no branch, tag or commit of that name"),
        ("", "there is no branch"),
        ("../../../etc/passwd", "there is no branch"),
        ("HEAD~9", "does not go back so far"),
        ("HEAD~20000", "more than 10000 steps"),
        ("HEAD^{tree}", "only steps such as"),
        ("HEAD:a.yml", "there is no branch"),
        ("0123456789012345678901234567890123456789", "missing or broken"),
    ] {
        let error = revision(dir.path(), rev).unwrap_err();
        assert!(matches!(error, CollectError::Revision { .. }), "{rev}: {error}");
        assert!(error.to_string().contains(why), "{rev}: {error}");
    }
    let tree = git(dir.path(), &["rev-parse", "HEAD^{tree}"]);
    assert!(revision(dir.path(), &tree).unwrap_err().to_string().contains("it is no commit"));
    let none = tempfile::tempdir().unwrap();
    assert!(matches!(revision(none.path(), "HEAD"), Err(CollectError::NotARepository(_))));
    assert!(matches!(
        revision(&none.path().join("x"), "HEAD"),
        Err(CollectError::Unreadable { .. })
    ));
}

#[test]
fn bare_repositories_working_trees_and_clones_know_their_main_branch() {
    let dir = history();
    let main = |path: &Path| checkout(path).unwrap().facts.main_branch;
    assert_eq!(main(dir.path()), None, "without a remote nobody says");
    let other = tempfile::tempdir().unwrap();
    let at = |name: &str| other.path().join(name);
    let from = dir.path().to_str().unwrap();
    git(other.path(), &["clone", "-q", "--bare", from, "bare"]);
    assert_eq!(text(&at("bare"), "v2"), "two");
    assert_eq!(revision(&at("bare"), "HEAD").unwrap().facts.main_branch.as_deref(), Some("trunk"));
    git(other.path(), &["clone", "-q", from, "clone"]);
    let clone = at("clone");
    git(&clone, &["checkout", "-q", "-b", "topic", "HEAD~1"]);
    assert_eq!(main(&clone).as_deref(), Some("trunk"), "what is checked out is another");
    let commit = checkout(&clone).unwrap().facts.commit.unwrap();
    assert!(commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{commit}");
    let of = |rev: &str| revision(&clone, rev).unwrap().facts.commit;
    assert_eq!((of("HEAD"), of("origin/trunk~1")), (Some(commit.clone()), Some(commit)));
    git(&clone, &["worktree", "add", "-q", "../beside", "origin/old/one"]);
    assert!(at("beside/.git").is_file());
    assert_eq!(main(&at("beside")).as_deref(), Some("trunk"));
    for (rev, expected) in
        [("HEAD", "one"), ("topic", "two"), ("origin", "three"), ("origin/trunk", "three")]
    {
        assert_eq!(text(&at("beside"), rev), expected, "{rev}");
    }
    // Some tools write the remote's head as a hash among the packed names.
    git(&clone, &["pack-refs", "--all"]);
    fs::remove_file(clone.join(".git/refs/remotes/origin/HEAD")).unwrap();
    assert_eq!(main(&clone), None);
    let hash = git(&clone, &["rev-parse", "origin/trunk"]);
    let packed = clone.join(".git/packed-refs");
    let with = format!("{}{hash} refs/remotes/origin/HEAD\n", fs::read_to_string(&packed).unwrap());
    fs::write(&packed, &with).unwrap();
    assert_eq!(main(&clone).as_deref(), Some("trunk"));
    fs::write(&packed, format!("{with}{hash} refs/remotes/origin/also\n")).unwrap();
    assert_eq!(main(&clone), None, "two branches are there, and nobody says which");
}

fn both(dir: &Path) -> (Tree, Tree) {
    git(dir, &["add", "-A"]);
    git(dir, &["commit", "-q", "-m", "x"]);
    (checkout(dir).expect("a checkout").tree, revision(dir, "HEAD").expect("a revision").tree)
}

#[test]
fn what_is_left_out_of_a_checkout_is_left_out_of_a_revision() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    git(root, &["init", "-q", "-b", "trunk"]);
    write(root, "real/CODEOWNERS", "* @a\n");
    write(root, "big.json", &" ".repeat(usize::try_from(FILE_BYTES_MAX).unwrap() + 1));
    write(root, "run.sh", "#!/bin/sh\n");
    write(root, "picture.png", "x");
    write(root, "empty.yml", "");
    write(root, &format!("{}a.yml", "d/".repeat(70)), "a: 1\n");
    fs::write(root.join("binary.yml"), b"a\0b").unwrap();
    fs::write(root.join("latin.yml"), b"caf\xe9").unwrap();
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"bad\xff.yml")), "x").unwrap();
    for (target, name) in [
        ("real/CODEOWNERS", "CODEOWNERS"),
        ("real", "to-real"),
        ("to-real/../real/./CODEOWNERS", "through.yml"),
        (".", "here"),
        ("../secret.yml", "out.yml"),
        ("/etc/passwd", "absolute.yml"),
        ("gone.yml", "dangling.yml"),
        ("loop.yml", "loop.yml"),
        (".git/config", "config.yml"),
    ] {
        symlink(target, root.join(name)).unwrap();
    }
    let (here, there) = both(root);
    assert_eq!(there.text("CODEOWNERS"), Some("* @a\n"));
    assert_eq!(there.text("through.yml"), Some("* @a\n"));
    assert_eq!(there.contents("big.json"), Some(&Contents::Unread("the file is too large")));
    let paths: Vec<&str> = there.paths().collect();
    assert_eq!(paths, here.paths().collect::<Vec<_>>());
    for path in paths {
        assert_eq!(there.contents(path), here.contents(path), "{path}");
    }
    assert!(here.incomplete && there.incomplete);
    assert_eq!(there.notes.len(), here.notes.len(), "{:?}", there.notes);
    let notes = there.notes.join("\n");
    for part in [
        "absolute.yml, config.yml, dangling.yml and 2 more: is a link out of the repository",
        "big.json: is larger than what is read of a file",
        "not UTF-8",
        "d/d: is nested too deep",
    ] {
        assert!(notes.contains(part), "{part}: {notes}");
    }
}

#[test]
fn submodules_are_named_and_read_when_asked() {
    let library = history();
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    git(root, &["init", "-q", "-b", "trunk"]);
    write(root, "a.yml", "a: 1\n");
    for name in ["libs/x", "libs/y"] {
        git(root, &["submodule", "--quiet", "add", library.path().to_str().unwrap(), name]);
    }
    git(root, &["add", "a.yml"]);
    git(root, &["commit", "-q", "-m", "x"]);
    git(root, &["submodule", "--quiet", "deinit", "-f", "libs/y"]);
    let note = "libs/x, libs/y: is a submodule, which is not looked at; what is in it is not known";
    for tree in [checkout(root).unwrap().tree, revision(root, "HEAD").unwrap().tree] {
        assert_eq!(tree.paths().collect::<Vec<_>>(), [".gitmodules", "a.yml"]);
        assert_eq!(tree.notes, [note]);
        assert_eq!(tree.submodules, ["libs/x", "libs/y"]);
        assert!(!tree.incomplete);
    }
    let tree = checkout_with(root, Submodules::Read).unwrap().tree;
    assert_eq!(tree.text("libs/x/a.yml"), Some("three"));
    assert_eq!(tree.submodules, ["libs/y"]);
    assert_eq!(
        tree.notes,
        ["libs/y: is a submodule that is not checked out; what is in it is not known"]
    );
}

#[test]
fn a_tree_that_holds_itself_again_and_again_ends() {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "-q", "-b", "trunk"]);
    let blob = git_told(dir.path(), &["hash-object", "-w", "--stdin"], "a: 1\n");
    let files: Vec<String> =
        (0..1_000).map(|n| format!("100644 blob {blob}\tf{n}.png\n")).collect();
    let mut tree = git_told(dir.path(), &["mktree"], &files.concat());
    for _ in 0..12 {
        let entries: Vec<String> = (0..40).map(|n| format!("040000 tree {tree}\td{n}\n")).collect();
        tree = git_told(dir.path(), &["mktree"], &entries.concat());
    }
    let commit = git(dir.path(), &["commit-tree", &tree, "-m", "x"]);
    let found = revision(dir.path(), &commit).unwrap();
    assert!(found.tree.paths().count() <= FILES_MAX);
    assert!(found.tree.incomplete);
    let note = "there are more than 250000 files; the rest is not looked at";
    assert!(found.tree.notes.iter().any(|told| told == note), "{:?}", found.tree.notes);
}

#[test]
fn names_that_no_file_has_and_objects_that_are_gone_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "-q", "-b", "trunk"]);
    let blob = git_told(dir.path(), &["hash-object", "-w", "--stdin"], "a: 1\n");
    let lost = git_told(dir.path(), &["hash-object", "-w", "--stdin"], "b: 1\n");
    let below = git_told(dir.path(), &["mktree"], &format!("100644 blob {blob}\tc.yml\n"));
    let entries = format!(
        "100644 blob {blob}\ta.yml\n100644 blob {lost}\tb.yml\n040000 tree {below}\tgone\n100644 blob {blob}\t..\n"
    );
    let tree = git_told(dir.path(), &["mktree"], &entries);
    let commit = git(dir.path(), &["commit-tree", &tree, "-m", "x"]);
    for id in [&lost, &below] {
        let object = dir.path().join(".git/objects").join(&id[..2]).join(&id[2..]);
        fs::remove_file(object).unwrap();
    }
    let found = revision(dir.path(), &commit).unwrap().tree;
    assert_eq!(found.paths().collect::<Vec<_>>(), ["a.yml", "b.yml"]);
    assert_eq!(found.contents("b.yml"), Some(&Contents::Unread("the file cannot be read")));
    assert!(found.incomplete, "what is in a directory that is gone is not known");
    let notes = found.notes.join("\n");
    for part in ["gone, b.yml: cannot be read", "1 files: has a name that no file has"] {
        assert!(notes.contains(part), "{part}: {notes}");
    }
}

#[test]
fn repositories_with_long_hashes_are_read() {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "-q", "-b", "trunk", "--object-format=sha256"]);
    write(dir.path(), "a.yml", "long");
    git(dir.path(), &["add", "."]);
    git(dir.path(), &["commit", "-q", "-m", "x"]);
    let hash = git(dir.path(), &["rev-parse", "HEAD"]);
    for rev in ["HEAD", "trunk", &hash, &hash[..10]] {
        assert_eq!(text(dir.path(), rev), "long", "{rev}");
    }
}

#[test]
fn a_part_of_a_repository_and_a_bare_one_are_told() {
    let dir = history();
    let part = checkout(&dir.path().join("two")).unwrap();
    assert!(part.tree.incomplete && part.tree.notes[0].contains("is a part of a repository"));
    let whole = checkout(dir.path()).unwrap();
    assert!(!whole.tree.incomplete && whole.tree.notes.is_empty());
    // What git does not have is no part of it.
    write(dir.path(), "new/a.yml", "x");
    assert!(!checkout(&dir.path().join("new")).unwrap().tree.incomplete);
    let bare = tempfile::tempdir().unwrap();
    git(bare.path(), &["init", "-q", "--bare", "."]);
    let refused = checkout(bare.path()).unwrap_err();
    assert!(matches!(refused, CollectError::Bare(_)) && refused.to_string().contains("--rev"));
}

#[test]
fn what_git_has_is_a_part_of_it_whatever_gitignore_says() {
    for version in ["2", "4"] {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        git(root, &["init", "-q"]);
        git(root, &["config", "index.version", version]);
        for path in ["hard/b.py", "hard/more/c.py", "hard/.env", "a.log", "b.log", "hardly.py"] {
            write(root, path, "x");
        }
        git(root, &["add", "hard/b.py", "hard/more/c.py", "a.log", "hardly.py"]);
        write(root, ".gitignore", "hard/\n*.log\n");
        symlink("hard/.env", root.join("secret.yml")).unwrap();
        symlink("hard/b.py", root.join("link.py")).unwrap();
        let found = checkout(root).unwrap();
        let paths: Vec<&str> = found.tree.paths().collect();
        let expected =
            [".gitignore", "a.log", "hard/b.py", "hard/more/c.py", "hardly.py", "link.py"];
        assert_eq!(paths, expected, "version {version}");
    }
}
