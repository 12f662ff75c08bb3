//! `lockgate advise`

use std::io::{self, BufRead, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use lockgate_model::config::{Diagnostic, Diagnostics, Severity};
use lockgate_readiness::Scenario;
use lockgate_readiness::advise::{
    self, Advice, Answer, Answers, Change, Mistake, Question, Unknown,
};

use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output::{self, Format};
use crate::text_file;

/// Larger files are refused. Nine answers need less.
const BYTES_MAX: usize = 64 * 1024;

/// Says which shape an agent system should have: by options, by a file, or by questions on a terminal.
///
/// What is not answered decides nothing.
#[derive(Debug, Args)]
pub(crate) struct Advise {
    /// A YAML file with a line `question: answer` each; options go before it
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// What it is for; internal agents and tests are like prototypes
    #[arg(long, value_parser = word(Question::Purpose))]
    purpose: Option<Answer>,
    /// How many agents there are
    #[arg(long, value_name = "N", value_parser = number(Question::Agents))]
    agents: Option<Answer>,
    /// What is kept between requests
    #[arg(long, value_parser = word(Question::State))]
    state: Option<Answer>,
    /// How requests come
    #[arg(long, value_parser = word(Question::Load))]
    load: Option<Answer>,
    /// How soon an answer is needed
    #[arg(long, value_parser = word(Question::Latency))]
    latency: Option<Answer>,
    /// How agents must scale
    #[arg(long, value_parser = word(Question::Scaling))]
    scaling: Option<Answer>,
    /// Who runs it: an own DevOps team, people who know containers, or only the platform
    #[arg(long, value_parser = word(Question::Operations))]
    operations: Option<Answer>,
    /// How it is paid
    #[arg(long, value_parser = word(Question::Budget))]
    budget: Option<Answer>,
    /// How long the longest request runs, in seconds
    #[arg(long, value_name = "S", value_parser = number(Question::LongestRequestS))]
    longest_request_s: Option<Answer>,
}

fn word(question: Question) -> impl TypedValueParser<Value = Answer> {
    PossibleValuesParser::new(question.words().map(|(name, _)| name))
        .try_map(move |text| question.answer(&text))
}

fn number(
    question: Question,
) -> impl Fn(&str) -> Result<Answer, String> + Clone + Send + Sync + 'static {
    move |text: &str| {
        question.answer(text).map_err(|error| format!("{error}: write {}", question.hint()))
    }
}

impl Advise {
    pub(crate) fn run(self, format: Format) -> CliResult {
        let advice = advise::advise(&self.known()?);
        match format {
            Format::Json => output::print_json(&advice)?,
            Format::Text => output::print(&text(&advice))?,
        }
        Ok(Exit::Done)
    }

    /// What the file and the options say; without any, what a person does.
    fn known(&self) -> CliResult<Answers> {
        let options = [
            self.purpose,
            self.agents,
            self.state,
            self.load,
            self.latency,
            self.scaling,
            self.operations,
            self.budget,
            self.longest_request_s,
        ];
        let mut answers = match &self.answers {
            Some(path) => from_file(path)?,
            None if options.iter().all(Option::is_none) => return from_terminal(),
            None => Answers::default(),
        };
        options.into_iter().flatten().for_each(|answer| answers.set(answer));
        match &self.answers {
            Some(path) if answers.iter().next().is_none() => {
                let text = format!("{} answers nothing", path.display());
                Err(CliError::usage(text)
                    .hint("write `question: answer` lines, such as `agents: 1`"))
            }
            _ => Ok(answers),
        }
    }
}

fn from_file(path: &Path) -> CliResult<Answers> {
    let text = text_file::read(path, BYTES_MAX)?;
    advise::read(&text).map_err(|mistakes| {
        let name = path.display().to_string();
        let errors = match mistakes.len() {
            1 => "1 error".to_owned(),
            errors => format!("{errors} errors"),
        };
        let all: Vec<Diagnostic> =
            mistakes.into_iter().map(|mistake| diagnostic(&name, mistake)).collect();
        output::note(format!("{}\n", Diagnostics::from(all)));
        CliError::usage(format!("{name} has {errors}"))
            .hint("each is named above with its line and column")
    })
}

fn diagnostic(file: &str, mistake: Mistake) -> Diagnostic {
    Diagnostic {
        file: file.to_owned(),
        line: mistake.place.line,
        column: mistake.place.column,
        severity: Severity::Error,
        message: mistake.message,
        hint: Some(mistake.hint),
        path: String::new(),
    }
}

fn from_terminal() -> CliResult<Answers> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(CliError::usage("nothing is answered, and there is no terminal to ask on").hint(
            "answer with options such as `--purpose prototype --agents 1`, see --help, or with `--answers FILE`",
        ));
    }
    let (mut input, mut terminal) = (io::stdin().lock(), io::stderr().lock());
    writeln!(terminal, "An empty answer means that it is not known.").or_exit(Exit::Usage, ASKS)?;
    ask(&mut input, &mut terminal)
}

const ASKS: &str = "cannot ask";

/// Asks each question until the answer can be read, or is empty.
fn ask(input: &mut impl BufRead, terminal: &mut impl Write) -> CliResult<Answers> {
    let mut answers = Answers::default();
    for question in Question::ALL {
        writeln!(terminal, "\n{}", question.asks()).or_exit(Exit::Usage, ASKS)?;
        for (name, means) in question.words() {
            writeln!(terminal, "  {name:<12}  {means}").or_exit(Exit::Usage, ASKS)?;
        }
        if let Some(answer) = ask_one(question, input, terminal)? {
            answers.set(answer);
        }
    }
    writeln!(terminal).or_exit(Exit::Usage, ASKS)?;
    Ok(answers)
}

fn ask_one(
    question: Question,
    input: &mut impl BufRead,
    terminal: &mut impl Write,
) -> CliResult<Option<Answer>> {
    loop {
        write!(terminal, "{}: ", question.name())
            .and_then(|()| terminal.flush())
            .or_exit(Exit::Usage, ASKS)?;
        let mut line = String::new();
        if input.read_line(&mut line).or_exit(Exit::Usage, "cannot read the answer")? == 0 {
            return Err(CliError::usage("the answers ended too early")
                .hint("give them as options, see --help"));
        }
        match line.trim() {
            "" => return Ok(None),
            given => match question.answer(given) {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => {
                    let told = format!("{error}; answer with {}", question.hint());
                    writeln!(terminal, "{}", output::plain(&told)).or_exit(Exit::Usage, ASKS)?;
                }
            },
        }
    }
}

fn text(advice: &Advice) -> String {
    let mut parts = vec![places(advice)];
    let reasons = reasons(advice);
    if !reasons.is_empty() {
        parts.push(output::table(&["shape", "verdict", "by", "answer", "why"], &reasons));
    }
    if !advice.would_change.is_empty() {
        let lines: Vec<String> = advice.would_change.iter().map(change).collect();
        parts.push(format!("would change if:\n{}", lines.join("\n")));
    }
    if !advice.unknown.is_empty() {
        let lines: Vec<String> = advice.unknown.iter().map(unknown).collect();
        let all = if advice.settled {
            "whatever these are, what is first stays first"
        } else if advice.unknown.iter().all(|unknown| unknown.would_change.is_empty()) {
            "none of these alone changes what is first, several together could"
        } else {
            "these could change what is first"
        };
        parts.push(format!("not answered:\n{}\n  {all}", lines.join("\n")));
    }
    parts.push(match &advice.next.require {
        Some(require) => {
            let path = require.trim_start_matches("scenario=");
            format!(
                "next: `lockgate assess --require {require}`, `lockgate path {path}`, `lockgate init --scenario {path}`"
            )
        }
        None => format!("next: {}; answer more, or choose one yourself", places_of(&advice.first)),
    });
    parts.join("\n\n")
}

fn places(advice: &Advice) -> String {
    let rows: Vec<Vec<String>> = advice
        .ranked
        .iter()
        .map(|ranked| {
            let excluded: Vec<&str> = ranked.excluded_by.iter().map(|by| by.name()).collect();
            vec![
                ranked.rank.to_string(),
                ranked.shape.name().to_owned(),
                ranked.fits.to_string(),
                ranked.against.to_string(),
                excluded.join(", "),
            ]
        })
        .collect();
    output::table(&["rank", "shape", "fits", "against", "excluded by"], &rows)
}

fn reasons(advice: &Advice) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for ranked in &advice.ranked {
        for (index, told) in ranked.reasons.iter().enumerate() {
            let shape = if index == 0 { ranked.shape.name() } else { "" };
            rows.push(vec![
                shape.to_owned(),
                told.verdict.name().to_owned(),
                told.row.name().to_owned(),
                format!("{}: {}", told.question.name(), told.answer),
                told.text.to_owned(),
            ]);
        }
    }
    rows
}

fn change(change: &Change) -> String {
    let Change { question, kind, first, .. } = change;
    format!("  {} were {kind}: {}", question.name(), places_of(first))
}

fn unknown(unknown: &Unknown) -> String {
    let name = unknown.question.name();
    if unknown.would_change.is_empty() {
        return format!("  {name}: changes nothing alone");
    }
    let told: Vec<String> = unknown
        .would_change
        .iter()
        .map(|given| format!("{}: {}", given.kind, places_of(&given.first)))
        .collect();
    format!("  {name}: {}", told.join("; "))
}

fn places_of(first: &[Scenario]) -> String {
    let names: Vec<&str> = first.iter().map(|shape| shape.name()).collect();
    match names.as_slice() {
        [only] => format!("{only} first"),
        names => format!("{} tied", names.join(" and ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_asked_again_until_they_are_answered_or_left() {
        let mut terminal = Vec::new();
        let given = "prototype\nmany\n 3 \n\nbatch\n\n\n\n\n45\n";
        let answers = ask(&mut given.as_bytes(), &mut terminal).expect("answered");
        let told: Vec<String> =
            answers.iter().map(|answer| format!("{}={answer}", answer.question().name())).collect();
        assert_eq!(told, ["purpose=prototype", "agents=3", "load=batch", "longest_request_s=45"]);
        let shown = String::from_utf8(terminal).expect("text");
        assert!(shown.contains("`many` does not answer `agents`"), "{shown}");
        assert_eq!(shown.matches("agents: ").count(), 2, "{shown}");
    }

    #[test]
    fn answers_that_end_too_early_are_an_error() {
        let error = ask(&mut "prototype\n3\n".as_bytes(), &mut Vec::new()).expect_err("too few");
        assert_eq!(error.kind, Exit::Usage);
    }
}
