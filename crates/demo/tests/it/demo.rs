//! The whole demo, headless: one version promoted, five taken back, each for its own reason.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Running, crowd, left_running, lockgate, output};

/// Runs of the demo on a machine that cannot keep up.
const TRIES_MAX: usize = 4;
/// What has not ended by then never will; generous, as machines that test are busy.
const GONE_MAX: Duration = Duration::from_secs(90);

/// The demo, once. A machine on which the stable version itself is too slow shows nothing of the others: the demo says so,
/// and is asked again. Any other end is the end.
fn on_a_machine_that_keeps_up() -> (TempDir, Output) {
    let mut tries = 0;
    loop {
        let dir = tempfile::tempdir().unwrap();
        let told = Command::new(lockgate())
            // A quarter of the usual rate: tests run unoptimised, on busy machines.
            .args(["demo", "--once", "--output", "json", "--rate", "50", "--data-dir"])
            .arg(dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        tries += 1;
        let is_busy = String::from_utf8_lossy(&told.stderr).contains("this machine is too busy");
        if !is_busy || tries == TRIES_MAX {
            return (dir, told);
        }
    }
}

#[test]
fn the_good_version_is_promoted_and_each_bad_one_taken_back_by_what_it_deserves() {
    let _crowd = crowd();
    let (dir, told) = on_a_machine_that_keeps_up();
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{}\n{said}", told.status);
    let report: Value = serde_json::from_slice(&told.stdout).unwrap();

    assert_eq!(report["promoted"], json!(["good"]), "{said}");
    let rolled_back = report["rolled_back"].as_array().unwrap();
    let fates: Vec<[&str; 2]> = rolled_back
        .iter()
        .map(|seen| [seen["version"].as_str().unwrap(), seen["action"].as_str().unwrap()])
        .collect();
    assert_eq!(
        fates,
        [
            ["errors", "stop"],
            ["slow", "switch"],
            ["costly", "stop"],
            ["unloved", "switch"],
            ["insecure", "stop_immediately"],
        ]
    );
    let triggers: Vec<&str> =
        rolled_back.iter().map(|seen| seen["trigger"].as_str().unwrap()).collect();
    assert!(["error_rate", "errors_vs_baseline"].contains(&triggers[0]), "{triggers:?}");
    assert_eq!(triggers[1..3], ["p95_ms", "cost_usd"]);
    assert!(["satisfied_share", "negative_share"].contains(&triggers[3]), "{triggers:?}");
    assert_eq!(triggers[4], "security_events");

    let requests = report["requests"].as_u64().unwrap();
    for seen in rolled_back {
        let detected = seen["requests_to_detect"].as_u64().unwrap();
        // The very first request may be the one that reads outside: it is cut, and unanswered.
        let least = u64::from(seen["trigger"] != "security_events");
        assert!((least..requests).contains(&detected), "{seen}");
        assert!(seen["ms_to_zero"].as_u64().is_some(), "{seen}");
    }
    let errors = report["errors_seen_by_users"].as_u64().unwrap();
    assert!(errors > 0, "a quarter of what `errors` answers fails, and users see it: {report}");
    assert!(errors * 50 < requests, "few users see an error: {report}");
    assert_eq!(left_running(dir.path().to_str().unwrap()), Vec::<String>::new());
}

#[test]
fn ctrl_c_ends_the_demo_and_everything_that_it_started() {
    let _crowd = crowd();
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let log = at("said");
    let mut command = Command::new(lockgate());
    command.args(["demo", "--rate", "100", "--output", "json", "--data-dir"]).arg(at("data"));
    let mut demo = Running::start(&mut command, &log);
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    demo.ready(&log, || said().lines().any(|line| line.starts_with("good ")).then_some(()));
    let data = at("data");
    let data = data.to_str().unwrap();
    // Lockgate, a tool server, seven versions, and the demo itself.
    assert_eq!(left_running(data).len(), 10);
    let status = demo.interrupt();
    assert!(status.success(), "{status}\n{}", said());
    let text = said();
    let json = &text[text.find("\n{").expect("a report") + 1..];
    let report: Value = serde_json::from_str(json).unwrap();
    assert_eq!((&report["promoted"], &report["rolled_back"]), (&json!([]), &json!([])));
    assert!(report["requests"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(left_running(data), Vec::<String>::new());
}

#[test]
fn a_demo_that_is_killed_leaves_nothing_running_and_goes_on_from_where_it_was() {
    let _crowd = crowd();
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let log = dir.path().join("said");
    let started = || {
        let mut command = Command::new(lockgate());
        command.args(["demo", "--rate", "50", "--data-dir"]).arg(&data);
        Running::start(&mut command, &log)
    };
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    let running = || said().lines().any(|line| line.contains("10%  running")).then_some(());
    let mut demo = started();
    demo.ready(&log, running);
    // Its value report is whole by itself, but for what takes people, releases that have ended, or months.
    assert_eq!(
        missing_measures(&data),
        [
            "deployment_success",
            "lead_time",
            "change_failure_rate",
            "failed_deployment_recovery",
            "verified_share",
            "verified_replacement",
            "mttr_mean",
            "mttr_median",
        ]
    );
    drop(demo);
    let data = data.to_str().unwrap();
    let until = Instant::now() + GONE_MAX;
    while !left_running(data).is_empty() {
        assert!(Instant::now() < until, "{:?}", left_running(data));
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut demo = started();
    demo.ready(&log, || said().contains("The release of `good` goes on").then_some(()));
    demo.ready(&log, || said().lines().any(|line| line.starts_with("good ")).then_some(()));
    assert!(demo.interrupt().success(), "{}", said());
    assert_eq!(left_running(data), Vec::<String>::new());
}

fn missing_measures(data: &Path) -> Vec<String> {
    let addresses = std::fs::read(data.join("state/addresses.json")).unwrap();
    let addresses: Value = serde_json::from_slice(&addresses).unwrap();
    let server = format!("http://{}", addresses["api"].as_str().unwrap());
    let mut command = Command::new(lockgate());
    command.args(["value", "report", "--output", "json", "--server", &server, "--token-file"]);
    let report = output(command.arg(data.join("keys/admin-token")));
    let report: Value = serde_json::from_slice(&report).unwrap();
    let measures = report["measures"].as_array().unwrap().iter();
    let missing = measures.filter(|one| !one["missing"].is_null());
    missing.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}
