//! Which shell runs a step, and what it makes of failures.

use lockgate_readiness::finding::Outcome::{self, Fail, Pass, Unknown};

use super::{RUST, assessed, check, told, with};

const CI: &str = ".github/workflows/ci.yml";

fn outcome(job: &str, step: &str, run: &str) -> (Outcome, String) {
    let lines = run.replace('\n', "\n          ");
    let text = format!(
        "on: pull_request\njobs:\n  a:\n    {job}\n    steps:\n      - {step}\n        run: |\n          {lines}\n"
    );
    let found = assessed(&with(&[RUST, &[(CI, &text)]]));
    let check = check(&found, "tests.unit_on_pull_request");
    (check.outcome, told(check))
}

#[test]
fn a_shell_of_the_step_counts_where_its_words_leave_the_script_what_it_is() {
    for (shell, expected) in [
        ("bash", Pass),
        ("sh", Pass),
        ("bash -el {0}", Pass),
        ("bash --noprofile --norc -eo pipefail {0}", Pass),
        ("nix develop -c bash -e {0}", Pass),
        ("bash -n {0}", Fail),
        ("bash -e -o noexec {0}", Fail),
        ("cat {0}", Fail),
        ("/bin/true {0}", Fail),
        ("bash -c true {0}", Unknown),
        ("bash -c 'set +e; . {0}; exit 0' {0}", Unknown),
        ("bash -e {0} || true", Unknown),
        ("nix --version {0}", Unknown),
        ("${{ vars.SHELL }}", Unknown),
    ] {
        let (found, told) =
            outcome("runs-on: ubuntu-latest", &format!("shell: \"{shell}\""), "cargo test");
        assert_eq!(found, expected, "{shell}: {told}");
    }
}

#[test]
fn shells_of_windows_stop_at_no_failure() {
    let windows = "runs-on: windows-latest";
    let both =
        "runs-on: ${{ matrix.os }}\n    strategy: {matrix: {os: [windows-latest, ubuntu-latest]}}";
    let after = "cargo test\npython x.py";
    for (job, step, run, expected) in [
        (windows, "name: a", after, Fail),
        (windows, "name: a", "cargo test", Pass),
        (windows, "name: a", "cargo test\nWrite-Host done", Pass),
        (windows, "shell: bash", after, Pass),
        (both, "name: a", after, Pass),
        ("runs-on: ubuntu-latest", "shell: pwsh", after, Fail),
        ("runs-on: ubuntu-latest", "shell: cmd", after, Fail),
        (
            windows,
            "name: a",
            "cargo test\nif ($LASTEXITCODE -ne 0) { exit 1 }\npython x.py",
            Unknown,
        ),
        (
            windows,
            "name: a",
            "$PSNativeCommandUseErrorActionPreference = $true\ncargo test\npython x.py",
            Pass,
        ),
        (windows, "name: a", ".\\scripts\\test.ps1", Unknown),
    ] {
        let (found, told) = outcome(job, step, run);
        assert_eq!(found, expected, "{job} {step} {run}: {told}");
    }
}

#[test]
fn a_path_or_a_start_file_that_the_step_sets_leaves_open_what_runs() {
    for (name, expected) in [("PATH", Unknown), ("BASH_ENV", Unknown), ("OTHER", Pass)] {
        let env = format!("env: {{{name}: /opt/tools/bin}}");
        let (found, told) = outcome("runs-on: ubuntu-latest", &env, "cargo test");
        assert_eq!(found, expected, "{name}: {told}");
    }
}
