//! Forges asked over HTTP, as they answer on good days and on bad ones.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockgate_collectors::{ForgeError, Question, Token, forge};
use lockgate_readiness::finding::{Check, Outcome};
use lockgate_readiness::forge::{About, Forge, Kind, Said};
use lockgate_readiness::tree::Tree;
use lockgate_readiness::{Facts, assess};
use serde_json::{Value, json};

use crate::fake::{Fake, Reply};

/// Found in nothing that is told.
const TOKEN: &str = "example-token-of-a-test";

const REPOSITORY: &str = "/repos/acme/shop";
const RULES: &str = "/repos/acme/shop/rules/branches/main";
const BRANCH: &str = "/repos/acme/shop/branches/main";
const PROTECTION: &str = "/repos/acme/shop/branches/main/protection";
const RULESETS: &str = "/repos/acme/shop/rulesets";

fn question(kind: Kind, repository: &str, url: &str) -> Question {
    Question {
        kind,
        repository: repository.into(),
        url: Some(url.parse().expect("an address")),
        token: Some(Token::new(TOKEN.into()).expect("a token")),
    }
}

async fn ask(kind: Kind, repository: &str, fake: &Fake) -> Forge {
    let found = forge(&question(kind, repository, &fake.url)).await.expect("it can be asked");
    assert!(!format!("{found:?}").contains(TOKEN), "the token is told");
    found
}

async fn github(replies: Vec<(&str, Vec<Reply>)>) -> (Forge, Fake) {
    let fake = Fake::start(replies).await;
    (ask(Kind::Github, "acme/shop", &fake).await, fake)
}

fn ok(body: &Value) -> Vec<Reply> {
    vec![Reply::new(200, body.to_string())]
}

fn said(forge: &Forge, about: About) -> &Said {
    &forge.answers.iter().find(|answer| answer.about == about).expect("an answer").said
}

fn why(forge: &Forge, about: About) -> &str {
    match said(forge, about) {
        Said::Unknown(why) => why,
        other => panic!("{other:?}"),
    }
}

fn check(forge: Forge, id: &str) -> Check {
    let facts = Facts { forge: Some(forge), ..Facts::default() };
    assess(&Tree::default(), &facts).check(id).expect("a check").clone()
}

/// As GitHub answers for a repository with one ruleset.
fn shop() -> Vec<(&'static str, Vec<Reply>)> {
    vec![
        (REPOSITORY, ok(&json!({"full_name": "acme/shop", "default_branch": "main"}))),
        (
            RULES,
            ok(&json!([{"type": "pull_request", "ruleset_source_type": "Repository",
            "ruleset_source": "acme/shop", "ruleset_id": 42,
            "parameters": {"required_approving_review_count": 2, "require_code_owner_review": false}}])),
        ),
        (
            BRANCH,
            ok(&json!({"name": "main", "protected": true,
            "protection": {"enabled": false, "required_status_checks": {"enforcement_level": "off", "contexts": []}}})),
        ),
        (
            PROTECTION,
            vec![Reply::new(404, r#"{"message": "Branch not protected", "status": "404"}"#)],
        ),
        (
            RULESETS,
            ok(&json!([{"id": 42, "name": "main", "target": "branch", "enforcement": "active"},
            {"id": 43, "name": "later", "target": "branch", "enforcement": "evaluate"},
            {"id": 44, "name": "tags", "target": "tag", "enforcement": "disabled"}])),
        ),
        (
            "/repos/acme/shop/rulesets/42",
            ok(&json!({"id": 42, "enforcement": "active", "bypass_actors": [
            {"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}], "rules": []})),
        ),
        (
            "/repos/acme/shop/rulesets/43",
            ok(&json!({"id": 43, "enforcement": "evaluate", "rules": []})),
        ),
    ]
}

/// The same with other answers to one path.
fn but(path: &'static str, replies: Vec<Reply>) -> Vec<(&'static str, Vec<Reply>)> {
    let mut all = shop();
    all.retain(|(other, _)| *other != path);
    all.push((path, replies));
    all
}

#[tokio::test]
async fn github_is_asked_for_rules_first_and_then_for_classic_protection() {
    let (found, fake) = github(shop()).await;
    assert_eq!(
        fake.paths(),
        [
            "/repos/acme/shop".to_owned(),
            format!("{RULES}?per_page=100&page=1"),
            BRANCH.to_owned(),
            PROTECTION.to_owned(),
            format!("{RULESETS}?includes_parents=true&per_page=100&page=1"),
            format!("{RULESETS}/42?includes_parents=true"),
            format!("{RULESETS}/43?includes_parents=true"),
        ]
    );
    let bearer = format!("Bearer {TOKEN}");
    assert!(fake.asked().iter().all(|asked| asked.authorization.as_ref() == Some(&bearer)));
    assert_eq!(found.branch.as_deref(), Some("main"));
    assert_eq!(said(&found, About::Protection), &Said::Nothing);
    let review = check(found.clone(), "branch_protection.review");
    assert_eq!(review.outcome, Outcome::Pass, "{review:?}");
    assert_eq!(
        review.reason,
        "enforced: GitHub requires 2 approving reviews on main; 1 role, team or app may pass it by"
    );
    assert_eq!(review.evidence[0].file, format!("github:{RULES}"));
    assert_eq!(review.evidence[0].text, "\"required_approving_review_count\": 2,");
    let checks = check(found, "branch_protection.automated_review");
    assert_eq!(checks.outcome, Outcome::Fail, "{checks:?}");
}

#[tokio::test]
async fn names_are_escaped_and_without_a_token_nothing_is_sent() {
    let branch = "release/1 ?x";
    let fake =
        Fake::start(vec![("/api/repos/acme/shop", ok(&json!({"default_branch": branch})))]).await;
    let url = format!("{}/api/", fake.url);
    let asked = Question { token: None, ..question(Kind::Github, "acme/shop", &url) };
    let found = forge(&asked).await.unwrap();
    assert_eq!(found.branch.as_deref(), Some(branch));
    let escaped = "/api/repos/acme/shop/rules/branches/release%2F1%20%3Fx?per_page=100&page=1";
    assert_eq!(fake.paths()[1], escaped);
    assert!(fake.asked().iter().all(|asked| asked.authorization.is_none()));
    assert!(
        why(&found, About::Rules)
            .contains("asked without a token: give `--token env:NAME` with read access")
    );
    assert_eq!(found.answers[1].path, "/repos/acme/shop/rules/branches/release%2F1%20%3Fx");
}

#[tokio::test]
async fn a_refusal_is_unknown_with_what_to_grant() {
    let no = |status| vec![Reply::new(status, r#"{"message": "no"}"#)];
    for (status, told) in [
        (
            401,
            "GitHub does not accept the token: give `--token env:NAME` with the right to read its administration",
        ),
        (
            403,
            "GitHub answered 403 to /repos/acme/shop/branches/main/protection: the token needs the right to read its administration (fine-grained: Administration, read",
        ),
        (404, "it is not there, or the token may not see it and needs the right to read"),
        (500, "GitHub answered 500 to /repos/acme/shop/branches/main/protection: ask again later"),
        (418, "GitHub answered 418 to"),
    ] {
        let (found, _fake) = github(but(PROTECTION, no(status))).await;
        assert!(why(&found, About::Protection).contains(told), "{found:?}");
        assert_eq!(check(found.clone(), "branch_protection.review").outcome, Outcome::Pass);
        let checks = check(found, "branch_protection.automated_review");
        assert!(checks.outcome == Outcome::Unknown && checks.reason.contains(told), "{checks:?}");
    }
    let (found, fake) = github(but(REPOSITORY, no(401))).await;
    assert_eq!((found.branch, fake.asked().len()), (None, 1));
    let fake = Fake::start(vec![]).await;
    let found = ask(Kind::Gitlab, "acme/shop", &fake).await;
    assert!(why(&found, About::Repository).contains("the scope `read_api`"), "{found:?}");
    let fake = Fake::start(vec![(
        "/acme/shop/_apis/git/repositories/api",
        vec![Reply::new(203, "<html>")],
    )])
    .await;
    let found = ask(Kind::AzureDevops, "acme/shop/api", &fake).await;
    assert_eq!(
        why(&found, About::Repository),
        "Azure DevOps does not accept the token: give `--token env:NAME` with the scope Code (read)"
    );
}

#[tokio::test]
async fn who_asks_too_often_waits_a_little_and_not_for_long() {
    let busy = |after: u64| Reply::new(429, "{}").with("retry-after", after.to_string());
    let used_up = Reply::new(403, r#"{"message": "rate limit"}"#)
        .with("x-ratelimit-remaining", "0")
        .with("x-ratelimit-reset", "1000000");
    let secondary = Reply::new(403, "{}").with("retry-after", "0");
    let rules = ok(&json!([{"type": "merge_queue", "ruleset_id": 42}]));
    let times = |fake: &Fake| fake.paths().iter().filter(|path| path.starts_with(RULES)).count();
    for before in [vec![busy(0), busy(0)], vec![used_up.clone(), secondary.clone()]] {
        let (found, fake) = github(but(RULES, [before, rules.clone()].concat())).await;
        assert_eq!(times(&fake), 3);
        assert_eq!(check(found, "branch_protection.automated_review").outcome, Outcome::Pass);
    }
    let (found, fake) = github(but(RULES, vec![busy(0)])).await;
    assert_eq!(times(&fake), 3, "no more often");
    assert!(why(&found, About::Rules).contains("is asked too often (429): ask again later"));
    let (found, fake) = github(but(RULES, vec![busy(3600)])).await;
    assert_eq!(times(&fake), 1, "an hour is not waited");
    assert!(why(&found, About::Rules).contains("is asked too often (429): ask again in 3600 s"));
}

#[tokio::test]
async fn pages_are_asked_for_by_number_and_not_for_ever() {
    let many = |count: usize, kind: &str| {
        let rule = json!({"type": kind, "ruleset_id": 42});
        Reply::new(200, Value::Array(vec![rule; count]).to_string())
    };
    // The address of the next page is that of another host, which nobody asks.
    let other = Fake::start(vec![]).await;
    let next = format!("<{}/x?page=2>; rel=\"next\"", other.url);
    let pages =
        vec![many(2, "creation").with("link", next.as_str()), many(1, "required_signatures")];
    let (found, fake) = github(but(RULES, pages)).await;
    assert_eq!(fake.paths()[2], format!("{RULES}?per_page=100&page=2"));
    assert!(other.asked().is_empty());
    assert_eq!(check(found, "branch_protection.compliance").outcome, Outcome::Pass);
    let (found, fake) = github(but(RULES, vec![many(100, "creation")])).await;
    assert_eq!(fake.paths().iter().filter(|path| path.starts_with(RULES)).count(), 10);
    let rules = found.answers.iter().find(|answer| answer.about == About::Rules).unwrap();
    assert!(!rules.whole);
    let signing = check(found, "branch_protection.compliance");
    assert!(
        signing.outcome == Outcome::Unknown && signing.reason.contains("more rules than are read")
    );
    // What was read before a page fails is still shown.
    let broken =
        vec![many(1, "required_signatures").with("link", next.as_str()), Reply::new(500, "")];
    let (found, _fake) = github(but(RULES, broken)).await;
    assert_eq!(check(found.clone(), "branch_protection.compliance").outcome, Outcome::Pass);
    assert_eq!(check(found, "branch_protection.review").outcome, Outcome::Unknown);
}

#[tokio::test]
async fn a_redirect_is_followed_within_the_host_only() {
    let other = Fake::start(vec![]).await;
    let away = vec![Reply::new(302, "").with("location", format!("{}{RULES}", other.url))];
    let (found, _fake) = github(but(RULES, away)).await;
    assert!(other.asked().is_empty(), "the token went to another host: {:?}", other.asked());
    assert!(why(&found, About::Rules).contains("leads to another host, where nothing is asked"));
    let moved = vec![Reply::new(301, "").with("location", "/repositories/1")];
    let mut replies = but(REPOSITORY, moved);
    replies.push(("/repositories/1", ok(&json!({"default_branch": "main"}))));
    let (found, fake) = github(replies).await;
    assert_eq!(found.branch.as_deref(), Some("main"));
    assert_eq!(fake.asked()[1].authorization, Some(format!("Bearer {TOKEN}")));
    let (found, fake) =
        github(but(REPOSITORY, vec![Reply::new(302, "").with("location", REPOSITORY)])).await;
    assert!(found.branch.is_none() && fake.asked().len() == 4, "a circle ends: {:?}", fake.paths());
}

#[tokio::test]
async fn what_is_huge_or_broken_is_unknown() {
    let huge = format!("[{}]", "\"x\",".repeat(1_500_000));
    let deep = "[".repeat(100_000);
    for (body, told) in [
        (huge.as_str(), "answers with more than the 4 MiB that are read"),
        (&deep, "answers with something that is not JSON"),
        ("", "answers with something that is not JSON"),
        ("<html>", "answers with something that is not JSON"),
        ("[{\"type\": \"merge_queue\"", "answers with something that is not JSON"),
        ("{}", "answers with something that is no list"),
    ] {
        let (found, _fake) = github(but(RULES, vec![Reply::new(200, body)])).await;
        assert!(why(&found, About::Rules).contains(told), "{:?}", why(&found, About::Rules));
        assert_eq!(check(found, "branch_protection.review").outcome, Outcome::Unknown);
    }
    for body in ["[]", "{}", "{\"default_branch\": 1}", "{\"default_branch\": \"\"}"] {
        let (found, _fake) = github(but(REPOSITORY, vec![Reply::new(200, body)])).await;
        assert_eq!(check(found, "branch_protection.review").outcome, Outcome::Unknown, "{body}");
    }
    let gone = question(Kind::Github, "acme/shop", "http://127.0.0.1:9");
    let found = forge(&gone).await.unwrap();
    assert!(why(&found, About::Repository).contains("cannot be reached"), "{found:?}");
}

#[tokio::test]
async fn a_forge_that_repeats_the_token_is_not_repeated() {
    let echo = json!([{"type": "required_status_checks", "ruleset_id": 42,
        "parameters": {"required_status_checks": [{"context": format!("dco {TOKEN}")}]}}]);
    let (found, _fake) = github(but(RULES, ok(&echo))).await;
    assert!(why(&found, About::Rules).contains("repeats the token"));
    // Nor is what would be asked for next.
    for branch in [TOKEN.to_owned(), STANDARD.encode(TOKEN), STANDARD.encode(format!(":{TOKEN}"))] {
        let replies = but(REPOSITORY, ok(&json!({"default_branch": branch})));
        let (found, fake) = github(replies).await;
        assert!(why(&found, About::Repository).contains("repeats the token"));
        assert_eq!((found.branch.as_ref(), fake.paths().len()), (None, 1));
        assert!(!format!("{found:?}").contains(branch.trim_end_matches('=')), "{found:?}");
    }
    let refused = vec![Reply::new(403, json!({"message": format!("bad {TOKEN}")}).to_string())];
    let (found, _fake) = github(but(PROTECTION, refused)).await;
    assert!(!why(&found, About::Protection).contains("bad"));
    assert!(!format!("{:?}", question(Kind::Github, "a/b", "http://[::1]:1")).contains(TOKEN));
}

#[tokio::test]
async fn gitlab_is_asked_for_all_that_decides() {
    let at = "/api/v4/projects/acme%2Fteam%2Fshop";
    let paths: Vec<String> =
        ["", "/protected_branches", "/approval_rules", "/approvals", "/push_rule"]
            .map(|last| format!("{at}{last}"))
            .into();
    let fake = Fake::start(vec![
        (&paths[0], ok(&json!({"path_with_namespace": "acme/team/shop", "default_branch": "main",
            "only_allow_merge_if_pipeline_succeeds": true, "allow_merge_on_skipped_pipeline": null}))),
        (&paths[1], ok(&json!([{"id": 1, "name": "main", "allow_force_push": false,
            "push_access_levels": [{"id": 1, "access_level": 0, "access_level_description": "No one", "user_id": null}],
            "merge_access_levels": [{"id": 1, "access_level": 30}]}]))),
        (&paths[2], ok(&json!([{"id": 1, "name": "All Members", "rule_type": "any_approver", "approvals_required": 1}]))),
        (&paths[3], ok(&json!({"merge_requests_author_approval": false}))),
        (&paths[4], ok(&Value::Null)),
    ])
    .await;
    let mut asked = question(Kind::Gitlab, "acme/team/shop", &fake.url);
    asked.url = Some(format!("{}/api/v4", fake.url).parse().unwrap());
    let found = forge(&asked).await.unwrap();
    assert_eq!(fake.asked().len(), 5);
    for (id, outcome, file) in [
        ("branch_protection.review", Outcome::Pass, "/approval_rules"),
        ("branch_protection.automated_review", Outcome::Pass, ""),
        ("branch_protection.compliance", Outcome::Fail, "/push_rule"),
    ] {
        let check = check(found.clone(), id);
        assert_eq!(check.outcome, outcome, "{check:?}");
        assert_eq!(check.evidence[0].file, format!("gitlab:/projects/acme%2Fteam%2Fshop{file}"));
    }
    // Without Premium there are no such rules, or none for this token: neither is known.
    let (project, protected) = (paths[0].as_str(), paths[1].as_str());
    let fake = Fake::start(vec![
        (project, ok(&json!({"default_branch": "main"}))),
        (protected, ok(&json!([{"name": "main", "push_access_levels": [{"access_level": 0}]}]))),
    ])
    .await;
    asked.url = Some(format!("{}/api/v4", fake.url).parse().unwrap());
    let review = check(forge(&asked).await.unwrap(), "branch_protection.review");
    assert!(
        review.outcome == Outcome::Unknown && review.reason.contains("GitLab Premium"),
        "{review:?}"
    );
}

#[tokio::test]
async fn azure_devops_is_asked_for_policies_of_the_branch() {
    let repository = "/acme/web%20shop/_apis/git/repositories/api";
    let policies = "/acme/web%20shop/_apis/git/policy/configurations";
    let page = |id: &str, settings: Value| {
        let policy = json!({"isEnabled": true, "isBlocking": true, "isDeleted": false, "type": {"id": id}, "settings": settings});
        Reply::new(200, json!({"count": 1, "value": [policy]}).to_string())
    };
    let first = page("fa4e907d-c16b-4a4c-9dfa-4906e5d171dd", json!({"minimumApproverCount": 2}))
        .with("x-ms-continuationtoken", "7");
    let second = page("0609b952-1397-4640-95ec-e00a01b2c241", json!({"buildDefinitionId": 3}));
    let fake = Fake::start(vec![
        (repository, ok(&json!({"id": "0a1b", "name": "api", "defaultBranch": "refs/heads/main"}))),
        (policies, vec![first, second]),
    ])
    .await;
    let found = ask(Kind::AzureDevops, "acme/web shop/api", &fake).await;
    let query = "api-version=7.1&repositoryId=0a1b&refName=refs%2Fheads%2Fmain&%24top=100";
    assert_eq!(fake.paths()[1], format!("{policies}?{query}"));
    assert_eq!(fake.paths()[2], format!("{policies}?{query}&continuationToken=7"));
    assert_eq!(found.branch.as_deref(), Some("main"));
    assert!(
        fake.asked()[0].authorization.as_ref().is_some_and(|header| header.starts_with("Basic "))
    );
    for id in ["branch_protection.review", "branch_protection.automated_review"] {
        assert_eq!(check(found.clone(), id).outcome, Outcome::Pass);
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_an_error() {
    let names: [(Kind, &[&str]); 3] = [
        (
            Kind::Github,
            &["shop", "acme/shop/x", "acme/..", "acme/", "a b/c", "acme/shop?x", "acme/shop#x"],
        ),
        (Kind::Gitlab, &["shop", "acme//shop", "/acme/shop"]),
        (Kind::AzureDevops, &["acme/shop", "acme/web shop/api/x"]),
    ];
    for (kind, names) in names {
        for name in names {
            let asked = forge(&question(kind, name, "http://127.0.0.1:9")).await;
            assert!(matches!(asked, Err(ForgeError::Repository { .. })), "{name}: {asked:?}");
        }
    }
    for (url, part) in [
        ("http://forge.example.com/", "plain HTTP"),
        ("http://127.0.0.1.example.com/", "plain HTTP"),
        ("https://user:password@forge.example.com", "holds credentials"),
        ("https://forge.example.com/?x=1", "has a query"),
        ("ftp://forge.example.com", "is none"),
    ] {
        let error = forge(&question(Kind::Github, "acme/shop", url)).await.unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains("password"), "{url}: {error}");
    }
}
