//! Limits of coverage.py, in options and settings, and the settings of pytest.

use super::{at_least, given};
use crate::act::config::present;
use crate::act::files::is_test;
use crate::act::flags::{all, last, told};
use crate::act::invoke::Done;
use crate::act::measured::Data;
use crate::finding::Evidence;
use crate::pipeline::TOO_MUCH;
use crate::shell::{Blocking, UNKNOWN};
use crate::toml::Toml;
use crate::tree::{Tree, has_end, is_aside, join, name};

/// The limit that a run of pytest keeps.
pub(super) fn pytest(tree: &Tree, words: &[&str], root: &str) -> Vec<Done> {
    let words = effective(tree, words, root);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if !is_measured(&words) {
        return Vec::new();
    }
    limit(tree, root, &words, "--cov-fail-under", "--cov-config", &all(&words, &["--cov"]))
}

/// Whether a run of pytest measures, by its words and those of its settings.
pub(in crate::act) fn is_measured(words: &[&str]) -> bool {
    told(words, &["--cov"]) && !told(words, &["--no-cov", "-p=no:cov"])
}

/// The limit that a report of coverage.py keeps, of what was measured before.
pub(super) fn coverage(tree: &Tree, words: &[&str], root: &str) -> Vec<Done> {
    let found = limit(tree, root, words, "--fail-under", "--rcfile", &[]);
    found.into_iter().map(|done| done.data(Data::Read)).collect()
}

fn limit(
    tree: &Tree,
    root: &str,
    words: &[&str],
    under: &str,
    config: &str,
    sources: &[&str],
) -> Vec<Done> {
    let settings = Settings::read(tree, root, last(words, &[config]));
    let found = match given(words, &[under]) {
        Some(done) => done,
        None => match settings.fail_under {
            Some((number, shown)) => at_least(number, Some(shown)),
            None => return Vec::new(),
        },
    };
    let own = |flag: &str| -> Vec<String> {
        let all = all(words, &[flag]);
        all.iter().flat_map(|value| value.split(',')).map(str::to_owned).collect()
    };
    let mut measured = Measured {
        sources: sources
            .iter()
            .filter(|value| !value.starts_with('-'))
            .map(|&v| v.into())
            .collect(),
        include: own("--include"),
        omit: own("--omit"),
    };
    if measured.sources.iter().all(String::is_empty) {
        measured.sources = settings.source;
    }
    measured.include.extend(settings.include);
    measured.omit.extend(settings.omit);
    let why = match measured.is_most(tree, root) {
        Some(true) => return found,
        Some(false) => {
            "the limit is one of less than half of the code: see `--cov`, `include` and `omit`"
        }
        None => TOO_MUCH,
    };
    found.into_iter().map(|done| done.blocks(Blocking::Unsure(why.into()))).collect()
}

/// So many bytes of code are counted in the time of a comparison of paths.
const BYTES_AS_ONE: usize = 64;

/// What is measured.
struct Measured {
    sources: Vec<String>,
    include: Vec<String>,
    omit: Vec<String>,
}

impl Measured {
    /// Whether it is at least half of the code, by lines; `None` when too much was compared before. What cannot be told is
    /// taken to be.
    fn is_most(&self, tree: &Tree, root: &str) -> Option<bool> {
        let is_python = |path: &&str| has_end(path, "py");
        let is_code = |path: &str| {
            let of_tools = ["setup.py", "conftest.py", "noxfile.py", "manage.py"];
            let in_tests = path.split('/').any(|part| matches!(part, "test" | "tests"));
            !(is_test(path) || is_aside(path) || in_tests || of_tools.contains(&name(path)))
        };
        let mut named: Vec<&String> = Vec::new();
        for source in &self.sources {
            for path in tree.under(root).filter(is_python) {
                tree.compares(1)?;
                if is_below(path, source) {
                    named.push(source);
                    break;
                }
            }
        }
        let is_measured = |path: &str| {
            let is_any = |patterns: &[String]| {
                for one in patterns {
                    if fits(one, path, root, tree)? {
                        return Some(true);
                    }
                }
                Some(false)
            };
            let is_source = named.is_empty() || named.iter().any(|source| is_below(path, source));
            let is_included = self.include.is_empty() || is_any(&self.include)?;
            Some(is_source && is_included && !is_any(&self.omit)?)
        };
        let (mut lines, mut measured) = (0, 0);
        for path in tree.under(root).filter(is_python).filter(|path| is_code(path)) {
            let text = tree.text(path).unwrap_or_default();
            tree.compares(1 + text.len() / BYTES_AS_ONE)?;
            let own = text.lines().count();
            lines += own;
            measured += if is_measured(path)? { own } else { 0 };
        }
        Some(measured * 2 >= lines)
    }
}

/// Whether a file is of a source: a directory, a package or a module, wherever that is.
fn is_below(path: &str, source: &str) -> bool {
    let source = source.trim_start_matches("./").trim_end_matches('/');
    if source.is_empty() || source == "." {
        return true;
    }
    let module = if source.contains('/') { source.to_owned() } else { source.replace('.', "/") };
    let path = format!("/{path}");
    path.contains(&format!("/{module}/")) || path.ends_with(&format!("/{module}.py"))
}

/// Whether a pattern of coverage.py, whose `*` goes over directories, names a file.
fn fits(pattern: &str, path: &str, root: &str, tree: &Tree) -> Option<bool> {
    if pattern.contains(UNKNOWN) {
        return Some(false);
    }
    let pattern = pattern.trim_start_matches("./").replace("**", "*").replace('*', "**");
    let pattern = if pattern.ends_with('/') { format!("{pattern}**") } else { pattern };
    let own = path.strip_prefix(root).map_or(path, |rest| rest.trim_start_matches('/'));
    Some(tree.fits(&pattern, path)? || own != path && tree.fits(&pattern, own)?)
}

/// What coverage.py's settings say.
#[derive(Default)]
struct Settings {
    /// The limit, where it is a number, and where it stands.
    fail_under: Option<(Option<f64>, Evidence)>,
    source: Vec<String>,
    include: Vec<String>,
    omit: Vec<String>,
}

impl Settings {
    /// Of the file that the command names, or of the first that has some.
    fn read(tree: &Tree, root: &str, named: Option<&str>) -> Self {
        if let Some(named) = named.filter(|named| !named.contains(UNKNOWN)) {
            let file = join(root, named).filter(|file| tree.has(file));
            let prefix = if named.ends_with("coveragerc") { "" } else { "coverage:" };
            return file.and_then(|file| Self::of(tree, &file, prefix)).unwrap_or_default();
        }
        let places = [
            (".coveragerc", ""),
            ("setup.cfg", "coverage:"),
            ("tox.ini", "coverage:"),
            ("pyproject.toml", ""),
        ];
        let found = places
            .into_iter()
            .find_map(|(name, prefix)| Self::of(tree, &present(tree, Some(root), name)?, prefix));
        found.unwrap_or_default()
    }

    fn of(tree: &Tree, file: &str, prefix: &str) -> Option<Self> {
        let text = tree.text(file)?;
        if has_end(file, "toml") {
            return Self::of_toml(&Toml::read(file, text)?);
        }
        let sections = [format!("{prefix}run"), format!("{prefix}report")];
        if name(file) != ".coveragerc"
            && !sections.iter().any(|section| text.contains(&format!("[{section}]")))
        {
            return None;
        }
        let list = |key: &str| -> Vec<String> {
            sections.iter().flat_map(|section| ini_list(text, section, key)).collect()
        };
        let limit = ini(text, &sections[1], "fail_under");
        Some(Self {
            fail_under: limit
                .map(|(line, value)| (value.parse().ok(), Evidence::line(file, text, line))),
            source: [list("source"), list("source_pkgs")].concat(),
            include: list("include"),
            omit: list("omit"),
        })
    }

    fn of_toml(toml: &Toml) -> Option<Self> {
        toml.at(&["tool", "coverage"])?;
        let list = |key: &str| -> Vec<String> {
            let of = |table| toml.texts_at(&["tool", "coverage", table, key]);
            ["run", "report"].into_iter().flat_map(of).map(str::to_owned).collect()
        };
        let keys = ["tool", "coverage", "report", "fail_under"];
        let limit = toml.at(&keys).is_some().then(|| (toml.number_at(&keys), toml.shown(&keys)));
        Some(Self {
            fail_under: limit,
            source: [list("source"), list("source_pkgs")].concat(),
            include: list("include"),
            omit: list("omit"),
        })
    }
}

/// A key of a section of an INI file, with its line.
fn ini<'a>(text: &'a str, section: &str, wanted: &str) -> Option<(usize, &'a str)> {
    let mut inside = false;
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = name.trim() == section;
        } else if inside
            && !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once('=').or_else(|| line.split_once(':'))
            && key.trim() == wanted
        {
            return Some((i, value.trim()));
        }
    }
    None
}

/// The entries of a key, which may stand on lines of their own below it.
fn ini_list(text: &str, section: &str, wanted: &str) -> Vec<String> {
    let Some((at, first)) = ini(text, section, wanted) else { return Vec::new() };
    let more = text.lines().skip(at + 1).take_while(|line| line.starts_with([' ', '\t']));
    let more = more.map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let all = std::iter::once(first).chain(more).flat_map(|line| line.split([',', ' ']));
    all.map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

/// The words of a run of pytest with those that its settings put before them.
pub(in crate::act) fn effective(tree: &Tree, words: &[&str], root: &str) -> Vec<String> {
    let overridden = all(words, &["-o", "--override-ini"]);
    let options = match overridden.iter().rev().find_map(|one| one.strip_prefix("addopts=")) {
        Some(own) => shell_words(own),
        None => pytest_settings(tree, words, root).0,
    };
    let own = words.iter().map(|&word| word.to_owned());
    own.clone().take(1).chain(options).chain(own.skip(1)).collect()
}

/// What pytest's settings add: options, and the paths that it looks in by itself.
pub(in crate::act) fn pytest_settings(
    tree: &Tree,
    words: &[&str],
    root: &str,
) -> (Vec<String>, Vec<String>) {
    let named = last(words, &["-c", "--config-file"]);
    let files = [
        ("pytest.ini", "pytest"),
        (".pytest.ini", "pytest"),
        ("tox.ini", "pytest"),
        ("setup.cfg", "tool:pytest"),
    ];
    let named = named.map(|named| vec![(named, "pytest"), (named, "tool:pytest")]);
    let of_toml = named.as_ref().map_or("pyproject.toml", |named| named[0].0);
    for (name, section) in named.unwrap_or_else(|| files.to_vec()) {
        let Some(text) = join(root, name).and_then(|file| tree.text(&file)) else { continue };
        let list = |key: &str| {
            let (line, first) = ini(text, section, key)?;
            let more = text.lines().skip(line + 1).take_while(|line| line.starts_with([' ', '\t']));
            let lines: Vec<&str> = std::iter::once(first).chain(more).collect();
            Some(shell_words(&lines.join(" ")))
        };
        let (options, paths) = (list("addopts"), list("testpaths"));
        if options.is_some() || paths.is_some() {
            return (options.unwrap_or_default(), paths.unwrap_or_default());
        }
    }
    let Some(file) = join(root, of_toml) else { return Default::default() };
    let Some(toml) = tree.text(&file).and_then(|text| Toml::read(&file, text)) else {
        return Default::default();
    };
    let list = |key: &str| {
        [&["tool", "pytest", "ini_options", key][..], &["tool", "pytest", key]]
            .into_iter()
            .map(|keys| match toml.text_at(keys) {
                Some(text) => shell_words(text),
                None => toml.texts_at(keys).into_iter().map(str::to_owned).collect(),
            })
            .find(|words| !words.is_empty())
            .unwrap_or_default()
    };
    (list("addopts"), list("testpaths"))
}

pub(in crate::act) fn shell_words(text: &str) -> Vec<String> {
    let options = crate::shell::Options { errexit: true, pipefail: false };
    let line = format!("x {}", text.replace('\n', " "));
    let commands = crate::shell::commands(&line, options, &std::collections::BTreeMap::new());
    let first = commands.into_iter().next();
    first
        .map(|command| command.words.into_iter().skip(1).map(|word| word.text).collect())
        .unwrap_or_default()
}
