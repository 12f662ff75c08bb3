//! What a forge itself says of a branch: its answers as somebody else brought them, and what they come to.
//!
//! Not here: asking. An answer is evidence by the path that was asked and the line of the answer, laid out as `jq .` does.

mod azure_devops;
mod github;
mod gitlab;

use crate::finding::{Evidence, Finding, Place};
use crate::yaml::{self, Entry, Node};

/// Whose programs keep the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// GitHub, GitHub Enterprise.
    Github,
    /// GitLab.
    Gitlab,
    /// Azure DevOps Services and Server.
    AzureDevops,
}

impl Kind {
    /// As it is written in options and in evidence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::AzureDevops => "azure_devops",
        }
    }

    /// As people call it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Github => "GitHub",
            Self::Gitlab => "GitLab",
            Self::AzureDevops => "Azure DevOps",
        }
    }
}

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum About {
    /// The repository itself and its settings.
    Repository,
    /// GitHub: the branch. GitLab: all protected branches.
    Branch,
    /// GitHub: the rules that are active for the branch.
    Rules,
    /// GitHub: one ruleset with those who may bypass it.
    Ruleset,
    /// GitHub: the classic protection of the branch.
    Protection,
    /// GitLab: who may approve what.
    Approvals,
    /// GitLab: how many approvals are needed.
    ApprovalRules,
    /// GitLab: what a push must be like.
    PushRules,
    /// Azure DevOps: the policies that apply to the branch.
    Policies,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// JSON, each value on a line of its own, indented by two spaces.
    Json(String),
    /// The forge says that there is none.
    Nothing,
    /// It did not say: why, and what would change that.
    Unknown(String),
}

/// An answer of a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it is about.
    pub about: About,
    /// The path that was asked, from the root of the API, without a query.
    pub path: String,
    /// What came back.
    pub said: Said,
    /// All of it. What is not in a part is not known to be missing.
    pub whole: bool,
}

/// What a forge said of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forge {
    /// Which one.
    pub kind: Kind,
    /// The branch that it was asked about; none when it did not say which is its main one.
    pub branch: Option<String>,
    /// Its answers, in the order in which it was asked.
    pub answers: Vec<Answer>,
}

/// What it comes to: whether the forge enforces it. Each is a pass or a failure with evidence, or unknown.
pub(crate) struct Enforced {
    /// A person's review before a merge.
    pub(crate) review: Finding,
    /// A check, a queue or an automated review before a merge.
    pub(crate) checks: Finding,
    /// Sign-offs or signatures.
    pub(crate) signing: Finding,
    /// Any rules for the branch at all.
    pub(crate) rules: Finding,
}

impl Enforced {
    fn unknown(why: &str) -> Self {
        let finding = || Finding::unknown(why);
        Self { review: finding(), checks: finding(), signing: finding(), rules: finding() }
    }
}

impl Forge {
    /// What it enforces. `owned`: the repository's files give everything an owner.
    pub(crate) fn enforced(&self, owned: bool) -> Enforced {
        let Some(branch) = &self.branch else {
            let repository = self.hear(About::Repository);
            return Enforced::unknown(&repository.why_not(self.kind));
        };
        match self.kind {
            Kind::Github => github::enforced(self, branch, owned),
            Kind::Gitlab => gitlab::enforced(self, branch, owned),
            Kind::AzureDevops => azure_devops::enforced(self, branch),
        }
    }

    /// Whether it requires a check of this name, as far as it says so.
    pub(crate) fn requires(&self, check: &str) -> Finding {
        match (&self.branch, self.kind) {
            (Some(branch), Kind::Github) => github::requires(self, branch, check),
            (Some(_), kind) => Finding::unknown(format!(
                "whether {} requires the check `{check}` is not looked at",
                kind.words()
            )),
            (None, kind) => Finding::unknown(self.hear(About::Repository).why_not(kind)),
        }
    }

    fn hear(&self, about: About) -> Heard<'_> {
        self.hear_all(about).next().unwrap_or_else(|| Heard::Unknown("it was not asked".into()))
    }

    fn hear_all(&self, about: About) -> impl Iterator<Item = Heard<'_>> {
        self.answers.iter().filter(move |answer| answer.about == about).map(|answer| {
            let file = format!("{}:{}", self.kind.name(), answer.path);
            match &answer.said {
                Said::Json(text) => match yaml::document(text) {
                    Ok(Some(root)) => {
                        Heard::Document(Document { file, text, root, whole: answer.whole })
                    }
                    Ok(None) => Heard::Unknown(format!("its answer to {} is empty", answer.path)),
                    Err(_) => Heard::Unknown(format!("its answer to {} is not read", answer.path)),
                },
                Said::Nothing => Heard::Nothing(Evidence::answer(&file, "404: there is none")),
                Said::Unknown(why) => Heard::Unknown(why.clone()),
            }
        })
    }
}

/// An answer that was read.
#[derive(Debug)]
struct Document<'a> {
    file: String,
    text: &'a str,
    root: Node,
    whole: bool,
}

impl Document<'_> {
    /// The line of a value.
    fn shown(&self, node: &Node) -> Evidence {
        Evidence::in_answer(&self.file, self.text, node.place)
    }

    /// The line of a field.
    fn field(&self, entry: &Entry) -> Evidence {
        Evidence::in_answer(&self.file, self.text, entry.key_place)
    }

    /// The line of a field of a value, or where the value begins.
    fn field_of(&self, node: &Node, key: &str) -> Evidence {
        node.entry(key).map_or_else(|| self.shown(node), |entry| self.field(entry))
    }

    /// Where the answer begins.
    fn start(&self) -> Evidence {
        Evidence::in_answer(&self.file, self.text, Place::START)
    }

    /// Whether a field of the whole says yes.
    fn says(&self, key: &str) -> Option<bool> {
        self.root.get(key).and_then(Node::truth)
    }
}

/// What is known of an answer.
#[derive(Debug)]
enum Heard<'a> {
    Document(Document<'a>),
    Nothing(Evidence),
    Unknown(String),
}

impl<'a> Heard<'a> {
    fn document(&self) -> Option<&Document<'a>> {
        match self {
            Self::Document(document) => Some(document),
            _ => None,
        }
    }

    /// Why nothing follows from it.
    fn why_not(&self, kind: Kind) -> String {
        match self {
            Self::Unknown(why) => why.clone(),
            Self::Nothing(_) => format!("{} says that there is none", kind.words()),
            Self::Document(_) => {
                format!("what {} answered does not have what was looked for", kind.words())
            }
        }
    }
}

/// A number of a field; none when it is no whole number.
fn number(node: &Node, key: &str) -> Option<u64> {
    node.get(key).and_then(Node::text).and_then(|text| text.parse().ok())
}

fn is_true(node: &Node, key: &str) -> bool {
    node.get(key).and_then(Node::truth) == Some(true)
}

/// "1 approval", "2 approvals".
fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// A check by whose name it looks after sign-offs, signatures or agreements of contributors.
fn is_sign_off(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let mut words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| matches!(word, "dco" | "cla" | "easycla" | "signoff"))
        || lower.contains("sign-off")
        || lower.contains("signed-off")
}

/// Whether a pattern for messages of commits asks for a sign-off.
fn asks_sign_off(pattern: &str) -> bool {
    pattern.to_ascii_lowercase().replace(['\\', ' '], "").contains("signed-off-by")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_sign_offs_are_words() {
        for name in ["DCO", "license/cla", "EasyCLA", "check / sign-off"] {
            assert!(is_sign_off(name), "{name}");
        }
        for name in ["clang-tidy", "classes", "docs", "signed urls"] {
            assert!(!is_sign_off(name), "{name}");
        }
        assert!(asks_sign_off(r"(?i)signed-off-by: .+ <.+>") && !asks_sign_off("^feat"));
    }
}
