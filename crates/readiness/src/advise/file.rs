//! Answers from a YAML file: a map of questions. Everything that is wrong with it is told at once, with its place.

use std::collections::HashSet;
use std::fmt;

use super::answer::{Answer, Answers, Question};
use crate::finding::{Place, excerpt};
use crate::yaml::{self, Entry, Kind, Node};

/// Something that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place: Place { line, column }, message, hint } = self;
        write!(f, "{line}:{column}: {message}; {hint}")
    }
}

impl std::error::Error for Mistake {}

/// Reads answers. A question that is not there, or has no value, is not answered.
pub fn read(text: &str) -> Result<Answers, Vec<Mistake>> {
    let mistake = |place: Place, message: String| {
        vec![Mistake { place, message, hint: format!("write `question: answer`, of {}", names()) }]
    };
    let documents = yaml::documents(text)
        .map_err(|unread| mistake(unread.place, format!("the file {}", unread.why)))?;
    let root = match documents.as_slice() {
        [] => return Ok(Answers::default()),
        [root] => root,
        [_, second, ..] => {
            return Err(mistake(second.place, "the file has a second document".into()));
        }
    };
    if root.is_null() {
        return Ok(Answers::default());
    }
    if !root.is_map() {
        return Err(mistake(root.place, "the file is not a map".into()));
    }
    entries(root)
}

fn names() -> String {
    Question::ALL.map(Question::name).join(", ")
}

fn entries(root: &Node) -> Result<Answers, Vec<Mistake>> {
    let mut answers = Answers::default();
    let mut mistakes = Vec::new();
    let mut seen = HashSet::new();
    for entry in root.entries() {
        let is_again = !seen.insert(entry.key.as_str());
        match answer(entry, is_again) {
            Ok(Some(answer)) => answers.set(answer),
            Ok(None) => {}
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() { Ok(answers) } else { Err(mistakes) }
}

fn answer(entry: &Entry, is_again: bool) -> Result<Option<Answer>, Mistake> {
    let key = excerpt(&entry.key);
    let at_key = |message: String, hint: String| Mistake { place: entry.key_place, message, hint };
    let Some(question) = Question::ALL.into_iter().find(|question| question.name() == entry.key)
    else {
        return Err(at_key(
            format!("there is no question `{key}`"),
            format!("there are {}", names()),
        ));
    };
    if is_again {
        return Err(at_key(format!("`{key}` is answered twice"), "leave one of them".into()));
    }
    let value = &entry.value;
    let wrong = |message: String| Mistake {
        place: value.place,
        message,
        hint: format!("answer with {}; leave it out when it is not known", question.hint()),
    };
    if value.is_null() && value.tag.is_none() {
        return Ok(None);
    }
    match &value.kind {
        Kind::Scalar { text, .. } if value.tag.is_none() => {
            question.answer(text).map(Some).map_err(|error| wrong(error.to_string()))
        }
        Kind::Scalar { .. } => Err(wrong(format!("the answer to `{key}` has a tag"))),
        Kind::List(_) => Err(wrong(format!("the answer to `{key}` is a list"))),
        Kind::Map(_) => Err(wrong(format!("the answer to `{key}` is a map"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_are_read_and_what_has_no_value_is_not_answered() {
        let text = "# ours\npurpose: queries\nagents: 3\nstate: none\nload:\nlatency: ~\n\
                    budget: \"by_use\"\nlongest_request_s: 45\n";
        let read = read(text).unwrap();
        let told: Vec<String> =
            read.iter().map(|a| format!("{}={a}", a.question().name())).collect();
        let expected =
            ["purpose=queries", "agents=3", "state=none", "budget=by_use", "longest_request_s=45"];
        assert_eq!(told, expected);
        for text in ["", "---\n", "# nothing\n", "{}", "~"] {
            assert_eq!(super::read(text), Ok(Answers::default()), "{text:?}");
        }
        assert_eq!(super::read("{\"load\": \"batch\"}").unwrap().iter().count(), 1, "JSON");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_what_would_be_right() {
        let cases = [
            ("load: steady\nlaod: batch\n", (2, 1), "no question `laod`", "latency"),
            ("agents: 3\nload: often\n", (2, 7), "`often` does not answer `load`", "steady, batch"),
            ("agents: 0\n", (1, 9), "`0` does not answer `agents`", "a whole number"),
            ("agents: 1.5\n", (1, 9), "`1.5`", "from 1"),
            ("agents: .nan\n", (1, 9), "`.nan`", "from 1"),
            ("agents: \"\"\n", (1, 9), "`` does not answer", "leave it out"),
            ("load: [batch]\n", (1, 7), "is a list", "steady"),
            ("load: {batch: 1}\n", (1, 7), "is a map", "steady"),
            ("load: !env batch\n", (1, 7), "has a tag", "steady"),
            ("load: batch\nload: random\n", (2, 1), "answered twice", "one of them"),
            ("- load\n", (1, 1), "not a map", "question: answer"),
            ("load\n", (1, 1), "not a map", "question: answer"),
            ("load: batch\n---\nload: random\n", (3, 1), "second document", "question: answer"),
            ("? [a]\n: b\n", (1, 3), "no question", "there are purpose"),
        ];
        for (text, (line, column), message, hint) in cases {
            let mistakes = read(text).unwrap_err();
            let [only] = mistakes.as_slice() else { panic!("{text:?}: {mistakes:?}") };
            assert_eq!(only.place, Place { line, column }, "{text:?}: {only}");
            assert!(only.message.contains(message), "{text:?}: {only}");
            assert!(only.hint.contains(hint), "{text:?}: {only}");
        }
        assert!(read("load: [\n").unwrap_err()[0].message.contains("not valid YAML"));
    }

    #[test]
    fn all_mistakes_are_told_and_long_ones_are_cut() {
        let mistakes = read("load: x\nfoo: 1\nagents: -1\n").unwrap_err();
        assert_eq!(mistakes.len(), 3);
        let long = "y".repeat(100_000);
        for text in [format!("load: {long}\n"), format!("\"{long}\": batch\n")] {
            let mistakes = read(&text).unwrap_err();
            assert!(mistakes[0].message.chars().count() < 300, "{}", mistakes[0].message.len());
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_answers_or_mistakes_with_places(
            text in "((purpose|agents|state|load): ?|[a-z0-9:\\- \n\\[\\]{}&*!|>'\"#?~]){0,60}",
        ) {
            if let Err(mistakes) = read(&text) {
                prop_assert!(!mistakes.is_empty());
                for mistake in mistakes {
                    prop_assert!(mistake.place.line > 0 && mistake.place.column > 0);
                }
            }
        }
    }
}
