//! What programs that look for drift wrote: plans of Terraform, `kubectl diff`, kustomizations and our own reports. Whatever it is, no
//! drift comes of nothing, and a report agrees with itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_model::drift::{Drift, Report};
use lockgate_readiness::drift::{Ended, Ran, kubernetes, terraform};

fuzz_target!(|text: &str| {
    let ran = |code: i32| Ran {
        ended: Ended::Exited(code),
        stdout: text.into(),
        stderr: text.into(),
        cut: false,
    };
    for code in [0, 1, 2] {
        let planned = terraform::judge(".", "terraform", &ran(code), Some(&ran(0)));
        assert!(code != 1 || planned.outcome == Drift::Unknown);
        for root in [planned, kubernetes::judge("k8s", &ran(code))] {
            assert!(root.outcome != Drift::None || root.changes_total == 0);
            let at = "2026-11-27T09:00:00Z".parse().expect("it is a time");
            let report = Report::new("1", at, vec![root]);
            let json = serde_json::to_string(&report).expect("a report can be written");
            assert_eq!(Report::read(&json).expect("and read again"), report);
        }
    }
    for part in kubernetes::kustomization_parts(text).into_iter().flatten() {
        let _ = kubernetes::is_remote(&part);
    }
    if let Ok(report) = Report::read(text) {
        let json = serde_json::to_string(&report).expect("a report can be written");
        assert_eq!(Report::read(&json).expect("and read again"), report);
    }
});
