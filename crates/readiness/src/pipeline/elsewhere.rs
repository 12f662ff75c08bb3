//! Pipelines of systems that are not read yet. That they are there is known, and what they do is not.

use super::{Pipelines, System, Unread};
use crate::finding::Evidence;
use crate::tree::{Tree, dir, has_end, name};

/// Which system a file belongs to.
pub(super) fn system(path: &str) -> Option<System> {
    let (dir, name) = (dir(path), name(path));
    Some(match (dir, name) {
        ("", ".travis.yml") => System::Travis,
        ("", ".drone.yml" | ".drone.jsonnet" | ".drone.star") => System::Drone,
        ("", "bitbucket-pipelines.yml") => System::Bitbucket,
        ("", "appveyor.yml" | ".appveyor.yml") => System::AppVeyor,
        ("", ".cirrus.yml" | ".cirrus.star") => System::Cirrus,
        (".tekton", name) if is_yaml(name) => System::Tekton,
        (".teamcity", name) if has_end(name, "kts") => System::TeamCity,
        ("", ".woodpecker.yml" | ".woodpecker.yaml") => System::Woodpecker,
        (".woodpecker", name) if is_yaml(name) => System::Woodpecker,
        ("", ".prow.yaml") | (".prow", _) => System::Prow,
        ("" | ".zuul.d", ".zuul.yaml" | "zuul.yaml" | "project.yaml")
            if name.contains("zuul") || dir == ".zuul.d" =>
        {
            System::Zuul
        }
        (".bazelci", name) if is_yaml(name) => System::Bazel,
        (".forgejo/workflows", name) if is_yaml(name) => System::Forgejo,
        (".gitea/workflows", name) if is_yaml(name) => System::Gitea,
        ("" | ".cloudbuild" | "cloudbuild", name) if is_cloud_build(name) => System::CloudBuild,
        (".cloudbuild", name) if is_yaml(name) => System::CloudBuild,
        ("", "buildspec.yml" | "buildspec.yaml") => System::CodeBuild,
        (".semaphore", name) if is_yaml(name) => System::Semaphore,
        ("", "Earthfile") => System::Earthly,
        ("", ".build.yml") => System::SourceHut,
        (".builds", name) if is_yaml(name) => System::SourceHut,
        (dir, name) if dir.split('/').next() == Some(".harness") && is_yaml(name) => {
            System::Harness
        }
        ("", "codemagic.yaml") => System::Codemagic,
        ("", "bitrise.yml") => System::Bitrise,
        ("", "codefresh.yml" | "codefresh.yaml") => System::Codefresh,
        ("", ".vela.yml" | ".vela.yaml") => System::Vela,
        ("", "screwdriver.yaml") => System::Screwdriver,
        ("", ".onedev-buildspec.yml") => System::OneDev,
        ("", ".packit.yaml" | ".packit.yml") => System::Packit,
        _ => return None,
    })
}

/// `cloudbuild.yaml`, or one of several, such as `cloudbuild-test.yaml`.
fn is_cloud_build(name: &str) -> bool {
    name.starts_with("cloudbuild") && (is_yaml(name) || has_end(name, "json"))
}

fn is_yaml(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, end)| end == "yml" || end == "yaml")
}

pub(super) fn find(tree: &Tree, found: &mut Pipelines) {
    for path in tree.paths() {
        let Some(system) = system(path) else { continue };
        let evidence = Evidence::file(path, tree.text(path).unwrap_or_default());
        found.unread.push(Unread {
            evidence,
            why: format!("pipelines of {} are not read yet", system.name()),
        });
    }
}
