//! `kubectl diff`: exit code 0 is no difference, 1 is some, and above 1 it or the program that compares failed
//! (<https://kubernetes.io/docs/reference/kubectl/generated/kubectl_diff/>).

use lockgate_model::drift::{Difference, Drift, Root, RootKind};

use super::{Ended, Ran, counted, listed, root, unknown};
use crate::yaml::Node;

/// What it comes to.
pub fn judge(path: &str, diff: &Ran) -> Root {
    let unknown = |why: String| unknown(RootKind::Kubernetes, path, why);
    let mut judged = match (diff.useless("kubectl"), &diff.ended) {
        (Some(why), _) => unknown(why),
        (None, Ended::Exited(0)) => {
            let reason = "the cluster has what is written";
            root(RootKind::Kubernetes, path, Drift::None, reason)
        }
        (None, Ended::Exited(1)) => {
            let objects: Vec<Difference> = objects(&diff.stdout);
            if objects.is_empty() {
                unknown("kubectl ended with exit code 1 and names no object that differs".into())
            } else {
                let n = counted(objects.len() as u64, "object differs", "objects differ");
                let mut drifted = root(RootKind::Kubernetes, path, Drift::Drifted, n);
                (drifted.changes_total, drifted.changes) = listed(objects);
                drifted
            }
        }
        (None, Ended::Exited(code)) => unknown(failed(*code, &diff.stderr)),
        (None, _) => unknown("kubectl did not end by itself".into()),
    };
    judged.program = Some("kubectl".into());
    judged
}

/// Keys of a kustomization whose texts name no files.
const NO_FILES: [&str; 11] = [
    "apiVersion",
    "kind",
    "metadata",
    "namespace",
    "namePrefix",
    "nameSuffix",
    "commonLabels",
    "commonAnnotations",
    "labels",
    "images",
    "literals",
];

/// What a kustomization is made of: all that may be a file, a directory or an address. None when it cannot be read.
pub fn kustomization_parts(text: &str) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for document in crate::yaml::documents(text).ok()? {
        parts(&document, &mut all);
    }
    Some(all)
}

fn parts(node: &Node, all: &mut Vec<String>) {
    // Patches that stand in the file have several lines.
    all.extend(node.text().filter(|text| !text.contains('\n')).map(str::to_owned));
    node.items().iter().for_each(|item| parts(item, all));
    for entry in node.entries().iter().filter(|entry| !NO_FILES.contains(&entry.key.as_str())) {
        parts(&entry.value, all);
    }
}

/// Whether a part of a kustomization is fetched from elsewhere.
pub fn is_remote(part: &str) -> bool {
    // `key=https://…` names a file of a generator.
    let part = part
        .rsplit_once('=')
        .map_or(part, |(key, value)| if key.contains(['/', ':', '?']) { part } else { value });
    let hosts = ["github.com/", "gitlab.com/", "bitbucket.org/", "www.github.com/"];
    let is_address = part.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty()
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-:".contains(c))
    });
    let is_shell_address =
        part.split_once('@').is_some_and(|(user, rest)| !user.contains('/') && rest.contains(':'));
    is_address
        || is_shell_address
        || part.starts_with("git::")
        || hosts.iter().any(|host| part.to_ascii_lowercase().starts_with(host))
        || part.contains("?ref=")
        || part.contains(".git//")
        || part.contains("_git/")
}

/// Objects whose files differ. The files are named `group.version.Kind.namespace.name`, in two directories
/// `LIVE-…` and `MERGED-…`.
fn objects(diff: &str) -> Vec<Difference> {
    let mut names: Vec<&str> = diff.lines().filter_map(compared).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| Difference {
            what: name.to_owned(),
            how: "differs".into(),
            attributes: Vec::new(),
        })
        .collect()
}

/// The object in a line such as `diff -u -N /tmp/LIVE-1/apps.v1.Deployment.web.api /tmp/MERGED-1/…`.
fn compared(line: &str) -> Option<&str> {
    let merged = line.strip_prefix("diff ")?.split_whitespace().next_back()?;
    let (directory, name) = merged.rsplit_once('/')?;
    let is_ours = directory.rsplit('/').next().is_some_and(|last| last.starts_with("MERGED-"));
    is_ours.then_some(name)
}

/// Why it failed: the kind of its error. What follows may quote values.
fn failed(code: i32, stderr: &str) -> String {
    let first = stderr.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let kinds = [
        ("connection refused", "the cluster cannot be reached"),
        ("no such host", "the cluster cannot be reached"),
        ("i/o timeout", "the cluster cannot be reached"),
        ("Unable to connect to the server", "the cluster cannot be reached"),
        ("(Forbidden)", "the cluster forbids it to who asks"),
        ("Unauthorized", "the cluster does not know who asks"),
        ("You must be logged in", "the cluster does not know who asks"),
        ("context", "the context or the configuration of kubectl does not hold"),
        ("kubeconfig", "the context or the configuration of kubectl does not hold"),
        ("error parsing", "a manifest cannot be read"),
        ("error converting YAML", "a manifest cannot be read"),
        ("error validating", "a manifest is not valid"),
        ("no matches for kind", "the cluster does not know a kind that is written"),
        ("namespaces", "a namespace is not there"),
    ];
    let kind = kinds.iter().find(|(part, _)| stderr.contains(part)).map(|(_, kind)| *kind);
    match (kind, first.is_empty()) {
        (Some(kind), _) => format!("kubectl ended with exit code {code}: {kind}"),
        (None, true) => format!("kubectl ended with exit code {code} without a word"),
        (None, false) => {
            format!("kubectl ended with exit code {code}; run `kubectl diff` to see what it says")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "\
diff -u -N /tmp/LIVE-123/apps.v1.Deployment.web.api /tmp/MERGED-456/apps.v1.Deployment.web.api
--- /tmp/LIVE-123/apps.v1.Deployment.web.api\t2026-11-27 11:00:00
+++ /tmp/MERGED-456/apps.v1.Deployment.web.api\t2026-11-27 11:00:00
@@ -1 +1 @@
-  image: hunter2-example
+  image: other
diff -u -N /tmp/LIVE-123/v1.ConfigMap.web.c /tmp/MERGED-456/v1.ConfigMap.web.c
";

    fn ran(code: i32, stdout: &str, stderr: &str) -> Ran {
        let [stdout, stderr] = [stdout, stderr].map(str::to_owned);
        Ran { ended: Ended::Exited(code), stdout, stderr, cut: false }
    }

    #[test]
    fn exit_codes_are_told_apart() {
        assert_eq!(judge("k8s", &ran(0, "", "")).outcome, Drift::None);
        let drifted = judge("k8s", &ran(1, DIFF, ""));
        assert_eq!((drifted.outcome, drifted.changes_total), (Drift::Drifted, 2));
        assert_eq!(drifted.changes[0].what, "apps.v1.Deployment.web.api");
        assert!(!serde_json::to_string(&drifted).unwrap().contains("hunter2"));
        for code in [2, 127, 255] {
            assert_eq!(judge("k8s", &ran(code, DIFF, "")).outcome, Drift::Unknown, "{code}");
        }
        let odd = judge("k8s", &ran(1, "", "error: it went wrong"));
        assert_eq!(odd.outcome, Drift::Unknown, "1 without an object is no difference");
        let slow = Ran { ended: Ended::TimedOut(9), ..ran(0, "", "") };
        assert_eq!(judge("k8s", &slow).outcome, Drift::Unknown);
    }

    #[test]
    fn what_would_be_fetched_is_told_from_what_is_there() {
        let text = "resources: [a.yaml, ../base]\nnamespace: x\ncommonAnnotations: {docs: 'https://acme.io'}\nimages: [{name: a, newName: ghcr.io/a}]\nconfigMapGenerator:\n- {name: c, files: ['k=a.txt'], literals: ['URL=https://acme.io']}\npatches:\n- {path: p.yaml}\n";
        let parts = kustomization_parts(text).unwrap();
        for part in ["a.yaml", "../base", "p.yaml", "k=a.txt"] {
            assert!(parts.iter().any(|one| one == part), "{part}");
        }
        assert!(!parts.iter().any(|part| is_remote(part)), "{parts:?}");
        for part in [
            "https://acme.io/a.yaml",
            "github.com/acme/app//deploy?ref=v1",
            "git@github.com:acme/app.git",
            "ssh://git@acme.io/app",
            "git::https://acme.io/app",
            "acme.io/app.git//deploy",
            "k=https://acme.io/a.txt",
        ] {
            assert!(is_remote(part), "{part}");
        }
        assert_eq!(kustomization_parts("a: [\n"), None);
    }

    #[test]
    fn an_error_is_told_by_its_kind_alone() {
        let text = "The connection to the server 10.0.0.1:6443 was refused: connection refused";
        let root = judge("k8s", &ran(3, "", text));
        assert_eq!(root.reason, "kubectl ended with exit code 3: the cluster cannot be reached");
        let root = judge("k8s", &ran(3, "", "hunter2-example"));
        assert!(!root.reason.contains("hunter2") && root.reason.contains("kubectl diff"));
    }
}
