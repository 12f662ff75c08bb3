//! What forges say of a branch: a line with the forge's name, then one of JSON for each answer. Whatever it is, it comes to findings.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_readiness::forge::{About, Answer, Forge, Kind, Said};
use lockgate_readiness::tree::Tree;
use lockgate_readiness::{Facts, assess};

const ABOUT: [About; 9] = [
    About::Repository,
    About::Branch,
    About::Rules,
    About::Ruleset,
    About::Protection,
    About::Approvals,
    About::ApprovalRules,
    About::PushRules,
    About::Policies,
];

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let kind = match lines.next() {
        Some("github") => Kind::Github,
        Some("gitlab") => Kind::Gitlab,
        _ => Kind::AzureDevops,
    };
    let answers: Vec<Answer> = lines.take(64).filter_map(answer).collect();
    let tree: Tree = [("CODEOWNERS", "* @a/b\n"), ("src/lib.rs", "fn a() {}\n")].into_iter().collect();
    for whole in [true, false] {
        let answers = answers.iter().cloned().map(|answer| Answer { whole, ..answer }).collect();
        let forge = Some(Forge { kind, branch: Some("main".into()), answers });
        let facts = Facts { forge, ..Facts::default() };
        let found = assess(&tree, &facts);
        assert_eq!(found, assess(&tree, &facts));
    }
});

/// `3 {…}`: an answer about the third thing; one that is no JSON is none.
fn answer(line: &str) -> Option<Answer> {
    let (about, said) = line.split_at_checked(1)?;
    let about = *ABOUT.get(about.parse::<usize>().ok()?)?;
    let said = match serde_json::from_str::<serde_json::Value>(said) {
        Ok(value) => Said::Json(serde_json::to_string_pretty(&value).ok()?),
        Err(_) if said.trim().is_empty() => Said::Nothing,
        Err(_) => Said::Unknown(said.to_owned()),
    };
    Some(Answer { about, path: "/repos/a/b".into(), said, whole: true })
}
