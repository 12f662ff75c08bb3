//! How packages are built and tested, by their manifests and lock files.

use super::pipelines::is_plain;
use crate::package::Roots;
use crate::tree::{Tree, dir, join, name};
use crate::yaml;

/// Most packages that get steps of their own.
const PACKAGES_MAX: usize = 20;

/// What builds and tests a directory.
pub(super) struct Toolchain {
    pub(super) title: String,
    /// Empty for the root.
    pub(super) dir: String,
    pub(super) commands: Vec<String>,
}

/// The toolchains of a repository: of its root, and of packages that the root's does not reach.
pub(super) fn toolchains(tree: &Tree) -> Vec<Toolchain> {
    let mut all: Vec<Toolchain> = of_dir(tree, "");
    let roots = Roots::read(tree);
    for (dir, _) in roots.iter().filter(|(dir, _)| is_plain(dir)) {
        for found in of_dir(tree, dir) {
            // A workspace builds and tests its members.
            let language = found.title.split(' ').next().unwrap_or_default();
            let is_reached = all.iter().any(|outer| {
                outer.title.starts_with(language)
                    && (outer.dir.is_empty() || dir.starts_with(&format!("{}/", outer.dir)))
                    && reaches(tree, &outer.dir, language)
            });
            if !is_reached {
                all.push(found);
            }
        }
    }
    all.truncate(PACKAGES_MAX);
    all
}

/// Whether what runs in a directory runs in packages below it too.
fn reaches(tree: &Tree, dir: &str, language: &str) -> bool {
    match language {
        "Rust" => text(tree, dir, "Cargo.toml").is_some_and(|toml| toml.contains("[workspace]")),
        "Node" => {
            text(tree, dir, "package.json").is_some_and(|json| json.contains("\"workspaces\""))
        }
        "Maven" | "Gradle" | "Python" => true,
        _ => false,
    }
}

fn text<'a>(tree: &'a Tree, dir: &str, file: &str) -> Option<&'a str> {
    tree.text(&join(dir, file)?)
}

fn of_dir(tree: &Tree, dir: &str) -> Vec<Toolchain> {
    let has = |file: &str| join(dir, file).is_some_and(|path| tree.has(&path));
    let mut all = Vec::new();
    let mut add = |language: &str, commands: Vec<String>| {
        let title = if dir.is_empty() {
            format!("{language} builds and passes its tests")
        } else {
            format!("{language} in {dir} builds and passes its tests")
        };
        all.push(Toolchain { title, dir: dir.to_owned(), commands });
    };
    let of = |commands: &[&str]| commands.iter().map(|&command| command.to_owned()).collect();
    if has("Cargo.toml") {
        let locked = if has("Cargo.lock") { " --locked" } else { "" };
        add(
            "Rust",
            vec![
                format!("cargo build --workspace{locked}"),
                format!("cargo test --workspace{locked}"),
            ],
        );
    }
    if let Some(commands) = python(tree, dir, &has) {
        add("Python", commands);
    }
    if let Some(commands) = node(tree, dir, &has) {
        add("Node", commands);
    }
    if has("go.mod") {
        add("Go", of(&["go build ./...", "go test ./..."]));
    }
    if has("pom.xml") {
        let program = if has("mvnw") { "./mvnw" } else { "mvn" };
        add("Maven", vec![format!("{program} --batch-mode verify")]);
    }
    if has("gradlew") && (has("build.gradle") || has("build.gradle.kts")) {
        add("Gradle", of(&["./gradlew build"]));
    }
    all
}

fn python(tree: &Tree, dir: &str, has: &dyn Fn(&str) -> bool) -> Option<Vec<String>> {
    let mut commands = vec!["python3 -m venv .venv".to_owned()];
    let is_project = has("setup.py")
        || text(tree, dir, "pyproject.toml").is_some_and(|toml| {
            toml.contains("[build-system]")
                || toml.contains("[project]")
                || toml.contains("[tool.poetry]")
        });
    let mut what = Vec::new();
    if has("requirements.txt") {
        what.push("-r requirements.txt");
    }
    if is_project {
        what.push(".");
    }
    if what.is_empty() {
        return None;
    }
    what.push("pytest");
    commands.push(format!(".venv/bin/pip install {}", what.join(" ")));
    commands.push(".venv/bin/python -m compileall -q .".to_owned());
    commands.push(".venv/bin/python -m pytest".to_owned());
    Some(commands)
}

/// With the manager whose lock file is there. Tests only where the package has a script for them.
fn node(tree: &Tree, dir: &str, has: &dyn Fn(&str) -> bool) -> Option<Vec<String>> {
    let root = yaml::document(text(tree, dir, "package.json")?).ok()??;
    let script = |name: &str| root.at(&["scripts", name]).and_then(yaml::Node::text);
    let workspaces = root.get("workspaces").is_some();
    let mut commands = Vec::new();
    let manager = if has("pnpm-lock.yaml") {
        commands.push("corepack enable".to_owned());
        commands.push("pnpm install --frozen-lockfile".to_owned());
        "pnpm"
    } else if has("yarn.lock") {
        commands.push("corepack enable".to_owned());
        commands.push("yarn install --immutable".to_owned());
        "yarn"
    } else {
        commands.push(if has("package-lock.json") { "npm ci" } else { "npm install" }.to_owned());
        "npm"
    };
    if script("build").is_some() {
        commands.push(format!("{manager} run build"));
    }
    match script("test") {
        // What `npm init` writes fails on purpose.
        Some(test) if !test.contains("no test specified") => {
            commands.push(format!("{manager} run test"));
        }
        _ if workspaces && manager == "npm" && has_scripts(tree, dir) => {
            commands.push("npm run test --workspaces --if-present".to_owned());
        }
        _ => {}
    }
    Some(commands)
}

/// Whether some package below has a script for tests.
fn has_scripts(tree: &Tree, from: &str) -> bool {
    tree.under(from).any(|path| {
        name(path) == "package.json"
            && dir(path) != from
            && tree.text(path).is_some_and(|text| text.contains("\"test\""))
    })
}
