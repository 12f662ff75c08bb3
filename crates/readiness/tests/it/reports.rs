//! Reports for pull requests and for what shows findings beside code, and what changed.

use jiff::civil::date;
use lockgate_readiness::attest::FILE;
use lockgate_readiness::baseline::{Baseline, BaselineError, Changes};
use lockgate_readiness::catalog::CATALOG;
use lockgate_readiness::{Assessment, Facts, Scenario, assess, markdown, sarif};
use serde_json::{Value, json};

use super::{Files, RUST, assessed, tree, with};

const CI: (&str, &str) = (
    ".github/workflows/ci.yml",
    "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: cargo test || true\n      - run: cargo build\n",
);

const SAID: &str = "\
attest:
- {check: branch_protection.review, owner: 'a|b <b>@team</b> [x](y)', until: 2026-12-31, link: 'https://a.io/(x)|@y'}
suppress:
- {check: tests.unit, reason: '| `@all` #1 <img src=x>', until: 2026-12-31}
";

/// Names and words that mean something in Markdown, HTML, tables and URLs.
const HOSTILE: Files<'static> = &[
    (
        ".github/workflows/a|b](javascript:x)<img src=x>@team `#1.yml",
        "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: pytest || true\n",
    ),
    ("CODEOWNERS", "# * @team\n"),
    (FILE, SAID),
    ("tests/test_a.py", ""),
];

fn on(files: Files<'_>) -> Assessment {
    let today = Some(date(2026, 6, 15));
    assess(&tree(files), &Facts { today, ..Facts::default() })
}

#[test]
fn markdown_tells_levels_what_is_missing_where_and_gates() {
    let text =
        markdown(&on(&with(&[RUST, &[CI, ("CODEOWNERS", "# * @team\n"), (FILE, SAID)]])), None);
    for part in [
        "| dimension | level | before the next level |",
        "| ci_cd | L1 | `ci_cd.build_on_pull_request` unknown: <code>",
        "[<code>&#46;github/workflows/ci&#46;yml&#58;6</code>](.github/workflows/ci.yml#L6)",
        "| tests | L0 | `tests.unit` missing: <code>",
        "](.github/workflows/ci.yml#L6) **suppressed** until 2026-12-31: <code>",
        "| branch_protection | unknown (L1 **attested**) | `branch_protection.review` unknown: <code>",
        "until 2026-12-31, [link](https://a.io/%28x%29%7C%40y)",
        "| monolith | does not pass | <code>tests is level 0, level 2 is needed",
        "<code>level 2 is needed in 4 of 6 dimensions, so in 2 more of these&#58; ci&#95;cd is level 1, level 2",
        "fix: add a Dockerfile, or templates of the environment",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("fix: run the unit tests in a pipeline"), "suppressed:\n{text}");
}

#[test]
fn nothing_of_a_file_breaks_markdown() {
    let text = markdown(&on(HOSTILE), None);
    assert!(text.contains("&#64;<!-- -->team"), "{text}");
    let mut rows = 0;
    for line in text.lines() {
        if line.starts_with('|') {
            assert_eq!(line.matches('|').count(), 4, "{line}");
            rows += 1;
        }
    }
    assert_eq!(rows, 2 + 6 + 2 + 3, "{text}");
    let tags: Vec<&str> =
        text.split('<').skip(1).filter_map(|rest| rest.split('>').next()).collect();
    assert!(tags.iter().all(|tag| matches!(*tag, "code" | "/code" | "br" | "!-- --")), "{tags:?}");
    assert!(!text.contains('@') && !text.contains("](javascript"), "{text}");
    for inside in text.split("<code>").skip(1).filter_map(|rest| rest.split("</code>").next()) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " &#;,()/-".contains(c);
        assert!(inside.replace("<!-- -->", "").chars().all(is_plain), "{inside}");
    }
}

/// The checks of a report with their levels.
fn results(report: &Value) -> Vec<(&str, &str)> {
    let results = report["runs"][0]["results"].as_array().expect("results");
    results
        .iter()
        .map(|result| {
            (result["ruleId"].as_str().expect("an id"), result["level"].as_str().expect("a level"))
        })
        .collect()
}

#[test]
fn sarif_has_what_its_schema_requires() {
    let found = on(&with(&[RUST, HOSTILE, &[CI]]));
    let report = sarif(&found, &[]);
    assert_eq!(
        serde_json::to_string(&report).unwrap(),
        serde_json::to_string(&sarif(&found, &[])).unwrap()
    );
    assert_eq!(report["version"], "2.1.0");
    let run = &report["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "Lockgate");
    let rules = driver["rules"].as_array().unwrap();
    assert_eq!(rules.len(), CATALOG.len());
    for rule in rules {
        for key in ["shortDescription", "fullDescription", "help"] {
            assert!(rule[key]["text"].is_string(), "{rule}");
        }
    }
    let results = run["results"].as_array().unwrap();
    assert!(results.len() > 5, "{results:?}");
    let mut placed = 0;
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let message = result["message"]["text"].as_str().unwrap();
        assert!(message.contains("At risk: ") && message.contains("Fix: "), "{message}");
        assert!(!message.contains("]("), "no link that a file wrote: {message}");
        for location in result["locations"].as_array().into_iter().flatten() {
            let place = &location["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().unwrap();
            let is_encoded = |c: char| c.is_ascii_alphanumeric() || "/-_.~%".contains(c);
            assert!(uri.chars().all(is_encoded) && !uri.starts_with('/'), "{uri}");
            assert!(place["region"]["startLine"].as_u64() >= Some(1), "{place}");
            assert!(place["region"]["startColumn"].as_u64() >= Some(1), "{place}");
            placed += 1;
        }
    }
    assert!(placed > 0);
    let unit = results.iter().find(|result| result["ruleId"] == "tests.unit").unwrap();
    assert_eq!(
        unit["suppressions"],
        json!([{"kind": "external", "status": "accepted", "justification": "| `@all` #1 <img src=x> (until 2026-12-31)"}])
    );
    let review =
        results.iter().find(|result| result["ruleId"] == "branch_protection.review").unwrap();
    assert_eq!(review["properties"]["attested"]["until"], "2026-12-31");
}

#[test]
fn sarif_is_as_grave_as_what_is_required() {
    let found = on(&with(&[RUST, &[CI, ("CODEOWNERS", "# * @team\n")]]));
    let lax = sarif(&found, &[]);
    let lax = results(&lax);
    assert!(lax.contains(&("tests.unit", "warning")), "{lax:?}");
    assert!(lax.contains(&("branch_protection.review", "note")), "{lax:?}");
    assert!(lax.contains(&("tests.coverage_over_80", "warning")), "{lax:?}");
    assert!(!lax.iter().any(|(id, _)| *id == "tests.integration_on_pull_request"), "{lax:?}");
    let monolith = sarif(&found, &[Scenario::Monolith]);
    let monolith = results(&monolith);
    for expected in [
        ("tests.unit", "error"),
        ("tests.integration_on_pull_request", "error"),
        ("tests.coverage_over_80", "error"),
        ("branch_protection.review", "note"),
    ] {
        assert!(monolith.contains(&expected), "{expected:?} {monolith:?}");
    }
    assert!(!monolith.iter().any(|(id, _)| *id == "tests.coverage_threshold"), "{monolith:?}");
    let all = sarif(&found, &[Scenario::Monolith, Scenario::Microservices]);
    assert!(results(&all).contains(&("tests.coverage_threshold", "error")));
}

fn since(before: &Assessment, now: &Assessment) -> Changes {
    let json = serde_json::to_string(before).expect("JSON");
    Baseline::read(&json).expect("an assessment").changes(now)
}

#[test]
fn what_changed_is_told_in_its_direction() {
    let before = on(&with(&[RUST, &[CI, ("CODEOWNERS", "# * @team\n")]]));
    let blocking =
        (CI.0, "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: cargo test\n");
    let now = on(&with(&[RUST, &[blocking, ("CODEOWNERS", "# * @team\n"), (FILE, SAID)]]));
    assert_eq!(since(&now, &now), Changes::default());
    assert_eq!(since(&now, &now).lines(), Vec::<String>::new());
    let lines = since(&before, &now).lines();
    for line in [
        "level of tests: L0 → L1",
        "better: tests.unit fail → pass",
        "better: branch_protection.review unknown → attested",
    ] {
        assert!(lines.iter().any(|one| one == line), "{line}: {lines:?}");
    }
    let back = since(&now, &before).lines();
    for line in [
        "level of tests: L1 → L0",
        "worse: tests.unit pass → fail",
        "worse: branch_protection.review attested → unknown",
    ] {
        assert!(back.iter().any(|one| one == line), "{line}: {back:?}");
    }
    let library = assessed(&[("Cargo.toml", "[package]\nname = \"a\"\n")]);
    let other = since(&library, &before);
    assert!(
        !other.other.is_empty() && other.other.iter().all(|one| one.from != one.to),
        "{other:?}"
    );
    assert!(
        markdown(&now, Some(&since(&before, &now)))
            .contains("### Changed since the baseline\n\n- <code>level of tests")
    );
}

#[test]
fn checks_that_came_or_went_are_neither_better_nor_worse() {
    let now = assessed(RUST);
    let mut before = serde_json::to_value(&now).unwrap();
    let checks = before["dimensions"]["tests"]["checks"].as_array_mut().unwrap();
    checks[0]["id"] = json!("tests.fuzz\n|");
    let changes = Baseline::read(&before.to_string()).unwrap().changes(&now);
    assert_eq!(changes.lines(), ["new: tests.unit", "gone: tests.fuzz |"]);
    let json = serde_json::to_value(&changes).unwrap();
    assert_eq!(json["new"], json!(["tests.unit"]));
    for key in ["levels", "better", "worse", "other", "gone"] {
        assert!(json[key].is_array(), "{json}");
    }
}

#[test]
fn what_is_no_assessment_of_this_schema_is_refused() {
    for text in [
        "",
        "[]",
        "{\"schema\":1}",
        "{\"schema\":\"1\"}",
        "{\"schema\":1,\"dimensions\":{\"tests\":{\"level\":-1,\"checks\":[]}}}",
    ] {
        assert!(matches!(Baseline::read(text), Err(BaselineError::Unreadable(_))), "{text}");
    }
    assert!(matches!(Baseline::read("{\"schema\":2}"), Err(BaselineError::Schema(2))));
}
