//! What readers get.

use std::sync::Arc;

use lockgate_model::interaction::{Interaction, Outcome, Usage};
use lockgate_model::price::PriceTable;
use lockgate_value::gather::{End, Gathered};
use lockgate_value::render;
use lockgate_value::report::{ValueReport, report};
use lockgate_value::rollup::Unpriced;
use serde_json::json;

use crate::given::{DAY, MARCH, deployment, interaction, march, take, tell};

const EVIL: &str = "=<script>alert(1)</script>|`x`*@y*\u{202e}\"'&";

fn gathered() -> Gathered {
    let mut gathered = march(30);
    for (version, outcome) in [
        ("v1", Some(Outcome::Resolved)),
        ("v2", Some(Outcome::Escalated)),
        ("v2", Some(Outcome::Resolved)),
        ("v2", None),
    ] {
        let at = MARCH + if version == "v1" { 0 } else { 3 * DAY };
        let version = Some(version.parse().unwrap());
        take(
            &mut gathered,
            &Interaction {
                version,
                outcome,
                user: Some(1),
                cost_nanousd: Some(2_000_000),
                ..interaction(at)
            },
        );
    }
    gathered.deployment(deployment("d", End::Promoted));
    let nps = json!({"kind": "baseline", "source": EVIL, "measure": "nps", "value": 10, "unit": "points", "as_of": "2026-01-01"});
    tell(
        &mut gathered,
        [
            &json!({"kind": "survey", "score": 10}),
            &json!({"kind": "survey", "score": 2}),
            &json!({"kind": "survey", "score": 3}),
        ],
    );
    let mut own = gathered.clone();
    own.event(&crate::given::event("nps", &{
        let mut nps = nps;
        nps.as_object_mut().unwrap().insert("agent".into(), serde_json::Value::Null);
        nps
    }));
    own
}

#[test]
fn a_report_says_where_costs_come_from_and_which_are_not_known() {
    let mut gathered = march(30);
    let table =
        PriceTable { name: "t".into(), version: "1".into(), date: Some("2026-02-01".into()) };
    let costing = |table: Option<Arc<PriceTable>>| Interaction {
        cost_nanousd: Some(1),
        price_table: table,
        ..interaction(MARCH)
    };
    let known = Usage { input_tokens: Some(1), output_tokens: Some(1), ..Usage::default() };
    let model =
        |name: String| Interaction { model: Some(name), usage: known, ..interaction(MARCH) };
    take(&mut gathered, &costing(Some(Arc::new(table))));
    take(&mut gathered, &costing(None));
    take(&mut gathered, &interaction(MARCH));
    take(&mut gathered, &model("evil|`model`".into()));
    take(&mut gathered, &model("evil|`model`".into()));
    for n in 0..20 {
        take(&mut gathered, &model(format!("n{n:02}")));
    }
    for (why, times) in [(Unpriced::NoKind, 2), (Unpriced::BadTokens, 3)] {
        for _ in 0..times {
            take(&mut gathered, &Interaction { unpriced: Some(why), ..model("known".into()) });
        }
    }
    let report = report(&gathered);
    let prices = &report.prices;
    assert_eq!((prices.known, prices.known_unnamed), (2, 1));
    assert_eq!(prices.tables[0].table, "t 1 of 2026-02-01");
    assert_eq!((prices.unknown, prices.unpriced.len(), prices.unknown_unnamed), (28, 19, 5));
    let first = &prices.unpriced[0];
    assert_eq!(
        (first.model.as_deref(), first.why, first.interactions),
        (Some("known"), Unpriced::BadTokens, 3)
    );
    assert_eq!(prices.unpriced[1].model.as_deref(), Some("evil|`model`"));
    let text = render::text(&report);
    let section = text.split("Where costs come from").nth(1).unwrap();
    let section = section.split("What is missing").next().unwrap();
    let lines: Vec<&str> = section.lines().map(str::trim).collect();
    for line in [
        "The cost of 2 of 30 interactions is known.",
        "t 1 of 2026-02-01  1",
        "not named          1",
        "evil|`model`  2             no table has its price",
        "none named    1             answers name no model",
        "known         3             answers count tokens in numbers that cannot be",
        "known         2             its table has no price for a kind of tokens that it used",
        "n00           1             no table has its price",
        "not named     5",
    ] {
        assert!(lines.contains(&line), "{line}\n{section}");
    }
    assert!(render::markdown(&report).contains("evil&#124;&#96;model&#96;"));
    assert!(render::html(&report).contains("Costs that are not known"));
    // A report of before says nothing of prices.
    let mut old: serde_json::Value = serde_json::to_value(&report).unwrap();
    old.as_object_mut().unwrap().remove("prices");
    let read: ValueReport = serde_json::from_value(old).unwrap();
    assert_eq!(read.prices.known, 0);
}

fn shown() -> ValueReport {
    report(&gathered())
}

#[test]
fn json_comes_back_as_the_same_report_and_the_same_bytes() {
    let text = render::json(&shown()).unwrap();
    let read: ValueReport = serde_json::from_str(&text).unwrap();
    assert_eq!(read, shown());
    assert_eq!(render::json(&read).unwrap(), text);
    assert!(text.starts_with("{\"agent\":null,\"compared\":null,") && text.ends_with("}\n"));
}

#[test]
fn every_form_says_what_is_missing_and_how_to_record_it() {
    let report = shown();
    let how = "lockgate record headcount employees=N --source TEXT";
    for text in [
        render::text(&report),
        render::markdown(&report),
        render::html(&report),
        render::csv(&report),
    ] {
        assert!(text.contains(how), "{text}");
        assert!(text.contains("deployment_success") || text.contains("Deployment success"));
    }
}

#[test]
fn what_others_wrote_is_text_and_nothing_else() {
    let report = shown();
    let html = render::html(&report);
    assert!(!html.contains("<script") && !html.contains('\u{202e}'));
    assert!(
        html.contains("=&lt;script&gt;alert(1)&lt;/script&gt;|`x`*@y*\u{fffd}&quot;&#39;&amp;")
    );
    let markdown = render::markdown(&report);
    assert!(!markdown.contains("<script") && !markdown.contains("*@y*"));
    let rows = markdown.lines().filter(|line| line.starts_with("| NPS, change"));
    assert!(rows.clone().count() >= 1);
    assert!(
        rows.clone().all(|row| row.matches('|').count() == 6 || row.matches('|').count() == 5),
        "{rows:?}"
    );
}

#[test]
fn a_page_fetches_nothing_and_has_every_chart() {
    let html = render::html(&shown());
    for forbidden in ["http://", "https://", "<script", "src=", "url(", "@import", "<link"] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    for title in [
        "Composition of the normalised score",
        "Distance to each target",
        "From requests to what was resolved",
        "Cost per resolved interaction by version",
        "Replacement rate, % over time",
    ] {
        assert!(html.contains(&format!("<title>{title}</title>")), "{title}");
    }
    assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
    assert!(!html.contains("NaN") && !html.contains("inf\""));
}

#[test]
fn a_table_has_as_many_cells_in_each_row_as_in_its_head() {
    let csv = render::csv(&shown());
    let mut lines = csv.split("\r\n").filter(|line| !line.is_empty());
    let columns = lines.next().unwrap().split(',').count();
    let cells = |line: &str| {
        let mut quoted = false;
        1 + line
            .chars()
            .filter(|c| {
                quoted ^= *c == '"';
                *c == ',' && !quoted
            })
            .count()
    };
    let all: Vec<usize> = lines.map(cells).collect();
    assert_eq!(all.len(), shown().measures.len());
    assert!(all.iter().all(|cells| *cells == columns), "{all:?}");
    let deployment = "deployment_success,Deployment success,100,percent,1,1,1,";
    assert!(csv.contains(deployment), "{csv}");
}

#[test]
fn the_terminal_is_not_steered_and_reads_in_order() {
    let text = render::text(&shown());
    assert!(
        text.starts_with(
            "Value of all agents\n2026-03-01 00:00 to 2026-03-31 00:00 UTC (30 days)."
        )
    );
    assert!(!text.contains('\u{1b}'));
    let order = [
        "Score",
        "Success within twelve months",
        "Failure signals",
        "Operations",
        "Business",
        "Versions",
        "What is missing",
    ];
    let places: Vec<usize> =
        order.iter().map(|title| text.find(&format!("\n{title}")).expect(title)).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn a_window_beside_another_shows_what_changed() {
    let report = shown().compared_with(&report(&march(30)));
    let rows = &report.compared.as_ref().unwrap().rows;
    let nps = rows.iter().find(|row| row.id.spec().id == "nps").unwrap();
    assert_eq!((nps.before, nps.change, nps.better), (None, None, None));
    assert!(render::text(&report).contains("Against another window"));
    let same = shown().compared_with(&shown());
    assert!(
        same.compared
            .unwrap()
            .rows
            .iter()
            .all(|row| row.change == Some(0.0) && row.better.is_none())
    );
}

#[test]
fn a_score_alone_is_json_and_text() {
    use lockgate_value::score::score;
    let given = score([80.0, 70.0, 4.0, 15.0, 50.0].map(Ok)).unwrap();
    let json = render::score_json(&given).unwrap();
    assert!(
        json.contains("\"raw\":49.55,")
            && json.contains("\"normalised\":75.25,")
            && json.contains("\"missing\":[]")
    );
    assert!(render::score_text(&given).contains("49.55 raw, 75.25 of 100 normalised."));
}

#[test]
fn a_table_has_the_other_window_beside() {
    let mut before = march(30);
    tell(
        &mut before,
        [&json!({"kind": "survey", "score": 10}), &json!({"kind": "survey", "score": 2})],
    );
    let before = report(&before);
    let csv = render::csv(&shown().compared_with(&before));
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let head = cells(csv.lines().next().unwrap());
    let of = |id: &str, column: &str| {
        // Texts with commas come before the last columns.
        let line = csv.lines().find(|line| line.starts_with(&format!("{id},"))).unwrap();
        let (row, at) = (cells(line), head.iter().position(|name| name == column).expect(column));
        row[row.len() - (head.len() - at)].clone()
    };
    let nps = shown().compared_with(&before).compared.unwrap();
    let nps = nps.rows.iter().find(|row| row.id.spec().id == "nps").unwrap().clone();
    let ends = nps.interval.unwrap();
    assert_eq!(of("nps", "before"), "0");
    assert_eq!(of("nps", "change"), nps.change.unwrap().to_string());
    assert_eq!(of("nps", "change_interval_low"), ends.low.to_string());
    assert_eq!(of("nps", "change_interval_high"), ends.high.unwrap().to_string());
    assert_eq!((of("nps", "better"), of("interactions", "before")), (String::new(), String::new()));
    assert_eq!(of("adoption", "before_from_wall_ms"), MARCH.to_string());
    assert_eq!(of("adoption", "before_to_wall_ms"), (MARCH + 30 * DAY).to_string());
    let alone = render::csv(&shown());
    assert!(alone.lines().skip(1).all(|line| line.ends_with(",,,,,,,")), "{alone}");
}
