//! Programs of others, within bounds.

use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use lockgate_collectors::kubernetes;
use lockgate_collectors::program::{Environment, Run};
use lockgate_readiness::drift::{Ended, Ran};

fn variables(all: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    all.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn shell(lines: &str, time_max: Duration, output_bytes_max: usize) -> Ran {
    let environment = Environment::of(variables(&[("PATH", "/usr/bin:/bin")]), &[], &[]);
    let dir = tempfile::tempdir().expect("made");
    Run {
        program: Path::new("/bin/sh"),
        arguments: vec!["-c".into(), lines.into()],
        directory: dir.path(),
        environment: &environment,
        until: Instant::now() + time_max,
        time_max,
        stop: &AtomicBool::new(false),
        output_bytes_max,
    }
    .go()
}

const LONG: Duration = Duration::from_mins(2);

#[test]
fn how_it_ends_is_told_apart() {
    for (lines, ended) in [
        ("exit 0", Ended::Exited(0)),
        ("exit 2", Ended::Exited(2)),
        ("kill -KILL $$", Ended::Killed),
    ] {
        assert_eq!(shell(lines, LONG, 100).ended, ended, "{lines}");
    }
    let late = shell("exit 0", Duration::ZERO, 100);
    assert_eq!(late.ended, Ended::TimedOut(0), "it is not begun when no time is left");
    let slow = shell("echo begun; sleep 300", Duration::from_secs(1), 100);
    assert_eq!((slow.ended, slow.stdout.as_str()), (Ended::TimedOut(1), "begun\n"));
}

#[test]
fn output_is_read_to_its_limit_and_the_rest_does_not_block() {
    let ran = shell("head -c 1000000 /dev/zero | tr '\\0' x; echo no >&2; exit 3", LONG, 1_000);
    assert_eq!((ran.ended, ran.stdout.len(), ran.cut), (Ended::Exited(3), 1_000, true));
    let ran = shell("printf yes; printf no >&2", LONG, 3);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.cut), ("yes", "no", false));
    let ran = shell("printf '\\377'", LONG, 100);
    assert_eq!(ran.stdout, "\u{fffd}");
}

#[test]
fn a_child_that_is_left_behind_is_ended_and_one_that_fled_keeps_nobody_waiting() {
    let ran = shell("sleep 300 & exit 0", LONG, 100);
    assert_eq!((ran.ended, ran.cut), (Ended::Exited(0), false), "its output ended with it");
    let ran = shell("setsid sleep 20 & sleep 0.2; echo seen; exit 0", LONG, 100);
    assert_eq!(ran.stdout, "seen\n");
    assert!(ran.cut, "what the one that fled may still write is not known");
}

#[test]
fn of_the_environment_only_what_is_named_is_taken() {
    let all = variables(&[
        ("PATH", "bin:/opt/bin::/bin"),
        ("HOME", "/home/a"),
        ("TF_WORKSPACE", "prod"),
        ("TF_VAR_a", "hunter2-example"),
        ("TF_CLI_ARGS_plan", "-target=a"),
        ("KUBECTL_EXTERNAL_DIFF", "/tmp/x"),
        ("OTHER", "hunter3-example"),
    ]);
    let environment = Environment::of(all, &["TF_WORKSPACE"], &["TF_*", "KUBECTL_*", "PIN"]);
    assert!(environment.has("HOME") && environment.has("TF_WORKSPACE"));
    assert!(environment.has("TF_VAR_a") && !environment.has("OTHER"));
    assert!(!environment.has("TF_CLI_ARGS_plan") && !environment.has("KUBECTL_EXTERNAL_DIFF"));
    assert_eq!(environment.secrets(), ["hunter2-example"], "`prod` is too short to be looked for");
    let ran = Run {
        program: Path::new("/usr/bin/env"),
        arguments: Vec::new(),
        directory: Path::new("/"),
        environment: &environment.with("TF_INPUT", "0"),
        until: Instant::now() + LONG,
        time_max: LONG,
        stop: &AtomicBool::new(false),
        output_bytes_max: 10_000,
    }
    .go();
    let mut lines: Vec<&str> = ran.stdout.lines().collect();
    lines.sort_unstable();
    let taken = [
        "HOME=/home/a",
        "PATH=/opt/bin:/bin",
        "TF_INPUT=0",
        "TF_VAR_a=hunter2-example",
        "TF_WORKSPACE=prod",
    ];
    assert_eq!(lines, taken);
}

#[test]
fn a_program_is_found_in_absolute_directories_alone() {
    let dir = tempfile::tempdir().expect("made");
    std::fs::write(dir.path().join("tool"), "").expect("made");
    let path = format!(".:{}", dir.path().display());
    let environment = Environment::of(variables(&[("PATH", &path)]), &[], &[]);
    assert_eq!(environment.find(Path::new("tool")), Some(dir.path().join("tool")));
    assert_eq!(environment.find(Path::new("Cargo.toml")), None, "the current directory is none");
    assert_eq!(environment.find(Path::new("src/none")), None);
    let nowhere = Environment::of(variables(&[("PATH", ".:")]), &[], &[]);
    assert_eq!(nowhere.find(Path::new("Cargo.toml")), None, "an empty list is not this directory");
}

#[test]
fn a_kustomization_that_would_fetch_is_refused() {
    for (base, is_refused) in [
        ("resources: [a.yaml]\n", false),
        ("resources: ['https://acme.io/a.yaml']\n", true),
        ("resources: [github.com/acme/app//deploy?ref=v1]\n", true),
        ("resources: [\n", true),
    ] {
        let dir = tempfile::tempdir().expect("made");
        crate::write(dir.path(), "prod/kustomization.yaml", "resources: [../base, ../prod]\n");
        crate::write(dir.path(), "base/kustomization.yml", base);
        let environment = Environment::of(variables(&[]), &[], &[]);
        let ran = kubernetes::diff(&kubernetes::Asked {
            program: Path::new("/bin/true"),
            directory: &dir.path().join("prod"),
            kubeconfig: None,
            context: None,
            stop: &AtomicBool::new(false),
            environment: &environment,
            time_max: LONG,
        });
        assert_eq!(matches!(ran.ended, Ended::NotStarted(_)), is_refused, "{base}: {ran:?}");
    }
}
