//! The copy of the audit log, and its numbers on `/metrics`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use lockgate_api::{MetricsSource, Registry};
use lockgate_audit::LogStatus;
use lockgate_mirror::{Mirror, MirrorStatus, Pace, Target};
use lockgate_model::config::Config;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::error::{CliError, CliResult, Exit};
use crate::serve::ledger::AuditLedger;
use crate::serve::metrics::one;

/// Begins to copy the log, if the configuration says where.
pub(super) fn start(config: &Config, log: PathBuf) -> CliResult<Option<Mirror>> {
    let Some(url) = &config.audit.mirror else { return Ok(None) };
    let target = Target::parse(url, std::env::vars()).map_err(|error| {
        CliError::new(Exit::Usage, error).context("the audit log cannot be copied".into()).hint(
            "see `audit.mirror` in the file, and AWS_…, GOOGLE_… or AZURE_… in the environment",
        )
    })?;
    Ok(Some(Mirror::start(log, target, Pace::default())))
}

/// How far the log and its copy are.
pub(super) fn metrics(ledger: &AuditLedger, mirror: Option<&Mirror>) -> Arc<dyn MetricsSource> {
    Arc::new(AuditMetrics(Arc::new(Sources {
        log: Box::new(ledger.watch()),
        mirror: mirror.map(|mirror| Box::new(mirror.reader()) as ReadMirror),
    })))
}

type ReadMirror = Box<dyn Fn() -> MirrorStatus + Send + Sync>;

struct Sources {
    log: Box<dyn Fn() -> Option<LogStatus> + Send + Sync>,
    mirror: Option<ReadMirror>,
}

struct AuditMetrics(Arc<Sources>);

impl MetricsSource for AuditMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Scrape(Arc::clone(&self.0))));
    }
}

struct Scrape(Arc<Sources>);

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Some(log) = (self.0.log)() else { return Ok(()) };
        let mut gauge = |name: &str, help: &str, value: u64| {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            one(&mut encoder, name, help, &ConstGauge::new(value))
        };
        gauge("audit_records", "Records acknowledged", log.size)?;
        gauge("audit_signed_records", "Records under the published checkpoint", log.signed_size)?;
        let refuses = log.stopped.is_some() || log.refused.is_some();
        gauge("audit_refusing", "1 while records are refused", refuses.into())?;
        let Some(mirror) = self.0.mirror.as_ref().map(|mirror| mirror()) else { return Ok(()) };
        let copied = mirror.size.unwrap_or(0);
        gauge("audit_mirror_records", "Records under the copy's checkpoint", copied)?;
        let behind = log.size.saturating_sub(copied);
        gauge("audit_mirror_behind_records", "Records that the copy does not have", behind)?;
        let failing = mirror.trouble.is_some();
        gauge("audit_mirror_failing", "1 while copying fails and is tried again", failing.into())?;
        let help = "1 while the store holds what this log did not sign, or more than it has";
        gauge("audit_mirror_refused", help, mirror.refused.is_some().into())
    }
}
