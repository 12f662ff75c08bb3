//! Coverage below which a run fails: only where the run measures coverage does a threshold in a file mean anything.

use super::Class;
use super::config::present;
use super::invoke::Done;
use super::runner::without_comments;
use crate::finding::Evidence;
use crate::toml::Toml;
use crate::tree::{Tree, join, name};
use crate::yaml::{self, Node};

/// The thresholds that a command enforces. `wrappers` are the programs that it was started through.
pub(super) fn done(tree: &Tree, words: &[&str], root: &str, wrappers: &[String]) -> Vec<Done> {
    let wrapped = |program: &str| wrappers.iter().any(|wrapper| wrapper == program);
    match words[0] {
        "pytest" | "py.test" => {
            let (options, _) = pytest_settings(tree, root);
            let all: Vec<&str> =
                words.iter().copied().chain(options.iter().map(String::as_str)).collect();
            let measures = all.iter().any(|word| *word == "--cov" || word.starts_with("--cov="))
                && !all.contains(&"--no-cov");
            if measures { from_flags_or_files(tree, &all, root) } else { Vec::new() }
        }
        "coverage" if words.get(1) == Some(&"report") => from_flags_or_files(tree, words, root),
        "cargo" => flag(
            words,
            &[
                "--fail-under-lines",
                "--fail-under-regions",
                "--fail-under-functions",
                "--fail-under",
            ],
        ),
        "jest" | "react-scripts" | "craco" => jest(tree, words, root),
        "vitest" => vitest(tree, words, root),
        "gradle" | "gradlew" => gradle(tree, words, root),
        "mvn" | "mvnw" => maven(tree, words, root),
        "dotnet"
            if words
                .iter()
                .any(|word| word.to_ascii_lowercase().contains("collectcoverage=true")) =>
        {
            let number = words.iter().find_map(|word| {
                word.to_ascii_lowercase()
                    .split_once("threshold=")
                    .and_then(|(_, number)| number.trim_matches('"').parse().ok())
            });
            number.map(|number| Done::new(Class::Threshold(Some(number)))).into_iter().collect()
        }
        _ if wrapped("nyc") || wrapped("c8") => node_coverage(tree, words, root),
        _ => Vec::new(),
    }
}

fn enforced(number: Option<f64>, shown: impl IntoIterator<Item = Evidence>) -> Vec<Done> {
    vec![Done::new(Class::Threshold(number)).also(shown)]
}

/// The number of one of these options.
fn flag(words: &[&str], flags: &[&str]) -> Vec<Done> {
    for flag in flags {
        for (i, word) in words.iter().enumerate() {
            let value = match word.strip_prefix(flag) {
                Some("") => words.get(i + 1).copied(),
                Some(rest) => rest.strip_prefix('='),
                None => None,
            };
            if let Some(value) = value {
                return at_least(value.parse().ok(), None);
            }
        }
    }
    Vec::new()
}

/// Zero enforces nothing.
fn at_least(number: Option<f64>, shown: Option<Evidence>) -> Vec<Done> {
    match number {
        Some(number) if number > 0.0 => enforced(Some(number), shown),
        Some(_) => Vec::new(),
        None => enforced(None, shown),
    }
}

fn from_flags_or_files(tree: &Tree, words: &[&str], root: &str) -> Vec<Done> {
    let given = flag(words, &["--cov-fail-under", "--fail-under"]);
    if !given.is_empty() {
        return given;
    }
    if let Some(file) = present(tree, Some(root), ".coveragerc")
        && let Some((line, value)) =
            ini(tree.text(&file).unwrap_or_default(), "report", "fail_under")
    {
        return at_least(
            value.parse().ok(),
            Some(Evidence::line(&file, tree.text(&file).unwrap_or_default(), line)),
        );
    }
    for (name, section) in [("setup.cfg", "coverage:report"), ("tox.ini", "coverage:report")] {
        if let Some(file) = present(tree, Some(root), name)
            && let Some((line, value)) =
                ini(tree.text(&file).unwrap_or_default(), section, "fail_under")
        {
            return at_least(
                value.parse().ok(),
                Some(Evidence::line(&file, tree.text(&file).unwrap_or_default(), line)),
            );
        }
    }
    let keys = ["tool", "coverage", "report", "fail_under"];
    if let Some(file) = present(tree, Some(root), "pyproject.toml")
        && let Some(toml) = tree.text(&file).and_then(|text| Toml::read(&file, text))
        && toml.at(&keys).is_some()
    {
        return at_least(toml.number_at(&keys), Some(toml.shown(&keys)));
    }
    Vec::new()
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

/// What pytest's settings add: options, and the paths that it looks in by itself.
pub(super) fn pytest_settings(tree: &Tree, root: &str) -> (Vec<String>, Vec<String>) {
    let split = |text: &str| shell_words(text);
    for (name, section) in [
        ("pytest.ini", "pytest"),
        (".pytest.ini", "pytest"),
        ("tox.ini", "pytest"),
        ("setup.cfg", "tool:pytest"),
    ] {
        let Some(text) = join(root, name).and_then(|file| tree.text(&file)) else { continue };
        let options = ini(text, section, "addopts").map(|(_, value)| split(value));
        let paths = ini(text, section, "testpaths").map(|(_, value)| split(value));
        if options.is_some() || paths.is_some() {
            return (options.unwrap_or_default(), paths.unwrap_or_default());
        }
    }
    let Some(file) = join(root, "pyproject.toml") else { return Default::default() };
    let Some(toml) = tree.text(&file).and_then(|text| Toml::read(&file, text)) else {
        return Default::default();
    };
    let list = |key: &str| {
        [&["tool", "pytest", "ini_options", key][..], &["tool", "pytest", key]]
            .into_iter()
            .map(|keys| match toml.text_at(keys) {
                Some(text) => split(text),
                None => toml.texts_at(keys).into_iter().map(str::to_owned).collect(),
            })
            .find(|words| !words.is_empty())
            .unwrap_or_default()
    };
    (list("addopts"), list("testpaths"))
}

fn shell_words(text: &str) -> Vec<String> {
    let options = crate::shell::Options { errexit: true, pipefail: false };
    let line = format!("x {}", text.replace('\n', " "));
    let commands = crate::shell::commands(&line, options, &std::collections::BTreeMap::new());
    let first = commands.into_iter().next();
    first
        .map(|command| command.words.into_iter().skip(1).map(|word| word.text).collect())
        .unwrap_or_default()
}

/// `jest.coverageThreshold`, in package.json or in a file of its own.
fn jest(tree: &Tree, words: &[&str], root: &str) -> Vec<Done> {
    let package = join(root, "package.json").unwrap_or_default();
    let text = tree.text(&package).unwrap_or_default();
    let settings = yaml::document(text).ok().flatten();
    let own = settings.as_ref().and_then(|root| root.get("jest"));
    let config = config_file(tree, root, "jest.config");
    let config_text =
        config.as_deref().and_then(|file| tree.text(file)).map(script_code).unwrap_or_default();
    let measures = words
        .iter()
        .any(|word| matches!(*word, "--coverage" | "--collectCoverage" | "--coverage=true"))
        || own.and_then(|own| own.get("collectCoverage")).and_then(Node::truth) == Some(true)
        || config_text.contains("collectCoverage: true");
    if !measures {
        return Vec::new();
    }
    if let Some(threshold) = own.and_then(|own| own.at(&["coverageThreshold", "global"])) {
        let numbers = threshold
            .entries()
            .iter()
            .filter_map(|entry| Some((entry.key.as_str(), entry.value.text()?.parse().ok()?)));
        return at_least(least(numbers), Some(Evidence::at(&package, text, threshold.place)));
    }
    in_script(tree, config.as_deref(), &config_text, "coverageThreshold")
}

fn vitest(tree: &Tree, words: &[&str], root: &str) -> Vec<Done> {
    let config =
        config_file(tree, root, "vitest.config").or_else(|| config_file(tree, root, "vite.config"));
    let code =
        config.as_deref().and_then(|file| tree.text(file)).map(script_code).unwrap_or_default();
    let measures = words.iter().any(|word| {
        matches!(
            *word,
            "--coverage" | "--coverage.enabled" | "--coverage.enabled=true" | "--coverage=true"
        )
    });
    if measures { in_script(tree, config.as_deref(), &code, "thresholds") } else { Vec::new() }
}

fn config_file(tree: &Tree, root: &str, stem: &str) -> Option<String> {
    let ends = ["js", "ts", "mjs", "cjs", "mts", "cts", "json"];
    ends.iter().filter_map(|end| join(root, &format!("{stem}.{end}"))).find(|file| tree.has(file))
}

/// A script with its comments blanked, line by line as it was.
fn script_code(text: &str) -> String {
    let mut out = String::new();
    let mut block = false;
    for line in text.lines() {
        let mut rest = line;
        while !rest.is_empty() {
            if block {
                match rest.split_once("*/") {
                    Some((_, after)) => (block, rest) = (false, after),
                    None => break,
                }
            } else {
                match (rest.find("/*"), rest.find("//")) {
                    (_, Some(at)) if rest[..at].ends_with(':') => {
                        out.push_str(&rest[..at + 2]);
                        rest = &rest[at + 2..];
                    }
                    (Some(open), line) if line.is_none_or(|line| open < line) => {
                        out.push_str(&rest[..open]);
                        (block, rest) = (true, &rest[open + 2..]);
                    }
                    (_, Some(at)) => {
                        out.push_str(&rest[..at]);
                        break;
                    }
                    _ => {
                        out.push_str(rest);
                        break;
                    }
                }
            }
        }
        out.push('\n');
    }
    out
}

/// The numbers after a word of a script, up to its closing bracket.
fn in_script(tree: &Tree, file: Option<&str>, code: &str, word: &str) -> Vec<Done> {
    let (Some(file), Some(at)) =
        (file, code.find(&format!("{word}:")).or_else(|| code.find(&format!("\"{word}\":"))))
    else {
        return Vec::new();
    };
    let mut depth = 0_i32;
    let mut end = code.len();
    for (i, c) in code[at..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth <= 0 {
                    end = at + i;
                    break;
                }
            }
            _ => {}
        }
    }
    let numbers = code[at..end].split([',', '{', '\n']).filter_map(|pair| {
        let (key, value) = pair.split_once(':')?;
        Some((key.trim().trim_matches(['"', '\'']), value.trim().parse().ok()?))
    });
    let line = code[..at].matches('\n').count();
    at_least(least(numbers), Some(Evidence::line(file, tree.text(file).unwrap_or_default(), line)))
}

/// What is asked of lines, or the least of what is asked.
fn least<'a>(numbers: impl Iterator<Item = (&'a str, f64)>) -> Option<f64> {
    let all: Vec<(&str, f64)> = numbers
        .filter(|(key, _)| matches!(*key, "lines" | "statements" | "branches" | "functions"))
        .collect();
    let lines = all.iter().find(|(key, _)| *key == "lines").map(|(_, number)| *number);
    lines.or_else(|| all.iter().map(|(_, number)| *number).reduce(f64::min))
}

/// nyc and c8 check only when they are told to.
fn node_coverage(tree: &Tree, words: &[&str], root: &str) -> Vec<Done> {
    if words.contains(&"--check-coverage") {
        let given = flag(words, &["--lines"]);
        return if given.is_empty() { enforced(None, None) } else { given };
    }
    for name in [".nycrc", ".nycrc.json", ".c8rc.json"] {
        let Some(file) = join(root, name).filter(|file| tree.has(file)) else { continue };
        let text = tree.text(&file).unwrap_or_default();
        let Ok(Some(settings)) = yaml::document(text) else { continue };
        let checks = settings.get("check-coverage").and_then(Node::truth) == Some(true);
        if checks && let Some(lines) = settings.get("lines") {
            return at_least(
                lines.text().and_then(|text| text.parse().ok()),
                Some(Evidence::at(&file, text, lines.place)),
            );
        }
    }
    let package = join(root, "package.json").unwrap_or_default();
    let text = tree.text(&package).unwrap_or_default();
    let settings = yaml::document(text).ok().flatten();
    for tool in ["nyc", "c8"] {
        if let Some(own) = settings.as_ref().and_then(|root| root.get(tool))
            && own.get("check-coverage").and_then(Node::truth) == Some(true)
            && let Some(lines) = own.get("lines")
        {
            return at_least(
                lines.text().and_then(|text| text.parse().ok()),
                Some(Evidence::at(&package, text, lines.place)),
            );
        }
    }
    Vec::new()
}

fn gradle(tree: &Tree, words: &[&str], root: &str) -> Vec<Done> {
    let task = |wanted: &[&str]| {
        words.iter().any(|word| wanted.contains(&word.rsplit(':').next().unwrap_or_default()))
    };
    let direct = task(&["jacocoTestCoverageVerification", "koverVerify"]);
    for file in
        tree.under(root).filter(|path| matches!(name(path), "build.gradle" | "build.gradle.kts"))
    {
        let code = script_code(tree.text(file).unwrap_or_default());
        // `check` includes it only where the build says so; Kover does by itself.
        let wired = code.lines().any(|line| {
            line.contains("jacocoTestCoverageVerification")
                && (line.contains("dependsOn") || line.contains("finalizedBy"))
        }) || code.contains("kover") && code.contains("minBound");
        if !(direct || wired && task(&["check", "build"])) {
            continue;
        }
        for (i, line) in code.lines().enumerate() {
            let number = line.split_once("minimum").or_else(|| line.split_once("minBound")).map(
                |(_, rest)| {
                    rest.chars()
                        .skip_while(|c| !c.is_ascii_digit())
                        .take_while(|c| c.is_ascii_digit() || *c == '.')
                        .collect::<String>()
                },
            );
            if let Some(number) =
                number.and_then(|text| text.trim_end_matches('.').parse::<f64>().ok())
            {
                let percent = if number <= 1.0 { number * 100.0 } else { number };
                return at_least(
                    Some(percent),
                    Some(Evidence::line(file, tree.text(file).unwrap_or_default(), i)),
                );
            }
        }
    }
    Vec::new()
}

fn maven(tree: &Tree, words: &[&str], root: &str) -> Vec<Done> {
    if !words.iter().any(|word| matches!(*word, "verify" | "install" | "deploy" | "jacoco:check")) {
        return Vec::new();
    }
    for file in tree.under(root).filter(|path| name(path) == "pom.xml") {
        let text = tree.text(file).unwrap_or_default();
        let code = without_comments(text);
        if !(code.contains("jacoco-maven-plugin") && code.contains("<goal>check</goal>")) {
            continue;
        }
        let Some((_, rest)) = code.split_once("<minimum>") else { continue };
        let value = rest.split('<').next().unwrap_or_default().trim().trim_end_matches('%');
        let number: Option<f64> = value.parse().ok();
        let line = text.lines().position(|line| line.contains("<minimum>")).unwrap_or(0);
        let percent = number.map(|number| if number <= 1.0 { number * 100.0 } else { number });
        return at_least(percent, Some(Evidence::line(file, text, line)));
    }
    Vec::new()
}
