//! Scripts of the repository that a command runs: package.json, Makefile, justfile, shell scripts, tox, nox.

mod make;
mod npm;
mod python;

use std::collections::BTreeMap;

use self::make::{just, make, task};
use self::npm::{all_packages, npm, package_script};
use self::python::{nox, python_task, tox};
use super::Class;
use super::invoke::{Asked, Done};
use crate::finding::Evidence;
use crate::shell::{self, Options, UNKNOWN, Word};
use crate::toml::Toml;
use crate::tree::{Contents, has_end, join, name};

/// What the script that a command runs does; `None` when the command runs none.
pub(super) fn followed(
    asked: &Asked<'_>,
    words: &[&str],
    dir: Option<&str>,
    depth: usize,
) -> Option<Vec<Done>> {
    match words {
        [manager @ ("npm" | "pnpm" | "yarn" | "bun"), rest @ ..] => {
            npm(asked, manager, rest, dir, depth)
        }
        ["turbo" | "lerna" | "wireit" | "wsrun", rest @ ..] => {
            let rest: Vec<&str> =
                rest.iter().copied().filter(|word| !word.starts_with('-')).collect();
            let name = rest.iter().find(|word| **word != "run")?;
            Some(all_packages(asked, name, depth))
        }
        ["run-s" | "run-p" | "npm-run-all" | "npm-run-all2", rest @ ..] => {
            let names = rest.iter().filter(|word| !word.starts_with('-'));
            Some(
                names
                    .flat_map(|name| {
                        package_script(asked, name, dir, depth, &[]).unwrap_or_default()
                    })
                    .collect(),
            )
        }
        ["make" | "gmake", rest @ ..] => Some(make(asked, rest, dir, depth)),
        ["just", rest @ ..] => Some(just(asked, rest, dir, depth)),
        ["task", rest @ ..] => Some(task(asked, rest, dir, depth)),
        ["tox", rest @ ..] => Some(tox(asked, rest, dir, depth)),
        ["nox", ..] => Some(nox(asked, dir, depth)),
        ["hatch" | "pdm" | "poe" | "rye", rest @ ..] => {
            python_task(asked, words[0], rest, dir, depth)
        }
        ["bash" | "sh" | "zsh" | "dash", rest @ ..] => Some(interpreter(asked, rest, dir, depth)),
        ["source" | ".", path, ..] => file(asked, path, dir, depth, false),
        ["cargo", rest @ ..] => cargo_alias(asked, rest, dir, depth),
        ["node" | "deno" | "tsx" | "ts-node" | "ruby" | "php" | "python" | "python3", path, ..]
            if path.contains('.') && !path.starts_with('-') =>
        {
            let what = format!("`{}` is a program of the repository", words[..2].join(" "));
            named_for_tests(path).then(|| vec![Done::new(Class::OpaqueTests).why(what)])
        }
        [path, ..] if path.contains('/') && !path.contains(UNKNOWN) => {
            file(asked, path, dir, depth, true)
        }
        _ => None,
    }
}

/// What the commands of a script do, in a directory.
fn script(
    asked: &Asked<'_>,
    text: &str,
    options: Options,
    dir: Option<&str>,
    depth: usize,
) -> Vec<Done> {
    let mut all = Vec::new();
    for command in shell::commands(text, options, &BTreeMap::new()) {
        let inner = match (dir, &command.dir) {
            (Some(base), Some(dir)) => join(base, dir),
            _ => None,
        };
        for done in asked.command(&command.words, inner.as_deref(), depth + 1) {
            let blocking = done.blocking.and(&command.blocking);
            all.push(Done { blocking, ..done });
        }
    }
    all
}

fn named_for_tests(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    ["test", "check", "ci", "verify", "suite", "coverage"].iter().any(|word| {
        path.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part.starts_with(word))
    })
}

/// Names of scripts that build, with whatever program.
fn is_build(name: &str) -> bool {
    matches!(name, "build" | "compile" | "dist" | "bundle" | "build:prod" | "build:production")
}

const STRICT: Options = Options { errexit: true, pipefail: false };

/// A script file.
fn file(
    asked: &Asked<'_>,
    path: &str,
    dir: Option<&str>,
    depth: usize,
    runs: bool,
) -> Option<Vec<Done>> {
    if path.starts_with('/') || path.starts_with('~') || path.contains("://") {
        return None;
    }
    let full = join(dir?, path)?;
    let opaque = |why: String| {
        (runs && named_for_tests(name(&full))).then(|| vec![Done::new(Class::OpaqueTests).why(why)])
    };
    match asked.tree.contents(&full) {
        Some(Contents::Text(text)) => {
            let first = text.lines().next().unwrap_or_default();
            let is_shell = first.starts_with("#!")
                && (first.contains("sh ") || first.trim_end().ends_with("sh"))
                || !first.starts_with("#!") && (has_end(&full, "sh") || !name(&full).contains('.'));
            if !is_shell {
                return opaque(format!("`{full}` is no shell script"));
            }
            let options = Options { errexit: first.contains(" -e"), pipefail: false };
            let shown = Evidence::file(&full, text);
            let found = script(asked, text, options, Some(dir.unwrap_or_default()), depth);
            if found.is_empty() && runs {
                // Nothing was recognised: it may still run tests in a way that is not known here.
                return opaque(format!("nothing in `{full}` is recognised"));
            }
            Some(found.into_iter().map(|done| done.also([shown.clone()])).collect())
        }
        Some(_) => opaque(format!("`{full}` is not read")),
        None => opaque(format!("`{full}` is not in the repository")),
    }
}

fn interpreter(asked: &Asked<'_>, rest: &[&str], dir: Option<&str>, depth: usize) -> Vec<Done> {
    let errexit = rest
        .iter()
        .any(|word| word.starts_with('-') && !word.starts_with("--") && word.contains('e'));
    let pipefail = rest.contains(&"pipefail");
    if let Some(at) = rest
        .iter()
        .position(|word| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c'))
    {
        let text = rest.get(at + 1).copied().unwrap_or_default();
        return script(asked, text, Options { errexit, pipefail }, dir, depth);
    }
    let path = rest.iter().find(|word| !word.starts_with('-') && **word != "pipefail");
    path.and_then(|path| file(asked, path, dir, depth, true)).unwrap_or_default()
}

/// `cargo ci` where `.cargo/config.toml` says what `ci` is.
fn cargo_alias(
    asked: &Asked<'_>,
    rest: &[&str],
    dir: Option<&str>,
    depth: usize,
) -> Option<Vec<Done>> {
    let at = rest.iter().position(|word| !word.starts_with(['-', '+']))?;
    let alias = rest[at];
    let files = [".cargo/config.toml", ".cargo/config"];
    let found = files.iter().find_map(|file| {
        let toml = Toml::read(file, asked.tree.text(file)?)?;
        let keys = ["alias", alias];
        let mut words: Vec<String> = toml.texts_at(&keys).into_iter().map(str::to_owned).collect();
        words.extend(toml.text_at(&keys).unwrap_or_default().split_whitespace().map(str::to_owned));
        (!words.is_empty()).then(|| (words, toml.shown(&keys)))
    });
    if let Some((words, shown)) = found {
        let mut all = vec![Word::new("cargo")];
        all.extend(words.into_iter().map(Word::new));
        all.extend(rest[at + 1..].iter().map(|&word| Word::new(word)));
        let done = asked.command(&all, dir, depth + 1);
        return Some(done.into_iter().map(|done| done.also([shown.clone()])).collect());
    }
    match alias {
        "xtask" | "make" | "x" => {
            let what = format!("`cargo {}` is a program of the repository", rest[at..].join(" "));
            Some(vec![Done::new(Class::OpaqueTests).why(what)])
        }
        "run" | "r" => {
            let what = rest.join(" ");
            named_for_tests(&what).then(|| {
                vec![
                    Done::new(Class::OpaqueTests)
                        .why(format!("`cargo {what}` is a program of the repository")),
                ]
            })
        }
        _ => None,
    }
}
