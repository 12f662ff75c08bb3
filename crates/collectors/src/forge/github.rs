//! GitHub's REST API, version 2022-11-28: rules and rulesets, then the classic protection of branches.

use lockgate_readiness::forge::{About, Answer, Forge, Kind, Said};
use serde_json::Value;

use super::Reply;
use super::api::{Api, Paging, Refusal};

/// Rulesets that are looked into.
const RULESETS_MAX: usize = 20;

const METADATA: &str =
    "read access to the repository (fine-grained: Metadata, read; classic: `repo`)";
const CONTENTS: &str = "read access to code (fine-grained: Contents, read; classic: `repo`)";
const ADMINISTRATION: &str = "the right to read its administration (fine-grained: Administration, read; classic: `repo` of an administrator)";

pub(super) async fn ask(api: &Api, owner: &str, name: &str) -> Forge {
    let base = ["repos", owner, name];
    let at = |more: &[&'static str]| -> Vec<&str> { [&base[..], more].concat() };
    let repository = api.get(&base, &[]).await;
    let branch = main_branch(&repository);
    let mut answers = vec![repository.answer(api, About::Repository, METADATA)];
    let Some(branch) = branch else {
        return Forge { kind: Kind::Github, branch: None, answers };
    };
    let path: Vec<&str> = [&at(&["rules", "branches"])[..], &[&branch]].concat();
    let rules = api.list(&path, &[], Paging::Numbers).await;
    let path: Vec<&str> = [&at(&["branches"])[..], &[&branch]].concat();
    let of_branch = api.get(&path, &[]).await;
    let is_open =
        of_branch.said.as_ref().is_ok_and(|of| of.get("protected") == Some(&false.into()));
    let protection = if is_open {
        None
    } else {
        let path: Vec<&str> = [&at(&["branches"])[..], &[&branch, "protection"]].concat();
        Some(classic(api, api.get(&path, &[]).await))
    };
    let parents = [("includes_parents", "true")];
    let rulesets = api.list(&at(&["rulesets"]), &parents, Paging::Numbers).await;
    let mut details = Vec::new();
    for id in ids(&rules, &rulesets) {
        let path: Vec<&str> = [&at(&["rulesets"])[..], &[&id]].concat();
        let reply = api.get(&path, &parents).await;
        details.push(reply.answer(api, About::Ruleset, METADATA));
    }
    answers.push(rules.answer(api, About::Rules, METADATA));
    answers.push(of_branch.answer(api, About::Branch, CONTENTS));
    answers.extend(protection);
    answers.extend(details);
    Forge { kind: Kind::Github, branch: Some(branch), answers }
}

fn main_branch(repository: &Reply) -> Option<String> {
    let name = repository.said.as_ref().ok()?.get("default_branch")?.as_str()?;
    Some(name.to_owned()).filter(|name| !name.is_empty())
}

/// A branch that is not protected is told from one that this token may not look into by what is said beside 404.
fn classic(api: &Api, reply: Reply) -> Answer {
    let is_none = matches!(&reply.said, Err(Refusal::Status { status: 404, message })
        if message.eq_ignore_ascii_case("Branch not protected"));
    let mut answer = reply.answer(api, About::Protection, ADMINISTRATION);
    if is_none {
        answer.said = Said::Nothing;
    }
    answer
}

/// The rulesets to look into: those whose rules are active, and those that sleep.
fn ids(rules: &Reply, rulesets: &Reply) -> Vec<String> {
    let items = |reply: &Reply| match &reply.said {
        Ok(Value::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    let active = items(rules).into_iter().map(|rule| rule.get("ruleset_id").cloned());
    let asleep = items(rulesets).into_iter().filter_map(|ruleset| {
        let state = ruleset.get("enforcement")?.as_str()?;
        let is_of_branches = ruleset.get("target").is_none_or(|target| target == "branch");
        (state != "active" && is_of_branches).then(|| ruleset.get("id").cloned())
    });
    let mut ids: Vec<String> = Vec::new();
    for id in active.chain(asleep).flatten().filter_map(|id| id.as_u64()) {
        let id = id.to_string();
        if !ids.contains(&id) && ids.len() < RULESETS_MAX {
            ids.push(id);
        }
    }
    ids
}
