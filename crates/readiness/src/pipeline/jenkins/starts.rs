//! What starts a Jenkinsfile. Jenkins knows and not the file; what the file asks for shows what it is started by:
//! a file that asks which change request is built is built for change requests.

use super::super::{Occasion, Occasions, Runs, glob_matches};
use super::lex::{Placed, Token};

/// Names that main branches have, the likeliest first.
const MAIN_NAMES: [&str; 6] = ["main", "master", "trunk", "develop", "dev", "next"];

/// Variables that only a build of a change request has.
const OF_REQUESTS: [&str; 8] = [
    "CHANGE_ID",
    "CHANGE_TARGET",
    "CHANGE_BRANCH",
    "CHANGE_URL",
    "CHANGE_TITLE",
    "CHANGE_AUTHOR",
    "CHANGE_FORK",
    "ghprbPullId",
];

/// What the words of a file show of its starts.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is seen or not")]
struct Shown {
    requests: bool,
    /// Several branches are built, the main one among them.
    branches: bool,
    release: bool,
    /// Changes are polled, or the forge tells of them.
    pushes: bool,
    schedule: bool,
    other: bool,
}

/// The name of the main branch that a file speaks of.
pub(super) fn main_branch(tokens: &[Placed]) -> &'static str {
    let named: Vec<String> = (0..tokens.len())
        .filter_map(|at| {
            let text = text(tokens, at)?;
            let near = at.saturating_sub(6)..at;
            let asks = near.filter_map(|before| name(tokens, before)).any(|name| {
                matches!(name, "branch" | "BRANCH_NAME" | "GIT_BRANCH" | "target" | "CHANGE_TARGET")
            });
            asks.then_some(text)
        })
        .collect();
    let is_named = |main: &&str| named.iter().any(|name| name == main);
    MAIN_NAMES.into_iter().find(is_named).unwrap_or(MAIN_NAMES[0])
}

/// On which occasions a file is run, as far as it shows. One that lies among examples shows nothing.
pub(super) fn triggers(tokens: &[Placed], main: &str, aside: bool) -> Occasions {
    let shown = if aside { Shown::default() } else { shown(tokens, main) };
    let unsure = |what: &str| {
        Runs::Unsure(format!(
            "Jenkins decides what starts a Jenkinsfile, and this one does not show that {what}"
        ))
    };
    let if_shown = |is_shown: bool, what: &str| if is_shown { Runs::Yes } else { unsure(what) };
    Occasions::from_fn(|on| match on {
        Occasion::PullRequest => if_shown(shown.requests, "it is run for change requests"),
        Occasion::Main => if_shown(
            shown.branches || shown.requests || shown.pushes,
            "it is run for what comes onto the main branch",
        ),
        Occasion::ReleaseBranch => if_shown(shown.release, "it is run for release branches"),
        Occasion::Branch => unsure("it is run for every branch"),
        Occasion::Tag => Runs::Unsure(
            "Jenkins decides what starts a Jenkinsfile, and whether a tag does no file shows"
                .into(),
        ),
        Occasion::Schedule => if_shown(shown.schedule, "it is run on a schedule"),
        Occasion::Other => if_shown(shown.other, "it is run when another job was"),
        Occasion::Manual => Runs::Yes,
        Occasion::MergeQueue | Occasion::Release => Runs::No,
    })
}

fn name(tokens: &[Placed], at: usize) -> Option<&str> {
    match tokens.get(at).map(|placed| &placed.token) {
        Some(Token::Name(name)) => Some(name),
        _ => None,
    }
}

fn text(tokens: &[Placed], at: usize) -> Option<String> {
    match tokens.get(at).map(|placed| &placed.token) {
        Some(Token::Text(text)) => text.fixed(),
        _ => None,
    }
}

fn is_sign(tokens: &[Placed], at: usize, sign: &str) -> bool {
    matches!(tokens.get(at).map(|placed| &placed.token), Some(Token::Sign(found)) if *found == sign)
}

fn shown(tokens: &[Placed], main: &str) -> Shown {
    let mut shown = Shown::default();
    for (at, placed) in tokens.iter().enumerate() {
        match &placed.token {
            Token::Name(name) => word(&mut shown, tokens, at, name, main),
            Token::Text(text) => {
                for part in &text.parts {
                    let (super::syntax::Part::Text(part) | super::syntax::Part::Code(part)) = part;
                    shown.requests |= OF_REQUESTS.iter().any(|name| part.contains(name));
                    shown.branches |= part.contains("BRANCH_NAME");
                }
            }
            _ => {}
        }
    }
    shown
}

fn word(shown: &mut Shown, tokens: &[Placed], at: usize, word: &str, main: &str) {
    // `image.tag('x')` is no condition.
    let is_member = at.checked_sub(1).is_some_and(|before| is_sign(tokens, before, "."));
    let called = !is_member && (is_sign(tokens, at + 1, "(") || text(tokens, at + 1).is_some());
    match word {
        "changeRequest" if called => shown.requests = true,
        "pullRequest" if is_sign(tokens, at + 1, ".") => shown.requests = true,
        _ if OF_REQUESTS.contains(&word) => shown.requests = true,
        "BRANCH_NAME" | "TAG_NAME" => shown.branches = true,
        "buildingTag" if called => shown.branches = true,
        // `branch: 'main'` is an argument of a checkout.
        "branch" | "tag" if called || name(tokens, at + 1) == Some("pattern") => {
            shown.branches = true;
            let pattern = (at + 1..at + 5).find_map(|at| text(tokens, at)).unwrap_or_default();
            if word == "branch" && pattern != main {
                shown.release |= glob_matches(&pattern.to_lowercase(), "release/1.0")
                    || pattern.to_lowercase().contains("release");
                let names = |branch: &str| glob_matches(&pattern.to_lowercase(), branch);
                shown.requests |= names("pr-1") && !names("topic");
            }
        }
        "pollSCM" | "githubPush" | "bitbucketPush" | "gitHubPushTrigger" | "githubBranches"
            if called =>
        {
            shown.pushes = true;
        }
        "triggerOnPush" if is_true(tokens, at) => shown.pushes = true,
        "triggerOnMergeRequest" if is_true(tokens, at) => shown.requests = true,
        "githubPullRequests" | "githubPullRequest" | "ghprbTrigger" if called => {
            shown.requests = true;
        }
        "cron" | "parameterizedCron" if called => {
            let when = text(tokens, at + 1).or_else(|| text(tokens, at + 2));
            shown.schedule |= when.is_none_or(|when| !when.trim().is_empty());
        }
        "upstream" if called => shown.other = true,
        _ => {}
    }
}

/// `name: true`.
fn is_true(tokens: &[Placed], at: usize) -> bool {
    is_sign(tokens, at + 1, ":") && name(tokens, at + 2) == Some("true")
}
