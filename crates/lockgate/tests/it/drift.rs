//! `lockgate drift --terraform`: the real program on real states, and one of ours in its place where it must misbehave.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use lockgate_model::drift::{Drift, Report};
use rustix::fs::{FlockOperation, fcntl_lock};

use crate::support::{Ran, lockgate, run};

/// What no output may hold.
const SECRET: &str = "hunter2-example";

const MAIN: &str = "\
variable \"password\" {
  type      = string
  sensitive = true
}
resource \"terraform_data\" \"server\" {
  input = { size = \"small\", password = var.password }
}
resource \"terraform_data\" \"other\" {
  input = \"as it was\"
}
";

/// A checkout with a root module in `infra/prod`.
struct Module {
    dir: tempfile::TempDir,
}

/// The real program.
fn terraform() -> PathBuf {
    let named = std::env::var_os("LOCKGATE_TEST_TERRAFORM").unwrap_or_else(|| "terraform".into());
    let paths = std::env::var_os("PATH").expect("there is a PATH");
    std::env::split_paths(&paths)
        .map(|directory| directory.join(&named))
        .find(|path| path.is_file())
        .expect("terraform is installed; ./test says so too, and LOCKGATE_TEST_TERRAFORM names it")
}

impl Module {
    /// One that was not applied.
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let module = Self { dir };
        fs::create_dir_all(module.root()).expect("the directory takes directories");
        module.write("main.tf", text);
        module
    }

    /// One whose state has what is written.
    fn applied(text: &str) -> Self {
        let module = Self::new(text);
        let done = Command::new(terraform())
            .args(["apply", "-auto-approve", "-input=false", "-no-color"])
            .current_dir(module.root())
            .env("TF_VAR_password", SECRET)
            .output()
            .expect("terraform starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        module
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("infra/prod")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.root().join(name), text).expect("the directory takes files");
    }

    /// Changes the state as somebody would change what runs.
    fn by_hand(&self, from: &str, to: &str) {
        let file = self.root().join("terraform.tfstate");
        let state = fs::read_to_string(&file).expect("it was applied");
        assert!(state.contains(from), "{state}");
        fs::write(file, state.replace(from, to)).expect("the directory takes files");
    }

    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(self.root()).expect("it is there");
        let mut files: Vec<_> = entries
            .map(|entry| entry.expect("it is readable").path())
            .map(|path| (path.clone(), fs::read(path).expect("a file")))
            .collect();
        files.sort();
        files
    }

    /// The command with more arguments, by the real program.
    fn drift(&self, more: &[&str]) -> Ran {
        self.drift_by(&terraform(), more)
    }

    fn drift_by(&self, program: &Path, more: &[&str]) -> Ran {
        let ran: Ran = lockgate()
            .args(["drift", "--terraform", "infra/prod", "--terraform-program"])
            .arg(program)
            .args(more)
            .current_dir(self.dir.path())
            .env("TF_VAR_password", SECRET)
            .output()
            .expect("the binary starts")
            .into();
        assert!(!ran.shown().contains(SECRET), "a secret is shown: {}", ran.shown());
        ran
    }

    /// What it reports, and its exit code.
    fn report(&self, more: &[&str]) -> (Report, i32) {
        let ran = self.drift(&[more, &["--output", "json"]].concat());
        (
            Report::read(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.shown())),
            ran.code,
        )
    }
}

/// A program that does what these lines of a shell say.
fn stand_in(dir: &Path, lines: &str) -> PathBuf {
    let path = dir.join("stand-in");
    fs::write(&path, format!("#!/bin/sh\n{lines}\n")).expect("the directory takes files");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

#[test]
fn what_runs_is_what_is_written() {
    let module = Module::applied(MAIN);
    let before = module.files();
    let (report, code) = module.report(&[]);
    assert_eq!((report.outcome, code), (Drift::None, 0));
    let root = &report.roots[0];
    assert_eq!((root.path.as_str(), root.changes_total, root.noise_total), ("infra/prod", 0, 0));
    assert!(root.program.as_ref().is_some_and(|told| told.starts_with("terraform 1.")), "{root:?}");
    assert_eq!(module.files(), before, "the checkout is left as it was");
    assert_eq!(run(&["schema", "drift"]).json(), lockgate_model::drift::schema());
}

#[test]
fn what_was_changed_by_hand_is_named_without_its_values() {
    let module = Module::applied(MAIN);
    module.by_hand("small", "large");
    let (report, code) = module.report(&[]);
    assert_eq!((report.outcome, code), (Drift::Drifted, 1));
    let root = &report.roots[0];
    assert_eq!((root.changes_total, root.changes.len()), (1, 1));
    assert_eq!(root.changes[0].what, "terraform_data.server");
    assert!(root.changes[0].attributes.contains(&"input".to_owned()), "{root:?}");
    let told = module.drift(&[]);
    assert_eq!(told.code, 1);
    assert!(told.stdout.contains("terraform_data.server: update"), "{}", told.stdout);
    assert!(!told.stdout.contains("large") && !told.stdout.contains("small"), "{}", told.stdout);
}

#[test]
fn what_is_written_and_not_there_and_what_is_there_and_not_written_are_drift() {
    let module = Module::applied(MAIN);
    module.write("main.tf", &MAIN.replace("\"other\"", "\"another\""));
    let (report, code) = module.report(&[]);
    assert_eq!((report.outcome, code), (Drift::Drifted, 1));
    let told: Vec<(&str, &str)> = report.roots[0]
        .changes
        .iter()
        .map(|one| (one.what.as_str(), one.how.split(':').next().unwrap_or_default()))
        .collect();
    assert_eq!(told, [("terraform_data.another", "create"), ("terraform_data.other", "delete")]);
}

#[test]
fn noise_alone_is_no_drift_and_is_told() {
    let module = Module::applied(MAIN);
    let moved = MAIN.replace("\"other\"", "\"renamed\"");
    let more = "moved {\n  from = terraform_data.other\n  to = terraform_data.renamed\n}\noutput \"size\" {\n  value = \"new\"\n}\n";
    module.write("main.tf", &format!("{moved}{more}"));
    let (report, code) = module.report(&[]);
    assert_eq!((report.outcome, code), (Drift::None, 0));
    let noise: Vec<&str> = report.roots[0].noise.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(noise, ["terraform_data.renamed", "output.size"]);
    let told = module.drift(&[]);
    assert!(told.stdout.contains("infra/prod: counts for nothing"), "{}", told.stdout);
}

/// Why it could not be told.
fn unknown(module: &Module, more: &[&str]) -> String {
    let (report, code) = module.report(more);
    assert_eq!((report.outcome, code), (Drift::Unknown, 7), "{report:?}");
    report.roots[0].reason.clone()
}

#[test]
fn what_cannot_be_planned_is_unknown_and_never_none() {
    let broken = Module::new("resource \"terraform_data\" \"a\" {\n");
    assert!(unknown(&broken, &[]).contains("main.tf:1:"), "{}", unknown(&broken, &[]));
    let never_applied = Module::new(MAIN);
    assert!(unknown(&never_applied, &[]).contains("there is no state"));
    let empty = Module::new("");
    fs::remove_file(empty.root().join("main.tf")).expect("it is ours");
    assert!(unknown(&empty, &[]).contains("No configuration files"));
    let far = Module::new(
        "terraform {\n  backend \"http\" {\n    address = \"http://127.0.0.1:1\"\n  }\n}\n",
    );
    assert!(unknown(&far, &[]).contains("Backend initialization required"));
    let no_variable = Module::applied(MAIN);
    no_variable.write("more.tf", "variable \"other\" {}\noutput \"o\" { value = var.other }\n");
    assert!(unknown(&no_variable, &[]).contains("No value for required variable"));
    let garbled = Module::applied(MAIN);
    garbled.write("terraform.tfstate", "{");
    unknown(&garbled, &[]);
}

#[test]
fn a_state_that_somebody_locks_is_unknown() {
    let module = Module::applied(MAIN);
    let file = module.root().join("terraform.tfstate");
    let state = OpenOptions::new().read(true).write(true).open(file).expect("it is there");
    fcntl_lock(&state, FlockOperation::NonBlockingLockExclusive).expect("nobody else has it");
    let why = unknown(&module, &[]);
    assert!(why.contains("Error acquiring the state lock"), "{why}");
    assert_eq!(module.report(&["--no-lock"]).1, 0, "who does not lock does not wait");
    drop(state);
    assert_eq!(module.report(&[]).1, 0);
}

#[test]
fn providers_are_fetched_only_when_that_is_asked_for() {
    let module = Module::applied(MAIN);
    let before = module.files();
    assert_eq!(module.report(&["--init"]).1, 0, "there is nothing to fetch");
    assert_eq!(module.files(), before, "what it fetches is kept elsewhere");
    let log = module.dir.path().join("log");
    let lines = format!("echo \"$1\" >> '{}'\nexit 1", log.display());
    let program = stand_in(module.dir.path(), &lines);
    let runs = |more: &[&str]| {
        let _ = fs::remove_file(&log);
        assert_eq!(module.drift_by(&program, more).code, 7);
        fs::read_to_string(&log).expect("it ran")
    };
    assert_eq!(runs(&[]), "plan\n");
    assert_eq!(runs(&["--init"]), "init\n", "what cannot be fetched is not planned");
}

#[test]
fn each_root_is_told_for_itself_and_the_worst_decides() {
    let module = Module::applied(MAIN);
    let test = module.dir.path().join("infra/test");
    fs::create_dir_all(&test).expect("the directory takes directories");
    fs::write(test.join("main.tf"), "resource \"terraform_data\" \"a\" {").expect("takes files");
    let (report, code) = module.report(&["--terraform", "infra/test"]);
    let told: Vec<(&str, Drift)> =
        report.roots.iter().map(|root| (root.path.as_str(), root.outcome)).collect();
    assert_eq!(told, [("infra/prod", Drift::None), ("infra/test", Drift::Unknown)]);
    assert_eq!((report.outcome, code), (Drift::Unknown, 7));
    module.by_hand("small", "large");
    assert_eq!(module.report(&["--terraform", "infra/test"]).1, 1, "drift is seen beside it");
}

/// A program that never ends and has a child, and the file in which both stand once they run.
fn endless(module: &Module) -> (PathBuf, PathBuf) {
    let pids = module.dir.path().join("pids");
    let lines = format!(
        "sleep 300 &\necho $! > '{0}.part'\necho $$ >> '{0}.part'\nmv '{0}.part' '{0}'\nwait",
        pids.display()
    );
    (stand_in(module.dir.path(), &lines), pids)
}

fn assert_ended(pids: &Path) {
    let pids = fs::read_to_string(pids).expect("it ran");
    assert_eq!(pids.lines().count(), 2);
    for pid in pids.lines() {
        // One that was ended is gone, or waits for whoever inherited it to look.
        let patience = Instant::now() + Duration::from_secs(30);
        let lives = || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
        };
        while lives() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!lives(), "{pid} still runs");
    }
}

#[test]
fn what_takes_too_long_is_ended_with_its_children() {
    let module = Module::new(MAIN);
    let (program, pids) = endless(&module);
    let ran = module.drift_by(&program, &["--time-limit", "1s"]);
    assert_eq!(ran.code, 7, "{}", ran.shown());
    assert!(ran.stdout.contains("was not done after 1 s, and was ended"), "{}", ran.stdout);
    assert_ended(&pids);
}

#[test]
fn whoever_interrupts_leaves_nothing_running() {
    let module = Module::new(MAIN);
    let (program, pids) = endless(&module);
    for name in ["INT", "TERM"] {
        let _ = fs::remove_file(&pids);
        let child = lockgate()
            .args(["drift", "--terraform", "infra/prod", "--terraform-program"])
            .arg(&program)
            .current_dir(module.dir.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let patience = Instant::now() + Duration::from_mins(1);
        while !pids.exists() {
            assert!(Instant::now() < patience, "it never began");
            std::thread::sleep(Duration::from_millis(10));
        }
        let pid = child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.expect("kill is there").success());
        let ran: Ran = child.wait_with_output().expect("it ends").into();
        assert_eq!((ran.code, ran.stdout.as_str()), (7, ""), "{}", ran.stderr);
        assert_ended(&pids);
    }
}

#[test]
fn what_writes_without_end_is_read_to_a_limit() {
    let module = Module::new(MAIN);
    let program = stand_in(module.dir.path(), "exec yes x");
    let ran = module.drift_by(&program, &["--time-limit", "2s"]);
    assert_eq!(ran.code, 7, "{}", ran.shown());
}

#[test]
fn a_program_gets_no_more_of_the_environment_than_it_needs() {
    let module = Module::new(MAIN);
    let log = module.dir.path().join("log");
    let program = stand_in(module.dir.path(), &format!("env > '{}'\nexit 1", log.display()));
    let names = |more: &[&str]| -> Vec<String> {
        let ran = lockgate()
            .args(["drift", "--terraform", "infra/prod", "--terraform-program"])
            .arg(&program)
            .args(more)
            .current_dir(module.dir.path())
            .env("TF_VAR_password", SECRET)
            .env("TF_CLI_ARGS_plan", "-refresh=false")
            .env("AWS_REGION", "eu")
            .env("AWS_PROFILE", "prod")
            .env("LOCKGATE_TOKEN", SECRET)
            .env("DATABASE_URL", SECRET)
            .output()
            .expect("the binary starts");
        assert_eq!(ran.status.code(), Some(7));
        let log = fs::read_to_string(&log).expect("it ran");
        log.lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, _)| name.to_owned())
            .collect()
    };
    let has = |all: &[String], name: &str| all.iter().any(|one| one == name);
    let few = names(&[]);
    for name in ["PATH", "TF_VAR_password", "TF_IN_AUTOMATION"] {
        assert!(has(&few, name), "{name}: {few:?}");
    }
    for name in ["AWS_REGION", "DATABASE_URL", "TF_CLI_ARGS_plan", "LOCKGATE_TOKEN"] {
        assert!(!has(&few, name), "{name}: {few:?}");
    }
    let more = names(&["--env", "AWS_*", "--env", "TF_*", "--env", "LOCKGATE_TOKEN"]);
    assert!(has(&more, "AWS_REGION") && has(&more, "AWS_PROFILE"), "{more:?}");
    for name in ["DATABASE_URL", "TF_CLI_ARGS_plan", "LOCKGATE_TOKEN"] {
        assert!(!has(&more, name), "{name}: {more:?}");
    }
}

#[test]
fn a_program_that_is_not_there_is_unknown_and_none_is_found_in_the_checkout() {
    let module = Module::applied(MAIN);
    let here = stand_in(&module.root(), "exit 0");
    fs::rename(here, module.root().join("terraform")).expect("it is ours");
    let ran: Ran = lockgate()
        .args(["drift", "--terraform", "infra/prod"])
        .current_dir(module.dir.path())
        .env("PATH", ".:infra/prod:")
        .output()
        .expect("the binary starts")
        .into();
    assert_eq!(ran.code, 7, "{}", ran.shown());
    assert!(ran.stdout.contains("terraform is not installed"), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_meant_is_a_mistake_in_usage() {
    let module = Module::new(MAIN);
    let outside = tempfile::tempdir().expect("a directory for the test");
    let outside = outside.path().to_str().expect("UTF-8");
    for args in [
        &["drift"][..],
        &["drift", "--terraform", "gone"],
        &["drift", "--terraform", "infra/prod/main.tf"],
        &["drift", "--terraform", ".."],
        &["drift", "--terraform", outside],
        &["drift", "--kubernetes", "gone"],
        &["drift", "--lockgate", "gone.yaml"],
        &["drift", "--terraform", "infra/prod", "--time-limit", "soon"],
        &["drift", "--terraform", "infra/prod", "--report-to", "Not A Name"],
        &["drift", "gone", "--terraform", "."],
    ] {
        let ran: Ran = lockgate()
            .args(args)
            .current_dir(module.dir.path())
            .output()
            .expect("the binary starts")
            .into();
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_report_is_evidence_of_a_run() {
    let module = Module::applied(MAIN);
    let dir = module.dir.path();
    let check = |args: &[&str]| {
        let ran: Ran = lockgate()
            .args(["assess", "--output", "json"])
            .args(args)
            .current_dir(dir)
            .output()
            .expect("the binary starts")
            .into();
        assert_eq!(ran.code, 0, "{}", ran.shown());
        let told = ran.json();
        let checks = told["dimensions"]["infrastructure"]["checks"].as_array().expect("a list");
        checks
            .iter()
            .find(|check| check["id"] == "infrastructure.drift")
            .expect("it is there")
            .clone()
    };
    let report = module.drift(&["--output", "json"]).stdout;
    // Not in the checkout, so that it is no part of it.
    let aside = tempfile::tempdir().expect("a directory for the test");
    let file = aside.path().join("drift.json");
    fs::write(&file, report).expect("takes files");
    let file = file.to_str().expect("UTF-8");
    assert_eq!(check(&[])["outcome"], "fail");
    let counted = check(&["--evidence", file]);
    assert_eq!(counted["outcome"], "pass", "{counted}");
    let reason = counted["reason"].as_str().expect("text");
    assert!(reason.ends_with("found no drift in infra/prod: a run, not a schedule"), "{reason}");
    assert!(counted["evidence"][0]["text"].as_str().expect("text").contains("none"), "{counted}");
    module.by_hand("small", "large");
    fs::write(file, module.drift(&["--output", "json"]).stdout).expect("takes files");
    assert_eq!(check(&["--evidence", file])["outcome"], "fail");
    fs::write(file, "{}").expect("takes files");
    let ran: Ran = lockgate()
        .args(["assess", "--evidence", file])
        .current_dir(dir)
        .output()
        .expect("the binary starts")
        .into();
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
}
