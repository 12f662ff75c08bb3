//! What people say, and what it changes.

use jiff::civil::{Date, date};
use lockgate_readiness::attest::FILE;
use lockgate_readiness::catalog::Dimension;
use lockgate_readiness::finding::Outcome;
use lockgate_readiness::tree::{Contents, Tree};
use lockgate_readiness::{Assessment, Facts, Scenario, assess};
use proptest::prelude::*;
use serde_json::Value;

use super::{Files, check, tree, with};

const TODAY: Date = date(2026, 6, 15);

/// A service whose review only the forge knows, that has alerts and no receiver, and no integration tests.
const SERVICE: Files<'static> = &[
    ("CODEOWNERS", "# * @team\n"),
    (
        "pyproject.toml",
        "[project]\ndependencies = [\"fastapi\", \"structlog\", \"opentelemetry-sdk\"]\n",
    ),
    ("app/main.py", "import structlog\nfrom opentelemetry import trace\n"),
    (
        ".github/workflows/ci.yml",
        "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: pytest --cov=app --cov-fail-under=85\n",
    ),
    ("tests/unit/test_a.py", ""),
    ("ops/rules.yml", "groups:\n- rules:\n  - {alert: Down, expr: up == 0}\n"),
    ("Dockerfile", "FROM python:3\nHEALTHCHECK CMD curl -f localhost/healthz\n"),
];

fn on(today: Option<Date>, said: &str) -> Assessment {
    let files = with(&[SERVICE, &[(FILE, said)]]);
    assess(&tree(&files), &Facts { today, ..Facts::default() })
}

fn said(said: &str) -> Assessment {
    on(Some(TODAY), said)
}

/// An attestation that is well-formed.
fn attested(check: &str, until: &str) -> String {
    format!(
        "attest:\n- {{check: {check}, owner: platform team, until: {until}, link: 'https://wiki.acme.io/a'}}\n"
    )
}

fn suppressed(check: &str, more: &str) -> String {
    format!("suppress:\n- {{check: {check}, reason: planned, until: 2026-12-31{more}}}\n")
}

#[test]
fn what_is_attested_stays_unknown_and_counts_apart() {
    let found = said(&attested("branch_protection.review", "2026-06-15"));
    let review = check(&found, "branch_protection.review");
    assert_eq!(review.outcome, Outcome::Unknown);
    assert_eq!(found.notes, Vec::<String>::new());
    let standing = found.standing(Dimension::BranchProtection);
    assert_eq!((standing.level, standing.level_with_attestations), (None, Some(1)));
    assert_eq!(standing.outcome, Outcome::Unknown);
    let json = serde_json::to_value(&found).unwrap();
    let dimension = &json["dimensions"]["branch_protection"];
    assert_eq!(dimension["level"], Value::Null);
    assert_eq!(dimension["level_with_attestations"], 1);
    let review = &dimension["checks"][0];
    assert_eq!(review["outcome"], "unknown");
    assert_eq!(
        review["attested"],
        serde_json::json!({"owner": "platform team", "link": "https://wiki.acme.io/a", "until": "2026-06-15"})
    );
    assert_eq!(json["dimensions"]["tests"]["checks"][0].get("attested"), None);
}

#[test]
fn a_gate_tells_proof_from_words() {
    let without = said("");
    let alerts = check(&without, "observability.alerts");
    assert_eq!(alerts.outcome, Outcome::Unknown, "{}", alerts.reason);
    assert_eq!(
        serde_json::to_value(without.gate(Scenario::Monolith)).unwrap()["pass_with_attestations"],
        false
    );
    let ready = with(&[
        SERVICE,
        &[
            (
                ".github/workflows/more.yml",
                "on: {pull_request: , merge_group: , push: {branches: [main]}}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: pytest --cov=app --cov-fail-under=85\n      - run: pip-audit\n      - run: gitleaks git\n      - run: bandit -r app\n      - run: schemathesis run http://app/openapi.json\n",
            ),
            ("tests/integration/test_b.py", ""),
            ("infra/main.tf", "resource \"aws_ecs_service\" \"a\" {\n}\n"),
        ],
    ]);
    for (said, pass_with_attestations) in [
        (String::new(), false),
        (attested("observability.alerts", "2026-12-31"), true),
        (attested("observability.alerts", "2026-06-14"), false),
        (attested("observability.escalation", "2026-12-31"), false),
    ] {
        let files = with(&[&ready, &[(FILE, said.as_str())]]);
        let found = assess(&tree(&files), &Facts { today: Some(TODAY), ..Facts::default() });
        let gate = found.gate(Scenario::Monolith);
        assert_eq!(
            (gate.pass, gate.pass_with_attestations),
            (false, pass_with_attestations),
            "{said}: {gate:?} {:?}",
            found.notes
        );
        let how = if pass_with_attestations { "unknown and only attested" } else { "unknown:" };
        assert!(gate.missing.iter().any(|missing| missing.contains(how)), "{gate:?}");
    }
}

#[test]
fn words_change_nothing_that_files_show_and_nothing_after_their_day() {
    for (check_id, today, until, outcome, note) in [
        (
            "tests.integration_on_pull_request",
            Some(TODAY),
            "2026-12-31",
            Outcome::Fail,
            "is attested, but it is not so",
        ),
        ("tests.unit", Some(TODAY), "2026-12-31", Outcome::Pass, "not needed"),
        (
            "branch_protection.review",
            Some(TODAY),
            "2026-06-14",
            Outcome::Unknown,
            "ended on 2026-06-14",
        ),
        ("branch_protection.review", None, "2026-12-31", Outcome::Unknown, "the date is not known"),
    ] {
        let found = on(today, &attested(check_id, until));
        let check = check(&found, check_id);
        assert_eq!((check.outcome, &check.attested), (outcome, &None), "{check_id}");
        assert!(found.notes.len() == 1 && found.notes[0].contains(note), "{:?}", found.notes);
        for dimension in Dimension::ALL {
            let standing = found.standing(dimension);
            assert_eq!(standing.level, standing.level_with_attestations, "{check_id}");
        }
    }
}

#[test]
fn what_is_suppressed_stays_what_it_is() {
    let before = said("");
    for (said_text, is_suppressed, note) in [
        (suppressed("tests.integration_on_pull_request", ""), true, ""),
        (
            suppressed("tests.integration_on_pull_request", ", path: 'src/**'"),
            false,
            "not in these files alone",
        ),
        (
            suppressed("tests.integration_on_pull_request", "").replace("2026-12", "2026-05"),
            false,
            "ended on 2026-05-31; it is told again",
        ),
        (suppressed("branch_protection.review", ", path: 'CODE*'"), true, ""),
        (
            suppressed("branch_protection.review", ", path: '.github/**'"),
            false,
            "not in these files alone",
        ),
        (suppressed("tests.unit", ""), false, "has no finding"),
    ] {
        let found = said(&said_text);
        let marked = found_suppressed(&found);
        assert_eq!(marked.len(), usize::from(is_suppressed), "{said_text}");
        let notes = found.notes.join("\n");
        assert!(
            notes.contains(note) && notes.is_empty() == note.is_empty(),
            "{said_text}: {notes}"
        );
        for dimension in Dimension::ALL {
            let (now, then) = (found.standing(dimension), before.standing(dimension));
            assert_eq!((now.level, now.outcome), (then.level, then.outcome), "{said_text}");
        }
        for scenario in Scenario::ALL {
            assert_eq!(found.gate(scenario), before.gate(scenario), "{said_text}");
        }
    }
    let json =
        serde_json::to_value(said(&suppressed("branch_protection.review", ", path: 'CODE*'")))
            .unwrap();
    assert_eq!(
        json["dimensions"]["branch_protection"]["checks"][0]["suppressed"],
        serde_json::json!({"reason": "planned", "until": "2026-12-31", "path": "CODE*"})
    );
}

fn found_suppressed(found: &Assessment) -> Vec<&str> {
    Dimension::ALL
        .iter()
        .flat_map(|dimension| &found.standing(*dimension).checks)
        .filter(|check| check.suppressed.is_some())
        .map(|check| check.id)
        .collect()
}

#[test]
fn what_is_written_wrong_counts_for_nothing_and_is_told_with_its_place() {
    const GOOD: &str =
        "check: branch_protection.review, owner: a, until: 2026-12-31, link: 'https://a.io'";
    let bad = |from: &str, to: &str| format!("attest:\n- {{{}}}\n", GOOD.replace(from, to));
    for (text, note) in [
        (
            bad("review", "reveiw"),
            "2:11: error: there is no check `branch_protection.reveiw`; hint: did you mean `branch_protection.review`?",
        ),
        (
            bad("branch_protection.review", "all"),
            "2:11: error: there is no check `all`; hint: `lockgate assess",
        ),
        (bad("owner: a, ", ""), "2:3: error: `owner` is missing"),
        (bad("owner: a", "owner: "), "error: `owner` is no text"),
        (bad("owner: a", "owner: [a]"), "error: `owner` is no text"),
        (bad("owner: a", "owner: \"a\\u202eb\""), "`owner` has more than 500 characters, or some"),
        (bad("owner: a", &format!("owner: {}", "a".repeat(501))), "`owner` has more than 500"),
        (bad("until: 2026-12-31, ", ""), "2:3: error: `until` is missing"),
        (bad("2026-12-31", "2026-02-30"), "`2026-02-30` is no day"),
        (bad("2026-12-31", "31.12.2026"), "`31.12.2026` is no day"),
        (bad("2026-12-31", "never"), "`never` is no day; hint: write the last day"),
        (bad("2026-12-31", "2026-12-31T00:00"), "is no day"),
        (bad("https://a.io", "javascript:alert(1)"), "`link` is no http or https URL"),
        (bad("https://a.io", "https://github.com@evil.io/"), "without a user"),
        (bad("https://a.io", "https:///a"), "`link` is no http"),
        (bad("owner: a", "ownr: a"), "2:37: error: there is no key `ownr`"),
        (bad("owner: a", "owner: a, owner: b"), "`owner` is there twice"),
        (bad("owner: a", "owner: a, claim: tests.unit"), "another word for `check`"),
        (bad("owner: a", "owner: a, reason: "), "`reason` is no text"),
        (
            format!("attest:\n- {{{GOOD}}}\n- {{{GOOD}}}\n"),
            "3:3: error: branch_protection.review is attested on line 2 already",
        ),
        ("attest: all\n".to_owned(), "1:9: error: is no list"),
        ("attest:\n- all\n".to_owned(), "2:3: error: is no entry with keys"),
        ("attested: []\n".to_owned(), "1:1: error: there is no key `attested`"),
        ("all\n".to_owned(), "1:1: error: is no list of entries"),
        ("[]\n---\n[]\n".to_owned(), "3:1: error: there is more than one document"),
        ("a: [\n".to_owned(), "error: is not valid YAML"),
        (
            "suppress:\n- {check: branch_protection.review, until: 2026-12-31}\n".to_owned(),
            "`reason` is missing; hint: say why",
        ),
    ] {
        let found = said(&text);
        assert!(
            found.notes.len() == 1
                && found.notes[0].contains(note)
                && found.notes[0].starts_with(&format!("{FILE}:")),
            "{text}: {:?}",
            found.notes
        );
        let is_second = note.contains("already");
        let review = check(&found, "branch_protection.review");
        assert_eq!(review.attested.is_some(), is_second, "{text}");
        assert_eq!(review.suppressed, None, "{text}");
    }
}

#[test]
fn a_list_alone_is_attestations_and_a_claim_is_a_check() {
    let found = said(
        "- claim: branch_protection.review\n  owner: a\n  until: 2026-12-31\n  link: https://a.io\n  reason: |\n    two\n    lines\n",
    );
    let review = check(&found, "branch_protection.review");
    let attested = review.attested.as_ref().unwrap_or_else(|| panic!("{:?}", found.notes));
    assert_eq!(attested.reason.as_deref(), Some("two lines"));
}

#[test]
fn a_file_that_is_not_read_or_has_another_name_is_told() {
    let mut unread = Tree::default();
    unread.insert(FILE, Contents::Unread("too large"));
    let misnamed = tree(&[("lockgate.attest.yml", "attest: []\n")]);
    for (tree, note) in
        [(unread, "1:1: error: is not read"), (misnamed, "name it lockgate.attest.yaml")]
    {
        let found = assess(&tree, &Facts { today: Some(TODAY), ..Facts::default() });
        assert!(found.notes.iter().any(|one| one.contains(note)), "{:?}", found.notes);
    }
}

#[test]
fn words_are_no_evidence_of_what_they_name() {
    let alerts = "\ngroups:\n- rules:\n  - {alert: Down, expr: up == 0, annotations: {runbook_url: 'https://a.io/runbook'}}\n";
    let files: Files<'_> = &[(FILE, alerts)];
    let found = assess(&tree(files), &Facts { today: Some(TODAY), ..Facts::default() });
    let alone = assess(&tree(&[]), &Facts::default());
    for dimension in Dimension::ALL {
        assert_eq!(found.standing(dimension), alone.standing(dimension));
    }
    let elsewhere = assess(&tree(&[("ops/rules.yml", alerts)]), &Facts::default());
    assert_ne!(
        elsewhere.standing(Dimension::Observability),
        alone.standing(Dimension::Observability),
        "the same text in another file is evidence"
    );
}

#[test]
fn many_entries_and_many_errors_are_bounded() {
    let many = format!("attest:\n{}", "- {check: none, owner: a}\n".repeat(5_000));
    let found = said(&many);
    assert_eq!(found.notes.len(), 21, "{:?}", found.notes.last());
    let late = format!(
        "suppress:\n{}- {{check: branch_protection.review, reason: a, until: 2026-12-31}}\n",
        "- {check: tests.end_to_end_on_pull_request, reason: a, until: 2026-12-31}\n".repeat(200)
    );
    let found = said(&late);
    assert_eq!(found_suppressed(&found), ["tests.end_to_end_on_pull_request"]);
    assert!(
        found.notes[0].contains("202:3: error: there are more than 200 entries"),
        "{:?}",
        found.notes
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_or_lifts_a_level(text in "[a-z:\\- \n\\[\\]{}&*!|>'\"]{0,120}") {
        let before = on(Some(TODAY), "");
        for text in [text.clone(), format!("attest:\n- {text}"), format!("suppress:\n- {{check: tests.unit, {text}")] {
            let found = said(&text);
            for dimension in Dimension::ALL {
                prop_assert_eq!(found.standing(dimension).level, before.standing(dimension).level);
            }
        }
    }
}
