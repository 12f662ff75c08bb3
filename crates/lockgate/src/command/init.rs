//! `lockgate init`

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

use clap::Args;
use lockgate_model::agent::Agent;
use lockgate_model::config::{self, Config, Scenario};
use lockgate_model::ids::AgentName;
use serde_json::json;

use crate::config_file;
use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output::{self, Format};

/// Writes a commented file; asks on a terminal for what no option says.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where to write it
    #[arg(default_value = config_file::DEFAULT)]
    file: PathBuf,
    /// The shape of the agent system: monolith, microservices or serverless
    #[arg(long)]
    scenario: Option<Scenario>,
    /// Name of the first agent
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentName>,
    /// Address of a version of it: first the one that runs now, then the next one
    #[arg(long = "endpoint", value_name = "URL", requires = "agent")]
    endpoints: Vec<String>,
    /// Address of the same versions in the test environment, in the same order
    #[arg(long = "test-endpoint", value_name = "URL", requires = "endpoints")]
    test_endpoints: Vec<String>,
    /// Let releases start before the path to production is open
    #[arg(long)]
    no_path: bool,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

impl Init {
    pub(crate) fn run(mut self, format: Format) -> CliResult {
        let name = self.file.display().to_string();
        if self.file.exists() && !self.force {
            return Err(CliError::usage(format!("{name} is there already"))
                .hint("name another file, or replace it with --force"));
        }
        let nothing_said = self.scenario.is_none() && self.agent.is_none();
        if nothing_said && io::stdin().is_terminal() && io::stderr().is_terminal() {
            self.ask()?;
        }
        let text = self.text()?;
        self.write(&text)?;
        if format == Format::Json {
            output::print_json(&json!({ "file": name }))?;
        } else {
            output::print(&format!("{name} is written"))?;
            output::note(format!(
                "next: `lockgate check {name}`, then `lockgate serve --config {name}`"
            ));
        }
        Ok(Exit::Done)
    }

    /// Asks for what the file needs; an empty answer takes the default.
    fn ask(&mut self) -> CliResult<()> {
        let scenario = Scenario::default();
        self.scenario =
            Some(question("scenario: monolith, microservices or serverless", scenario.as_str())?);
        let waits: YesNo = question("releases wait until its path to production is open", "yes")?;
        self.no_path = !waits.0;
        let template = template(self.scenario.unwrap_or_default())?;
        let Some(agent) = template.agents.first() else {
            return Ok(());
        };
        self.agent = Some(question("name of the first agent", agent.name.as_str())?);
        for (index, version) in agent.versions.iter().enumerate() {
            let which = if index == 0 {
                "address of the version that runs now"
            } else {
                "address of the next version"
            };
            self.endpoints.push(question(which, &version.endpoint)?);
        }
        Ok(())
    }

    /// The template with the given names in it. Comments and layout stay.
    fn text(&self) -> CliResult<String> {
        let scenario = self.scenario.unwrap_or_default();
        let mut text = config::template(scenario);
        if self.no_path {
            text = without_path(&text);
        }
        let template = template(scenario)?;
        if let (Some(agent), Some(old)) = (&self.agent, template.agents.first()) {
            text = replace_name(&text, old.name.as_str(), agent.as_str());
            for (version, endpoint) in old.versions.iter().zip(&self.endpoints) {
                text = replace_value(&text, &version.endpoint, endpoint);
            }
            let tests = old.versions.iter().filter_map(|version| version.test_endpoint.as_ref());
            for (index, was) in tests.enumerate() {
                match self.test_endpoints.get(index) {
                    Some(endpoint) => text = replace_value(&text, was, endpoint),
                    // Nobody said that it has one, and a first version needs none.
                    None if index < self.endpoints.len() => text = without_test(&text, was),
                    None => {}
                }
            }
            let further = self.endpoints.iter().enumerate().skip(old.versions.len());
            for (index, endpoint) in further {
                let trial = self.test_endpoints.get(index);
                text = add_version(&text, old, index + 1, endpoint, trial);
            }
            if self.endpoints.len() > old.versions.len() {
                text = without_advice(&text);
            }
        }
        match config::read(&self.file.display().to_string(), &text) {
            Ok(_) => Ok(text),
            Err(diagnostics) => Err(CliError::new(Exit::Usage, diagnostics)
                .context("the answers do not make a valid file".into())),
        }
    }

    fn write(&self, text: &str) -> CliResult<()> {
        let mut options = OpenOptions::new();
        options.write(true);
        if self.force {
            options.create(true).truncate(true);
        } else {
            options.create_new(true);
        }
        options
            .open(&self.file)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .or_exit(Exit::Usage, format!("cannot write {}", self.file.display()))
    }
}

fn template(scenario: Scenario) -> CliResult<Config> {
    config::read("the built-in file", &config::template(scenario))
        .or_exit(Exit::Failed, "the built-in file is not valid")
}

/// Takes out the path of each plan, and what is told of it.
fn without_path(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut told = false;
    for line in text.lines() {
        let line_told = line.trim_start();
        told = line_told.starts_with("# A release waits") || told && line_told.starts_with('#');
        let is_path =
            config::Scenario::ALL.iter().any(|scenario| line_told == format!("path: {scenario}"));
        if !told && !is_path {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Replaces the first `name: old`.
fn replace_name(text: &str, old: &str, new: &str) -> String {
    text.replacen(&format!("name: {old}"), &format!("name: {new}"), 1)
}

/// Takes out the line with the address of a test environment.
fn without_test(text: &str, was: &str) -> String {
    let line = format!("test_endpoint: {was}");
    let mut taken = false;
    let mut keeps = |told: &&str| {
        let is_it = !taken && told.trim() == line;
        taken |= is_it;
        !is_it
    };
    text.lines().filter(|told| keeps(told)).fold(String::new(), |text, line| text + line + "\n")
}

/// Takes out the comment that says how the next version is added.
fn without_advice(text: &str) -> String {
    let mut inside = false;
    let mut keeps = |line: &&str| {
        let line = line.trim_start();
        inside = line.starts_with("# Add the next version here") || inside && line.starts_with('#');
        !inside
    };
    text.lines().filter(|line| keeps(line)).fold(String::new(), |text, line| text + line + "\n")
}

/// Adds a version below the last one of the template's agent, laid out like it.
fn add_version(
    text: &str,
    template: &Agent,
    number: usize,
    endpoint: &str,
    trial: Option<&String>,
) -> String {
    let Some(last) = template.versions.last() else {
        return text.to_owned();
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let name = format!("- name: {}", last.name);
    let Some(start) = lines.iter().position(|line| line.trim() == name) else {
        return text.to_owned();
    };
    let indent = lines[start].len() - name.len();
    let inside = " ".repeat(indent + 2);
    let length = lines[start + 1..].iter().take_while(|line| line.starts_with(&inside)).count();
    let entry = [
        format!("{}- name: v{number}", " ".repeat(indent)),
        format!("{inside}endpoint: {}", json!(endpoint)),
        match trial {
            Some(trial) => format!("{inside}test_endpoint: {}", json!(trial)),
            // Until someone says otherwise, the test environment is where the version runs.
            None => format!(
                "{inside}test_endpoint: {} # the same as above: write where it runs for tests",
                json!(endpoint)
            ),
        },
    ];
    // Versions that were added before stand there already; a new one goes below them.
    let added = entry.len() * (number - 1 - template.versions.len());
    let at = start + 1 + length + added;
    lines.splice(at..at, entry);
    lines.join("\n") + "\n"
}

/// Replaces the first place where a value stands on its own, so that `http://a:1` is not found
/// inside `http://a:10`. A value from outside is quoted: it may hold what YAML gives a meaning.
fn replace_value(text: &str, old: &str, new: &str) -> String {
    let quoted = json!(new).to_string();
    let ends = |c: Option<char>| {
        c.is_none_or(|c| c.is_whitespace() || matches!(c, ',' | '}' | '"' | '\''))
    };
    for (at, _) in text.match_indices(old) {
        let (before, after) = (&text[..at], &text[at + old.len()..]);
        if !ends(after.chars().next()) {
            continue;
        }
        let quote = before.chars().next_back().filter(|c| matches!(c, '"' | '\''));
        let (cut_before, cut_after) = match quote {
            Some(mark) if after.starts_with(mark) => (before.len() - 1, 1),
            _ => (before.len(), 0),
        };
        return format!("{}{quoted}{}", &before[..cut_before], &after[cut_after..]);
    }
    text.to_owned()
}

/// Asks until the answer can be read.
fn question<T>(what: &str, default: &str) -> CliResult<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    loop {
        let mut terminal = io::stderr().lock();
        write!(terminal, "{what} [{default}]: ")
            .and_then(|()| terminal.flush())
            .or_exit(Exit::Usage, "cannot ask")?;
        let mut line = String::new();
        let read = io::stdin()
            .lock()
            .read_line(&mut line)
            .or_exit(Exit::Usage, "cannot read the answer")?;
        if read == 0 {
            return Err(CliError::usage("the answers ended too early")
                .hint("give them as options, see --help"));
        }
        let answer = match line.trim() {
            "" => default,
            given => given,
        };
        match answer.parse() {
            Ok(value) => return Ok(value),
            Err(error) => output::note(format!("{error}")),
        }
    }
}

/// An answer to a question of yes or no.
struct YesNo(bool);

impl std::str::FromStr for YesNo {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "yes" | "y" => Ok(Self(true)),
            "no" | "n" => Ok(Self(false)),
            _ => Err("answer yes or no"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_replaced_whole_and_quoted() {
        let text = "a: http://x:10\nb: http://x:1 # note\n";
        assert_eq!(
            replace_value(text, "http://x:1", "http://new"),
            "a: http://x:10\nb: \"http://new\" # note\n"
        );
        assert_eq!(replace_value("a: \"http://x\"", "http://x", "http://y"), "a: \"http://y\"");
    }
}
