//! Containers that compose and Amazon ECS run.

use super::fact::{About, Fact, image, is_store};
use super::{Found, Templates, secret};
use crate::lines::File;
use crate::yaml::{Entry, Node};

/// A key as a task definition has it, or as `CloudFormation` does.
fn either<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    node.entries()
        .iter()
        .find(|entry| entry.key.eq_ignore_ascii_case(key))
        .map(|entry| &entry.value)
}

/// A container of a task of ECS.
pub(super) fn ecs(file: File<'_>, container: &Node, task: &Node, found: &mut Vec<Fact>) {
    let at = || file.shown(container);
    found.extend(either(container, "image").and_then(|node| image(node, file)));
    let memory = either(container, "memory").or_else(|| either(task, "memory"));
    found.push(match memory.filter(|node| node.text().is_some() || node.is_map()) {
        Some(node) => Fact::good(About::Limits, file.shown(node)),
        None => Fact::bad(About::Limits, "a container of a task has no limit of memory", at()),
    });
    let check = either(container, "healthCheck");
    let command = check.and_then(|check| either(check, "command"));
    let is_asked = command.is_some_and(|command| {
        command.tag.is_some()
            || command.items().first().is_some_and(|first| first.text() != Some("NONE"))
    });
    if let Some(check) = check.filter(|_| is_asked) {
        found.push(Fact::good(About::Health, file.shown(check)));
    } else if either(container, "essential").and_then(Node::truth) != Some(false) {
        // A load balancer may ask in its place.
        found.push(Fact::unsure(
            About::Health,
            "a container of a task has no check of its own",
            at(),
        ));
    }
}

impl Templates {
    /// A task definition as the AWS CLI takes it.
    pub(super) fn task(&mut self, file: File<'_>, root: &Node) {
        let Some(all) = either(root, "containerDefinitions").filter(|all| !all.items().is_empty())
        else {
            return;
        };
        self.environments.push(Found { what: "an ECS task definition", evidence: file.shown(all) });
        all.items().iter().for_each(|one| ecs(file, one, root, &mut self.facts));
        secret::all(root, file, &mut self.facts);
    }

    /// A compose file. What it says beside health counts only where nothing else is deployed: most are for one's own
    /// machine.
    pub(super) fn compose(&mut self, file: File<'_>, root: &Node, local: &mut Vec<Fact>) {
        for service in root.get("services").map(Node::entries).unwrap_or_default() {
            let of = |key: &str| service.value.entry(key);
            let is_beside = of("build").is_none() && is_store(service.value.get("image"));
            self.facts.extend(
                of("healthcheck")
                    .filter(|check| is_on(check) && !is_beside)
                    .map(|check| Fact::good(About::Health, file.at(check.key_place))),
            );
            if of("build").is_none() {
                local.extend(of("image").and_then(|entry| image(&entry.value, file)));
            }
            let limit = service
                .value
                .at(&["deploy", "resources", "limits", "memory"])
                .or_else(|| service.value.get("mem_limit"));
            local.push(match limit.filter(|node| node.text().is_some()) {
                Some(node) => Fact::good(About::Limits, file.shown(node)),
                None => Fact::bad(
                    About::Limits,
                    format!("`{}` has no limit of memory", service.key),
                    file.at(service.key_place),
                ),
            });
        }
        secret::all(root, file, local);
    }
}

/// `disable: true` and `test: NONE` take away what the image has.
fn is_on(check: &Entry) -> bool {
    let check = &check.value;
    let test = check.get("test").map(Node::texts).unwrap_or_default();
    check.get("disable").and_then(Node::truth) != Some(true)
        && test.first().is_some_and(|first| *first != "NONE")
}
