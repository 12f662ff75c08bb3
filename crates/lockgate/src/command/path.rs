//! `lockgate path`

mod answer;
mod text;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lockgate_collectors::{Checkout, checkout, head, revision};
use lockgate_model::config::Scenario;
use lockgate_model::ids::{AgentName, PlanName, VersionName};
use lockgate_readiness::path::{self, Evaluation, Findings, Seen, evaluate, markdown, repository};
use lockgate_readiness::{Assessment, assess};
use serde_json::json;

use self::answer::Answer;
use crate::client::{Client, ServerArgs};
use crate::config_file;
use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output::{self, Format};

/// Says where an agent stands on its path to production, what blocks a release, and what is next.
///
/// The files of a checkout show some steps, a running server sees the others: name the agent, and its server is asked. What
/// neither shows is unknown, and blocks. Ends with exit code 1 while a release is blocked.
#[derive(Debug, Args)]
pub(crate) struct Path {
    /// monolith, microservices or serverless; left out, the path that the agent's plan asks for, or all three in short
    #[arg(value_name = "PATH")]
    what: Option<String>,
    /// The checkout [default: .]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The agent; its server is asked for what no file shows
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentName>,
    /// The version that is to be released; left out, the last one of the server's configuration
    #[arg(long, value_name = "NAME", requires = "agent")]
    version: Option<VersionName>,
    /// Another plan than the agent's
    #[arg(long, value_name = "NAME", requires = "agent")]
    plan: Option<PlanName>,
    /// Post what the checkout shows to the server: evidence for releases of the version for 7 days. All of it must be
    /// committed; git is asked for the commit
    #[arg(long, requires = "agent")]
    report: bool,
    /// Print a report for another place instead: for a pull request
    #[arg(long, value_enum, conflicts_with = "output")]
    format: Option<Report>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Report {
    Markdown,
}

/// A checkout and what was found of it.
struct Looked {
    checkout: Checkout,
    assessment: Assessment,
}

impl Looked {
    fn at(dir: &std::path::Path) -> CliResult<Self> {
        Ok(Self::of(checkout(dir).or_exit(Exit::Usage, "cannot look at the checkout")?))
    }

    /// What the commit has, whatever lies beside it, is hidden from git, or was not checked out.
    fn of_commit(dir: &std::path::Path, commit: &str) -> CliResult<Self> {
        let doing = "cannot look at the commit that the report is of";
        let checkout = revision(dir, commit).or_exit(Exit::Usage, doing).map_err(|error| {
            error.hint("report from the top of the repository, with its whole history there")
        })?;
        Ok(Self::of(checkout))
    }

    fn of(mut checkout: Checkout) -> Self {
        let now = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now());
        checkout.facts.today = Some(now.date());
        let assessment = assess(&checkout.tree, &checkout.facts);
        Self { checkout, assessment }
    }

    fn seen(&self, path: Scenario) -> Seen {
        repository(path, &self.checkout.tree, &self.checkout.facts, &self.assessment)
    }

    fn evaluate(&self, path: Scenario, seen: &Seen, answer: Option<&Answer>) -> Evaluation {
        let server = answer.map(|answer| path::server(path, &answer.facts));
        evaluate(path, Some(&seen.findings), server.as_ref(), self.checkout.facts.today)
    }
}

impl Path {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        let (named, dir) = self.named()?;
        let commit = self.report.then(|| committed(&dir)).transpose()?;
        let looked = match &commit {
            Some(commit) => Looked::of_commit(&dir, commit)?,
            None => Looked::at(&dir)?,
        };
        let client = self.agent.as_ref().map(|_| Client::new(&self.server)).transpose()?;
        let mut answer = match (&client, &self.agent) {
            (Some(client), Some(agent)) => Some(self.ask(client, agent).await?),
            _ => None,
        };
        let of_plan = answer.as_ref().and_then(|answer| answer.path);
        let path = named.or(of_plan).or_else(|| of_file(&dir, self.agent.as_ref()));
        let Some(path) = path else { return self.all(&looked, answer.as_ref(), format) };
        let seen = looked.seen(path);
        if let (Some(commit), Some(client), Some(agent), Some(asked)) =
            (&commit, &client, &self.agent, &answer)
        {
            let version = asked.version.clone();
            post(client, agent, &version, path, commit, &seen.findings).await?;
            answer = Some(self.ask(client, agent).await?);
        }
        let found = looked.evaluate(path, &seen, answer.as_ref());
        self.print(format, &found, &seen, answer.as_ref())?;
        Ok(if found.blocked { Exit::Failed } else { Exit::Done })
    }

    /// The path and the checkout. One word alone may be either.
    fn named(&self) -> CliResult<(Option<Scenario>, PathBuf)> {
        let here = || PathBuf::from(".");
        let Some(what) = &self.what else {
            return Ok((None, self.dir.clone().unwrap_or_else(here)));
        };
        match (what.parse::<Scenario>(), &self.dir) {
            (Ok(path), dir) => Ok((Some(path), dir.clone().unwrap_or_else(here))),
            (Err(_), None) if std::path::Path::new(what).is_dir() => Ok((None, what.into())),
            (Err(_), _) => Err(CliError::usage(format!("there is no path `{what}`")).hint(
                "there are monolith, microservices and serverless; a checkout comes after it",
            )),
        }
    }

    async fn ask(&self, client: &Client, agent: &AgentName) -> CliResult<Answer> {
        Answer::of(client, agent, self.version.as_ref(), self.plan.as_ref()).await
    }

    fn print(
        &self,
        format: Format,
        found: &Evaluation,
        seen: &Seen,
        answer: Option<&Answer>,
    ) -> CliResult<()> {
        match (self.format, format) {
            (Some(Report::Markdown), _) => output::print(&markdown(found))?,
            (None, Format::Json) => output::print_json(&answer::told(found, seen, answer))?,
            (None, Format::Text) => output::print(&text::one(found))?,
        }
        for note in &seen.notes {
            output::note(format!("note: {note}"));
        }
        if found.blocked {
            output::note(format!("the path of {} is blocked:", found.path));
            // Why is told above.
            for step in found.blocking() {
                output::note(format!("  {} is {}", step.id, text::outcome(step)));
            }
        }
        for word in found.words() {
            output::note(format!(
                "on people's word: {}, by {} until {}, {}",
                word.of, word.owner, word.until, word.link
            ));
        }
        if let Some(line) = answer.and_then(Answer::release) {
            output::note(line);
        }
        Ok(())
    }

    /// Nothing says which path it is: all three, in short.
    fn all(&self, looked: &Looked, answer: Option<&Answer>, format: Format) -> CliResult {
        if self.report {
            return Err(CliError::usage("nothing says which path the report is of")
                .hint("name it: `lockgate path monolith --report …`, or write `path:` into the agent's plan"));
        }
        let found: Vec<Evaluation> = Scenario::ALL
            .into_iter()
            .map(|path| looked.evaluate(path, &looked.seen(path), answer))
            .collect();
        match (self.format, format) {
            (Some(Report::Markdown), _) => {
                let all: Vec<String> = found.iter().map(markdown).collect();
                output::print(&all.join("\n"))?;
            }
            (None, Format::Json) => {
                output::print_json(&json!({ "schema": path::SCHEMA, "paths": found }))?;
            }
            (None, Format::Text) => {
                output::print(&text::all(&found))?;
                output::note(
                    "`lockgate path NAME` tells each step; `path:` in a plan has releases wait for one",
                );
            }
        }
        let blocked = found.iter().all(|one| one.blocked);
        Ok(if blocked { Exit::Failed } else { Exit::Done })
    }
}

/// The one path that the plans of a checkout's own configuration ask for.
fn of_file(dir: &std::path::Path, agent: Option<&AgentName>) -> Option<Scenario> {
    let read = config_file::load(&dir.join(config_file::DEFAULT)).ok()?;
    let agents = read.config.agents.iter().filter(|one| agent.is_none_or(|name| *name == one.name));
    let plans = agents.filter_map(|agent| read.config.plan(&agent.plan));
    let mut paths: Vec<Scenario> = plans.filter_map(|plan| plan.path).collect();
    paths.sort_unstable();
    paths.dedup();
    match paths[..] {
        [only] => Some(only),
        _ => None,
    }
}

/// The commit of a checkout that is as its commit has it: otherwise who reports would take one for the other.
fn committed(dir: &std::path::Path) -> CliResult<String> {
    let head = head(dir).or_exit(Exit::Usage, "cannot report without a commit")?;
    if head.changed.is_empty() {
        return Ok(head.commit);
    }
    let changed = head.changed.join(", ");
    let text = format!("{} is not as its commit has it: {changed}", dir.display());
    Err(CliError::usage(text).hint("commit or stash what has changed, then report"))
}

/// Posts what a commit shows.
async fn post(
    client: &Client,
    agent: &AgentName,
    version: &VersionName,
    path: Scenario,
    commit: &str,
    findings: &Findings,
) -> CliResult<()> {
    let body = json!({ "version": version, "path": path, "commit": commit, "findings": findings });
    client.post(&["agents", agent.as_str(), "path", "reports"], &body).await?;
    output::note(format!("reported: version {version}, commit {commit}; it counts for 7 days"));
    Ok(())
}
