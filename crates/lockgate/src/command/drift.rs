//! `lockgate drift`

mod asked;
mod own;
mod told;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use lockgate_model::drift::{Drift as Outcome, ROOTS_MAX, Report, Root, RootKind};
use lockgate_readiness::drift::unknown;
use tokio::signal::unix::{SignalKind, signal};

use self::asked::{How, Kubernetes, ReportTo, Terraform, report_to};
use crate::client::{Client, ServerArgs};
use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output::{self, Format};

/// Compares what runs with what is written.
#[derive(Debug, Args)]
pub(crate) struct Drift {
    /// The checkout
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Compare what the server has in force with this configuration file
    #[arg(long, value_name = "FILE")]
    lockgate: Option<PathBuf>,
    /// Compare the policies that the server has in force with those in this directory
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Give the programs these variables of the environment too; `NAME*` for all that begin so, such as `AWS_*`
    #[arg(long = "env", value_name = "NAME")]
    variables: Vec<String>,
    /// End what takes longer for one directory, with its children
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = asked::duration)]
    time_limit: std::time::Duration,
    /// Tell the server the result, for releases of an agent whose plan asks; NAME says whose result it is
    #[arg(long, value_name = "AGENT[/NAME]", value_parser = report_to)]
    report_to: Option<ReportTo>,
    // Headings hold for all that comes after them.
    #[command(flatten)]
    terraform: Terraform,
    #[command(flatten)]
    kubernetes: Kubernetes,
    #[command(flatten)]
    server: ServerArgs,
}

impl Drift {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let at = jiff::Timestamp::from_millisecond(now_ms)
            .or_exit(Exit::Failed, "the clock says no time that can be told")?;
        let (report_to, server) = (self.report_to.clone(), self.server.clone());
        let report = Report::new(env!("CARGO_PKG_VERSION"), at, self.compare().await?);
        match format {
            Format::Json => output::print_json(&report)?,
            Format::Text => output::print(&told::text(&report))?,
        }
        let outcome = report.outcome;
        if let Some(ReportTo { agent, source }) = report_to {
            let body = serde_json::to_value(report.summary());
            let body = body.or_exit(Exit::Failed, "cannot send the report")?;
            let segments = ["agents", agent.as_str(), "drift", source.as_str()];
            Client::new(&server)?.post(&segments, &body).await?;
            output::note(format!("the server was told, for {agent}/{source}"));
        }
        Ok(match outcome {
            Outcome::None => Exit::Done,
            Outcome::Drifted => Exit::Failed,
            Outcome::Unknown => Exit::Unknown,
        })
    }

    async fn compare(self) -> CliResult<Vec<Root>> {
        let checkout = asked::Checkout::open(&self.path)?;
        // What is wrong with the command line is told before anything is run.
        let terraform = self.terraform.directories(&checkout)?;
        let kubernetes = self.kubernetes.directories(&checkout)?;
        let own = own::Own::read(&checkout, self.lockgate.as_deref(), self.policies.as_deref())?;
        match terraform.len() + kubernetes.len() + own.count() {
            0 => {
                return Err(CliError::usage("there is nothing to compare").hint(
                    "name what to compare: --terraform DIR, --kubernetes DIR, --lockgate FILE or --policies DIR",
                ));
            }
            count if count > ROOTS_MAX => {
                let text = format!("{count} things to compare, and at most {ROOTS_MAX}");
                return Err(CliError::usage(text).hint("compare them in several runs"));
            }
            _ => {}
        }
        let client = Client::new(&self.server)?;
        let stop = Arc::new(AtomicBool::new(false));
        let how =
            How { variables: self.variables, time_max: self.time_limit, stop: Arc::clone(&stop) };
        let (of_terraform, of_kubernetes) = (self.terraform, self.kubernetes);
        let mut programs = tokio::task::spawn_blocking(move || {
            let mut roots = of_terraform.compare(&terraform, &how);
            roots.extend(of_kubernetes.compare(&kubernetes, &how));
            roots
        });
        let ran = tokio::select! {
            ran = &mut programs => ran,
            () = interrupted() => {
                // Programs are groups of their own, which hear of no interrupt by themselves.
                stop.store(true, Ordering::Relaxed);
                output::note("ending what runs");
                let _ = programs.await;
                return Err(CliError::text(Exit::Unknown, "interrupted: it could not be told"));
            }
        };
        let mut roots = ran.or_exit(Exit::Failed, "cannot run programs")?;
        roots.extend(own.compare(&client).await);
        Ok(roots)
    }
}

/// Whoever waits wants it to end.
async fn interrupted() {
    let [Ok(mut interrupt), Ok(mut terminate)] =
        [SignalKind::interrupt(), SignalKind::terminate()].map(signal)
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// A root whose program is not there.
fn no_program(kind: RootKind, path: &str, program: &str) -> Root {
    unknown(kind, path, format!("{program} is not installed, or not in PATH"))
}
