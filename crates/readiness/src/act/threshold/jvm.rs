//! Limits of `JaCoCo` and Kover, in the builds of Gradle and Maven.

use super::super::runner::without_comments;
use super::at_least;
use super::script::script_code;
use crate::act::flags::told;
use crate::act::invoke::Done;
use crate::finding::Evidence;
use crate::shell::Blocking;
use crate::tree::{Tree, name};

pub(super) fn gradle(tree: &Tree, words: &[&str], root: &str) -> Vec<Done> {
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
                let shown = Evidence::line(file, tree.text(file).unwrap_or_default(), i);
                let found = at_least(Some(percent), Some(shown));
                if code.contains("ailOnViolation = false") {
                    let soft = Blocking::No("`failOnViolation` is `false`".into());
                    return found.into_iter().map(|done| done.blocks(soft.clone())).collect();
                }
                return found;
            }
        }
    }
    Vec::new()
}

pub(super) fn maven(tree: &Tree, words: &[&str], root: &str) -> Vec<Done> {
    let checks = ["verify", "install", "deploy", "jacoco:check"];
    if !words.iter().any(|word| checks.contains(word)) || told(words, &["-Djacoco.skip"]) {
        return Vec::new();
    }
    for file in tree.under(root).filter(|path| name(path) == "pom.xml") {
        let text = tree.text(file).unwrap_or_default();
        let code = without_comments(text);
        let plugins = code.split("<plugin>").skip(1);
        let plugins = plugins.map(|rest| rest.split("</plugin>").next().unwrap_or_default());
        for plugin in plugins.filter(|plugin| plugin.contains("jacoco-maven-plugin")) {
            let Some((_, rest)) = plugin.split_once("<minimum>") else { continue };
            let is_on =
                plugin.contains("<goal>check</goal>") && !plugin.contains("<skip>true</skip>");
            if !is_on {
                continue;
            }
            let value = rest.split('<').next().unwrap_or_default();
            let shown = |line: &str| line.contains("<minimum>") && line.contains(value);
            let line = text.lines().position(shown).unwrap_or(0);
            let value = value.trim().trim_end_matches('%');
            let number: Option<f64> = value.parse().ok();
            let percent = number.map(|number| if number <= 1.0 { number * 100.0 } else { number });
            let found = at_least(percent, Some(Evidence::line(file, text, line)));
            if plugin.contains("<haltOnFailure>false") {
                let soft = Blocking::No("`haltOnFailure` is `false`".into());
                return found.into_iter().map(|done| done.blocks(soft.clone())).collect();
            }
            return found;
        }
    }
    Vec::new()
}
