//! What is handed in beside the files: it counts for what it shows, and for no more.

use std::fmt::Write as _;

use jiff::civil::{Date, date};
use lockgate_readiness::finding::Outcome;
use lockgate_readiness::given::{Given, GivenError};
use lockgate_readiness::{Assessment, Facts, Scenario, assess};
use serde_json::{Value, json};

use super::{Files, assessed, check, told, tree};

const TODAY: Date = date(2026, 6, 15);

/// Two files of 20 lines each, and a test.
const SOURCES: Files<'static> = &[
    ("pyproject.toml", "[project]\ndependencies = [\"fastapi\"]\n"),
    ("app/a.py", LINES),
    ("app/b.py", LINES),
    ("tests/test_a.py", "def test_a(): pass\n"),
];

const LINES: &str = "x\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\n";

const CHECK: &str = "tests.coverage_over_80";

fn with(files: Files<'_>, given: &[(&str, &str)]) -> Assessment {
    let given =
        given.iter().map(|(name, text)| Given::read(name, text).expect("evidence")).collect();
    assess(&tree(files), &Facts { today: Some(TODAY), given, ..Facts::default() })
}

/// A tracefile in which the first so many of 20 lines ran.
fn lcov(files: &[(&str, u32)]) -> String {
    let mut text = "TN:\n".to_owned();
    for (path, reached) in files {
        let _ = writeln!(text, "SF:{path}");
        for line in 1..=20 {
            let _ = writeln!(text, "DA:{line},{}", u32::from(line <= *reached));
        }
        text.push_str("LF:20\nLH:20\nend_of_record\n");
    }
    text
}

fn cobertura(timestamp: &str, lines: &str) -> String {
    format!(
        "<?xml version=\"1.0\" ?>\n<!DOCTYPE coverage SYSTEM 'http://cobertura.sourceforge.net/xml/coverage-04.dtd'>
<coverage version=\"7\" timestamp=\"{timestamp}\" line-rate=\"1\" lines-valid=\"99\" lines-covered=\"99\">
<packages><package name=\"app\"><classes><class name=\"a.py\" filename=\"app/a.py\" line-rate=\"1\"><methods>
<method name=\"m\"><lines><line number=\"1\" hits=\"0\"/></lines></method></methods><lines>{lines}</lines></class></classes></package></packages>
</coverage>"
    )
}

fn reason<'a>(found: &'a Assessment, outcome: Outcome, id: &str) -> &'a str {
    let check = check(found, id);
    assert_eq!(check.outcome, outcome, "{}", told(check));
    &check.reason
}

#[test]
fn lines_that_ran_are_counted_and_no_claimed_rate_is_believed() {
    let found =
        with(SOURCES, &[("lcov.info", &lcov(&[("/build/x/app/a.py", 17), ("app/b.py", 16)]))]);
    let why = reason(&found, Outcome::Pass, CHECK);
    assert_eq!(why, "82.5 % of 40 lines in 2 files reached, by lcov.info");
    assert_eq!(check(&found, CHECK).given, ["lcov.info"]);
    // Exactly 80 % is not above it.
    let found = with(SOURCES, &[("lcov.info", &lcov(&[("app/a.py", 16), ("app/b.py", 16)]))]);
    assert!(reason(&found, Outcome::Fail, CHECK).contains("80 % of 40 lines"));
    let half = "<line number=\"1\" hits=\"1\"/><line number=\"2\" hits=\"0\"/>";
    let found = with(SOURCES, &[("coverage.xml", &cobertura("1781000000", half))]);
    assert!(reason(&found, Outcome::Fail, CHECK).contains("50 % of 2 lines in 1 file"));
}

#[test]
fn jacoco_is_counted_by_lines_or_where_it_has_none_by_counters() {
    let tree: Files<'_> =
        &[("svc/src/main/java/com/acme/A.java", LINES), ("pom.xml", "<project/>")];
    let report = |inside: &str| {
        format!(
            "<?xml version=\"1.0\"?><!DOCTYPE report PUBLIC \"-//JACOCO//DTD Report 1.1//EN\" \"report.dtd\"><report name=\"x\">
<sessioninfo id=\"a\" start=\"1781000000000\" dump=\"1781000001000\"/><group name=\"svc\"><package name=\"com/acme\">
<class name=\"com/acme/A\" sourcefilename=\"A.java\"><counter type=\"LINE\" missed=\"9\" covered=\"0\"/></class>
<sourcefile name=\"A.java\">{inside}</sourcefile><counter type=\"LINE\" missed=\"9\" covered=\"0\"/></package></group></report>"
        )
    };
    let lines = "<line nr=\"3\" mi=\"0\" ci=\"4\" mb=\"0\" cb=\"0\"/><line nr=\"4\" mi=\"2\" ci=\"0\"/><counter type=\"LINE\" missed=\"0\" covered=\"9\"/>";
    let found = with(tree, &[("jacoco.xml", &report(lines))]);
    assert!(reason(&found, Outcome::Fail, CHECK).starts_with("50 % of 2 lines"));
    assert_eq!(found.given[0].date, Some(date(2026, 6, 9)));
    let counted = "<counter type=\"BRANCH\" missed=\"5\" covered=\"0\"/><counter type=\"LINE\" missed=\"1\" covered=\"19\"/>";
    let found = with(tree, &[("jacoco.xml", &report(counted))]);
    assert!(reason(&found, Outcome::Pass, CHECK).starts_with("95 % of 20 lines"));
}

#[test]
fn what_a_report_does_not_show_is_not_known() {
    let nothing = "TN:\nSF:app/a.py\nend_of_record\n";
    for (report, part) in [
        (nothing.to_owned(), "holds no line of a file that is here"),
        (lcov(&[("other/z.py", 20)]), "holds no line of a file that is here"),
        (
            lcov(&[("app/a.py", 20)]),
            "source files with up to 20 lines are in no report (1 of them)",
        ),
        (
            "SF:app/a.py\nDA:21,1\nend_of_record\n".into(),
            "another state of app/a.py: it has no line 21",
        ),
    ] {
        let found = with(SOURCES, &[("lcov.info", &report)]);
        assert!(
            reason(&found, Outcome::Unknown, CHECK).contains(part),
            "{part}: {}",
            check(&found, CHECK).reason
        );
        assert!(!found.gate(Scenario::Monolith).pass);
    }
}

#[test]
fn of_several_reports_each_must_be_enough() {
    let (a, b) = (lcov(&[("app/a.py", 20)]), lcov(&[("app/b.py", 15)]));
    let found = with(SOURCES, &[("a.info", &a), ("b.info", &b)]);
    assert!(reason(&found, Outcome::Fail, CHECK).contains("75 % of 20 lines"));
    let found = with(SOURCES, &[("a.info", &a), ("b.info", &lcov(&[("app/b.py", 17)]))]);
    reason(&found, Outcome::Pass, CHECK);
    // The same lines again, reached by other tests, are reached.
    let twice = lcov(&[("app/a.py", 20), ("app/b.py", 5), ("app/b.py", 20)]);
    reason(&with(SOURCES, &[("a.info", &twice)]), Outcome::Pass, CHECK);
}

#[test]
fn a_report_is_no_threshold_and_one_that_disagrees_with_it_leaves_it_open() {
    let full = lcov(&[("app/a.py", 20), ("app/b.py", 20)]);
    let found = with(SOURCES, &[("a.info", &full)]);
    reason(&found, Outcome::Fail, "tests.coverage_threshold");
    let enforced: Vec<(&str, &str)> = [
        SOURCES,
        &[(
            ".github/workflows/ci.yml",
            "on: pull_request\njobs: {a: {runs-on: x, steps: [{run: pytest --cov=app --cov-fail-under=85}]}}\n",
        )],
    ]
    .concat();
    reason(&with(&enforced, &[]), Outcome::Pass, CHECK);
    let low = lcov(&[("app/a.py", 10), ("app/b.py", 10)]);
    let why = with(&enforced, &[("a.info", &low)]);
    assert!(reason(&why, Outcome::Unknown, CHECK).contains("50 % of 40 lines"));
    reason(&with(&enforced, &[("a.info", "TN:\n")]), Outcome::Pass, CHECK);
}

#[test]
fn what_is_old_or_not_yet_made_counts_for_nothing_and_is_told() {
    let line = "<line number=\"1\" hits=\"1\"/>";
    let at = |day: Date| {
        let at = jiff::tz::TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).unwrap().as_millisecond();
        cobertura(&at.to_string(), line)
    };
    for (day, part) in
        [(date(2026, 3, 16), "it is 91 days old"), (date(2026, 6, 17), "its day is in the future")]
    {
        let found = with(SOURCES, &[("coverage.xml", &at(day))]);
        reason(&found, Outcome::Fail, CHECK);
        assert!(check(&found, CHECK).given.is_empty());
        assert!(found.given[0].line().contains(part), "{}", found.given[0].line());
    }
    let found = with(SOURCES, &[("coverage.xml", &at(date(2026, 3, 17)))]);
    assert_eq!(check(&found, CHECK).given, ["coverage.xml"]);
    assert_eq!(found.given[0].why_not, None);
}

#[test]
fn a_report_that_knows_next_to_nothing_of_a_file_leaves_it_open() {
    let long = "x = 1\n".repeat(501);
    let files: Files<'_> = &[("app/a.py", &long), ("tests/test_a.py", "def test_a(): pass\n")];
    let report = |lines: u32| {
        let lines: Vec<String> = (1..=lines).map(|line| format!("DA:{line},1")).collect();
        format!("SF:app/a.py\n{}\nend_of_record\n", lines.join("\n"))
    };
    for (lines, outcome) in [(1, Outcome::Unknown), (50, Outcome::Unknown), (51, Outcome::Pass)] {
        let found = with(files, &[("lcov.info", &report(lines))]);
        let why = reason(&found, outcome, CHECK);
        assert_eq!(why.contains("or hardly (1 of them)"), outcome == Outcome::Unknown, "{why}");
    }
}

#[test]
fn a_day_that_is_written_and_cannot_be_read_counts_for_nothing() {
    let line = "<line number=\"1\" hits=\"1\"/>";
    for day in ["-5", "yesterday", "", "NaN", "1e400", "0"] {
        let found = with(SOURCES, &[("coverage.xml", &cobertura(day, line))]);
        reason(&found, Outcome::Fail, CHECK);
        let told = found.given[0].line();
        assert!(told.contains(&format!("its day, `{day}`, cannot be read")), "{told}");
    }
    let found = with(SOURCES, &[("coverage.xml", &cobertura("1.7810e12", line))]);
    assert_eq!((found.given[0].date, &found.given[0].why_not), (Some(date(2026, 6, 9)), &None));
    let jacoco = "<report><sessioninfo id=\"a\" dump=\"then\"/><package name=\"app\"><sourcefile name=\"a.py\"><line nr=\"1\" ci=\"1\"/></sourcefile></package></report>";
    let found = with(SOURCES, &[("jacoco.xml", jacoco)]);
    assert!(found.given[0].line().contains("`then`, cannot be read"), "{}", found.given[0].line());
}

fn sarif(tool: &str, more: &Value, results: &Value) -> String {
    let mut run = json!({"tool": {"driver": {"name": tool}}, "results": results});
    run.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    json!({"version": "2.1.0", "runs": [run]}).to_string()
}

#[test]
fn a_scan_is_told_with_its_day_and_never_passes_a_check() {
    let ended = json!({"invocations": [{"executionSuccessful": true, "endTimeUtc": "2026-06-10T08:00:00.5Z"}]});
    let results = json!([
        {"level": "error"}, {"ruleId": "r"}, {"kind": "pass", "level": "none"},
        {"level": "error", "suppressions": [{"kind": "inSource"}]},
        {"level": "error", "suppressions": [{"kind": "external", "status": "rejected"}]},
        {"level": "error", "baselineState": "absent"},
    ]);
    for (tool, id) in [
        ("gitleaks", "security.secrets_on_pull_request"),
        ("Semgrep OSS", "security.code_on_pull_request"),
        ("CodeQL", "security.code_on_pull_request"),
        ("checkov", "security.code_on_pull_request"),
        ("zizmor", "security.code_on_pull_request"),
        ("osv-scanner", "security.dependencies_on_pull_request"),
        ("ZAP", "security.dynamic"),
    ] {
        let found = with(SOURCES, &[("scan.sarif", &sarif(tool, &ended, &results))]);
        let why = reason(&found, Outcome::Unknown, id);
        let expected =
            format!("{tool} scanned on 2026-06-10: 2 errors, 1 warning, 1 suppressed; no step");
        assert!(why.starts_with(&expected), "{why}");
        let checks = [
            "security.dependencies_on_pull_request",
            "security.secrets_on_pull_request",
            "security.code_on_pull_request",
            "security.dynamic",
        ];
        for other in checks.into_iter().filter(|other| *other != id) {
            reason(&found, Outcome::Fail, other);
        }
    }
    let undated = with(SOURCES, &[("scan.sarif", &sarif("gitleaks", &json!({}), &json!([])))]);
    assert!(undated.given[0].line().contains("no date is in it"));
    let why = reason(&undated, Outcome::Unknown, "security.static");
    assert!(
        why.starts_with("gitleaks scanned on a day that it does not name: nothing found"),
        "{why}"
    );
}

#[test]
fn a_scan_that_says_nothing_or_failed_counts_for_nothing() {
    let failed = json!({"invocations": [{"executionSuccessful": false}]});
    let rules = |tag: &str| json!({"tool": {"driver": {"name": "Trivy", "rules": [{"id": "r", "properties": {"tags": [tag, "security"]}}]}}});
    let secret = with(SOURCES, &[("t.sarif", &sarif("Trivy", &rules("secret"), &json!([])))]);
    reason(&secret, Outcome::Unknown, "security.secrets_on_pull_request");
    reason(&secret, Outcome::Fail, "security.dependencies_on_pull_request");
    for text in [
        sarif("Trivy", &json!({}), &json!([])),
        sarif("assertzapper", &json!({}), &json!([])),
        sarif("gitleaks", &failed, &json!([])),
        sarif("gitleaks", &json!({}), &Value::Null),
        json!({"version": "2.1.0", "runs": []}).to_string(),
    ] {
        let found = with(SOURCES, &[("t.sarif", &text)]);
        reason(&found, Outcome::Fail, "security.static");
        assert_eq!(found.given.len(), 1);
    }
    // What a pipeline is seen to do is told with what came out last.
    let ci: Vec<(&str, &str)> = [
        SOURCES,
        &[(
            ".github/workflows/ci.yml",
            "on: pull_request\njobs: {a: {runs-on: x, steps: [{run: gitleaks git . || true}]}}\n",
        )],
    ]
    .concat();
    let found =
        with(&ci, &[("g.sarif", &sarif("gitleaks", &json!({}), &json!([{"level": "error"}])))]);
    let why = reason(&found, Outcome::Fail, "security.secrets_on_pull_request");
    assert!(why.contains("do not block") && why.ends_with(": 1 error"), "{why}");
}

#[test]
fn what_is_no_evidence_is_refused() {
    let entities = "<!DOCTYPE coverage [<!ENTITY a \"aaaa\">]><coverage><packages/></coverage>";
    let deep = format!("<coverage>{}", "<packages>".repeat(100));
    for (text, part) in [
        ("", "it is empty"),
        ("hello", "neither LCOV, XML nor JSON"),
        ("{\"schema\": 1}", "JSON that is neither a SARIF log nor a drift report"),
        ("{\"version\": \"2.0.0\", \"runs\": []}", "its version is \"2.0.0\""),
        ("{", "JSON that cannot be read"),
        ("<html/>", "XML that begins with <html>"),
        ("<coverage generated=\"1\"><project/></coverage>", "not Cobertura's"),
        ("<report/>", "not JaCoCo's"),
        (entities, "its document type declares something"),
        (&deep, "nested too deep"),
        ("<coverage><packages><package>", "it ends in the middle"),
        ("<coverage><packages><class name=\"a\"/></packages></coverage>", "a class without a file"),
        ("SF:a.py\nDA:1,NaN\nend_of_record\n", "line 2: `DA:` asks for a line and a count"),
        ("SF:a.py\nDA:1,1\n", "it ends in the middle of a file"),
        ("TN:\nDA:1,1\n", "line 2: a line that belongs to no file"),
    ] {
        let error = Given::read("x", text).unwrap_err();
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    assert!(matches!(Given::read("x", "hello"), Err(GivenError::Unknown(_))));
}

#[test]
fn without_anything_handed_in_nothing_changes() {
    let found = assessed(SOURCES);
    assert_eq!(with(SOURCES, &[]), found);
    assert_eq!(serde_json::to_value(&found).unwrap()["given"], json!([]));
}

proptest::proptest! {
    /// What is cut, or has something else in its middle, is refused or read; it panics nowhere.
    #[test]
    fn no_text_makes_the_reader_panic(which in 0..4_usize, at in 0..600_usize, put in "[<>&;{}\\[\\]\",:0-9A-Z\\PC]{0,12}") {
        let good = [
            lcov(&[("app/a.py", 17), ("app/b.py", 16)]),
            cobertura("1781000000", "<line number=\"1\" hits=\"1\"/>"),
            "<report><sessioninfo dump=\"1\"/><package name=\"p\"><sourcefile name=\"A.java\"><line nr=\"3\" ci=\"4\"/></sourcefile></package></report>".into(),
            sarif("gitleaks", &json!({"invocations": [{"endTimeUtc": "2026-06-10T08:00:00Z"}]}), &json!([{"level": "error"}])),
        ];
        let text = &good[which];
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        for text in [format!("{}{put}", &text[..at]), format!("{}{put}{}", &text[..at], &text[at..])] {
            if let Ok(given) = Given::read("x", &text) {
                let facts = Facts { today: Some(TODAY), given: vec![given], ..Facts::default() };
                let found = assess(&tree(SOURCES), &facts);
                proptest::prop_assert_eq!(found.given.len(), 1);
                proptest::prop_assert!(check(&found, "security.static").outcome != Outcome::Pass);
            }
        }
    }
}
