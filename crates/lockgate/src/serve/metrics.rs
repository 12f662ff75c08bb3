//! The gateway's numbers on `/metrics`, read when someone asks.

use std::fmt;
use std::sync::Arc;

use lockgate_api::{MetricsSource, Registry};
use lockgate_gateway::Stats;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Where the numbers come from; `None` once the gateway has stopped.
pub(super) type ReadStats = Arc<dyn Fn() -> Option<Stats> + Send + Sync>;

/// A gateway as a source of metrics.
pub(super) struct GatewayMetrics(pub(super) ReadStats);

impl MetricsSource for GatewayMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Scrape(Arc::clone(&self.0))));
    }
}

struct Scrape(ReadStats);

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Some(stats) = (self.0)() else {
            return Ok(());
        };
        requests(&mut encoder, &stats)?;
        in_flight(&mut encoder, &stats)?;
        let counters = [
            ("gateway_unmatched", "Requests that matched no agent", stats.unmatched),
            (
                "gateway_interactions_dropped",
                "Interactions given up because their queue was full",
                stats.interactions_dropped,
            ),
            (
                "gateway_windows_dropped",
                "Windows given up because their queue was full",
                stats.windows_dropped,
            ),
            ("gateway_forged_pins", "Conversation pins with a wrong signature", stats.forged_pins),
        ];
        for (name, help, value) in counters {
            one(&mut encoder, name, help, &ConstCounter::new(value))?;
        }
        let gauges = [
            ("gateway_clients", "Clients connected", stats.clients as f64),
            ("gateway_fuses_latched", "Latched fuses", stats.fuses_latched as f64),
            (
                "gateway_control_age_seconds",
                "Seconds since control was last alive",
                stats.control_age_ms as f64 / 1_000.0,
            ),
        ];
        for (name, help, value) in gauges {
            one(&mut encoder, name, help, &ConstGauge::new(value))?;
        }
        Ok(())
    }
}

fn requests(encoder: &mut DescriptorEncoder, stats: &Stats) -> fmt::Result {
    let help = "Ended requests by agent, version and class; class `ok` ended well";
    let mut family =
        encoder.encode_descriptor("gateway_requests", help, None, MetricType::Counter)?;
    for (agent, version, class, count) in &stats.requests {
        let labels = [
            ("agent", agent.as_str()),
            ("version", version.as_ref().map_or("none", |version| version.as_str())),
            ("class", class.map_or("ok", |class| class.as_str())),
        ];
        ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn in_flight(encoder: &mut DescriptorEncoder, stats: &Stats) -> fmt::Result {
    let help = "Requests in flight";
    let mut family =
        encoder.encode_descriptor("gateway_in_flight", help, None, MetricType::Gauge)?;
    for (agent, count) in &stats.in_flight {
        let labels = [("agent", agent.as_str())];
        ConstGauge::new(i64::from(*count)).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

pub(super) fn one<M: EncodeMetric + TypedMetric>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    metric: &M,
) -> fmt::Result {
    let encoder: MetricEncoder = encoder.encode_descriptor(name, help, None, M::TYPE)?;
    metric.encode(encoder)
}
