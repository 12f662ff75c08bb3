//! Templates that are programs: CDK, Pulumi, and Modal. They are read, never run.

use super::fact::{About, Fact};
use super::{Found, Templates, secret};
use crate::code::Code;
use crate::finding::Evidence;
use crate::lines::File;
use crate::tree::{Tree, dir, is_aside, join};
use crate::yaml::{self, Node};

/// Most files of a program that are looked at.
const FILES_MAX: usize = 500;

/// How a stack of CDK begins, in its languages.
const STACKS: &[&str] = &[
    "extends Stack",
    "extends cdk.Stack",
    "extends NestedStack",
    "extends cdk.NestedStack",
    "(Stack)",
    "(cdk.Stack)",
    "(core.Stack)",
    "(NestedStack)",
    ": Stack",
    "awscdk.NewStack",
];

impl Templates {
    /// `cdk.json` says how a program is started; what it makes, a stack says.
    pub(super) fn cdk(&mut self, tree: &Tree, file: File<'_>) {
        let root = yaml::document(file.text).ok().flatten();
        let app = root.as_ref().and_then(|root| root.get("app")).filter(|app| app.text().is_some());
        let Some(app) = app else { return };
        let stack = code_below(tree, dir(file.path)).find_map(|code| {
            if !code.text.contains("cdk") {
                return None;
            }
            STACKS.iter().find_map(|start| code.words(start).next()).map(|at| code.shown(at))
        });
        match stack {
            Some(evidence) => self.environments.push(Found { what: "CDK", evidence }),
            None => self.unread.push(file.shown(app)),
        }
    }

    /// `Pulumi.yaml`, and the program beside it.
    pub(super) fn pulumi(&mut self, tree: &Tree, file: File<'_>) {
        let Some(root) = yaml::document(file.text).ok().flatten() else { return };
        let runtime = root.get("runtime").map(|node| node.get("name").unwrap_or(node));
        let Some(runtime) = runtime.filter(|node| node.text().is_some()) else { return };
        let shown = if runtime.text() == Some("yaml") {
            let resources = root.get("resources").filter(|all| !all.entries().is_empty());
            resources.map(|all| file.shown(all))
        } else {
            let main = root.get("main").and_then(Node::text).unwrap_or(".");
            join(dir(file.path), main).and_then(|place| program(tree, &place))
        };
        match shown {
            Some(evidence) => self.environments.push(Found { what: "Pulumi", evidence }),
            None if runtime.text() == Some("yaml") => {}
            None => self.unread.push(file.shown(runtime)),
        }
        self.facts.push(match root.at(&["backend", "url"]) {
            Some(url) if url.text().is_some_and(|text| text.starts_with("file:")) => Fact::bad(
                About::State,
                "the state stays on the disk of whoever applies it",
                file.shown(url),
            ),
            Some(url) => Fact::good(About::State, file.shown(url)),
            None => Fact::unsure(
                About::State,
                "who is logged in decides where Pulumi keeps its state",
                file.shown(runtime),
            ),
        });
    }

    /// The settings of a stack of Pulumi.
    pub(super) fn pulumi_stack(&mut self, file: File<'_>, root: &Node) {
        if let Some(config) = root.get("config") {
            secret::all(config, file, &mut self.facts);
        }
    }

    pub(super) fn modal(&mut self, file: File<'_>) {
        let Some(code) = Code::read(file.path, file.text) else { return };
        let app = code.words("modal.App").next().or_else(|| {
            let imported =
                code.words("import").any(|at| code.masked[..at].ends_with("from modal "));
            code.words("App").find(|at| imported && code.masked[at + 3..].starts_with('('))
        });
        if let Some(at) = app {
            self.environments.push(Found { what: "Modal", evidence: code.shown(at) });
        }
    }
}

/// Code below a directory, without what is somebody else's.
fn code_below<'a>(tree: &'a Tree, place: &'a str) -> impl Iterator<Item = Code<'a>> {
    tree.under(place)
        .filter(|path| !is_aside(path))
        .filter_map(|path| Code::read(path, tree.text(path)?))
        .take(FILES_MAX)
}

/// The first line of a program that brings Pulumi in. `place` is a directory, or the file itself.
fn program(tree: &Tree, place: &str) -> Option<Evidence> {
    let itself = tree.text(place).and_then(|text| Code::read(place, text));
    let brings = |code: &Code<'_>| {
        let mut lines = code.masked.lines().zip(code.text.lines()).enumerate();
        let starts = ["import", "from ", "const ", "using ", "\"", "var ", "let "];
        let (line, _) = lines.find(|(_, (masked, line))| {
            let start = masked.trim_start();
            starts.iter().any(|word| start.starts_with(word))
                && line.to_ascii_lowercase().contains("pulumi")
        })?;
        Some(code.shown_line(line))
    };
    itself.into_iter().chain(code_below(tree, place)).find_map(|code| brings(&code))
}
