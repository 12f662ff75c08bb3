//! What brings a cluster back to its templates by itself: Flux and Argo CD.

use super::{Compares, Reconciler, Templates};
use crate::lines::File;
use crate::yaml::Node;

impl Templates {
    pub(super) fn reconciler(&mut self, file: File<'_>, root: &Node, version: &str, kind: &str) {
        let found = if version.starts_with("argoproj.io/") {
            argo(root)
        } else {
            flux(root, version, kind)
        };
        self.reconcilers.extend(found.map(|(what, at, path)| Reconciler {
            what,
            evidence: file.shown(at),
            compares: Compares::Cluster,
            path,
        }));
    }
}

type Told<'a> = (&'static str, &'a Node, Option<String>);

fn flux<'a>(root: &'a Node, version: &str, kind: &str) -> Option<Told<'a>> {
    let spec = root.get("spec")?;
    if spec.get("suspend").and_then(Node::truth) == Some(true) {
        return None;
    }
    match kind {
        "Kustomization" if version.starts_with("kustomize.toolkit.fluxcd.io/") => {
            let prune = spec.get("prune").filter(|prune| prune.truth() == Some(true))?;
            let is_git =
                spec.at(&["sourceRef", "kind"]).and_then(Node::text) == Some("GitRepository");
            let path = spec.get("path").and_then(Node::text).filter(|_| is_git);
            Some(("Flux reconciles and prunes", prune, path.and_then(written)))
        }
        "HelmRelease" if version.starts_with("helm.toolkit.fluxcd.io/") => {
            let mode = spec.at(&["driftDetection", "mode"])?;
            let is_on = mode.text() == Some("enabled");
            is_on.then_some(("Flux puts right what drifts from a release", mode, None))
        }
        _ => None,
    }
}

fn argo(root: &Node) -> Option<Told<'_>> {
    let specs = [root.get("spec"), root.at(&["spec", "template", "spec"])];
    specs.into_iter().flatten().find_map(|spec| {
        let automated = spec.at(&["syncPolicy", "automated"])?;
        let is = |key: &str, wanted: bool| {
            automated.get(key).filter(|node| node.truth() == Some(wanted))
        };
        let heal = is("selfHeal", true).filter(|_| is("enabled", false).is_none())?;
        let one = spec.get("source");
        let more = spec.get("sources").map(Node::items).unwrap_or_default();
        let mut paths = one.into_iter().chain(more).filter_map(|source| source.get("path")?.text());
        Some(("Argo CD heals what drifts", heal, paths.next_back().and_then(written)))
    })
}

/// A path that is written out.
fn written(path: &str) -> Option<String> {
    (!path.contains(['{', '$', '*'])).then(|| path.to_owned())
}
