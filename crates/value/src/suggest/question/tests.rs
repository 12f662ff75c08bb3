//! Worked by hand. Of 73 that were all granted, the lower end of Wilson's interval is 73 / (73 + 1.96²) = 0.95000…, of 72
//! it is 0.9493.

use super::*;

fn name(agent: &str) -> AgentName {
    agent.parse().unwrap()
}

fn some(count: usize, action: &str, came_to: CameTo) -> Vec<Question> {
    let one = Question {
        agent: name("support"),
        tool: "orders".into(),
        action: action.into(),
        rules: vec!["asks".into()],
        came_to,
        waited_ms: matches!(came_to, CameTo::Granted | CameTo::Denied).then_some(4_000),
    };
    vec![one; count]
}

fn told(questions: &[Question], bars: &[Bar]) -> Asked {
    let mut all = asked(questions, bars, |_| true, |_| true);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn what_was_always_granted_is_asked_no_more() {
    let found = told(&some(73, "refund", CameTo::Granted), &[]);
    assert_eq!((found.finding, found.counts.granted), (Found::Narrow, 73));
    assert_eq!(found.waited_ms, Some([4_000.0, 4_000.0]));
    let effect = Replayed { not_asked: 73, granted_refused: 0, unanswered_done: 0 };
    assert_eq!(found.effect, Some(effect));
    let [low, high] = found.granted_share.unwrap();
    assert!((low - 73.0 / (73.0 + 1.959_963_984_540_054_f64.powi(2))).abs() < 1e-9, "{low}");
    assert_eq!(high, 1.0);
    let found = told(&some(72, "refund", CameTo::Granted), &[]);
    assert_eq!((found.finding, found.effect), (Found::Fine, None), "not sure enough");
    let found = told(&some(49, "refund", CameTo::Granted), &[]);
    assert_eq!(found.finding, Found::Insufficient);
    assert_eq!(found.missing, ["49 of 50 questions that came to an end"]);
    let open = [some(49, "refund", CameTo::Granted), some(99, "refund", CameTo::Open)].concat();
    assert_eq!(told(&open, &[]).finding, Found::Insufficient, "open ones count for nothing");
}

#[test]
fn another_rule_that_asks_as_well_goes_on_asking() {
    let mut questions = some(80, "refund", CameTo::Granted);
    for one in &mut questions[..30] {
        one.rules.push("also".into());
    }
    let all = asked(&questions, &[], |_| true, |_| true);
    let effects: Vec<Option<Replayed>> = all.iter().map(|asked| asked.effect).collect();
    assert_eq!(effects[1].map(|effect| effect.not_asked), Some(50));
    assert_eq!((all[0].rule.as_str(), all[0].finding), ("also", Found::Insufficient));
}

#[test]
fn one_denial_keeps_the_question_and_other_actions_are_told_apart() {
    let one = [some(500, "refund", CameTo::Granted), some(1, "refund", CameTo::Denied)].concat();
    let found = told(&one, &[]);
    assert_eq!((found.finding, found.effect), (Found::Kept, None));
    assert!(found.why.contains("1 were denied"), "{}", found.why);
    let two = [one, some(80, "cancel", CameTo::Granted)].concat();
    let found = told(&two, &[]);
    assert_eq!(
        (found.finding, &found.actions[..]),
        (Found::Narrow, &["orders/cancel".to_owned()][..])
    );
    assert_eq!(found.effect.map(|effect| effect.not_asked), Some(80));
}

#[test]
fn whatever_is_linked_to_an_incident_stays_as_it_is() {
    let questions = some(80, "refund", CameTo::Granted);
    let bar = |agent: Option<&str>, tool: Option<&str>| Bar {
        agent: agent.map(name),
        tool: tool.map(str::to_owned),
        why: "something happened".into(),
    };
    for about in [
        bar(None, None),
        bar(Some("support"), None),
        bar(None, Some("orders")),
        bar(Some("support"), Some("orders")),
    ] {
        let found = told(&questions, std::slice::from_ref(&about));
        assert_eq!((found.finding, found.effect), (Found::Kept, None), "{about:?}");
        assert_eq!(found.classes[0].barred, ["something happened"]);
    }
    for other in [bar(Some("billing"), None), bar(None, Some("mail"))] {
        assert_eq!(told(&questions, &[other]).finding, Found::Narrow);
    }
}

#[test]
fn what_was_always_denied_is_denied_and_costs_what_was_granted() {
    let questions =
        [some(199, "refund", CameTo::Denied), some(1, "refund", CameTo::Granted)].concat();
    let found = told(&questions, &[]);
    assert_eq!(found.finding, Found::Deny);
    let effect = Replayed { not_asked: 200, granted_refused: 1, unanswered_done: 0 };
    assert_eq!(found.effect, Some(effect));
}

#[test]
fn what_nobody_answers_wants_more_people_or_time_and_nobody_knows_what_that_does() {
    let questions =
        [some(40, "refund", CameTo::Unanswered), some(30, "refund", CameTo::Denied)].concat();
    let found = told(&questions, &[]);
    assert_eq!((found.finding, found.effect), (Found::AnswerLater, None));
    // As many of each: people decide.
    let questions =
        [some(40, "refund", CameTo::Granted), some(40, "refund", CameTo::Denied)].concat();
    assert_eq!(told(&questions, &[]).finding, Found::Fine);
    assert_eq!(asked(&[], &[], |_| true, |_| true), []);
}

#[test]
fn agents_that_may_not_be_seen_are_not_told_of_and_keep_the_rule() {
    let mut questions = some(80, "refund", CameTo::Granted);
    let mut others = some(80, "refund", CameTo::Granted);
    for one in &mut others {
        one.agent = name("billing");
    }
    questions.extend(others);
    let support = name("support");
    let only = asked(&questions, &[], |agent| *agent == support, |agent| *agent == support);
    assert_eq!((only[0].finding, only[0].counts.granted), (Found::Kept, 80));
    assert_eq!(only[0].agents, std::slice::from_ref(&support));
    let both = asked(&questions, &[], |agent| *agent == support, |_| true);
    assert_eq!((both[0].finding, both[0].counts.granted), (Found::Narrow, 160));
    let none = asked(&questions, &[], |agent| agent.as_str() == "other", |_| true);
    assert_eq!(none, []);
}
