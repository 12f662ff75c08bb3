//! Programs that need a closer look than a row of a table.

use super::super::invoke::{Asked, Done};
use super::super::{Class, config, flags};
use crate::shell::{Blocking, UNKNOWN};
use Class::{Code, Compliance, Dependencies, Dynamic, Secrets};

/// Options of `lockgate drift` that take what follows them; the first two name templates.
const DRIFT_OPTIONS: [&str; 16] = [
    "--terraform",
    "--kubernetes",
    "--lockgate",
    "--policies",
    "--env",
    "--time-limit",
    "--report-to",
    "--terraform-program",
    "--var-file",
    "--lock-timeout",
    "--kubeconfig",
    "--context",
    "--output",
    "--server",
    "--token",
    "--token-file",
];

/// A comparison for each directory of templates that `lockgate drift` is pointed at. Its own configuration is none.
fn lockgate_drift(words: &[&str], dir: Option<&str>) -> Vec<Done> {
    let (mut roots, mut checkout) = (Vec::new(), "");
    let mut words = words.iter().copied().skip_while(|word| *word != "drift").skip(1);
    while let Some(word) = words.next() {
        let (name, value) = word.split_once('=').map_or((word, None), |(n, v)| (n, Some(v)));
        if let Some(option) = DRIFT_OPTIONS.iter().position(|option| *option == name) {
            let value = value.or_else(|| words.next()).unwrap_or_default();
            if option < 2 {
                roots.push((value, name == "--kubernetes"));
            }
        } else if !word.starts_with('-') {
            checkout = word;
        }
    }
    let done = roots.into_iter().filter_map(|(root, to_cluster)| {
        let done = Done { to_cluster, ..Done::new(Class::Drift) };
        let Some(dir) = dir else { return Some(done) };
        // What is outside of the repository is none of its templates.
        let place = crate::tree::join(&crate::tree::join(dir, checkout)?, root)?;
        Some(done.in_dir(Some(&place)))
    });
    done.collect()
}

/// What they do.
pub(super) fn done(
    asked: &Asked<'_>,
    words: &[&str],
    arguments: &[&str],
    dir: Option<&str>,
) -> Vec<Done> {
    let has = |flag: &str| words.contains(&flag);
    match words[0] {
        "trivy" => trivy(asked, words, arguments),
        "terraform" | "tofu" | "terragrunt" | "terragrunt-plan" => {
            if arguments.contains(&"plan")
                && (has("-detailed-exitcode") || has("--detailed-exitcode"))
            {
                let chdir = words.iter().find_map(|word| word.strip_prefix("-chdir="));
                let dir = match (chdir, dir) {
                    (Some(sub), Some(dir)) => crate::tree::join(dir, sub),
                    _ => dir.map(str::to_owned),
                };
                return vec![
                    Done::new(Class::Drift).in_dir(dir.as_deref()).blocks(compared(words)),
                ];
            }
            Vec::new()
        }
        // What is fetched is handed to a shell.
        "curl" | "wget" if words.iter().any(|word| word.ends_with("codecov.io/bash")) => {
            vec![Done::new(Class::Codecov)]
        }
        "lockgate" if arguments.first() == Some(&"drift") => lockgate_drift(words, dir),
        "driftctl" if arguments.first() == Some(&"scan") => {
            vec![Done::new(Class::Drift).in_dir(dir)]
        }
        "kubectl" if arguments.first() == Some(&"diff") => {
            let done = Done { to_cluster: true, ..Done::new(Class::Drift) };
            vec![done.in_dir(dir)]
        }
        "pulumi" if has("--expect-no-changes") => vec![Done::new(Class::Drift).in_dir(dir)],
        "cdk"
            if arguments.first() == Some(&"drift")
                || arguments.first() == Some(&"diff") && has("--fail") =>
        {
            vec![Done::new(Class::Drift).in_dir(dir)]
        }
        "cargo" if arguments.first() == Some(&"deny") => {
            let checks: Vec<&&str> = arguments
                .iter()
                .filter(|word| {
                    matches!(**word, "advisories" | "licenses" | "bans" | "sources" | "all")
                })
                .collect();
            let all = checks.is_empty() || checks.contains(&&"all");
            let mut done = Vec::new();
            if arguments.contains(&"check") && (all || checks.contains(&&"advisories")) {
                done.push(Done::new(Dependencies));
            }
            if arguments.contains(&"check") && (all || checks.contains(&&"licenses")) {
                done.push(Done::new(Compliance));
            }
            done
        }
        "go" if flags::last(words, &["-fuzz", "--fuzz"]).is_some_and(|fuzz| fuzz != "^$") => {
            let time = flags::last(words, &["-fuzztime", "--fuzztime"]).unwrap_or("1m");
            let blocking = if time.starts_with(|c| ('1'..='9').contains(&c)) {
                Blocking::Yes
            } else {
                Blocking::Unsure(format!("`-fuzztime {time}` says not how long"))
            };
            vec![Done::new(Dynamic).blocks(blocking)]
        }
        "go" if arguments.first() == Some(&"run")
            && words.iter().any(|word| word.contains("govulncheck")) =>
        {
            vec![Done::new(Dependencies)]
        }
        "golangci-lint" if arguments.first() == Some(&"run") => {
            config::gosec(asked.tree, dir).into_iter().collect()
        }
        "ruff" if arguments.first() == Some(&"check") => {
            let fails = !words.contains(&"--exit-zero");
            config::bandit_in_ruff(asked.tree, dir, fails).into_iter().collect()
        }
        "mvn" | "mvnw" if arguments.iter().any(|word| word.contains("dependency-check")) => {
            let told = flags::last(words, &["-DfailBuildOnCVSS"]);
            vec![Done::new(Dependencies).blocks(by_score(asked, dir, "pom.xml", told))]
        }
        "gradle" | "gradlew"
            if arguments.iter().any(|word| word.ends_with("dependencyCheckAnalyze")) =>
        {
            let of_file = by_score(asked, dir, "build.gradle", None);
            vec![Done::new(Dependencies).blocks(of_file.min(by_score(
                asked,
                dir,
                "build.gradle.kts",
                None,
            )))]
        }
        _ => Vec::new(),
    }
}

/// What a plan says of drift: with less than everything it is not known, without a look at what runs it is none.
fn compared(words: &[&str]) -> Blocking {
    if flags::told(words, &["-refresh=false", "--refresh=false"]) {
        return Blocking::No("`-refresh=false` does not look at what runs".into());
    }
    if flags::last(words, &["-target", "--target"]).is_some() {
        return Blocking::Unsure("`-target` compares a part".into());
    }
    Blocking::Yes
}

/// Dependency-Check fails from a score on, which by itself nothing reaches.
fn by_score(asked: &Asked<'_>, dir: Option<&str>, file: &str, told: Option<&str>) -> Blocking {
    let text = config::present(asked.tree, dir, file);
    let text = text.and_then(|file| asked.tree.text(&file)).unwrap_or_default();
    let number = |text: &str| -> Option<f64> {
        let digits = |c: &char| c.is_ascii_digit() || *c == '.';
        let rest = text.chars().skip_while(|c| matches!(c, '>' | ' ' | '=' | ':'));
        rest.take_while(digits).collect::<String>().parse().ok()
    };
    let written = text.split_once("failBuildOnCVSS").map(|(_, rest)| rest);
    match told.or(written) {
        None => Blocking::No("Dependency-Check fails only with `failBuildOnCVSS`".into()),
        Some(value) => match number(value) {
            Some(score) if score <= 10.0 => Blocking::Yes,
            Some(score) => Blocking::No(format!("no score is above {score}")),
            None => Blocking::Unsure("`failBuildOnCVSS` is decided when it runs".into()),
        },
    }
}

fn trivy(asked: &Asked<'_>, words: &[&str], arguments: &[&str]) -> Vec<Done> {
    let value = |flag: &str| flags::last(words, &[flag]);
    let exit = value("--exit-code").or(asked.env.get("TRIVY_EXIT_CODE").map(String::as_str));
    let severity = value("--severity").or(value("-s")).map(str::to_ascii_uppercase);
    let known = ["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"];
    let none = |all: &str| !all.contains(UNKNOWN) && !known.iter().any(|one| all.contains(one));
    let blocking = match exit {
        Some("0") => Blocking::No("`--exit-code 0`".into()),
        _ if severity.as_deref().is_some_and(none) => {
            Blocking::No("no finding has such a `--severity`".into())
        }
        Some(code) if code.contains(UNKNOWN) => {
            Blocking::Unsure("`--exit-code` is decided when it runs".into())
        }
        Some(_) => Blocking::Yes,
        None if asked.uploads => Blocking::Yes,
        None => Blocking::No("trivy fails only with `--exit-code`".into()),
    };
    let format = value("--format").or(value("-f")).unwrap_or_default();
    if format.starts_with("cyclonedx") || format.starts_with("spdx") {
        return vec![Done::new(Compliance)];
    }
    let scanners = value("--scanners").or(value("--security-checks"));
    let target = arguments.iter().copied().find(|word| !trivy_classes(word, None).is_empty());
    let classes = trivy_classes(target.unwrap_or_default(), scanners);
    let done = |class: Class| {
        let blocking = blocking.and(&super::left_out(words, &class));
        Done::new(class).blocks(blocking)
    };
    classes.into_iter().map(done).collect()
}

/// What Trivy looks for in a kind of target.
pub(in crate::act) fn trivy_classes(target: &str, scanners: Option<&str>) -> Vec<Class> {
    let default = match target {
        "fs" | "filesystem" | "repo" | "repository" | "rootfs" | "image" | "i" | "vm" => {
            "vuln,secret"
        }
        "config" | "conf" | "k8s" | "kubernetes" | "aws" => "misconfig",
        _ => return Vec::new(),
    };
    let of_image = matches!(target, "image" | "i" | "vm" | "rootfs");
    scanners
        .unwrap_or(default)
        .split(',')
        .filter_map(|scanner| match scanner.trim() {
            "vuln" => Some(Dependencies),
            // Secrets of an image are not those of the repository.
            "secret" if !of_image => Some(Secrets),
            "misconfig" | "config" => Some(Code),
            "license" => Some(Compliance),
            _ => None,
        })
        .collect()
}
