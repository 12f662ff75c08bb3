//! Versions of an agent.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use super::agents::Known;
use super::{Unique, items, name, some_text, target};
use crate::config::file::{AgentFile, VersionFile};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::url;
use crate::ids::{AgentName, VersionName};
use crate::version::{Manifest, SideEffects, ToolPin};

/// The versions of `agent`.
pub(super) fn versions(
    report: &mut Report<'_>,
    file: &AgentFile,
    path: &Path,
    agent: &AgentName,
    known: &Known<'_>,
) -> Vec<Manifest> {
    let mut names = Unique::of("version");
    let mut endpoints: HashMap<String, VersionName> = HashMap::new();
    let mut versions = Vec::new();
    for (path, file) in items(report, &file.versions, &path.key("versions")) {
        if let Some(name) = file.name.ok() {
            names.check(report, &name.0, &path.key("name"));
        }
        let Some(manifest) = version(report, file, &path, agent, known) else { continue };
        match endpoints.get(&manifest.endpoint) {
            Some(other) => report.warning(
                &path.key("endpoint"),
                format!("versions `{other}` and `{}` have the same endpoint", manifest.name),
                "each version should run at an endpoint of its own",
            ),
            None => {
                endpoints.insert(manifest.endpoint.clone(), manifest.name.clone());
            }
        }
        versions.push(manifest);
    }
    versions
}

fn version(
    report: &mut Report<'_>,
    file: &VersionFile,
    path: &Path,
    agent: &AgentName,
    known: &Known<'_>,
) -> Option<Manifest> {
    let mut text = |field, name: &str| some_text(report, field, &path.key(name));
    let (image, model) = (text(&file.image, "image"), text(&file.model, "model"));
    let prompt_digest = text(&file.prompt_digest, "prompt_digest");
    let policy_digest = text(&file.policy_digest, "policy_digest");
    let tools = tools(report, file, path);
    let commit = report.take(&file.commit, &path.key("commit")).map(|commit| commit.0.clone());
    let side_effects =
        report.take_or(&file.side_effects, &path.key("side_effects"), SideEffects::default());
    let mut endpoint = |field, name: &str| {
        let (url, target) = target(report, field, &path.key(name))?;
        if known.ingress.is_some_and(|ingress| leads_to(&target, ingress)) {
            let message =
                format!("`{name}` is Lockgate's own ingress: requests would go in a circle");
            report.error(
                &path.key(name),
                message,
                "write the address at which the version listens",
            );
        }
        Some(url)
    };
    let test_endpoint = endpoint(&file.test_endpoint, "test_endpoint");
    let endpoint = endpoint(&file.endpoint, "endpoint");
    let name = name(report, &file.name, &path.key("name"));
    Some(Manifest {
        agent: agent.clone(),
        name: name?,
        endpoint: endpoint?,
        test_endpoint,
        image,
        model,
        prompt_digest,
        policy_digest,
        tools,
        side_effects,
        commit,
    })
}

fn tools(report: &mut Report<'_>, file: &VersionFile, path: &Path) -> Vec<ToolPin> {
    let mut names = Unique::of("tool");
    let mut tools = Vec::new();
    for (path, file) in items(report, &file.tools, &path.key("tools")) {
        let name = some_text(report, &file.name, &path.key("name"));
        let digest = some_text(report, &file.digest, &path.key("digest"));
        if let Some(name) = &name {
            names.check(report, name, &path.key("name"));
        }
        if let (Some(name), Some(digest)) = (name, digest) {
            tools.push(ToolPin { name, digest });
        }
    }
    tools
}

fn leads_to(target: &url::Target, ingress: SocketAddr) -> bool {
    let here = match target.host.parse::<IpAddr>() {
        Ok(ip) => ip == ingress.ip() || (ip.is_loopback() && ingress.ip().is_unspecified()),
        Err(_) => {
            target.host == "localhost"
                && (ingress.ip().is_loopback() || ingress.ip().is_unspecified())
        }
    };
    here && target.port == ingress.port()
}
