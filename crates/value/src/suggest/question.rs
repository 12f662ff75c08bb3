//! Rules that ask a person: what became of their questions, and whether another rule would do.
//!
//! A rule that asks stands before actions that another rule allows. So what is suggested in place of a question that is
//! practically always granted is to ask no more: what is allowed stays what it was.

use std::collections::{BTreeMap, BTreeSet};

use lockgate_model::ids::AgentName;
use serde::{Deserialize, Serialize};

use super::BASIS;
use crate::measured::tidy;
use crate::stats::{median, wilson};

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CameTo {
    /// A person said yes, whether it was used or not.
    Granted,
    /// A person said no.
    Denied,
    /// Nobody decided in time, which is a no.
    Unanswered,
    /// It waits.
    Open,
}

/// A question of the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Whose action.
    pub agent: AgentName,
    /// The tool.
    pub tool: String,
    /// What was to be done with it.
    pub action: String,
    /// The rules that asked.
    pub rules: Vec<String>,
    /// What became of it.
    pub came_to: CameTo,
    /// How long the answer took, milliseconds; none without one, and where it is not kept.
    pub waited_ms: Option<i64>,
}

/// Something that speaks against asking less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// Which agent; none for all of them.
    pub agent: Option<AgentName>,
    /// Which tool; none for all of them.
    pub tool: Option<String>,
    /// In words.
    pub why: String,
}

impl Bar {
    fn is_about(&self, question: &Question) -> bool {
        self.agent.as_ref().is_none_or(|agent| *agent == question.agent)
            && self.tool.as_ref().is_none_or(|tool| *tool == question.tool)
    }
}

/// What was found about a rule that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Too few questions.
    Insufficient,
    /// It asks what people decide one way and another.
    Fine,
    /// Practically everything was granted, and something speaks against asking less.
    Kept,
    /// Asking no more about these of its actions is suggested: about each of them it asked often enough. What it asks
    /// about and nobody was asked about stays.
    Narrow,
    /// Denying is suggested.
    Deny,
    /// Another person, or a longer time, is suggested.
    AnswerLater,
}

/// Actions of one kind that a rule asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// The tool.
    pub tool: String,
    /// The action.
    pub action: String,
    /// What became of them.
    pub counts: Counts,
    /// What speaks against asking less about them.
    pub barred: Vec<String>,
}

/// Questions by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Granted.
    pub granted: u64,
    /// Denied.
    pub denied: u64,
    /// Not answered in time.
    pub unanswered: u64,
    /// Still open. They count for nothing.
    pub open: u64,
}

impl Counts {
    fn add(&mut self, came_to: CameTo) {
        match came_to {
            CameTo::Granted => self.granted += 1,
            CameTo::Denied => self.denied += 1,
            CameTo::Unanswered => self.unanswered += 1,
            CameTo::Open => self.open += 1,
        }
    }

    /// Those that came to an end.
    pub fn ended(&self) -> u64 {
        self.granted + self.denied + self.unanswered
    }

    /// Whether the lower end of the interval of this share lies above a bound, with enough questions.
    fn is_mostly(&self, part: u64, above: f64) -> bool {
        self.ended() >= BASIS.questions_min
            && share(part, self.ended()).is_some_and(|[low, _]| low > above)
    }

    fn is_always_granted(&self) -> bool {
        self.denied == 0 && self.is_mostly(self.granted, BASIS.always_above)
    }
}

/// What a change would have done to the questions of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// Questions that nobody would have been asked. Those that another rule asks about as well are not among them.
    pub not_asked: u64,
    /// Actions that a person granted and that would have been refused.
    pub granted_refused: u64,
    /// Actions that nobody answered for in time and that would have been done.
    pub unanswered_done: u64,
}

/// A rule that asked, and what was found about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The rule's id.
    pub rule: String,
    /// Whose actions it asked about, of those that may be seen.
    pub agents: Vec<AgentName>,
    /// What was found.
    pub finding: Found,
    /// In a sentence.
    pub why: String,
    /// What is missing for a suggestion.
    pub missing: Vec<String>,
    /// What became of its questions.
    pub counts: Counts,
    /// Where the share of granted ones lies: low, high.
    pub granted_share: Option<[f64; 2]>,
    /// How long answers took: the middle one and the longest, milliseconds.
    pub waited_ms: Option<[f64; 2]>,
    /// By kind of action.
    pub classes: Vec<Class>,
    /// What the change would have done; none where nothing is suggested, or nobody can know.
    pub effect: Option<Replayed>,
    /// Actions that are asked about no more, as `tool/action`, when that is suggested.
    pub actions: Vec<String>,
}

/// What there is to say of each rule that asked one of `of`. `seen` are agents that may be told of.
pub fn asked(
    questions: &[Question],
    bars: &[Bar],
    of: impl Fn(&AgentName) -> bool,
    seen: impl Fn(&AgentName) -> bool,
) -> Vec<Asked> {
    let mut rules: BTreeMap<&str, Vec<&Question>> = BTreeMap::new();
    for question in questions {
        for rule in question.rules.iter().map(String::as_str).collect::<BTreeSet<_>>() {
            rules.entry(rule).or_default().push(question);
        }
    }
    rules
        .into_iter()
        .filter(|(_, all)| all.iter().any(|question| of(&question.agent)))
        .map(|(rule, all)| {
            let (told, hidden): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|question| seen(&question.agent));
            of_rule(rule, &told, !hidden.is_empty(), bars)
        })
        .collect()
}

fn of_rule(rule: &str, questions: &[&Question], others: bool, bars: &[Bar]) -> Asked {
    let classes = classes(questions, bars);
    let mut counts = Counts::default();
    for question in questions {
        counts.add(question.came_to);
    }
    let verdict = verdict(&counts, &classes, others);
    let agents: BTreeSet<&AgentName> = questions.iter().map(|question| &question.agent).collect();
    let waits: Vec<f64> =
        questions.iter().filter_map(|question| question.waited_ms).map(|ms| ms as f64).collect();
    let longest = waits.iter().copied().reduce(f64::max);
    let effect = effect(verdict.found, questions, &verdict.actions);
    Asked {
        rule: rule.to_owned(),
        agents: agents.into_iter().cloned().collect(),
        finding: verdict.found,
        why: verdict.why,
        missing: verdict.missing,
        counts,
        granted_share: share(counts.granted, counts.ended()),
        waited_ms: median(&waits).zip(longest).map(|(median, longest)| [median, longest]),
        classes,
        effect,
        actions: verdict.actions,
    }
}

/// Wilson's interval of a share, 0 to 1.
fn share(part: u64, whole: u64) -> Option<[f64; 2]> {
    let percent = wilson(part, whole)?;
    Some([tidy(percent.low / 100.0)?, tidy(percent.high? / 100.0)?])
}

fn classes(questions: &[&Question], bars: &[Bar]) -> Vec<Class> {
    let mut classes: BTreeMap<(&str, &str), (Counts, BTreeSet<&str>)> = BTreeMap::new();
    for question in questions {
        let key = (question.tool.as_str(), question.action.as_str());
        let (counts, barred) = classes.entry(key).or_default();
        counts.add(question.came_to);
        barred.extend(bars.iter().filter(|bar| bar.is_about(question)).map(|bar| bar.why.as_str()));
    }
    let class = |((tool, action), (counts, barred)): ((&str, &str), (Counts, BTreeSet<&str>))| {
        let mut why: Vec<String> = Vec::new();
        if counts.denied > 0 {
            why.push(format!("{} were denied", counts.denied));
        }
        why.extend(barred.into_iter().map(str::to_owned));
        Class { tool: tool.to_owned(), action: action.to_owned(), counts, barred: why }
    };
    classes.into_iter().map(class).collect()
}

struct Verdict {
    found: Found,
    why: String,
    missing: Vec<String>,
    actions: Vec<String>,
}

impl Verdict {
    fn new(found: Found, why: impl Into<String>) -> Self {
        Self { found, why: why.into(), missing: Vec::new(), actions: Vec::new() }
    }
}

fn verdict(counts: &Counts, classes: &[Class], others: bool) -> Verdict {
    let (ended, least) = (counts.ended(), BASIS.questions_min);
    if ended < least {
        let missing = vec![format!("{ended} of {least} questions that came to an end")];
        return Verdict { missing, ..Verdict::new(Found::Insufficient, "too few questions") };
    }
    let Counts { granted, denied, unanswered, .. } = counts;
    if others {
        let why = "agents that this token does not see are asked about by it too";
        return Verdict::new(Found::Kept, why);
    }
    let barred: Vec<&Class> = classes.iter().filter(|class| !class.barred.is_empty()).collect();
    if counts.is_mostly(*denied, BASIS.always_above) {
        return Verdict::new(Found::Deny, format!("{denied} of {ended} were denied"));
    }
    let free = |class: &&Class| class.barred.is_empty() && class.counts.is_always_granted();
    let actions: Vec<String> = classes
        .iter()
        .filter(free)
        .map(|class| format!("{}/{}", class.tool, class.action))
        .collect();
    if !actions.is_empty() {
        let why = format!(
            "{} of {} kinds of action were granted practically always, and nothing speaks against them",
            actions.len(),
            classes.len()
        );
        return Verdict { actions, ..Verdict::new(Found::Narrow, why) };
    }
    if counts.is_mostly(*unanswered, BASIS.unanswered_above) {
        let why = format!("{unanswered} of {ended} were not answered in time");
        return Verdict::new(Found::AnswerLater, why);
    }
    if counts.is_mostly(*granted, BASIS.always_above) {
        let reasons: BTreeSet<&str> =
            barred.iter().flat_map(|class| &class.barred).map(String::as_str).collect();
        let reasons: Vec<&str> = reasons.into_iter().collect();
        let why = format!("{granted} of {ended} were granted, but: {}", reasons.join("; "));
        return Verdict::new(Found::Kept, why);
    }
    let why = format!("of {ended}, {granted} were granted and {denied} denied");
    Verdict::new(Found::Fine, why)
}

fn effect(found: Found, questions: &[&Question], actions: &[String]) -> Option<Replayed> {
    let is_meant = |question: &&&Question| match found {
        Found::Narrow => actions.contains(&format!("{}/{}", question.tool, question.action)),
        _ => true,
    };
    let ended =
        questions.iter().filter(|question| question.came_to != CameTo::Open).filter(is_meant);
    let mut replayed = Replayed { not_asked: 0, granted_refused: 0, unanswered_done: 0 };
    match found {
        Found::Narrow => {
            for question in ended.filter(|question| question.rules.len() == 1) {
                replayed.not_asked += 1;
                replayed.unanswered_done += u64::from(question.came_to == CameTo::Unanswered);
            }
        }
        Found::Deny => {
            // A denial asks nobody, whatever other rules would.
            for question in ended {
                replayed.not_asked += 1;
                replayed.granted_refused += u64::from(question.came_to == CameTo::Granted);
            }
        }
        _ => return None,
    }
    Some(replayed)
}

#[cfg(test)]
#[path = "question/tests.rs"]
mod tests;
