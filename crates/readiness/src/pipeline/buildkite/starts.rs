//! What the files of a pipeline show of its builds. Buildkite's settings decide; a file that asks whether a build is one
//! of a pull request is run for pull requests.

use super::super::{Occasion, Occasions, Runs};
use super::condition::branch_patterns;
use super::{UPLOADS_MAX, parsed, upload};
use crate::tree::Tree;
use crate::yaml::{Kind, Node};

/// Names that main branches have, the likeliest first.
const MAIN_NAMES: [&str; 6] = ["main", "master", "trunk", "develop", "dev", "next"];

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is seen or not")]
pub(super) struct Shown {
    requests: bool,
    /// Some branch is asked for.
    branches: bool,
    /// Branches other than the one that is named are asked for.
    others: bool,
    release: bool,
    tags: bool,
    schedule: bool,
    queue: bool,
    names: Vec<String>,
}

impl Shown {
    /// What a file shows, with those that it uploads.
    pub(super) fn of(tree: &Tree, file: &str, root: &Node) -> Self {
        let mut shown = Self::default();
        shown.node(root);
        let mut files = vec![file.to_owned()];
        let mut at = 0;
        while at < files.len() && files.len() <= UPLOADS_MAX {
            let text = tree.text(&files[at]).unwrap_or_default();
            for next in upload::mentioned(tree, text) {
                if !files.contains(&next)
                    && let Ok(Some(root)) = parsed(tree, &next)
                {
                    shown.node(&root);
                    files.push(next);
                }
            }
            at += 1;
        }
        shown
    }

    fn node(&mut self, node: &Node) {
        match &node.kind {
            Kind::Scalar { text, .. } => self.text(text),
            Kind::List(items) => items.iter().for_each(|item| self.node(item)),
            Kind::Map(entries) => {
                for entry in entries {
                    if entry.key == "branches" {
                        self.branches(&branch_patterns(&entry.value));
                    }
                    self.node(&entry.value);
                }
            }
        }
    }

    fn branches(&mut self, patterns: &[String]) {
        for pattern in patterns {
            self.branches = true;
            self.others |= pattern.starts_with('!');
            let bare = pattern.trim_start_matches('!');
            self.release |= bare.contains("release") && !pattern.starts_with('!');
            self.names.push(bare.to_owned());
        }
    }

    fn text(&mut self, text: &str) {
        let has = |word: &str| text.contains(word);
        self.requests |= has("build.pull_request.") || has("BUILDKITE_PULL_REQUEST");
        self.tags |= has("build.tag") || has("BUILDKITE_TAG");
        self.queue |= has("build.merge_queue.") || has("BUILDKITE_MERGE_QUEUE");
        self.schedule |= (has("build.source") || has("BUILDKITE_SOURCE")) && has("schedule");
        if has("build.branch") || has("BUILDKITE_BRANCH") {
            self.branches = true;
            self.others |= has("build.branch !=") || has("build.branch !~");
            self.release |= has("release");
            let named = text.split(['"', '\'']).skip(1).step_by(2);
            self.names.extend(named.map(str::to_owned));
        }
    }

    /// The name of the main branch that the files speak of.
    pub(super) fn main(&self) -> &'static str {
        let is_named = |main: &&str| self.names.iter().any(|name| name == main);
        MAIN_NAMES.into_iter().find(|main| is_named(main)).unwrap_or(MAIN_NAMES[0])
    }

    /// On which occasions a file is run. Of one that Buildkite does not take by itself nobody knows.
    pub(super) fn triggers(&self, file: &str, default: bool) -> Occasions {
        let if_shown = |is_shown: bool, what: &str| {
            if !default {
                Runs::Unsure(format!("Buildkite decides whether it runs `{file}`"))
            } else if is_shown {
                Runs::Yes
            } else {
                Runs::Unsure(format!(
                    "Buildkite decides what it builds, and the pipeline does not show that it builds {what}"
                ))
            }
        };
        Occasions::from_fn(|on| match on {
            // The build of a branch is shown on its pull request, and holds it up.
            Occasion::PullRequest => if_shown(self.requests || self.others, "pull requests"),
            Occasion::Main => {
                if_shown(self.requests || self.branches, "what comes onto the main branch")
            }
            Occasion::Branch => if_shown(self.others, "topic branches"),
            Occasion::ReleaseBranch => if_shown(self.release || self.others, "release branches"),
            Occasion::Tag => if_shown(self.tags, "tags"),
            Occasion::Schedule => if_shown(self.schedule, "when a schedule says so"),
            Occasion::MergeQueue if self.queue => if_shown(true, "the merge queue"),
            Occasion::Manual => if_shown(true, "when it is asked"),
            Occasion::Other => if_shown(false, "what other pipelines start"),
            Occasion::MergeQueue | Occasion::Release => Runs::No,
        })
    }
}
