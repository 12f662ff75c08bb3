//! What a forge says, and what files say beside it.

use lockgate_readiness::finding::{Check, Outcome, Source};
use lockgate_readiness::forge::{About, Answer, Forge, Kind, Said};
use lockgate_readiness::{Assessment, Facts, assess, markdown, sarif};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Files, check, told, tree};

const REVIEW: &str = "branch_protection.review";
const AUTOMATED: &str = "branch_protection.automated_review";
const COMPLIANCE: &str = "branch_protection.compliance";

const OWNED: Files<'static> = &[("CODEOWNERS", "* @acme/platform\n")];

fn answer(about: About, path: &str, said: Said) -> Answer {
    Answer { about, path: path.into(), said, whole: true }
}

fn json_of(value: &Value) -> Said {
    Said::Json(serde_json::to_string_pretty(value).expect("JSON"))
}

/// GitHub with these active rules, and no classic protection.
fn github(rules: &Value) -> Forge {
    let path = "/repos/acme/shop/rules/branches/main";
    let open = json!({"name": "main", "protected": false});
    Forge {
        kind: Kind::Github,
        branch: Some("main".into()),
        answers: vec![
            answer(About::Rules, path, json_of(rules)),
            answer(About::Branch, "/repos/acme/shop/branches/main", json_of(&open)),
        ],
    }
}

/// The same with the classic protection in place of rules.
fn classic(protection: &Value) -> Forge {
    let mut forge = github(&json!([]));
    forge.answers[1].said = json_of(&json!({"name": "main", "protected": true}));
    let path = "/repos/acme/shop/branches/main/protection";
    forge.answers.push(answer(About::Protection, path, json_of(protection)));
    forge
}

fn of(files: Files<'_>, forge: Forge) -> Assessment {
    assess(&tree(files), &Facts { forge: Some(forge), ..Facts::default() })
}

/// Asserts an outcome, a part of the reason, and the place and a part of the line of the first evidence.
fn assert_told(check: &Check, outcome: Outcome, why: &str, place: &str, line: &str) {
    let shown = check.evidence.first();
    let at = shown.map(|one| format!("{}:{}", one.file, one.line)).unwrap_or_default();
    let text = shown.map(|one| one.text.as_str()).unwrap_or_default();
    assert!(
        check.outcome == outcome
            && check.reason.contains(why)
            && at == place
            && text.contains(line),
        "{}: {at} {text}",
        told(check)
    );
}

fn pull_request(count: u32, owners: bool) -> Value {
    json!({"type": "pull_request", "ruleset_id": 7, "ruleset_source_type": "Repository",
        "parameters": {"required_approving_review_count": count, "require_code_owner_review": owners}})
}

const RULES: &str = "github:/repos/acme/shop/rules/branches/main";

#[test]
fn what_the_forge_enforces_is_proven_with_the_line_of_its_answer() {
    let checks = json!({"type": "required_status_checks", "ruleset_id": 7,
        "parameters": {"required_status_checks": [{"context": "all", "integration_id": 1}]}});
    let signed = json!({"type": "required_signatures", "ruleset_id": 7});
    let found = of(&[], github(&json!([pull_request(2, false), checks, signed])));
    let review = check(&found, REVIEW);
    let place = format!("{RULES}:7");
    let why =
        "enforced: GitHub requires 2 approving reviews on main; who may pass it by is not shown";
    assert_told(review, Outcome::Pass, why, &place, "\"required_approving_review_count\": 2");
    assert_eq!(review.evidence[0].source, Source::Forge);
    let why = "enforced: GitHub requires 1 check on main";
    assert_told(
        check(&found, AUTOMATED),
        Outcome::Pass,
        why,
        &format!("{RULES}:17"),
        "\"context\": \"all\"",
    );
    let why = "enforced: GitHub requires signed commits";
    assert_told(
        check(&found, COMPLIANCE),
        Outcome::Pass,
        why,
        &format!("{RULES}:24"),
        "required_signatures",
    );
    let told = serde_json::to_value(&found).unwrap();
    let shown = &told["dimensions"]["branch_protection"]["checks"][0]["evidence"][0];
    assert_eq!(shown["source"], "forge");
    assert_eq!(shown["file"], RULES);
}

#[test]
fn an_answer_is_no_file_in_reports() {
    let forge = || github(&json!([pull_request(0, false)]));
    let found = of(OWNED, forge());
    let report = markdown(&found, None);
    assert!(!report.contains("](github"), "{report}");
    let report = sarif(&found, &[]);
    let results = report["runs"][0]["results"].as_array().unwrap();
    let result = results.iter().find(|result| result["ruleId"] == REVIEW).unwrap();
    let places = result["locations"].as_array().unwrap();
    assert_eq!(places.len(), 1, "{result}");
    assert_eq!(places[0]["physicalLocation"]["artifactLocation"]["uri"], "CODEOWNERS");
    let text = result["message"]["text"].as_str().unwrap();
    assert!(text.contains("/repos/acme/shop/rules/branches/main:7"), "{text}");
    assert_eq!(
        serde_json::to_string(&found).unwrap(),
        serde_json::to_string(&of(OWNED, forge())).unwrap()
    );
}

#[test]
fn where_files_and_forge_differ_both_are_told() {
    let found = of(OWNED, github(&json!([])));
    let review = check(&found, REVIEW);
    let why =
        "GitHub requires no review on main, though files indicate it: everything has an owner";
    assert_told(review, Outcome::Fail, why, &format!("{RULES}:1"), "[]");
    assert_eq!(review.evidence.last().unwrap().file, "CODEOWNERS");
    let queue: Files<'_> = &[(
        ".github/workflows/ci.yml",
        "on: [pull_request, merge_group]\njobs:\n  a: {runs-on: x, steps: [{run: cargo test}]}\n",
    )];
    let found = of(queue, github(&json!([])));
    assert_told(
        check(&found, AUTOMATED),
        Outcome::Fail,
        "though files indicate it: a merge queue",
        &format!("{RULES}:1"),
        "",
    );
    let rulesets: Files<'_> = &[(
        ".github/rulesets/main.json",
        "{\"enforcement\": \"active\", \"rules\": [{\"type\": \"creation\"}]}",
    )];
    let found = of(rulesets, github(&json!([])));
    assert_told(
        check(&found, COMPLIANCE),
        Outcome::Fail,
        "GitHub requires no rule on main, though",
        &format!("{RULES}:1"),
        "",
    );
    // Rulesets that the forge has are in code: that it asks for no signatures beside refutes nothing.
    let found = of(rulesets, github(&json!([{"type": "creation", "ruleset_id": 7}])));
    assert_told(
        check(&found, COMPLIANCE),
        Outcome::Pass,
        "indicated: rulesets in the repository; GitHub requires no",
        ".github/rulesets/main.json:1",
        "",
    );
    // A robot that reviews needs no rule.
    let robot: Files<'_> = &[(".coderabbit.yaml", "reviews: {auto_review: {enabled: true}}\n")];
    let found = of(robot, github(&json!([])));
    assert_told(
        check(&found, AUTOMATED),
        Outcome::Pass,
        "indicated: automated review; GitHub requires no",
        ".coderabbit.yaml:1",
        "",
    );
}

#[test]
fn what_the_forge_does_not_tell_stays_what_files_say() {
    let mut forge = github(&json!([]));
    let why = "GitHub answered 403 to /x: the token needs y";
    forge.answers[0].said = Said::Unknown(why.into());
    let found = of(&[], forge.clone());
    assert_told(check(&found, REVIEW), Outcome::Unknown, why, "", "");
    let found = of(OWNED, forge.clone());
    assert_told(check(&found, REVIEW), Outcome::Pass, why, "CODEOWNERS:1", "");
    assert!(check(&found, REVIEW).reason.starts_with("indicated: everything has an owner; "));
    // A part of the rules proves what is in it, and nothing missing.
    let mut forge = github(&json!([pull_request(1, false)]));
    forge.answers[0].whole = false;
    let found = of(&[], forge);
    assert_eq!(check(&found, REVIEW).outcome, Outcome::Pass);
    assert_told(check(&found, AUTOMATED), Outcome::Unknown, "more rules than are read", "", "");
    for said in
        [Said::Json("[".into()), Said::Json(String::new()), json_of(&json!({"message": "x"}))]
    {
        let mut forge = github(&json!([]));
        forge.answers[0].said = said;
        assert_eq!(check(&of(&[], forge), REVIEW).outcome, Outcome::Unknown);
    }
    let nowhere = Forge { branch: None, ..github(&json!([])) };
    assert_eq!(check(&of(&[], nowhere), REVIEW).outcome, Outcome::Unknown);
}

/// Two rules for one branch, of which one holds nobody.
#[test]
fn rules_of_github_that_hold_nobody_require_nothing() {
    let ruleset = |actors: &Value, enforcement: &str| {
        let value = json!({"id": 7, "enforcement": enforcement, "bypass_actors": actors,
            "rules": [{"type": "pull_request"}]});
        answer(About::Ruleset, "/repos/acme/shop/rulesets/7", json_of(&value))
    };
    let role = |id: u32| json!([{"actor_id": id, "actor_type": "RepositoryRole", "bypass_mode": "always"}]);
    for (actors, outcome, why) in [
        (json!([]), Outcome::Pass, "GitHub requires 1 approving review on main"),
        (role(5), Outcome::Pass, "1 role, team or app may pass it by"),
        (role(4), Outcome::Fail, "whoever may write may pass it by"),
    ] {
        let mut forge = github(&json!([pull_request(1, false)]));
        forge.answers.push(ruleset(&actors, "active"));
        let found = of(&[], forge);
        let review = check(&found, REVIEW);
        assert!(review.outcome == outcome && review.reason.contains(why), "{}", told(review));
    }
    let mut forge = github(&json!([]));
    forge.answers.push(ruleset(&json!([]), "evaluate"));
    let found = of(&[], forge);
    let review = check(&found, REVIEW);
    assert!(
        review.reason.ends_with("a ruleset that does is in the state `evaluate`"),
        "{}",
        told(review)
    );
    // Owners must review, and the files say whether everything has one.
    let owners = || github(&json!([pull_request(0, true)]));
    assert_eq!(check(&of(OWNED, owners()), REVIEW).outcome, Outcome::Pass);
    assert_eq!(check(&of(&[], owners()), REVIEW).outcome, Outcome::Fail);
    // A robot that merges by conditions of its own.
    let tide = json!([{"type": "required_status_checks", "ruleset_id": 7,
        "parameters": {"required_status_checks": [{"context": "tide"}]}}]);
    assert_eq!(check(&of(&[], github(&tide)), REVIEW).outcome, Outcome::Unknown);
}

#[test]
fn the_classic_protection_of_github_is_read() {
    let found = of(
        &[],
        classic(&json!({
            "required_pull_request_reviews": {"required_approving_review_count": 2},
            "required_status_checks": {"strict": true, "contexts": ["ci / all", "DCO"]},
            "required_signatures": {"enabled": false},
            "enforce_admins": {"enabled": false},
        })),
    );
    let review = check(&found, REVIEW);
    assert!(
        review.outcome == Outcome::Pass
            && review.reason
                == "enforced: GitHub requires 2 approving reviews on main; administrators may pass it by",
        "{}",
        told(review)
    );
    assert_eq!(review.evidence[0].file, "github:/repos/acme/shop/branches/main/protection");
    assert_eq!(check(&found, AUTOMATED).outcome, Outcome::Pass);
    let signing = check(&found, COMPLIANCE);
    assert!(signing.reason.contains("requires the check `DCO`"), "{}", told(signing));
    let found = of(&[], classic(&json!({"required_status_checks": null})));
    for id in [REVIEW, AUTOMATED, COMPLIANCE] {
        assert_eq!(check(&found, id).outcome, Outcome::Fail, "{}", told(check(&found, id)));
    }
    // Hidden from the token: not known to be missing, and what the branch itself shows counts.
    let mut forge = classic(&json!({}));
    forge.answers[2].said = Said::Unknown("403".into());
    let shown = json!({"protected": true, "protection": {"enabled": true,
        "required_status_checks": {"enforcement_level": "non_admins", "contexts": ["ci"]}}});
    forge.answers[1].said = json_of(&shown);
    let found = of(&[], forge);
    assert_eq!(check(&found, REVIEW).outcome, Outcome::Unknown);
    assert_eq!(check(&found, AUTOMATED).outcome, Outcome::Pass);
}

fn gitlab(push: &Value, project: &Value, rules: Said, approvals: Said, pushes: Said) -> Forge {
    let at = |last: &str| format!("/projects/acme%2Fshop{last}");
    let protected = json!([{"id": 1, "name": "ma*", "push_access_levels": push}]);
    Forge {
        kind: Kind::Gitlab,
        branch: Some("main".into()),
        answers: vec![
            answer(About::Repository, &at(""), json_of(project)),
            answer(About::Branch, &at("/protected_branches"), json_of(&protected)),
            answer(About::ApprovalRules, &at("/approval_rules"), rules),
            answer(About::Approvals, &at("/approvals"), approvals),
            answer(About::PushRules, &at("/push_rule"), pushes),
        ],
    }
}

#[test]
fn gitlab_enforces_what_nobody_may_push_past() {
    let nobody = json!([{"access_level": 0, "access_level_description": "No one"}]);
    let one_key = json!([{"access_level": 40, "deploy_key_id": 3, "user_id": null}]);
    let maintainers = json!([{"access_level": 40, "user_id": null, "group_id": null}]);
    let strict = json!({"only_allow_merge_if_pipeline_succeeds": true, "allow_merge_on_skipped_pipeline": false});
    let skipped = json!({"only_allow_merge_if_pipeline_succeeds": true, "allow_merge_on_skipped_pipeline": true});
    let loose = json!({"only_allow_merge_if_pipeline_succeeds": false});
    let two =
        || json_of(&json!([{"name": "any", "rule_type": "any_approver", "approvals_required": 2}]));
    let one = || {
        json_of(
            &json!([{"rule_type": "regular", "approvals_required": 1, "protected_branches": [{"name": "main"}]}]),
        )
    };
    let elsewhere = || {
        json_of(
            &json!([{"rule_type": "regular", "approvals_required": 1, "protected_branches": [{"name": "old"}]}]),
        )
    };
    let own = || json_of(&json!({"merge_requests_author_approval": true}));
    let others = || json_of(&json!({"merge_requests_author_approval": false}));
    let dco =
        || json_of(&json!({"reject_unsigned_commits": false, "reject_non_dco_commits": true}));
    let free = || Said::Unknown("no Premium".into());
    let (pass, fail, unknown) = (Outcome::Pass, Outcome::Fail, Outcome::Unknown);
    for (n, (forge, outcomes)) in [
        (gitlab(&nobody, &strict, two(), own(), dco()), [pass, pass, pass]),
        (gitlab(&one_key, &strict, one(), others(), Said::Nothing), [pass, pass, fail]),
        (gitlab(&nobody, &loose, one(), own(), json_of(&Value::Null)), [fail, fail, fail]),
        (gitlab(&nobody, &skipped, elsewhere(), others(), free()), [fail, fail, unknown]),
        (gitlab(&maintainers, &strict, two(), others(), dco()), [fail, fail, pass]),
        (gitlab(&nobody, &json!({}), free(), free(), free()), [unknown, unknown, unknown]),
    ]
    .into_iter()
    .enumerate()
    {
        let found = of(&[], forge);
        let came_out = [REVIEW, AUTOMATED, COMPLIANCE].map(|id| check(&found, id).outcome);
        assert_eq!(came_out, outcomes, "{n}: {}", told(check(&found, REVIEW)));
    }
    let found = of(&[], gitlab(&maintainers, &strict, two(), others(), dco()));
    let why = "GitLab lets Maintainers push to main without a merge request";
    let place = "gitlab:/projects/acme%2Fshop/protected_branches:7";
    assert_told(check(&found, REVIEW), fail, why, place, "\"access_level\": 40");
    let mut open = gitlab(&nobody, &strict, two(), others(), dco());
    open.answers[1].said = json_of(&json!([{"name": "old", "push_access_levels": []}]));
    let found = of(OWNED, open);
    let why = "GitLab does not protect main: whoever may push may push to it, though files";
    assert_told(
        check(&found, REVIEW),
        fail,
        why,
        "gitlab:/projects/acme%2Fshop/protected_branches:1",
        "[",
    );
}

#[test]
fn policies_of_azure_devops_count_when_they_block() {
    const REVIEWERS: &str = "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd";
    const BUILD: &str = "0609b952-1397-4640-95ec-e00a01b2c241";
    const STATUS: &str = "CBDC66DA-9728-4af8-aada-9a5a32e4a226";
    const NAMED: &str = "fd2167ab-b0be-447a-8ec8-39368250530e";
    let policy = |id: &str, blocks: bool, settings: Value| json!({"isEnabled": true, "isBlocking": blocks, "isDeleted": false, "type": {"id": id}, "settings": settings});
    let reviewers = |count: u32, own: bool, blocks: bool| {
        policy(REVIEWERS, blocks, json!({"minimumApproverCount": count, "creatorVoteCounts": own}))
    };
    let off =
        json!({"isEnabled": false, "isBlocking": true, "type": {"id": BUILD}, "settings": {}});
    let (pass, fail) = (Outcome::Pass, Outcome::Fail);
    for (policies, outcomes) in [
        (
            json!([
                reviewers(1, false, true),
                policy(BUILD, true, json!({"buildDefinitionId": 3}))
            ]),
            [pass, pass, fail],
        ),
        (
            json!([reviewers(1, true, true), policy(STATUS, true, json!({"statusName": "dco"}))]),
            [fail, pass, pass],
        ),
        (json!([reviewers(2, true, true), off]), [pass, fail, fail]),
        (json!([reviewers(2, false, false)]), [fail, fail, fail]),
        (
            json!([policy(
                NAMED,
                true,
                json!({"requiredReviewerIds": ["a"], "filenamePatterns": []})
            )]),
            [pass, fail, fail],
        ),
        (
            json!([policy(
                NAMED,
                true,
                json!({"requiredReviewerIds": ["a"], "filenamePatterns": ["/db/*"]})
            )]),
            [fail, fail, fail],
        ),
        (json!([]), [fail, fail, fail]),
    ] {
        let path = "/acme/shop/_apis/git/policy/configurations";
        let forge = Forge {
            kind: Kind::AzureDevops,
            branch: Some("main".into()),
            answers: vec![answer(About::Policies, path, json_of(&policies))],
        };
        let found = of(&[], forge);
        let came_out = [REVIEW, AUTOMATED, COMPLIANCE].map(|id| check(&found, id).outcome);
        assert_eq!(came_out, outcomes, "{policies}");
        let shown = &check(&found, REVIEW).evidence[0].file;
        assert_eq!(shown, "azure_devops:/acme/shop/_apis/git/policy/configurations");
    }
}

/// Pieces of what forges answer, put together as nobody would.
fn piece() -> impl Strategy<Value = String> {
    let words = "type|pull_request|parameters|required_approving_review_count|required_status_checks|contexts|name|main|push_access_levels|access_level|approvals_required|settings|isEnabled|isBlocking|enforcement|rules";
    prop_oneof![
        3 => proptest::sample::select(words.split('|').collect::<Vec<_>>()).prop_map(|word| format!("\"{word}\"")),
        4 => proptest::sample::select(vec!["{", "}", "[", "]", ":", ",", "true", "null", "1", "-1", "\n", "&a", "*a"]).prop_map(str::to_owned),
        1 => ".{0,6}",
    ]
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(pieces in proptest::collection::vec(piece(), 0..40)) {
        let text = pieces.concat();
        for kind in [Kind::Github, Kind::Gitlab, Kind::AzureDevops] {
            let all = [About::Repository, About::Branch, About::Rules, About::Ruleset, About::Protection, About::Approvals, About::ApprovalRules, About::PushRules, About::Policies];
            let answers = all.map(|about| answer(about, "/x", Said::Json(text.clone()))).to_vec();
            of(OWNED, Forge { kind, branch: Some("main".into()), answers });
        }
    }
}

#[test]
fn github_says_whether_it_requires_the_status_of_codecov() {
    let ci = "on: pull_request\njobs: {a: {runs-on: x, steps: [{run: cargo test}, {uses: codecov/codecov-action@v5}]}}\n";
    let codecov = "coverage: {status: {project: {default: {target: 85%}}}}\n";
    let files: Files<'_> = &[(".github/workflows/ci.yml", ci), (".codecov.yml", codecov)];
    let required = |name: &str| {
        json!([{"type": "required_status_checks", "ruleset_id": 7,
            "parameters": {"required_status_checks": [{"context": name}]}}])
    };
    for (rules, expected, says) in [
        (required("codecov/project"), Outcome::Pass, "GitHub requires `codecov/project` on main"),
        (required("ci"), Outcome::Fail, "runs but does not block: GitHub requires no check"),
    ] {
        let found = of(files, github(&rules));
        let threshold = check(&found, "tests.coverage_threshold");
        assert_eq!(threshold.outcome, expected, "{}", threshold.reason);
        assert!(threshold.reason.contains(says), "{}", threshold.reason);
        assert_eq!(threshold.evidence[0].file, ".codecov.yml");
    }
}
