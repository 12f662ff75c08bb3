//! `lockgate assess`

mod evidence;
mod forge;
mod text;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lockgate_collectors::{Checkout, Submodules, checkout_with, revision};
use lockgate_readiness::baseline::{Baseline, Changes};
use lockgate_readiness::{
    About, Assessment, Facts, Scenario, assess, badge, fix, html, markdown, sarif,
};
use serde::Serialize;

use self::forge::ForgeArgs;
use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output::{self, Format};
use crate::text_file;

/// The longest assessment to compare with.
const BASELINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a gate can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Required(Scenario);

/// Says how ready a checkout is to run agents in production, and which lines prove it.
///
/// Nothing in it is run, and nothing is fetched, unless a forge is named to be asked. What nothing can show is unknown,
/// and passes no gate; what people say of it in `lockgate.attest.yaml` is told beside.
#[derive(Debug, Args)]
pub(crate) struct Assess {
    /// The checkout; with `--rev` a bare repository, too
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Read the files of a revision out of git's objects, whatever is checked out: a branch, a tag, a hash, `main~2`
    #[arg(long)]
    rev: Option<String>,
    /// Read submodules that are checked out, too
    #[arg(long, conflicts_with = "rev")]
    submodules: bool,
    /// End with exit code 1 unless the gate passes, such as `scenario=monolith`; more than once for several
    #[arg(long, value_name = "scenario=NAME", value_parser = required)]
    require: Vec<Required>,
    /// What the table lists
    #[arg(long, value_enum, default_value_t)]
    show: Show,
    /// Print a report for another place instead: an SVG badge of the levels, or of the gate that is required; a page; for
    /// a pull request; or for what shows findings beside code
    #[arg(long, value_enum, conflicts_with = "output")]
    format: Option<Report>,
    /// What a tool reported: coverage as `lcov.info`, `cobertura.xml` or `jacoco.xml`, a scanner's SARIF, or the JSON of
    /// `lockgate drift`; more than once for several
    #[arg(long, value_name = "FILE")]
    evidence: Vec<PathBuf>,
    /// Let an installed `zizmor` look at the workflows, without the network, and take in what it finds
    #[arg(long, conflicts_with = "rev")]
    zizmor: bool,
    /// Print starter files for what is missing instead, as a diff that `git apply` takes; nothing is written
    #[arg(long, conflicts_with_all = ["format", "output", "baseline", "require", "show"])]
    fix: bool,
    /// Tell what changed since an assessment before, printed with `--output json`
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    forge: ForgeArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Report {
    Badge,
    Html,
    Markdown,
    Sarif,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Show {
    // Plain comments: help then lists the values in one line.
    // What is missing for the next level.
    #[default]
    Next,
    // Every check.
    All,
    // What is tested of each package, beside what is missing.
    Packages,
}

/// An assessment and what changed until it, as JSON.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    assessment: &'a Assessment,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a Changes>,
}

impl Assess {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        self.has_room()?;
        let baseline = self.baseline.as_deref().map(read_baseline).transpose()?;
        let given = evidence::read(&self.evidence)?;
        let mut found = self.collect()?;
        self.forge.ask(&mut found).await?;
        let now = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now());
        found.facts.today = Some(now.date());
        found.facts.given = given;
        if self.zizmor {
            found.facts.given.extend(evidence::of_zizmor(&self.path, now.date())?);
        }
        if self.fix {
            let fixes = fix::fix(&found.tree, &found.facts);
            if fixes.files.is_empty() {
                output::note("no starter file would move a check");
            } else {
                output::print(&fix::unified(&fixes))?;
            }
            fixes.notes.iter().for_each(|note| output::note(format!("note: {note}")));
            return Ok(Exit::Done);
        }
        let assessment = assess(&found.tree, &found.facts);
        let changes = baseline.map(|baseline| baseline.changes(&assessment));
        self.print(format, &assessment, &found.facts, changes.as_ref())?;
        let mut exit = Exit::Done;
        for Required(scenario) in self.require {
            let gate = assessment.gate(scenario);
            if !gate.pass {
                exit = Exit::Failed;
                let attested = if gate.pass_with_attestations {
                    ", though it would with what is attested"
                } else {
                    ""
                };
                output::note(format!("the gate of {} does not pass{attested}:", scenario.name()));
                gate.missing.iter().for_each(|missing| output::note(format!("  {missing}")));
            }
        }
        Ok(exit)
    }

    /// Refuses what a report would leave out without a word.
    fn has_room(&self) -> CliResult<()> {
        let name = match self.format {
            Some(Report::Sarif) => "SARIF",
            Some(Report::Badge) => "a badge",
            _ => return Ok(()),
        };
        if self.baseline.is_some() {
            return Err(CliError::usage(format!("{name} has no room for what changed"))
                .hint("leave out `--baseline`, or print text, JSON, HTML or Markdown"));
        }
        if self.format == Some(Report::Badge) && self.require.len() > 1 {
            return Err(CliError::usage("a badge has room for one gate")
                .hint("give `--require` once, and print a badge for each"));
        }
        Ok(())
    }

    /// What the repository is called: as the forge knows it, or by its directory.
    fn called(&self) -> String {
        let by_directory = || {
            let path = std::fs::canonicalize(&self.path).ok()?;
            Some(path.file_name()?.to_string_lossy().into_owned())
        };
        let of_forge = self.forge.repository().map(str::to_owned);
        of_forge.or_else(by_directory).unwrap_or_else(|| "a repository".to_owned())
    }

    fn collect(&self) -> CliResult<Checkout> {
        let submodules = if self.submodules { Submodules::Read } else { Submodules::Named };
        let found = match &self.rev {
            Some(rev) => revision(&self.path, rev),
            None => checkout_with(&self.path, submodules),
        };
        found.or_exit(Exit::Usage, "cannot assess")
    }

    fn print(
        &self,
        format: Format,
        assessment: &Assessment,
        facts: &Facts,
        changes: Option<&Changes>,
    ) -> CliResult<()> {
        let required = || self.require.iter().map(|required| required.0);
        match (self.format, format) {
            (Some(Report::Markdown), _) => return output::print(&markdown(assessment, changes)),
            (Some(Report::Html), _) => {
                let repository = self.called();
                let about = About {
                    repository: &repository,
                    revision: self.rev.as_deref(),
                    commit: facts.commit.as_deref(),
                    date: facts.today,
                    version: env!("CARGO_PKG_VERSION"),
                };
                return output::print(&html(assessment, &about, changes));
            }
            (None, Format::Json) => return output::print_json(&Printed { assessment, changes }),
            (Some(Report::Badge), _) => {
                output::print(&badge(assessment, required().next()))?;
            }
            (Some(Report::Sarif), _) => {
                output::print_json(&sarif(assessment, &required().collect::<Vec<_>>()))?;
            }
            (None, Format::Text) => output::print(&text::text(assessment, changes, self.show))?,
        }
        for note in &assessment.notes {
            output::note(format!("note: {note}"));
        }
        Ok(())
    }
}

fn read_baseline(path: &Path) -> CliResult<Baseline> {
    let text = text_file::read(path, BASELINE_BYTES_MAX);
    text.and_then(|text| {
        let doing = format!("cannot compare with {}", path.display());
        Baseline::read(&text).or_exit(Exit::Usage, doing)
    })
    .map_err(|error| error.hint("print one with `lockgate assess --output json`"))
}

fn required(text: &str) -> Result<Required, String> {
    let name = text.strip_prefix("scenario=").ok_or("write `scenario=NAME`")?;
    let found = Scenario::ALL.into_iter().find(|scenario| scenario.name() == name);
    found.map(Required).ok_or_else(|| {
        let names: Vec<&str> = Scenario::ALL.into_iter().map(Scenario::name).collect();
        format!("there is no scenario `{name}`; there are {}", names.join(", "))
    })
}
