//! Scripts of package.json.

use super::super::Class;
use super::super::invoke::{Asked, Done};
use super::{LOOSE, is_build, named_for_tests, runs_something, script};
use crate::finding::Evidence;
use crate::shell::{Blocking, Word};
use crate::tree::{Tree, dir as dir_of, join, name};
use crate::yaml::{self, Node};

pub(super) fn npm(
    asked: &Asked<'_>,
    manager: &str,
    rest: &[&str],
    dir: Option<&str>,
    depth: usize,
) -> Option<Vec<Done>> {
    let mut dir = dir.map(str::to_owned);
    let mut everywhere = false;
    let mut filters = Vec::new();
    let mut words = Vec::new();
    let mut rest = rest.iter().copied();
    while let Some(word) = rest.next() {
        match word {
            "--prefix" | "-C" | "--dir" | "--cwd" if words.is_empty() => {
                let path = rest.next()?;
                dir = dir.as_deref().and_then(|dir| join(dir, path));
            }
            "-w" | "--workspace" | "--filter" | "-F" => {
                filters.extend(rest.next());
                everywhere = true;
            }
            "-r" | "--recursive" | "--workspaces" | "-ws" | "workspaces" | "foreach" => {
                everywhere = true;
            }
            "workspace" if manager == "yarn" && words.is_empty() => {
                filters.extend(rest.next());
                everywhere = true;
            }
            word if word.starts_with("--prefix=") || word.starts_with("--cwd=") => {
                let path = word.split_once('=')?.1;
                dir = dir.as_deref().and_then(|dir| join(dir, path));
            }
            word if word.starts_with("--filter=") || word.starts_with("--workspace=") => {
                filters.extend(word.split_once('=').map(|(_, filter)| filter));
                everywhere = true;
            }
            "--" => words.extend(rest.by_ref()),
            word if word.starts_with('-') && words.is_empty() => {}
            word => words.push(word),
        }
    }
    let (script, more) = match words.split_first()? {
        (&("run" | "run-script"), more) => {
            let (name, more) = more.split_first()?;
            (*name, more)
        }
        (&("t" | "tst"), more) => ("test", more),
        (name @ &("test" | "start" | "stop"), more) => (*name, more),
        // Bun's own runner is none of the scripts.
        (name, more) if matches!(manager, "yarn" | "pnpm" | "bun") => (*name, more),
        _ => return None,
    };
    if manager == "bun" && words[0] == "test" {
        return None;
    }
    if everywhere {
        let found = some_packages(asked, script, depth, &filters);
        return (!found.is_empty()).then_some(found);
    }
    match package_script(asked, script, dir.as_deref(), depth, more) {
        Some(found) => Some(found),
        None if matches!(words[0], "run" | "test" | "t") => {
            let why = format!("no package.json here has a script `{script}`");
            named_for_tests(script).then(|| vec![Done::new(Class::OpaqueTests).why(why)])
        }
        // `yarn jest`: a program of the packages.
        None if manager != "npm" && !is_manager_command(script) => {
            let words: Vec<Word> = words.iter().map(|word| Word::new(*word)).collect();
            Some(asked.command(&words, dir.as_deref(), depth + 1))
        }
        None => None,
    }
}

fn is_manager_command(word: &str) -> bool {
    matches!(
        word,
        "install"
            | "i"
            | "add"
            | "audit"
            | "publish"
            | "pack"
            | "ci"
            | "npm"
            | "config"
            | "set"
            | "version"
            | "up"
            | "link"
            | "cache"
            | "store"
            | "fetch"
            | "dedupe"
            | "sbom"
            | "setup"
    )
}

/// The script of that name in the package of a directory, or in the only package that has one.
pub(super) fn package_script(
    asked: &Asked<'_>,
    script: &str,
    dir: Option<&str>,
    depth: usize,
    more: &[&str],
) -> Option<Vec<Done>> {
    let tree = asked.tree;
    if let Some(dir) = dir {
        let file = join(dir, "package.json").filter(|file| tree.has(file))?;
        return run_package(asked, &file, script, depth, more);
    }
    let packages = tree.paths().filter(|path| name(path) == "package.json");
    let mut packages = packages.filter(|path| has_script(asked, path, script));
    let mut done = run_package(asked, packages.next()?, script, depth, more)?;
    if packages.next().is_some() {
        let why = format!("which of several packages runs its script `{script}` is not known");
        let unsure = Blocking::Unsure(why);
        for one in &mut done {
            one.blocking = one.blocking.and(&unsure);
        }
    }
    Some(done)
}

pub(super) fn all_packages(asked: &Asked<'_>, script: &str, depth: usize) -> Vec<Done> {
    some_packages(asked, script, depth, &[])
}

/// Whether a filter of packages names one, by its name or its directory.
fn is_filtered(asked: &Asked<'_>, file: &str, filter: &str) -> bool {
    let filter = filter.trim_matches(['.', '^', '{', '}']).trim_start_matches('/');
    let root = asked.tree.text(file).and_then(|text| yaml::document(text).ok().flatten());
    let own =
        root.as_ref().and_then(|root| root.get("name")).and_then(Node::text).unwrap_or_default();
    let bare = own.rsplit('/').next().unwrap_or_default();
    let names = [own, bare, dir_of(file)];
    !filter.starts_with('!') && names.iter().any(|name| crate::pipeline::glob_matches(filter, name))
}

/// The patterns of directories that hold the packages of a workspace, where some file says so.
fn workspaces(tree: &Tree) -> Option<Vec<String>> {
    let places: [(&str, &[&str]); 4] = [
        ("pnpm-workspace.yaml", &["packages"]),
        ("package.json", &["workspaces"]),
        ("package.json", &["workspaces", "packages"]),
        ("lerna.json", &["packages"]),
    ];
    places.iter().find_map(|(file, keys)| {
        let root = yaml::document(tree.text(file)?).ok()??;
        let patterns = root.at(keys)?.items().iter().filter_map(Node::text);
        let patterns: Vec<String> = patterns.map(str::to_owned).collect();
        (!patterns.is_empty()).then_some(patterns)
    })
}

/// Whether a directory is one of a workspace's.
fn is_in_workspace(patterns: &[String], dir: &str) -> bool {
    let fits = |pattern: &str| {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        crate::pipeline::glob_matches(pattern, dir)
    };
    let is_out = |pattern: &String| pattern.strip_prefix('!').is_some_and(fits);
    patterns.iter().any(|pattern| fits(pattern)) && !patterns.iter().any(is_out)
}

/// The scripts of that name in all packages but the root's, or in those that the filters name.
fn some_packages(asked: &Asked<'_>, script: &str, depth: usize, filters: &[&str]) -> Vec<Done> {
    let workspaces = workspaces(asked.tree);
    let is_in = |file: &&str| {
        workspaces.as_ref().is_none_or(|patterns| is_in_workspace(patterns, dir_of(file)))
    };
    let named = |file: &&str| {
        filters.is_empty() || filters.iter().any(|filter| is_filtered(asked, file, filter))
    };
    let packages = asked
        .tree
        .paths()
        .filter(|path| {
            name(path) == "package.json" && !path.contains("node_modules/") && !is_template(path)
        })
        .filter(is_in)
        .filter(named);
    let packages: Vec<&str> = packages.filter(|path| !dir_of(path).is_empty()).take(200).collect();
    packages
        .into_iter()
        .filter_map(|file| run_package(asked, file, script, depth, &[]))
        .flatten()
        .collect()
}

fn has_script(asked: &Asked<'_>, file: &str, script: &str) -> bool {
    let root = asked.tree.text(file).and_then(|text| yaml::document(text).ok().flatten());
    root.is_some_and(|root| root.at(&["scripts", script]).is_some())
}

fn run_package(
    asked: &Asked<'_>,
    file: &str,
    name: &str,
    depth: usize,
    more: &[&str],
) -> Option<Vec<Done>> {
    let text = asked.tree.text(file)?;
    let root = yaml::document(text).ok()??;
    let node = root.at(&["scripts", name])?;
    let shown = Evidence::at(file, text, node.place);
    let (mut all, mut runs) = (Vec::new(), false);
    for name in [&format!("pre{name}"), name, &format!("post{name}")] {
        let Some(command) = root.at(&["scripts", name]).and_then(Node::text) else { continue };
        let mut line = command.to_owned();
        for word in more {
            line.push(' ');
            line.push_str(word);
        }
        runs |= runs_something(&line);
        all.extend(script(asked, &line, LOOSE, Some(dir_of(file)), depth));
    }
    if all.is_empty() && runs {
        if is_build(name) {
            all.push(Done::new(Class::Build));
        }
        if named_for_tests(name) {
            let why = format!("nothing in the script `{name}` is recognised");
            all.push(Done::new(Class::OpaqueTests).why(why));
        }
    }
    Some(all.into_iter().map(|done| done.also([shown.clone()])).collect())
}

/// Packages that are copied for users, and are none of the repository's own.
fn is_template(path: &str) -> bool {
    path.split('/')
        .any(|part| part.starts_with("template") || part == "fixtures" || part == "__fixtures__")
}
