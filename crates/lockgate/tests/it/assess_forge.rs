//! `lockgate assess --forge` and `--rev`: what comes from a forge and from git's objects.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Ran, lockgate, run_in};

/// Found in nothing that is printed.
const TOKEN: &str = "example-token-of-a-test";

const RULES: &str = r#"[{"type": "pull_request", "ruleset_id": 7, "parameters": {"required_approving_review_count": 2}}]"#;

/// A forge with one repository, `acme/shop`, whose rules are these. It ends with the test.
fn forge(rules: (u16, &'static str)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                let read = stream.read_line(&mut line).unwrap_or(0);
                if read == 0 || line.trim().is_empty() {
                    break;
                }
                lines.push(line);
            }
            let Some(path) = lines.first().and_then(|line| line.split([' ', '?']).nth(1)) else {
                continue;
            };
            let (status, body) = match path {
                "/repos/acme/shop" => (200, r#"{"default_branch": "main"}"#),
                "/repos/acme/shop/rules/branches/main" => rules,
                "/repos/acme/shop/branches/main" => (200, r#"{"protected": false}"#),
                _ => (404, r#"{"message": "Not Found"}"#),
            };
            let head = format!(
                "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.get_mut().write_all(format!("{head}{body}").as_bytes());
        }
    });
    url
}

fn ask(dir: &Path, url: &str, args: &[&str]) -> Ran {
    let mut command = lockgate();
    command.current_dir(dir).env("FORGE_TOKEN", TOKEN).args(["assess", "--forge", "github"]);
    command.args(["--repository", "acme/shop", "--forge-url", url]).args(args);
    let ran: Ran = command.output().expect("the binary starts").into();
    assert!(!ran.shown().contains(TOKEN), "the token is told: {}", ran.shown());
    ran
}

fn repository() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory for the test");
    std::fs::write(dir.path().join("CODEOWNERS"), "* @acme/platform\n").expect("written");
    dir
}

#[test]
fn what_the_forge_enforces_is_told_as_proven() {
    let dir = repository();
    let url = forge((200, RULES));
    let token = ["--token", "env:FORGE_TOKEN"];
    let ran = ask(dir.path(), &url, &token);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let review = ran.stdout.lines().find(|line| line.contains(" review ")).expect("a line");
    assert!(
        review.starts_with("branch_protection  L1")
            && review.contains("github:/repos/acme/shop/rules/branches/main:6")
            && review.contains("enforced: GitHub requires 2 approving reviews on main"),
        "{review}"
    );
    let json = ask(dir.path(), &url, &[&token[..], &["--output", "json"]].concat());
    let told: Value = json.json();
    let shown = &told["dimensions"]["branch_protection"]["checks"][0]["evidence"];
    assert_eq!(shown[0]["source"], "forge");
    assert_eq!(shown[0]["text"], "\"required_approving_review_count\": 2");
    assert_eq!(shown[1]["file"], "CODEOWNERS");
    assert_eq!(shown[1]["source"], Value::Null);
    let again = ask(dir.path(), &url, &[&token[..], &["--output", "json"]].concat());
    assert_eq!(json.stdout, again.stdout);
    for format in ["markdown", "sarif"] {
        assert_eq!(ask(dir.path(), &url, &[&token[..], &["--format", format]].concat()).code, 0);
    }
}

#[test]
fn where_forge_and_files_differ_the_gate_says_so() {
    let dir = repository();
    let ran = ask(dir.path(), &forge((200, "[]")), &["--require", "scenario=serverless"]);
    assert_eq!(ran.code, 1);
    let why =
        "GitHub requires no review on main, though files indicate it: everything has an owner";
    assert!(ran.stdout.contains(why), "{}", ran.stdout);
    assert!(ran.stderr.contains("branch_protection.review missing"), "{}", ran.stderr);
    let ran =
        ask(dir.path(), &forge((403, "{}")), &["--token", "env:FORGE_TOKEN", "--show", "all"]);
    let why =
        "GitHub answered 403 to /repos/acme/shop/rules/branches/main: the token needs read access";
    assert!(ran.stdout.contains(why), "{}", ran.stdout);
}

#[test]
fn a_token_is_given_by_where_it_is_found() {
    let dir = repository();
    std::fs::write(dir.path().join("token"), format!("{TOKEN}\n")).expect("written");
    let url = forge((200, RULES));
    let ran = ask(dir.path(), &url, &["--token", "file:token"]);
    assert_eq!(ran.code, 0, "{}", ran.shown());
    for (token, why) in [
        (TOKEN, "never written out"),
        ("env:NOT_THERE_AT_ALL", "env:NOT_THERE_AT_ALL is not set"),
        ("file:gone", "file:gone cannot be read"),
        ("file:CODEOWNERS", "characters that no token has"),
    ] {
        let ran = ask(dir.path(), &url, &["--token", token]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.shown());
        assert!(ran.stderr.contains(why) && ran.stderr.contains("hint: "), "{}", ran.stderr);
    }
    let ran = ask(dir.path(), "http://forge.example.com", &["--token", "env:FORGE_TOKEN"]);
    assert!(ran.code == 2 && ran.stderr.contains("is plain HTTP"), "{}", ran.shown());
    for args in [
        &["assess", "--forge", "github"][..],
        &["assess", "--repository", "acme/shop"],
        &["assess", "--forge", "github", "--repository", "shop"],
        &["assess", "--token", "env:A"],
    ] {
        let ran = run_in(dir.path(), args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_revision_is_assessed_without_being_checked_out() {
    let dir = repository();
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(dir.path()).env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.args(["-c", "user.name=A", "-c", "user.email=a@example.com"]).args(args);
        assert!(command.output().expect("git is there").status.success(), "git {args:?}");
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "x"]);
    std::fs::remove_file(dir.path().join("CODEOWNERS")).expect("removed");
    let review = |args: &[&str]| {
        let ran = run_in(dir.path(), args);
        assert_eq!(ran.code, 0, "{}", ran.shown());
        ran.json()["dimensions"]["branch_protection"]["checks"][0]["outcome"].clone()
    };
    assert_eq!(review(&["assess", "--output", "json"]), "unknown");
    assert_eq!(review(&["assess", "--rev", "main", "--output", "json"]), "pass");
    assert_eq!(review(&["assess", ".git", "--rev", "HEAD", "--output", "json"]), "pass");
    let gone = run_in(dir.path(), &["assess", "--rev", "gone"]);
    assert_eq!(gone.code, 2);
    assert!(
        gone.stderr.contains("cannot read the revision `gone`: there is no branch"),
        "{}",
        gone.stderr
    );
}
