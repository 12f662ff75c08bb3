//! Linters that look for faults of security only when their settings say so.

use super::Class;
use super::invoke::Done;
use crate::finding::Evidence;
use crate::shell::Blocking;
use crate::toml::Toml;
use crate::tree::{Tree, join};
use crate::yaml::{self, Node};

/// golangci-lint runs gosec where its settings enable it.
pub(super) fn gosec(tree: &Tree, dir: Option<&str>) -> Option<Done> {
    let names = [".golangci.yml", ".golangci.yaml"];
    let file = names.iter().find_map(|name| present(tree, dir, name))?;
    let text = tree.text(&file)?;
    let root = yaml::document(text).ok()??;
    let linters = root.get("linters")?;
    let disabled = linters.get("disable").map(Node::texts).unwrap_or_default();
    let enabled = linters.get("enable").map(Node::items).unwrap_or_default();
    let own = enabled.iter().find(|item| item.text() == Some("gosec"));
    let all = linters.get("enable-all").filter(|all| all.truth() == Some(true));
    let default = linters.get("default").filter(|default| default.text() == Some("all"));
    let node = own.or(all).or(default).filter(|_| !disabled.contains(&"gosec"))?;
    Some(
        Done::new(Class::Code)
            .why("gosec by golangci-lint")
            .also([Evidence::at(&file, text, node.place)]),
    )
}

/// Ruff looks for what Bandit looks for where its rules `S` are selected.
pub(super) fn bandit_in_ruff(tree: &Tree, dir: Option<&str>, fails: bool) -> Option<Done> {
    let places: [(&str, &[&str]); 3] =
        [("ruff.toml", &[]), (".ruff.toml", &[]), ("pyproject.toml", &["tool", "ruff"])];
    for (name, base) in places {
        let Some(file) = present(tree, dir, name) else { continue };
        let Some(toml) = tree.text(&file).and_then(|text| Toml::read(&file, text)) else {
            continue;
        };
        for table in [&["lint"][..], &[]] {
            for list in ["select", "extend-select"] {
                let keys: Vec<&str> = base.iter().chain(table).copied().chain([list]).collect();
                let selected = toml.texts_at(&keys);
                if selected
                    .iter()
                    .any(|rule| matches!(*rule, "S" | "ALL") || rule.starts_with("S1"))
                {
                    let blocking = if fails {
                        Blocking::Yes
                    } else {
                        Blocking::No("`ruff --exit-zero`".into())
                    };
                    let done = Done::new(Class::Code).why("the rules of Bandit by Ruff");
                    return Some(done.also([toml.shown(&keys)]).blocks(blocking));
                }
            }
        }
    }
    None
}

/// A file of that name in the directory, or at the root.
pub(super) fn present(tree: &Tree, dir: Option<&str>, name: &str) -> Option<String> {
    let near = dir.and_then(|dir| join(dir, name)).filter(|file| tree.has(file));
    near.or_else(|| tree.has(name).then(|| name.to_owned()))
}
