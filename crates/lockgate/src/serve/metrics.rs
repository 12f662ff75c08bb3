//! The gateway's numbers on `/metrics`, read when someone asks.

use std::fmt;
use std::sync::Arc;

use lockgate_api::{MetricsSource, Registry};
use lockgate_gateway::Stats;
use lockgate_telemetry::arm::{Feedback, Latency};
use lockgate_telemetry::sketch::Sketch;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
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
        latency(&mut encoder, &stats)?;
        cost(&mut encoder, &stats)?;
        feedback(&mut encoder, &stats)?;
        in_flight(&mut encoder, &stats)?;
        calls(&mut encoder, &stats)?;
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

fn calls(encoder: &mut DescriptorEncoder, stats: &Stats) -> fmt::Result {
    let help = "Calls of agents by tool, agent, version and end: an outcome, or `refused`";
    let mut family = encoder.encode_descriptor("egress_calls", help, None, MetricType::Counter)?;
    for (of, count) in &stats.calls {
        let labels = [
            ("tool", of.tool.as_str()),
            ("agent", of.agent.as_str()),
            ("version", of.version.as_str()),
            ("end", of.end.as_str()),
        ];
        ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// Upper edges of the buckets of latency, seconds; the last one has none.
const EDGES_S: [f64; 15] = [
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    f64::INFINITY,
];

type OfVersion = fn(&Latency) -> &Sketch;

fn latency(encoder: &mut DescriptorEncoder, stats: &Stats) -> fmt::Result {
    let families: [(&str, &str, OfVersion); 2] = [
        (
            "gateway_first_byte_seconds",
            "From a request to the first byte of its answer's body, edges true to 2 %",
            |latency| &latency.first_byte,
        ),
        (
            "gateway_request_duration_seconds",
            "From a request to the end of its answer, edges true to 2 %",
            |latency| &latency.total,
        ),
    ];
    for (name, help, of) in families {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (agent, version, totals) in &stats.versions {
            for (kind, latency) in [("plain", &totals.plain), ("stream", &totals.sse)] {
                let sketch = of(latency);
                if sketch.count() == 0 {
                    continue;
                }
                let labels =
                    [("agent", agent.as_str()), ("version", version.as_str()), ("kind", kind)];
                let (sum_s, buckets) = (sketch.sum_us() / 1e6, buckets(sketch));
                let mut metric = family.encode_family(&labels)?;
                metric.encode_histogram::<NoLabelSet>(sum_s, sketch.count(), &buckets, None)?;
            }
        }
    }
    Ok(())
}

/// Upper edges in seconds, and how many values lie between an edge and the one before.
fn buckets(sketch: &Sketch) -> Vec<(f64, u64)> {
    let all = sketch.count();
    let mut below = 0;
    let bucket = |edge_s: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let edge_us = (edge_s * 1e6) as u64;
        let up_to = all - sketch.count_above(Sketch::bin(edge_us));
        (edge_s, up_to - std::mem::replace(&mut below, up_to))
    };
    EDGES_S.into_iter().map(bucket).collect()
}

fn cost(encoder: &mut DescriptorEncoder, stats: &Stats) -> fmt::Result {
    let help = "Cost of ended requests whose cost is known, US dollars";
    let mut family =
        encoder.encode_descriptor("gateway_cost_usd", help, None, MetricType::Counter)?;
    for (agent, version, totals) in &stats.versions {
        let labels = [("agent", agent.as_str()), ("version", version.as_str())];
        let usd = totals.cost.sum_nanousd as f64 / 1e9;
        ConstCounter::new(usd).encode(family.encode_family(&labels)?)?;
    }
    let help = "Ended requests by whether their cost is known";
    let mut family =
        encoder.encode_descriptor("gateway_cost_requests", help, None, MetricType::Counter)?;
    for (agent, version, totals) in &stats.versions {
        for (known, count) in [("known", totals.cost.known), ("unknown", totals.cost.unknown)] {
            let labels =
                [("agent", agent.as_str()), ("version", version.as_str()), ("cost", known)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn feedback(encoder: &mut DescriptorEncoder, stats: &Stats) -> fmt::Result {
    let help = "Votes of users that counted, by score";
    let mut family =
        encoder.encode_descriptor("gateway_feedback", help, None, MetricType::Counter)?;
    for (agent, version, totals) in &stats.versions {
        let Feedback { positive, neutral, negative } = totals.feedback;
        let scores = [("positive", positive), ("neutral", neutral), ("negative", negative)];
        for (score, count) in scores {
            let labels =
                [("agent", agent.as_str()), ("version", version.as_str()), ("score", score)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_one_bucket_and_none_is_lost() {
        let mut sketch = Sketch::default();
        for us in [1, 4_000, 80_000, 80_000, 700_000, 400_000_000, u64::MAX] {
            sketch.record(us);
        }
        let buckets = buckets(&sketch);
        let within = |edge: f64| {
            buckets.iter().find(|(at, _)| at.to_bits() == edge.to_bits()).map(|(_, n)| *n)
        };
        assert_eq!(
            [0.005, 0.05, 0.1, 1.0, 120.0, f64::INFINITY].map(within),
            [2, 0, 2, 1, 0, 2].map(Some)
        );
        assert_eq!(buckets.iter().map(|(_, n)| n).sum::<u64>(), sketch.count());
        assert!(super::buckets(&Sketch::default()).iter().all(|(_, n)| *n == 0));
    }
}
