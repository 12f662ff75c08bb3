//! `lockgate serve`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use lockgate_model::decision::{Decisions, NoPolicy};

use crate::config_file;
use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::serve::data_dir::DataDir;
use crate::serve::log::{self, LogFormat};
use crate::serve::policy::Policies;
use crate::serve::{self, Start, channels};

/// Where state is kept when neither the command line nor the file says.
const DATA_DIR_DEFAULT: &str = "lockgate-data";

/// Runs the server until it is told to stop.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The configuration file
    #[arg(long, default_value = config_file::DEFAULT, value_name = "FILE")]
    config: PathBuf,
    /// Where state is kept; else `data_dir` of the file, else `lockgate-data`
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where agents' traffic comes in, instead of the file's `listen.ingress`
    #[arg(long, value_name = "ADDR")]
    ingress: Option<SocketAddr>,
    /// Where agents' own calls come in, instead of the file's `listen.egress`
    #[arg(long, value_name = "ADDR")]
    egress: Option<SocketAddr>,
    /// Where the API listens, instead of the file's `listen.api`
    #[arg(long, value_name = "ADDR")]
    api: Option<SocketAddr>,
    /// Policies that decide about agents' own calls, a directory; without one every call is denied
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// How log lines look; text on a terminal and JSON elsewhere unless given
    #[arg(long, value_enum, value_name = "FORMAT")]
    log: Option<LogFormat>,
    /// Write the first admin token to this file instead of printing it
    #[arg(long, value_name = "PATH")]
    token_file: Option<PathBuf>,
    /// Stop when standard input closes, so that it does not outlive the program that started it
    #[arg(long)]
    stop_with_stdin: bool,
}

impl Serve {
    pub(crate) fn run(self) -> CliResult {
        match self.policies.as_deref().map(Policies::open).transpose()? {
            None => self.run_with(Arc::new(NoPolicy), None),
            Some(policies) => {
                let policies = Arc::new(policies);
                self.run_with(policies.clone(), Some(policies))
            }
        }
    }

    /// The same with another policy; `policies` are those that are read again when told to.
    pub(crate) fn run_with(
        self,
        decisions: Arc<dyn Decisions>,
        policies: Option<Arc<Policies>>,
    ) -> CliResult {
        log::start(self.log)?;
        let read = config_file::read(&self.config)?;
        let missing = channels::missing(&read.config);
        if !missing.is_empty() {
            return Err(CliError::usage(missing.join("\n"))
                .hint("set what the references name, or take what needs it out of the file"));
        }
        let from_file = read.config.data_dir.as_ref().map(PathBuf::from);
        let data_dir = self.data_dir.or(from_file).unwrap_or_else(|| DATA_DIR_DEFAULT.into());
        let start = Start {
            dir: DataDir::take(&data_dir)?,
            ingress: self.ingress,
            egress: self.egress,
            api: self.api,
            file: self.config,
            read,
            stop_with_stdin: self.stop_with_stdin,
            token_file: self.token_file,
            decisions,
            policies,
        };
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .or_exit(Exit::Failed, "cannot start the runtime")?
            .block_on(serve::run(start))
    }
}
