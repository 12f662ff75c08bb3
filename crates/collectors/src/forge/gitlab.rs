//! GitLab's REST API, version 4: the project's settings, protected branches, approvals and push rules.

use lockgate_readiness::forge::{About, Forge, Kind};

use super::api::{Api, Paging};

const PROJECT: &str = "the scope `read_api`, of a member of the project";
const MAINTAINER: &str = "the scope `read_api` and the role Maintainer";
const PREMIUM: &str = "the scope `read_api` and the role Maintainer, in a project with GitLab Premium, without which there is no such rule";

pub(super) async fn ask(api: &Api, repository: &str) -> Forge {
    let base = ["projects", repository];
    let project = api.get(&base, &[]).await;
    let branch = project.said.as_ref().ok().and_then(|project| {
        let name = project.get("default_branch")?.as_str()?;
        Some(name.to_owned()).filter(|name| !name.is_empty())
    });
    let mut answers = vec![project.answer(api, About::Repository, PROJECT)];
    if branch.is_some() {
        let at = |last: &'static str| [&base[..], &[last]].concat();
        let protected = api.list(&at("protected_branches"), &[], Paging::Numbers).await;
        answers.push(protected.answer(api, About::Branch, MAINTAINER));
        let rules = api.list(&at("approval_rules"), &[], Paging::Numbers).await;
        answers.push(rules.answer(api, About::ApprovalRules, PREMIUM));
        let approvals = api.get(&at("approvals"), &[]).await;
        answers.push(approvals.answer(api, About::Approvals, PREMIUM));
        let pushes = api.get(&at("push_rule"), &[]).await;
        answers.push(pushes.answer(api, About::PushRules, PREMIUM));
    }
    Forge { kind: Kind::Gitlab, branch, answers }
}
