//! The page, the badge, and the published shape of the JSON.

use jiff::civil::date;
use lockgate_readiness::attest::FILE;
use lockgate_readiness::baseline::Baseline;
use lockgate_readiness::given::Given;
use lockgate_readiness::{About, Assessment, Facts, JSON_SCHEMA, Scenario, assess, badge, html};
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Value, json};

use super::{Files, RUST, assessed, tree, with};

/// Names and words that mean something in HTML, SVG and URLs.
const HOSTILE: Files<'static> = &[
    (
        ".github/workflows/a<script>alert(1)\"'&.yml",
        "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: pytest || true # <img src=x onerror=alert(1)> \u{202e}\n",
    ),
    ("CODEOWNERS", "# * @team\n"),
    (
        FILE,
        "attest:
- {check: branch_protection.review, owner: '\"><svg onload=x>', until: 2026-12-31, link: 'https://a.io/?a=1&b=''x'}
suppress:
- {check: tests.unit, reason: '<b>{}</b>', until: 2026-12-31}
",
    ),
    ("tests/test_a.py", ""),
];

const ABOUT: About<'_> = About {
    repository: "<shop>",
    revision: Some("v1\"><script>"),
    commit: None,
    date: Some(date(2026, 6, 15)),
    version: "1.2.3",
};

fn hostile() -> Assessment {
    let given = vec![Given::read("<i>.info", "SF:<u>\nDA:1,1\nend_of_record\n").expect("evidence")];
    let today = Some(date(2026, 6, 15));
    assess(&tree(HOSTILE), &Facts { today, given, ..Facts::default() })
}

#[test]
fn a_page_opens_no_markup_of_others_and_fetches_nothing() {
    let page = html(&hostile(), &ABOUT, None);
    for part in [
        "a&lt;script&gt;alert(1)&quot;&#39;&amp;.yml:6",
        "&lt;img src=x onerror=alert(1)&gt; \u{fffd}",
        "<b>attested</b> by &quot;&gt;&lt;svg onload=x&gt; until 2026-12-31: <a rel=\"noopener noreferrer nofollow\" href=\"https://a.io/?a=1&amp;b=&#39;x\">",
        "<b>accepted</b> until 2026-12-31: &lt;b&gt;{}&lt;/b&gt;",
        "&lt;i&gt;.info (no date is in it): LCOV: 100 % of 1 line",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    for part in [
        "<script", "<img", "<svg", "<i>.info", "<u>", "<iframe", "<link", "@import", "url(",
        "\u{202e}",
    ] {
        assert!(!page.contains(part), "{part}\n{page}");
    }
    let addresses: Vec<&str> =
        page.match_indices("http").map(|(at, _)| &page[at..at + 20]).collect();
    let unexpected = addresses
        .iter()
        .filter(|text| !text.starts_with("https://a.io/") && !text.starts_with("http-equiv"));
    assert_eq!(unexpected.count(), 0, "{addresses:?}");
    assert_eq!(page, html(&hostile(), &ABOUT, None), "the same bytes");
}

#[test]
fn a_page_tells_every_check_with_its_line_and_what_would_change_it() {
    let found = assessed(&with(&[
        RUST,
        &[(
            ".github/workflows/ci.yml",
            "on: push\njobs: {a: {runs-on: x, steps: [{run: cargo test}]}}\n",
        )],
    ]));
    let page = html(&found, &ABOUT, None);
    assert!(page.contains("<title>Readiness of &lt;shop&gt;</title>"), "{page}");
    let about =
        "Of &lt;shop&gt;, revision v1&quot;&gt;&lt;script&gt;, on 2026-06-15, by lockgate 1.2.3.";
    assert!(page.contains(about), "{page}");
    let about =
        |revision, commit| html(&found, &About { revision, commit, date: None, ..ABOUT }, None);
    for (revision, commit, told) in [
        (None, None, "its files as they were checked out, by"),
        (None, Some("0abc"), "its files as they lie in a checkout of commit 0abc, by"),
        (Some("v1"), Some("0abc"), "revision v1 (commit 0abc), by"),
        (Some("0abc"), Some("0abc"), "&gt;, revision 0abc, by"),
    ] {
        let page = about(revision, commit);
        assert!(page.contains(told), "{told}: {page}");
    }
    for dimension in
        ["CI/CD", "Tests", "Infrastructure", "Security", "Branch protection", "Observability"]
    {
        assert_eq!(page.matches(&format!("<h2>{dimension}</h2>")).count(), 1, "{dimension}");
    }
    assert_eq!(page.matches("<li>").count(), lockgate_readiness::catalog::CATALOG.len());
    assert!(
        page.contains(
            "<pre>.github/workflows/ci.yml:2\njobs: {a: {runs-on: x, steps: [{run: cargo test}]}}</pre>"
        ),
        "{page}"
    );
    assert!(
        page.contains("At risk: nobody can say what happened.<br>Fix: set up a logging library"),
        "{page}"
    );
    let opened = ["section", "ul", "li", "p", "div", "pre", "nav", "span", "a", "i", "b"];
    for tag in opened {
        let open =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

/// The texts of a badge, which has to be well-formed.
fn told(svg: &str) -> Vec<String> {
    let mut reader = Reader::from_str(svg);
    let (mut texts, mut inside) = (Vec::new(), false);
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(start) => inside = start.local_name().as_ref() == b"text",
            Event::End(_) => inside = false,
            Event::Text(text) if inside => {
                texts.push(String::from_utf8(text.to_vec()).expect("UTF-8"));
            }
            Event::Eof => return texts,
            _ => {}
        }
    }
}

#[test]
fn a_badge_tells_levels_or_a_gate_and_what_is_unknown() {
    let none = assessed(&[("Dockerfile", "FROM x\n")]);
    let svg = badge(&none, None);
    assert_eq!(told(&svg), ["readiness", "1× L1, 4× L0, 1 unknown"]);
    assert!(svg.contains("#b3261e") && !svg.contains("#14713b"), "{svg}");
    assert_eq!(told(&badge(&none, Some(Scenario::Serverless))), ["serverless", "not ready"]);
    let attested = "attest:\n- {check: branch_protection.review, owner: a, until: 2026-12-31, link: 'https://a.io'}\n";
    let day = Facts { today: Some(date(2026, 6, 15)), ..Facts::default() };
    let found = assess(&tree(&[("Dockerfile", "FROM x\n"), (FILE, attested)]), &day);
    assert_eq!(
        told(&badge(&found, None)),
        ["readiness", "1× L1, 4× L0, 1 unknown"],
        "a word is no level"
    );
}

#[test]
fn what_is_printed_is_of_the_published_shape() {
    let schema: Value = serde_json::from_str(JSON_SCHEMA).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let wrong = |told: &Value| -> Vec<String> {
        validator
            .iter_errors(told)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    };
    let before = assessed(RUST);
    let baseline = Baseline::read(&serde_json::to_string(&before).unwrap()).unwrap();
    let two: Files<'_> = &[("a/go.mod", "module a\n"), ("b/go.mod", "module b\n")];
    for found in [before, hostile(), assessed(&[]), assessed(HOSTILE), assessed(two)] {
        let mut told = serde_json::to_value(&found).unwrap();
        assert_eq!(wrong(&told), Vec::<String>::new());
        told["changes"] = serde_json::to_value(baseline.changes(&found)).unwrap();
        assert_eq!(wrong(&told), Vec::<String>::new());
        told["dimensions"]["tests"]["level"] = json!(4);
        assert_eq!(wrong(&told).len(), 1, "the schema holds somebody to something");
        told["dimensions"]["tests"]["level"] = Value::Null;
        told["dimensions"]["tests"]["more"] = json!(1);
        assert_eq!(wrong(&told).len(), 1);
    }
}
