//! Words by which a program only lists, collects, prints or prepares, and so tests and scans nothing.

use super::flags::told;

/// Programs and the options with which they do nothing of what they are known for.
#[rustfmt::skip]
const ROWS: &[(&str, &[&str])] = &[
    ("pytest|py.test", &["--collect-only", "--co", "--collectonly", "--fixtures", "--funcargs", "--fixtures-per-test", "--markers", "--setup-plan", "--setup-only", "--cache-show"]),
    ("nose2|nosetests", &["--collect-only"]),
    ("behave|cucumber-js|cucumber", &["--dry-run", "-d"]),
    ("robot", &["--dryrun"]),
    ("jest", &["--listTests", "--showConfig", "--init", "--clearCache"]),
    ("mocha", &["--dry-run", "--list-files", "--list-reporters", "--list-interfaces"]),
    ("playwright", &["--list"]),
    ("deno", &["--no-run"]),
    ("go", &["-list", "--list", "-n", "-c", "-exec=true", "-skip=.", "-skip=.*"]),
    ("ginkgo", &["--dry-run", "-dry-run", "--dryRun"]),
    ("cargo", &["--no-run", "--list"]),
    ("gradle|gradlew", &["--dry-run", "-m"]),
    ("dotnet", &["--list-tests", "-t"]),
    ("phpunit|paratest|simple-phpunit|pest", &["--list-tests", "--list-groups", "--list-suites", "--list-tests-xml", "--list-test-files", "--check-version", "--generate-configuration", "--migrate-configuration"]),
    ("artisan", &["--list-tests"]),
    ("rspec", &["--dry-run", "--init"]),
    ("rake|rails", &["-T", "--tasks", "-P", "-n", "--dry-run"]),
    ("ctest", &["-N", "--show-only", "--print-labels"]),
    ("bats", &["--count", "-c"]),
    ("prove", &["--dry", "-D"]),
    ("meson", &["--list"]),
    ("tox", &["--notest", "-n", "-l", "--listenvs", "-a", "--listenvs-all", "--showconfig"]),
    ("nox", &["-l", "--list", "--list-sessions", "--install-only"]),
    ("make|gmake", &["-n", "--just-print", "--dry-run", "--recon", "-t", "--touch", "-q", "--question", "-v"]),
    ("just", &["-n", "--dry-run", "-l", "--list", "--show", "-s", "--summary", "--evaluate"]),
    ("task", &["-n", "--dry", "-l", "--list", "-a", "--list-all", "--summary"]),
    ("pip-audit|pip_audit", &["--dry-run", "-d"]),
    ("trivy", &["--download-db-only", "--download-java-db-only", "--generate-default-config", "--reset", "--clear-cache"]),
    ("checkov", &["--list", "-l"]),
];

/// First words with which they do nothing of it.
const VERBS: &[(&str, &[&str])] = &[
    ("vitest", &["list", "bench", "init"]),
    ("ginkgo", &["build", "bootstrap", "generate", "labels", "outline", "unfocus"]),
    ("gotestsum", &["tool"]),
    ("tox", &["list", "l", "config", "c", "devenv", "d", "depends", "de", "exec", "e"]),
    ("bundler-audit|bundle-audit", &["update", "download", "stats"]),
    ("npm|pnpm|yarn|bun", &["help"]),
    ("swift", &["list"]),
];

/// Whether a command only lists, collects, prints or prepares.
pub(super) fn is_idle(words: &[&str]) -> bool {
    let program = words[0];
    let rest = &words[1..];
    let is = |programs: &str| programs.split('|').any(|name| name == program);
    let verb = rest.iter().copied().find(|word| !word.starts_with('-')).unwrap_or_default();
    asks_for_help(rest, verb)
        || ROWS.iter().any(|(programs, flags)| is(programs) && told(rest, flags))
        || VERBS.iter().any(|(programs, verbs)| is(programs) && verbs.contains(&verb))
        || program == "npm" && rest.starts_with(&["audit", "signatures"])
        || program == "go" && runs_none(rest)
        || program == "cargo" && rest.contains(&"fuzz") && told(rest, &["-runs=0"])
}

/// `--help` anywhere, `--version` where it has no value, `help` and `version` as what is asked for.
fn asks_for_help(rest: &[&str], verb: &str) -> bool {
    let prints = |(i, word): (usize, &&str)| match *word {
        "--help" | "-h" => true,
        "--version" => rest.len() <= 2 && rest.get(i + 1).is_none_or(|next| next.starts_with('-')),
        _ => false,
    };
    rest.iter().enumerate().any(prints)
        || matches!(verb, "help" | "version") && rest.len() <= 2 && rest.first() == Some(&verb)
}

/// Patterns of `go test -run` that people write for no test at all, beside benchmarks.
fn runs_none(rest: &[&str]) -> bool {
    super::flags::last(rest, &["-run", "--run", "-test.run"]).is_some_and(|pattern| {
        matches!(
            pattern,
            "^$" | "$^"
                | "^a^"
                | "NONE"
                | "^NONE$"
                | "None"
                | "XXX"
                | "^XXX$"
                | "xxx"
                | "-"
                | "#"
                | "^#"
                | "notests"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_lists_or_prints_is_idle() {
        for line in [
            "pytest --co -q",
            "pytest tests --collect-only",
            "cargo test -- --list",
            "go test -run=^$ -bench=. ./...",
            "go test -run ^$ ./...",
            "jest --listTests",
            "gradlew test --dry-run",
            "zap-baseline.py -t http://app -h",
            "lockgate drift --terraform infra --help",
            "bundle-audit update",
            "vitest list",
            "npm audit signatures",
            "trivy --version",
            "cargo fuzz run x -- -runs=0",
        ] {
            assert!(is_idle(&line.split(' ').collect::<Vec<_>>()), "{line}");
        }
        for line in [
            "pytest -q",
            "cargo test --lib",
            "go test -run=TestOne ./...",
            "helm upgrade app chart --version 1.2.3 --install",
            "gradlew test --no-daemon",
            "npm audit",
            "ctest -V",
            "mvn test -V",
        ] {
            assert!(!is_idle(&line.split(' ').collect::<Vec<_>>()), "{line}");
        }
    }
}
