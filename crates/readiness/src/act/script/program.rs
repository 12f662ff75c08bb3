//! Programs of the repository and runners of its tasks that are not read, so that nobody can say whether they test.

use super::super::Class;
use super::super::invoke::Done;
use super::named_for_tests;
use crate::tree::has_end;

/// Programs that run a file of the repository in a language of their own.
const INTERPRETERS: [&str; 14] = [
    "node",
    "deno",
    "bun",
    "tsx",
    "ts-node",
    "ruby",
    "php",
    "python",
    "python3",
    "perl",
    "lua",
    "Rscript",
    "pwsh",
    "powershell",
];

/// Runners of tasks whose files are not read.
const RUNNERS: [&str; 9] =
    ["invoke", "inv", "mage", "doit", "ant", "earthly", "earth", "dagger", "waf"];

/// What a command runs that is the repository's own and is not read.
pub(super) fn of_repository(words: &[&str]) -> Option<Vec<Done>> {
    match words {
        [program, rest @ ..] if INTERPRETERS.contains(program) => {
            let path = rest.iter().find(|word| !word.starts_with('-'))?;
            if !path.contains('.') {
                return None;
            }
            opaque(may_test(path), &format!("{program} {path}"))
        }
        ["go", "run", rest @ ..] => {
            let path = rest.iter().find(|word| !word.starts_with('-'))?;
            let own = path.starts_with('.') || has_end(path, "go");
            // Every program of Go begins in a file of this name.
            let called = path.strip_suffix("/main.go").unwrap_or(path);
            own.then(|| {
                opaque(
                    may_test(called) || rest.iter().any(|word| named_for_tests(word)),
                    &format!("go run {path}"),
                )
            })?
        }
        [program, rest @ ..] if RUNNERS.contains(program) => task(program, rest),
        _ => None,
    }
}

/// A task of a runner, by its name.
pub(super) fn task(program: &str, rest: &[&str]) -> Option<Vec<Done>> {
    let name = rest.iter().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
    opaque(named_for_tests(name), &format!("{program} {name}"))
}

fn opaque(may: bool, what: &str) -> Option<Vec<Done>> {
    let why = format!("`{what}` is a program of the repository");
    may.then(|| vec![Done::new(Class::OpaqueTests).why(why)])
}

/// Whether a program may run tests, by its path: those that build or run everything often do.
pub(super) fn may_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let stem = name.split('.').next().unwrap_or_default();
    let in_tests = named_for_tests(path);
    in_tests || matches!(stem, "build" | "run" | "all" | "make" | "main" | "t")
}
