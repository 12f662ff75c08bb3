//! `lockgate audit erase` and `lockgate audit hold …`: through the server, or on its directory when it is stopped.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lockgate_api::Reason;
use lockgate_model::custody::{Custody as _, CustodyError, LegalHold};
use lockgate_model::ledger::{Kept, LOCAL, Ledger as _, LedgerEntry, Principal};
use lockgate_store::Store;
use serde_json::{Value, json};

use crate::client::{self, Client, ServerArgs};
use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output::{self, Format};
use crate::reason;
use crate::serve::data_dir::DataDir;
use crate::serve::ledger::{AuditLedger, AuditPaths};

/// Through whom: a running server, or nobody.
#[derive(Debug, Args)]
pub(crate) struct Through {
    /// The data directory of a server that is stopped, instead of asking a running one
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Erase {
    /// The person's name, as tokens and records have it
    name: String,
    /// Why, without the name; it is recorded
    #[arg(long, value_parser = reason::parse)]
    reason: Reason,
    #[command(flatten)]
    through: Through,
}

/// Legal holds
#[derive(Debug, Subcommand)]
pub(crate) enum Hold {
    /// Place a hold: from now on nobody is erased and nothing is pruned
    Add {
        /// What people call it, such as a case's number
        name: String,
        /// Why; it is recorded
        #[arg(long, value_parser = reason::parse)]
        reason: Reason,
        #[command(flatten)]
        through: Through,
    },
    /// Lift a hold
    Remove {
        /// Its name, from `hold list`
        name: String,
        /// Why; it is recorded
        #[arg(long, value_parser = reason::parse)]
        reason: Reason,
        #[command(flatten)]
        through: Through,
    },
    /// List the holds that last
    List {
        #[command(flatten)]
        through: Through,
    },
}

impl Erase {
    pub(super) async fn run(self, format: Format) -> CliResult {
        let Self { name, reason, through } = self;
        let answer = match &through.data_dir {
            None => {
                let body = json!({ "name": name, "reason": reason });
                Client::new(&through.server)?.post(&["audit", "erase"], &body).await?
            }
            Some(dir) => {
                let (ledger, dir) = stopped(dir).await?;
                let erased = ledger.erase(&local(), &name, reason.as_str()).await;
                let erased = told_if_held(&ledger, &reason, erased).await;
                close(ledger).await;
                let subject = erased.map_err(refused)?;
                let doing = "erased from the audit log, and not from the list of changes";
                let store = Store::open(&dir.database()).await.or_exit(Exit::Failed, doing)?;
                let rows = store.forget_person(&name).await.or_exit(Exit::Failed, doing)?;
                store.close().await;
                json!({ "subject": subject, "journal_rows": rows })
            }
        };
        if format == Format::Json {
            output::print_json(&answer)?;
            return Ok(Exit::Done);
        }
        match answer["subject"].as_str() {
            Some(subject) => output::print(&format!("erased; the records keep {subject}"))?,
            None => output::print("nothing to erase: no key is kept for this name")?,
        }
        Ok(Exit::Done)
    }
}

impl Hold {
    pub(super) async fn run(self, format: Format) -> CliResult {
        let (told, answer) = match self {
            Self::Add { name, reason, through } => {
                if let Some(dir) = &through.data_dir {
                    let (ledger, _dir) = stopped(dir).await?;
                    let held = ledger.hold(&local(), &name, reason.as_str()).await;
                    close(ledger).await;
                    held.map_err(refused)?;
                } else {
                    let body = json!({ "name": name, "reason": reason });
                    Client::new(&through.server)?.post(&["audit", "holds"], &body).await?;
                }
                (format!("hold {name} lasts from now on"), json!({ "held": name }))
            }
            Self::Remove { name, reason, through } => {
                if let Some(dir) = &through.data_dir {
                    let (ledger, _dir) = stopped(dir).await?;
                    let lifted = ledger.lift(&local(), &name, reason.as_str()).await;
                    close(ledger).await;
                    if !lifted.map_err(refused)? {
                        return Err(CliError::usage(format!("there is no hold `{name}`"))
                            .hint("`lockgate audit hold list` shows them"));
                    }
                } else {
                    let client = Client::new(&through.server)?;
                    client.delete_because(&["audit", "holds", &name], reason.as_str()).await?;
                }
                (format!("hold {name} is lifted"), json!({ "lifted": name }))
            }
            Self::List { through } => listed(through).await?,
        };
        match format {
            Format::Json => output::print_json(&answer)?,
            Format::Text => output::print(&told)?,
        }
        Ok(Exit::Done)
    }
}

async fn listed(through: Through) -> CliResult<(String, Value)> {
    let holds: Vec<LegalHold> = if let Some(dir) = &through.data_dir {
        let (ledger, _dir) = stopped(dir).await?;
        let holds = ledger.holds().await;
        close(ledger).await;
        holds.map_err(refused)?
    } else {
        client::typed(&Client::new(&through.server)?.get(&["audit", "holds"]).await?)?
    };
    let rows: Vec<Vec<String>> = holds
        .iter()
        .map(|hold| {
            let since = output::time(hold.at_wall_ms);
            vec![hold.name.clone(), since, hold.by.clone(), hold.reason.clone()]
        })
        .collect();
    Ok((output::table(&["HOLD", "SINCE", "BY", "REASON"], &rows), json!(holds)))
}

/// Records that someone was not forgotten because of a hold. Who, is not said.
async fn told_if_held<T>(
    ledger: &AuditLedger,
    reason: &Reason,
    erased: Result<T, CustodyError>,
) -> Result<T, CustodyError> {
    if let Err(CustodyError::Held { .. }) = erased {
        let now = jiff::Timestamp::now().as_millisecond();
        let mut entry = LedgerEntry::event(now, local(), "audit.erase.refused", "audit");
        entry.detail = json!({ "reason": reason, "why": "a legal hold lasts" });
        entry.mark("/reason", &local(), Kept::Sealed);
        ledger.record(entry).await?;
    }
    erased
}

/// Whoever has the directory, by no other name.
fn local() -> Principal {
    Principal::Person(LOCAL.into())
}

/// The log of a server that is stopped.
async fn stopped(dir: &std::path::Path) -> CliResult<(AuditLedger, DataDir)> {
    if !dir.join("audit/checkpoint").exists() {
        return Err(CliError::usage(format!("there is no audit log in {}", dir.display()))
            .hint("say where the server keeps its state, with --data-dir"));
    }
    let dir = DataDir::take(dir)?;
    let paths = AuditPaths::of(&dir);
    let opened = tokio::task::spawn_blocking(move || AuditLedger::open(&paths)).await;
    let opened = opened.or_exit(Exit::Failed, "cannot open the audit log")?;
    let hint = "`lockgate audit verify` says what is wrong with it";
    let ledger = opened.map_err(|error| CliError::new(Exit::Failed, error).hint(hint))?;
    Ok((ledger, dir))
}

async fn close(ledger: AuditLedger) {
    // A panic of its threads was told by them.
    let _ = tokio::task::spawn_blocking(move || ledger.close()).await;
}

fn refused(error: CustodyError) -> CliError {
    match &error {
        CustodyError::Held { .. } => CliError::new(Exit::Failed, error)
            .hint("`lockgate audit hold list` shows the holds, `hold remove` lifts one"),
        CustodyError::Refused(_) => CliError::new(Exit::Usage, error),
        CustodyError::Failed(_) => CliError::new(Exit::Failed, error)
            .hint("see to the disk, and try again: trying twice does no harm"),
    }
}
