//! `lockgate audit search`

use std::path::PathBuf;

use clap::Args;
use lockgate_audit::{Index, Query};

use super::export::{in_order, time};
use super::{LogArgs, People, anchored, check, look, unusable};
use crate::error::{CliResult, Exit};
use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Of this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Of this version
    #[arg(long, value_name = "NAME")]
    version: Option<String>,
    /// With this tool
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// What was done, such as `rollout.start`
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// By whom
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
    /// To what
    #[arg(long, value_name = "NAME")]
    object: Option<String>,
    /// What was decided
    #[arg(long, value_name = "WORD")]
    decision: Option<String>,
    /// Under this risk, such as `ASI02`
    #[arg(long, value_name = "ID")]
    risk: Option<String>,
    /// For this interaction
    #[arg(long, value_name = "ID")]
    interaction: Option<String>,
    /// In this release
    #[arg(long, value_name = "ID")]
    rollout: Option<String>,
    /// In this trace
    #[arg(long, value_name = "ID")]
    trace: Option<String>,
    /// With any other label; may be given several times
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// From this time on: RFC 3339, a date (UTC), or a length of time before now such as 24h or 20d
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<i64>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<i64>,
    /// Older than this record: the next page
    #[arg(long, value_name = "SEQ")]
    before: Option<u64>,
    /// At most so many, the newest first
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// Where the index is kept; else `audit-index` beside the log
    #[arg(long, value_name = "DIR")]
    index: Option<PathBuf>,
    #[command(flatten)]
    log: LogArgs,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| format!("`{text}` is not of the form NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Search {
    pub(super) async fn run(self, format: Format) -> CliResult {
        in_order(self.from, self.to)?;
        let log = self.log.open()?;
        let people = self.log.people(&log)?;
        if let Some(name) = &self.principal {
            people.findable(name)?;
        }
        let log_dir = self.log.path();
        let dir = self.index.clone().unwrap_or_else(|| beside(&log_dir));
        let error = |error| unusable(error, &log_dir);
        let mut index = Index::open(&dir, &log).await.map_err(error)?;
        index.update(&log, &mut check::progress()).await.map_err(error)?;
        let found = index.search(&log, &self.query(&people)).await.map_err(error)?;
        look::print(found, &people, format, true)?;
        anchored::note(&log, &log_dir);
        Ok(Exit::Done)
    }

    fn query(self, people: &People) -> Query {
        let named = [
            ("agent", self.agent),
            ("version", self.version),
            ("tool", self.tool),
            ("action", self.action),
            ("object", self.object),
            ("decision", self.decision),
            ("risk", self.risk),
            ("interaction", self.interaction),
            ("rollout", self.rollout),
            ("trace", self.trace),
        ];
        let named = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Query {
            principals: self.principal.map(|name| people.called(name)),
            terms: named.chain(self.labels).collect(),
            from_ms: self.from,
            to_ms: self.to,
            before: self.before,
            limit: self.limit,
        }
    }
}

/// The directory beside a log. A log's own directory holds nothing but the log.
fn beside(log: &std::path::Path) -> PathBuf {
    let mut name = log.file_name().unwrap_or_else(|| "audit".as_ref()).to_owned();
    name.push("-index");
    log.with_file_name(name)
}
