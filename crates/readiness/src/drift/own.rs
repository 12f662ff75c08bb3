//! Lockgate's own configuration and policies: what a server has in force beside what the checkout has.

use lockgate_model::config::Change;
use lockgate_model::drift::{Difference, Drift, Root, RootKind};

use super::{counted, listed, root};

/// What differs between a configuration in force (from) and a file (to).
pub fn configuration(path: &str, differing: &[Change]) -> Root {
    if differing.is_empty() {
        let reason = "the server has in force what the file says";
        return root(RootKind::Lockgate, path, Drift::None, reason);
    }
    let n = counted(differing.len() as u64, "setting differs", "settings differ");
    let mut drifted =
        root(RootKind::Lockgate, path, Drift::Drifted, format!("{n} between server and file"));
    let all = differing.iter().map(|change| Difference {
        what: change.path.clone(),
        how: match (&change.from, &change.to) {
            (None, _) => "is written, and is not in force",
            (_, None) => "is in force, and is not written",
            _ => "differs",
        }
        .into(),
        attributes: Vec::new(),
    });
    (drifted.changes_total, drifted.changes) = listed(all.collect());
    drifted
}

/// The digests of policies: in force, if any are, and in the checkout.
pub fn policies(path: &str, in_force: Option<&str>, written: &str) -> Root {
    let (outcome, reason) = match in_force {
        Some(digest) if digest == written => {
            (Drift::None, "the server has in force what the directory holds")
        }
        Some(_) => (Drift::Drifted, "the server has other policies in force than are written"),
        None => (Drift::Drifted, "the server has no policy in force"),
    };
    let mut judged = root(RootKind::Policies, path, outcome, reason);
    if outcome == Drift::Drifted {
        let how = match in_force {
            Some(digest) => format!("in force is {digest}, written is {written}"),
            None => format!("in force is none, written is {written}"),
        };
        let one = Difference { what: "digest".into(), how, attributes: Vec::new() };
        (judged.changes_total, judged.changes) = listed(vec![one]);
    }
    judged
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_named_without_their_values() {
        let change = |path: &str, from, to| Change { path: path.into(), from, to };
        let root = configuration(
            "lockgate.yaml",
            &[
                change("agents.a.versions.v1.endpoint", Some(json!("hunter2")), Some(json!("x"))),
                change("plans.p", None, Some(json!({}))),
                change("plans.q", Some(json!({})), None),
            ],
        );
        assert_eq!((root.outcome, root.changes_total), (Drift::Drifted, 3));
        let how: Vec<&str> = root.changes.iter().map(|one| one.how.as_str()).collect();
        let (new, gone) = ("is written, and is not in force", "is in force, and is not written");
        assert_eq!(how, ["differs", new, gone]);
        assert!(!serde_json::to_string(&root).unwrap().contains("hunter2"));
        assert_eq!(configuration("lockgate.yaml", &[]).outcome, Drift::None);
    }

    #[test]
    fn no_policy_in_force_is_drift_from_one_that_is_written() {
        assert_eq!(policies("p", Some("sha256:a"), "sha256:a").outcome, Drift::None);
        assert_eq!(policies("p", Some("sha256:b"), "sha256:a").outcome, Drift::Drifted);
        assert_eq!(policies("p", None, "sha256:a").outcome, Drift::Drifted);
    }
}
