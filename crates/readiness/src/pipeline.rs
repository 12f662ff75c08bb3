//! One model of pipelines, whatever system runs them: what starts them, which jobs and steps follow on which occasion,
//! and whether a failure stops anything.

mod azure;
mod buildkite;
mod circleci;
mod elsewhere;
mod gather;
pub(crate) mod github;
mod gitlab;
mod glob;
mod jenkins;
mod source;

use std::collections::BTreeMap;

pub(crate) use self::glob::{Budget, matches as glob_matches};
use crate::finding::{Evidence, Place};
use crate::shell::{Blocking, Options};
use crate::tree::{Tree, name};

/// When a pipeline may run. Every condition is asked once for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Occasion {
    /// An ordinary change is proposed: by a person, from this repository, with no labels, of code.
    PullRequest,
    /// A change is about to be merged.
    MergeQueue,
    /// Something came onto the main branch.
    Main,
    /// Something was pushed to any other branch.
    Branch,
    /// Something was pushed to a branch for releases.
    ReleaseBranch,
    /// A tag was pushed.
    Tag,
    /// A release was published.
    Release,
    /// The time has come.
    Schedule,
    /// A person pressed a button.
    Manual,
    /// Anything else: issues, labels, other repositories.
    Other,
}

impl Occasion {
    pub(crate) const ALL: [Self; 10] = [
        Self::PullRequest,
        Self::MergeQueue,
        Self::Main,
        Self::Branch,
        Self::ReleaseBranch,
        Self::Tag,
        Self::Release,
        Self::Schedule,
        Self::Manual,
        Self::Other,
    ];

    /// In words, after "runs".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::PullRequest => "on pull requests",
            Self::MergeQueue => "in the merge queue",
            Self::Main => "on the main branch",
            Self::Branch => "on pushes to branches",
            Self::ReleaseBranch => "on release branches",
            Self::Tag => "on tags",
            Self::Release => "on releases",
            Self::Schedule => "on a schedule",
            Self::Manual => "when started by hand",
            Self::Other => "on other events",
        }
    }
}

/// Whether something runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Runs {
    Yes,
    /// The files do not say; why.
    Unsure(String),
    No,
}

impl Runs {
    /// Both must hold.
    pub(crate) fn and(&self, other: &Self) -> Self {
        self.max(other).clone()
    }
}

/// Whether something runs, for each occasion.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Occasions(Vec<Runs>);

impl Occasions {
    pub(crate) fn never() -> Self {
        Self(vec![Runs::No; Occasion::ALL.len()])
    }

    pub(crate) fn from_fn(f: impl FnMut(Occasion) -> Runs) -> Self {
        Self(Occasion::ALL.into_iter().map(f).collect())
    }

    pub(crate) fn on(&self, occasion: Occasion) -> &Runs {
        &self.0[occasion as usize]
    }

    pub(crate) fn set(&mut self, occasion: Occasion, runs: Runs) {
        self.0[occasion as usize] = runs;
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a.and(b)).collect())
    }

    /// On this occasion, and on no other.
    pub(crate) fn only(occasion: Occasion, runs: Runs) -> Self {
        let mut all = Self::never();
        all.set(occasion, runs);
        all
    }

    /// Where either says so.
    pub(crate) fn or(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a.min(b).clone()).collect())
    }

    /// The occasions on which it may run.
    pub(crate) fn possible(&self) -> impl Iterator<Item = Occasion> {
        Occasion::ALL.into_iter().filter(|occasion| *self.on(*occasion) != Runs::No)
    }
}

/// A system whose pipelines are not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum System {
    Travis,
    Drone,
    Bitbucket,
    AppVeyor,
    Cirrus,
    Tekton,
    TeamCity,
    Woodpecker,
    Prow,
    Zuul,
    Bazel,
    Forgejo,
    Gitea,
    CloudBuild,
    CodeBuild,
    Semaphore,
    Earthly,
    SourceHut,
    Harness,
    Codemagic,
    Bitrise,
    Codefresh,
    Vela,
    Screwdriver,
    OneDev,
    Packit,
}

impl System {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Travis => "Travis CI",
            Self::Drone => "Drone",
            Self::Bitbucket => "Bitbucket Pipelines",
            Self::AppVeyor => "AppVeyor",
            Self::Cirrus => "Cirrus CI",
            Self::Tekton => "Tekton",
            Self::TeamCity => "TeamCity",
            Self::Woodpecker => "Woodpecker",
            Self::Prow => "Prow",
            Self::Zuul => "Zuul",
            Self::Bazel => "Bazel CI",
            Self::Forgejo => "Forgejo Actions",
            Self::Gitea => "Gitea Actions",
            Self::CloudBuild => "Google Cloud Build",
            Self::CodeBuild => "AWS CodeBuild",
            Self::Semaphore => "Semaphore",
            Self::Earthly => "Earthly",
            Self::SourceHut => "SourceHut builds",
            Self::Harness => "Harness",
            Self::Codemagic => "Codemagic",
            Self::Bitrise => "Bitrise",
            Self::Codefresh => "Codefresh",
            Self::Vela => "Vela",
            Self::Screwdriver => "Screwdriver",
            Self::OneDev => "OneDev",
            Self::Packit => "Packit",
        }
    }
}

/// A pipeline: a file that something starts.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub(crate) file: String,
    /// What starts it, as far as the trigger alone says.
    pub(crate) triggers: Occasions,
    pub(crate) jobs: Vec<Job>,
}

/// A job of a pipeline; one that another file describes is a job of the pipeline that calls it.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) place: Place,
    pub(crate) needs: Vec<String>,
    /// It runs even when what it needs failed, to say so.
    pub(crate) always: bool,
    /// Where it deploys to.
    pub(crate) environment: Option<String>,
    /// Servers run beside it: databases, brokers.
    pub(crate) services: bool,
    pub(crate) steps: Vec<Step>,
}

impl Job {
    /// One that needs nothing, deploys nowhere and has no steps yet.
    fn new(name: impl Into<String>, file: &str, place: Place) -> Self {
        Self {
            name: name.into(),
            file: file.to_owned(),
            place,
            needs: Vec::new(),
            always: false,
            environment: None,
            services: false,
            steps: Vec::new(),
        }
    }
}

/// A step of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) file: String,
    pub(crate) place: Place,
    pub(crate) runs: Occasions,
    pub(crate) blocking: Blocking,
    pub(crate) does: Does,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Does {
    Script(Script),
    /// Something published for reuse, such as an action.
    Uses {
        what: String,
        inputs: BTreeMap<String, String>,
    },
    /// Something that cannot be read from here; why.
    Opaque(String),
}

/// Commands for a shell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Script {
    pub(crate) text: String,
    /// The line of the file on which the first line of the script stands.
    pub(crate) line: u32,
    /// The script's lines are lines of the file.
    pub(crate) literal: bool,
    pub(crate) options: Options,
    pub(crate) vars: BTreeMap<String, String>,
    /// The directory from the root; `None` when it is not known.
    pub(crate) dir: Option<String>,
}

/// Something that runs pipelines and is not read here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) evidence: Evidence,
    pub(crate) why: String,
}

/// All that is known about pipelines of a tree.
#[derive(Debug, Default)]
pub(crate) struct Pipelines {
    pub(crate) all: Vec<Pipeline>,
    pub(crate) unread: Vec<Unread>,
    pub(crate) notes: Vec<String>,
    /// Which files' changes start a pipeline on pull requests, by its own file, where not all do.
    pub(crate) paths: BTreeMap<String, Paths>,
}

/// A filter of changed files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Paths {
    /// Those that the last pattern that names them does not take out.
    Only(Vec<String>),
    /// All but these.
    Ignored(Vec<String>),
}

impl Paths {
    /// Whether a change of this file starts the pipeline; `None` when too much was compared before.
    pub(crate) fn let_through(&self, tree: &Tree, path: &str) -> Option<bool> {
        match self {
            // The last that names it decides.
            Self::Only(patterns) => {
                for pattern in patterns.iter().rev() {
                    let inner = pattern.strip_prefix('!');
                    if tree.fits(inner.unwrap_or(pattern), path)? {
                        return Some(inner.is_none());
                    }
                }
                Some(false)
            }
            Self::Ignored(patterns) => {
                for pattern in patterns {
                    if tree.fits(pattern, path)? {
                        return Some(false);
                    }
                }
                Some(true)
            }
        }
    }
}

impl Pipelines {
    /// Reads every pipeline that is understood, and says which are not.
    pub(crate) fn read(tree: &Tree, main: Option<&str>) -> Self {
        let mut found = Self::default();
        github::read(tree, main, &mut found);
        gitlab::read(tree, main, &mut found);
        jenkins::read(tree, main, &mut found);
        buildkite::read(tree, main, &mut found);
        azure::read(tree, main, &mut found);
        circleci::read(tree, main, &mut found);
        elsewhere::find(tree, &mut found);
        found
    }
}

/// Why nobody knows what patterns of paths name.
pub(crate) const TOO_MUCH: &str =
    "more patterns of paths are compared with more files than is followed";

/// A file that only people read, which an ordinary change of code does not touch.
pub(crate) fn is_prose(path: &str) -> bool {
    let ends = |end: &str| name(path).to_ascii_lowercase().ends_with(end);
    ends(".md")
        || ends(".rst")
        || ends(".adoc")
        || path.starts_with("docs/")
        || name(path).starts_with("LICENSE")
}
