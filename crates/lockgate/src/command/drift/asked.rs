//! What is asked for on the command line, and the programs that answer it.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use lockgate_collectors::program::Environment;
use lockgate_collectors::{kubernetes, terraform};
use lockgate_model::config::duration_ms;
use lockgate_model::drift::{Root, RootKind, SOURCE_DEFAULT};
use lockgate_model::ids::{AgentName, DriftSource};
use lockgate_readiness::drift::{self as judge, Ended, unknown, without};

use super::no_program;
use crate::error::{CliError, CliResult, Exit, OrExit as _};

/// Root modules of Terraform, and how they are planned.
#[derive(Debug, Args)]
#[command(next_help_heading = "Terraform")]
pub(super) struct Terraform {
    /// Plan this root module, a directory of the checkout; more than once for several
    #[arg(long = "terraform", value_name = "DIR")]
    roots: Vec<PathBuf>,
    /// The program. Default: terraform, or tofu where there is none
    #[arg(long = "terraform-program", value_name = "PATH")]
    program: Option<PathBuf>,
    /// Fetch providers and modules first, exactly those of the lock file
    #[arg(long)]
    init: bool,
    /// Read variables from this file; more than once for several
    #[arg(long, value_name = "FILE")]
    var_file: Vec<PathBuf>,
    /// Wait so long for the lock of the state
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    lock_timeout: Duration,
    /// Do not lock the state: a change under way may then look like drift
    #[arg(long, conflicts_with = "lock_timeout")]
    no_lock: bool,
}

/// Manifests, and the cluster that has them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Kubernetes")]
pub(super) struct Kubernetes {
    /// Compare these manifests, or this kustomization, a directory of the checkout; more than once for several
    #[arg(long = "kubernetes", value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// Configuration of kubectl. Default: what KUBECONFIG says, or the usual file
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context in it. Default: the current one
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

/// What holds for all programs.
#[derive(Debug)]
pub(super) struct How {
    /// Names of variables of the environment.
    pub(super) variables: Vec<String>,
    /// Longest time for one directory.
    pub(super) time_max: Duration,
    /// Set when nobody waits any more.
    pub(super) stop: Arc<AtomicBool>,
}

/// A directory of the checkout.
#[derive(Debug)]
pub(super) struct Directory {
    /// From the root of the checkout, with `/`.
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// The checkout.
#[derive(Debug)]
pub(super) struct Checkout {
    root: PathBuf,
}

impl Checkout {
    pub(super) fn open(path: &Path) -> CliResult<Self> {
        let root = fs::canonicalize(path)
            .or_exit(Exit::Usage, format!("cannot read {}", path.display()))?;
        Ok(Self { root })
    }

    /// Something in it, by its path from there.
    pub(super) fn within(&self, path: &Path) -> CliResult<Directory> {
        let shown = path.display();
        let found = fs::canonicalize(self.root.join(path))
            .or_exit(Exit::Usage, format!("cannot read {shown} in {}", self.root.display()))?;
        let Ok(relative) = found.strip_prefix(&self.root) else {
            return Err(CliError::usage(format!("{shown} is outside of the checkout"))
                .hint("name a path in it; the checkout is the argument of the command"));
        };
        let parts = relative.components().filter_map(|part| match part {
            Component::Normal(part) => Some(part.to_string_lossy()),
            _ => None,
        });
        let parts: Vec<_> = parts.collect();
        let name = if parts.is_empty() { ".".to_owned() } else { parts.join("/") };
        Ok(Directory { name, path: found })
    }

    fn directories(&self, paths: &[PathBuf]) -> CliResult<Vec<Directory>> {
        let mut all: Vec<Directory> = Vec::new();
        for path in paths {
            let found = self.within(path)?;
            if !found.path.is_dir() {
                return Err(CliError::usage(format!("{} is not a directory", path.display())));
            }
            if all.iter().all(|known| known.path != found.path) {
                all.push(found);
            }
        }
        Ok(all)
    }
}

fn environment(open: &[&str], secret: &[&str], named: &[String]) -> Environment {
    let named = named.iter().map(String::as_str);
    let secret: Vec<&str> = secret.iter().copied().chain(named).collect();
    Environment::of(std::env::vars_os(), open, &secret)
}

impl Terraform {
    pub(super) fn directories(&self, checkout: &Checkout) -> CliResult<Vec<Directory>> {
        for file in &self.var_file {
            if !file.is_file() {
                return Err(CliError::usage(format!("{} is not a file", file.display())));
            }
        }
        if let Some(program) = &self.program {
            let environment = environment(&terraform::VARIABLES, &terraform::SECRETS, &[]);
            if environment.find(program).is_none() {
                let text = format!("{} is no program that can be run", program.display());
                return Err(CliError::usage(text).hint(
                    "name one that is installed with `--terraform-program`, or leave it out",
                ));
            }
        }
        checkout.directories(&self.roots)
    }

    pub(super) fn compare(&self, directories: &[Directory], how: &How) -> Vec<Root> {
        let environment = environment(&terraform::VARIABLES, &terraform::SECRETS, &how.variables);
        let tried = match &self.program {
            Some(program) => vec![program.as_path()],
            None => vec![Path::new("terraform"), Path::new("tofu")],
        };
        let program = tried.iter().find_map(|program| environment.find(program));
        let var_files: Vec<PathBuf> =
            self.var_file.iter().filter_map(|file| std::path::absolute(file).ok()).collect();
        let all = directories.iter().map(|Directory { name, path }| {
            let Some(program) = &program else {
                return no_program(RootKind::Terraform, name, &tried[0].display().to_string());
            };
            let planned = terraform::plan(&terraform::Asked {
                program,
                directory: path,
                var_files: &var_files,
                init: self.init,
                lock_timeout: (!self.no_lock).then_some(self.lock_timeout),
                stop: &how.stop,
                environment: &environment,
                time_max: how.time_max,
            });
            let named = program.file_name().unwrap_or_default().to_string_lossy();
            let failed = planned.init.as_ref().filter(|init| init.ended != Ended::Exited(0));
            let root = match failed {
                Some(_) => {
                    let why = format!("`{named} init` failed; run it by hand to see why");
                    unknown(RootKind::Terraform, name, why)
                }
                None => judge::terraform::judge(name, &named, &planned.plan, planned.show.as_ref()),
            };
            without(root, &environment.secrets())
        });
        all.collect()
    }
}

impl Kubernetes {
    pub(super) fn directories(&self, checkout: &Checkout) -> CliResult<Vec<Directory>> {
        if let Some(file) = self.kubeconfig.as_ref().filter(|file| !file.is_file()) {
            return Err(CliError::usage(format!("{} is not a file", file.display())));
        }
        checkout.directories(&self.directories)
    }

    pub(super) fn compare(&self, directories: &[Directory], how: &How) -> Vec<Root> {
        let environment = environment(&kubernetes::VARIABLES, &[], &how.variables);
        let program = environment.find(Path::new("kubectl"));
        let kubeconfig = self.kubeconfig.as_ref().and_then(|file| std::path::absolute(file).ok());
        let all = directories.iter().map(|Directory { name, path }| {
            let Some(program) = &program else {
                return no_program(RootKind::Kubernetes, name, "kubectl");
            };
            let ran = kubernetes::diff(&kubernetes::Asked {
                program,
                directory: path,
                kubeconfig: kubeconfig.as_deref(),
                context: self.context.as_deref(),
                stop: &how.stop,
                environment: &environment,
                time_max: how.time_max,
            });
            without(judge::kubernetes::judge(name, &ran), &environment.secrets())
        });
        all.collect()
    }
}

/// Whose releases are to know, and whose result it is.
#[derive(Debug, Clone)]
pub(super) struct ReportTo {
    pub(super) agent: AgentName,
    pub(super) source: DriftSource,
}

pub(super) fn report_to(text: &str) -> Result<ReportTo, String> {
    let (agent, source) = text.split_once('/').unwrap_or((text, SOURCE_DEFAULT));
    let agent = agent.parse::<AgentName>().map_err(|error| error.to_string());
    let source = source.parse::<DriftSource>().map_err(|error| error.to_string());
    Ok(ReportTo { agent: agent?, source: source? })
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let ms = duration_ms(text).map_err(|problem| format!("it {problem}; write it like `10m`"))?;
    Ok(Duration::from_millis(ms))
}
