//! `lockgate audit witness`

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lockgate_api::WitnessServer;
use lockgate_audit::{Witness as Remembering, WitnessKey, WitnessOptions};
use serde_json::json;

use super::{log_key, read_keys};
use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output::{self, Format};
use crate::serve::data_dir::DataDir;
use crate::serve::log::{self, LogFormat};
use crate::serve::{keys, signals};

/// Where a witness listens unless it is told.
const LISTEN: &str = "127.0.0.1:8095";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Witness {
    /// Where it listens
    #[arg(long, default_value = LISTEN, value_name = "ADDR")]
    listen: SocketAddr,
    #[command(flatten)]
    dir: DirArgs,
    /// The public key of a log to follow, or a file that holds one or several; may be given several times
    #[arg(long = "log-key", required = true, value_name = "KEY|FILE")]
    logs: Vec<String>,
    /// How log lines look; text on a terminal and JSON elsewhere unless given
    #[arg(long, value_enum, value_name = "FORMAT")]
    log: Option<LogFormat>,
    #[command(subcommand)]
    other: Option<Other>,
}

#[derive(Debug, Args)]
struct DirArgs {
    /// Where it keeps its key and what it cosigned last; nobody else's directory
    #[arg(long, default_value = "lockgate-witness", value_name = "DIR")]
    data_dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Print the witness's public key; the first time, make one
    Keys(Keys),
}

#[derive(Debug, Args)]
struct Keys {
    #[command(flatten)]
    dir: DirArgs,
    /// The witness's name, for a new key: a URL without scheme such as `witness.example/w1`; drawn unless given
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl Witness {
    pub(super) async fn run(self, format: Format) -> CliResult {
        if let Some(Other::Keys(keys)) = self.other {
            return keys.run(format);
        }
        log::start(self.log)?;
        let logs = read_keys(&self.logs, log_key)?;
        let (_, mut stop_asked) = signals::listen(false)?;
        let dir = DataDir::take(&self.dir.data_dir)?;
        let key = key(&dir, None)?;
        let options = WitnessOptions::new(dir.cosigned(), key, logs);
        let followed = options.logs.len();
        let witness =
            Remembering::open(options).or_exit(Exit::Failed, "cannot begin to witness")?;
        let public = witness.key().public().to_string();
        let server = WitnessServer::start(self.listen, witness).await.map_err(|error| {
            CliError::new(Exit::Usage, error)
                .hint("is another process listening there? choose another address with --listen")
        })?;
        let local_addr = server.local_addr();
        tracing::info!(%local_addr, key = public, log_keys = followed, "ready to witness");
        stop_asked.told().await;
        tracing::info!("stopping: requests under way may finish");
        server.shutdown().await;
        Ok(Exit::Done)
    }
}

impl Keys {
    fn run(self, format: Format) -> CliResult {
        let path = self.dir.data_dir.join(KEY);
        // Also while the witness runs.
        let key = if path.exists() {
            existing(&path, self.name.as_deref())?
        } else {
            key(&DataDir::take(&self.dir.data_dir)?, self.name.as_deref())?
        };
        let public = key.public().to_string();
        match format {
            Format::Json => output::print_json(&json!({ "keys": [public] }))?,
            Format::Text => output::print(&public)?,
        }
        Ok(Exit::Done)
    }
}

/// The private key in a witness's directory.
const KEY: &str = "keys/witness.key";

/// The key of a witness. The directory of what it remembers is made before it, so that a key without one means that its
/// memory was taken away.
fn key(dir: &DataDir, name: Option<&str>) -> CliResult<WitnessKey> {
    let path = dir.keys().join("witness.key");
    if path.exists() {
        return existing(&path, name);
    }
    let doing = "cannot make the witness's key";
    let remembers = fs::read_dir(dir.cosigned())
        .is_ok_and(|files| files.flatten().any(|file| file.file_name() != "lock"));
    if remembers {
        return Err(CliError::text(
            Exit::Failed,
            format!(
                "{} holds what a witness cosigned, and its key {} is gone",
                dir.cosigned().display(),
                path.display()
            ),
        )
        .hint("put the key back from a backup, or begin a new witness in a directory of its own"));
    }
    Remembering::create(&dir.cosigned()).or_exit(Exit::Failed, doing)?;
    let drawn = || -> CliResult<String> {
        let mut id = [0; 8];
        getrandom::fill(&mut id).or_exit(Exit::Failed, doing)?;
        Ok(format!("lockgate.local/witness/{}", hex::encode(id)))
    };
    let name = name.map_or_else(drawn, |name| Ok(name.to_owned()))?;
    let key = WitnessKey::generate(&name).or_exit(Exit::Usage, doing)?;
    keys::write(&dir.keys(), "witness.key", key.secret()).or_exit(Exit::Failed, doing)?;
    Ok(key)
}

fn existing(path: &Path, name: Option<&str>) -> CliResult<WitnessKey> {
    let doing = || format!("cannot use the key {}", path.display());
    let text = fs::read_to_string(path).or_exit(Exit::Failed, doing())?;
    let key = WitnessKey::parse(&text).or_exit(Exit::Failed, doing())?;
    if let Some(name) = name.filter(|name| *name != key.public().name()) {
        return Err(CliError::usage(format!(
            "the witness here is called `{}`, not `{name}`",
            key.public().name()
        ))
        .hint("a witness keeps its name and key; begin another in a directory of its own"));
    }
    Ok(key)
}
