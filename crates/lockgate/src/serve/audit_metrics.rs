//! The audit log's numbers on `/metrics`: the log itself, its copy, its witnesses.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use lockgate_anchor::{Anchor, WitnessStatus};
use lockgate_api::{MetricsSource, Registry};
use lockgate_audit::LogStatus;
use lockgate_mirror::{Mirror, MirrorStatus};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::serve::anchor::Window;
use crate::serve::ledger::AuditLedger;
use crate::serve::metrics::one;

/// How far the log, its copy and its witnesses are.
pub(super) fn metrics(
    ledger: &AuditLedger,
    mirror: Option<&Mirror>,
    anchor: &Anchor,
    window: Window,
) -> Arc<dyn MetricsSource> {
    Arc::new(AuditMetrics(Arc::new(Sources {
        log: Box::new(ledger.watch()),
        persons: {
            let persons = Arc::clone(&ledger.persons);
            Box::new(move || persons.trouble())
        },
        mirror: mirror.map(|mirror| Box::new(mirror.reader()) as Read<MirrorStatus>),
        witnesses: Box::new(anchor.reader()),
        window,
    })))
}

type Read<T> = Box<dyn Fn() -> T + Send + Sync>;

struct Sources {
    log: Read<Option<LogStatus>>,
    /// Why what people do is refused.
    persons: Read<Option<String>>,
    mirror: Option<Read<MirrorStatus>>,
    witnesses: Read<Vec<WitnessStatus>>,
    window: Window,
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
        let sources = &self.0;
        let Some(log) = (sources.log)() else { return Ok(()) };
        let gauges = &mut Gauges(&mut encoder);
        gauges.of("audit_records", "Records acknowledged", log.size)?;
        let help = "Records under the published checkpoint";
        gauges.of("audit_signed_records", help, log.signed_size)?;
        let refuses =
            log.stopped.is_some() || log.refused.is_some() || (sources.persons)().is_some();
        gauges.of("audit_refusing", "1 while records are refused", refuses.into())?;
        if let Some(mirror) = &sources.mirror {
            gauges.mirror(&log, &mirror())?;
        }
        let witnesses = (sources.witnesses)();
        gauges.window(&log, &witnesses, &sources.window)?;
        gauges.witnesses(&witnesses)
    }
}

struct Gauges<'a, 'e>(&'a mut DescriptorEncoder<'e>);

impl Gauges<'_, '_> {
    fn of(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        one(self.0, name, help, &ConstGauge::new(whole(value)))
    }

    fn mirror(&mut self, log: &LogStatus, mirror: &MirrorStatus) -> fmt::Result {
        let copied = mirror.size.unwrap_or(0);
        self.of("audit_mirror_records", "Records under the copy's checkpoint", copied)?;
        let behind = log.size.saturating_sub(copied);
        self.of("audit_mirror_behind_records", "Records that the copy does not have", behind)?;
        let failing = mirror.trouble.is_some();
        self.of(
            "audit_mirror_failing",
            "1 while copying fails and is tried again",
            failing.into(),
        )?;
        let help = "1 while the store holds what this log did not sign, or more than it has";
        self.of("audit_mirror_refused", help, mirror.refused.is_some().into())
    }

    /// What nothing but the log's own key vouches for. Without witnesses that is all of it.
    fn window(
        &mut self,
        log: &LogStatus,
        witnesses: &[WitnessStatus],
        window: &Window,
    ) -> fmt::Result {
        let first = window.begins(witnesses);
        let records = log.size.saturating_sub(first);
        let help = "Records that fewer witnesses vouch for than the configuration asks for";
        self.of("audit_unanchored_records", help, records)?;
        let seconds = match records {
            0 => Some(0.0),
            _ => window.since_ms(first).map(|since| (now_ms() - since).max(0) as f64 / 1e3),
        };
        // Not known is not shown.
        let Some(seconds) = seconds else { return Ok(()) };
        let help = "Age of the first of these records";
        one(self.0, "audit_unanchored_seconds", help, &ConstGauge::new(seconds))
    }

    fn witnesses(&mut self, all: &[WitnessStatus]) -> fmt::Result {
        if all.is_empty() {
            return Ok(());
        }
        let cosigned = |status: &WitnessStatus| status.size.unwrap_or(0);
        let failing = |status: &WitnessStatus| status.trouble.is_some().into();
        let refused = |status: &WitnessStatus| status.refused.is_some().into();
        let help = "Records under the newest checkpoint that a witness cosigned";
        self.each("audit_witness_records", help, all, cosigned)?;
        let help = "1 while a witness does not answer as it should, and is asked again";
        self.each("audit_witness_failing", help, all, failing)?;
        let help = "1 while a witness says that this is not the log that it cosigned";
        self.each("audit_witness_refused", help, all, refused)
    }

    fn each(
        &mut self,
        name: &str,
        help: &str,
        all: &[WitnessStatus],
        value: impl Fn(&WitnessStatus) -> u64,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for status in all {
            let labels = [("witness", status.name.as_str()), ("key", status.key_id.as_str())];
            ConstGauge::new(whole(value(status))).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
