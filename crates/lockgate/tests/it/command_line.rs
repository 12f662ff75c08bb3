//! The command line as people see it.

use crate::support::run;

/// Every command's help, found the way a person would: by reading the list of commands.
fn visit(path: &[&str], seen: &mut Vec<String>) {
    let mut args = path.to_vec();
    args.push("--help");
    let ran = run(&args);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{path:?}");
    let name = if path.is_empty() { "lockgate".to_owned() } else { path.join("-") };
    insta::assert_snapshot!(format!("help-{name}"), ran.stdout);
    seen.push(name);
    let commands = ran.stdout.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in commands.take_while(|line| !line.is_empty()) {
        let command = line.split_whitespace().next().expect("a command a line");
        // Further lines of a description are indented deeper.
        if command != "help" && line.starts_with("  ") && !line.starts_with("    ") {
            visit(&[path, &[command]].concat(), seen);
        }
    }
}

#[test]
fn help_of_every_command() {
    let mut seen = Vec::new();
    visit(&[], &mut seen);
    assert!(seen.len() > 30, "{seen:?}");
}

#[test]
fn help_and_version_are_data_and_wrong_usage_is_not() {
    let version = run(&["--version"]);
    assert_eq!((version.code, version.stderr.as_str()), (0, ""));
    assert!(version.stdout.starts_with("lockgate "));
    let wrong = run(&["rollout", "promot"]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""));
    assert!(wrong.stderr.contains("promote"), "{}", wrong.stderr);
}

#[test]
fn completions_know_every_command_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]);
        assert_eq!(script.code, 0, "{shell}");
        for word in ["rollout", "security-event", "token-file"] {
            assert!(script.stdout.contains(word), "{shell} lacks {word}");
        }
    }
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let page = run(&["man"]);
    assert_eq!(page.code, 0);
    assert!(page.stdout.contains(".TH lockgate"), "{}", page.stdout);
    let dir = tempfile::tempdir().expect("a directory for the test");
    let target = dir.path().join("man1");
    let written = run(&["man".as_ref(), "--dir".as_ref(), target.as_os_str()]);
    assert_eq!((written.code, written.stdout.as_str()), (0, ""));
    for page in ["lockgate.1", "lockgate-rollout-start.1", "lockgate-serve.1"] {
        assert!(target.join(page).is_file(), "{page}");
    }
}
