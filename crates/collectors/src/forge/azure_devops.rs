//! The REST API of Azure DevOps, version 7.1: the repository, and the policies that apply to its main branch.

use lockgate_readiness::forge::{About, Forge, Kind};

use super::api::{Api, Paging};

const CODE: &str = "the scope Code (read)";
const VERSION: (&str, &str) = ("api-version", "7.1");

pub(super) async fn ask(api: &Api, organization: &str, project: &str, name: &str) -> Forge {
    let base = [organization, project, "_apis", "git"];
    let path: Vec<&str> = [&base[..], &["repositories", name]].concat();
    let repository = api.get(&path, &[VERSION]).await;
    let found = repository.said.as_ref().ok().and_then(|repository| {
        let text = |key: &str| repository.get(key)?.as_str().map(str::to_owned);
        Some((text("id")?, text("defaultBranch")?))
    });
    let mut answers = vec![repository.answer(api, About::Repository, CODE)];
    let mut branch = None;
    if let Some((id, full)) = found {
        let path: Vec<&str> = [&base[..], &["policy", "configurations"]].concat();
        let query = [VERSION, ("repositoryId", &id), ("refName", &full)];
        let policies = api.list(&path, &query, Paging::Continuation).await;
        answers.push(policies.answer(api, About::Policies, CODE));
        branch = Some(full.strip_prefix("refs/heads/").unwrap_or(&full).to_owned());
    }
    Forge { kind: Kind::AzureDevops, branch, answers }
}
