//! Which packages a runner of tests reaches, where its command names them or its language parts them.

use super::invoke::Asked;
use crate::package::around;
use crate::toml::Toml;
use crate::tree::{dir, join};

/// The packages whose tests cargo runs: those that are named, or the one of the directory; none where it is all.
pub(super) fn cargo(asked: &Asked<'_>, words: &[&str], root: &str) -> Option<Vec<String>> {
    let values = |flags: [&'static str; 2]| {
        words.iter().enumerate().filter_map(move |(i, word)| {
            let (flag, value) = word.split_once('=').unwrap_or((word, ""));
            let value = if value.is_empty() { words.get(i + 1).copied()? } else { value };
            flags.contains(&flag).then_some(value)
        })
    };
    let named: Vec<&str> = values(["-p", "--package"]).collect();
    if !named.is_empty() {
        let of = |name: &&str| {
            let name = name.split('@').next().unwrap_or_default();
            asked.roots.of_cargo(name).map(str::to_owned)
        };
        return named.iter().map(of).collect();
    }
    if words.iter().any(|word| matches!(*word, "--workspace" | "--all")) {
        return None;
    }
    let at = match values(["--manifest-path", "--manifest-path"]).next() {
        Some(path) => dir(&join(root, path)?).to_owned(),
        None => around(asked.tree, root, "Cargo.toml")?,
    };
    let manifest = join(&at, "Cargo.toml")?;
    let toml = Toml::read(&manifest, asked.tree.text(&manifest)?)?;
    let is_one = asked.roots.has(&at) && toml.at(&["workspace", "default-members"]).is_none();
    is_one.then(|| vec![at])
}

/// `./...` of Go ends where another module begins.
pub(super) fn go(asked: &Asked<'_>, root: &str) -> Option<Vec<String>> {
    let module = around(asked.tree, root, "go.mod").filter(|dir| asked.roots.has(dir))?;
    let is_of = |dir: &&str| around(asked.tree, dir, "go.mod").as_ref() == Some(&module);
    let packages = asked.roots.iter().map(|(dir, _)| dir).filter(is_of);
    Some(packages.map(str::to_owned).collect())
}
