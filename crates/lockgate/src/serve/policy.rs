//! Who decides about agents' actions. This is the one place where a policy is put in force.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use lockgate_api::{MetricsSource, Registry};
use lockgate_model::approval::AskTerm;
use lockgate_model::decision::{ActionRequest, Decided, Decisions, Effect, PolicyStatus};
use lockgate_model::ids::{AgentName, ToolName, VersionName};
use lockgate_model::ledger::{Ledger, LedgerEntry, Principal};
use lockgate_model::limit::{CountBy, LimitOf, LimitTerm};
use lockgate_policy::rule::{Count, Of};
use lockgate_policy::{
    Asks, Bundle, Circumstances, Decision, Delegation, Obligation, Request, Session, Time, Verdict,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use serde_json::{Value, json};

use crate::error::CliResult;
use crate::policy_files::{self, Unusable};
use crate::serve::activate::wall_ms;

/// A decision that takes longer is worth a look, seconds.
const SLOW_S: f64 = 1e-3;

/// The policies of a directory, and which of them decide.
pub(crate) struct Policies {
    directory: PathBuf,
    in_force: ArcSwap<InForce>,
    took: Histogram,
    decided: AtomicU64,
    slow: Counter,
}

/// A bundle that decides, since when.
struct InForce {
    bundle: Bundle,
    since_wall_ms: i64,
}

impl Policies {
    /// Reads a directory. Files with an error are refused.
    pub(crate) fn open(directory: &Path) -> CliResult<Self> {
        let bundle = policy_files::read(directory)?;
        let in_force = InForce { bundle, since_wall_ms: wall_ms() };
        Ok(Self {
            directory: directory.to_owned(),
            in_force: ArcSwap::from_pointee(in_force),
            took: Histogram::new([
                5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, SLOW_S, 5e-3, 20e-3,
            ]),
            decided: AtomicU64::new(0),
            slow: Counter::default(),
        })
    }

    /// Records which policy decides from the start on.
    pub(crate) async fn record_start(&self, ledger: &dyn Ledger) {
        let entry = entry(&self.in_force.load().bundle, "read at the start");
        if let Err(error) = ledger.record(entry).await {
            // Nothing is done meanwhile: no intent can be recorded either.
            tracing::error!(%error, "the policy in force is not recorded");
        }
    }

    /// Reads the directory again. What is wrong with it changes nothing; what has changed decides once it is recorded.
    pub(crate) async fn reread(&self, ledger: &dyn Ledger) {
        let kept = "the policies are not put in force; those that are stay so";
        let directory = self.directory.clone();
        let read = tokio::task::spawn_blocking(move || policy_files::load(&directory)).await;
        let bundle = match read {
            Ok(Ok(bundle)) => bundle,
            Ok(Err(Unusable::Unreadable(error))) => {
                tracing::error!(error = format!("{:#}", error.source), "{kept}");
                return;
            }
            Ok(Err(Unusable::Invalid(diagnostics))) => {
                for found in &diagnostics {
                    tracing::error!(%found, "a policy is not valid");
                }
                tracing::error!(errors = diagnostics.len(), "{kept}");
                return;
            }
            Err(error) => {
                tracing::error!(%error, "{kept}");
                return;
            }
        };
        if bundle.digest == self.in_force.load().bundle.digest {
            return;
        }
        if let Err(error) = ledger.record(entry(&bundle, "read again")).await {
            tracing::error!(%error, "{kept}: it cannot be recorded");
            return;
        }
        let (digest, rules) = (bundle.digest.clone(), bundle.rules.len());
        self.in_force.store(Arc::new(InForce { bundle, since_wall_ms: wall_ms() }));
        tracing::info!(digest = digest.as_str(), rules, "other policies are in force");
    }
}

fn entry(bundle: &Bundle, why: &str) -> LedgerEntry {
    let by = Principal::Part("configuration file".into());
    let mut entry = LedgerEntry::event(wall_ms(), by, "policy.activate", "policy");
    entry.detail = json!({
        "digest": bundle.digest.as_str(), "rules": bundle.rules.len(), "tools": bundle.tools.len(), "why": why,
    });
    entry
}

/// How long decisions take.
pub(crate) struct PolicyMetrics(pub(crate) Arc<Policies>);

impl MetricsSource for PolicyMetrics {
    fn register(&self, registry: &mut Registry) {
        let Policies { took, slow, .. } = &*self.0;
        registry.register("policy_decision_seconds", "Time that decisions took", took.clone());
        let help = "Decisions that took longer than a millisecond";
        registry.register("policy_decisions_slow", help, slow.clone());
    }
}

impl Decisions for Policies {
    fn decide(&self, request: &ActionRequest<'_>) -> Decided {
        let began = Instant::now();
        let decided = self.in_force.load().decide(request);
        let took_s = began.elapsed().as_secs_f64();
        self.took.observe(took_s);
        self.decided.fetch_add(1, Ordering::Relaxed);
        if took_s > SLOW_S {
            self.slow.inc();
            tracing::warn!(took_ms = took_s * 1e3, tool = %request.tool, "a decision took long");
        }
        decided
    }

    fn permits(&self, agent: &AgentName, _: &VersionName, tool: &ToolName, action: &str) -> bool {
        self.in_force.load().bundle.permits(agent.as_str(), tool.as_str(), action)
    }

    fn status(&self) -> Option<PolicyStatus> {
        let in_force = self.in_force.load();
        Some(PolicyStatus {
            digest: in_force.bundle.digest.clone(),
            rules: in_force.bundle.rules.len(),
            tools: in_force.bundle.tools.len(),
            since_wall_ms: in_force.since_wall_ms,
            decisions: self.decided.load(Ordering::Relaxed),
            slow: self.slow.get(),
        })
    }
}

impl InForce {
    fn decide(&self, request: &ActionRequest<'_>) -> Decided {
        let circumstances = circumstances(request, wall_ms());
        let none = json!({});
        // What was left out holds no argument.
        let arguments = if request.arguments.is_null() { &none } else { request.arguments };
        let decision = self.bundle.decide(&Request {
            agent: request.agent.as_str(),
            version: Some(request.version.as_str()),
            tool: request.tool.as_str(),
            action: request.action,
            arguments,
            circumstances: &circumstances,
        });
        self.decided(&decision, request.tool.as_str(), request.action)
    }

    /// Where what an action brings back comes from.
    fn labels(&self, tool: &str, action: &str) -> Vec<String> {
        let Some(tool) = self.bundle.tools.get(tool) else { return Vec::new() };
        let of_action = tool.actions.get(action).map(|action| &action.labels);
        tool.labels.iter().chain(of_action.into_iter().flatten()).cloned().collect()
    }

    fn decided(&self, decision: &Decision, tool: &str, action: &str) -> Decided {
        let effect = match decision.verdict {
            Verdict::Allow => Effect::Allow,
            Verdict::Deny => Effect::Deny,
            Verdict::Ask => Effect::Ask,
        };
        Decided {
            effect,
            rules: decision.rules.iter().map(|rule| rule.as_str().to_owned()).collect(),
            reason: decision.why(),
            message: decision.message.clone(),
            risk: decision.risk.map(|risk| risk.to_string()),
            asks: decision.asks.iter().map(term).collect(),
            labels: self.labels(tool, action),
            limits: decision.obligations.iter().map(limit).collect(),
            security_event: decision.security_event,
            giver: None,
            facts: serde_json::to_value(&decision.facts).unwrap_or(Value::Null),
            policy: self.bundle.digest.clone(),
        }
    }
}

fn limit(obligation: &Obligation) -> LimitTerm {
    let Obligation { rule, limit, amount } = obligation;
    LimitTerm {
        rule: rule.as_str().to_owned(),
        of: match limit.of {
            Of::Calls => LimitOf::Calls,
            Of::Tokens => LimitOf::Tokens,
            Of::CostNanousd => LimitOf::CostNanousd,
            Of::Sum(_) => LimitOf::Amount(*amount),
        },
        most: limit.most,
        otherwise: limit.otherwise,
        span_ms: limit.per.ms(),
        by: match limit.count {
            Count::Agent => CountBy::Agent,
            Count::Version => CountBy::Version,
            Count::Session => CountBy::Session,
            Count::User => CountBy::User,
            Count::Call => CountBy::Call,
        },
        giver: None,
    }
}

fn term(asks: &Asks) -> AskTerm {
    let Asks { rule, ask } = asks;
    AskTerm { rule: rule.as_str().to_owned(), approvals: ask.approvals, from: ask.from.clone() }
}

/// What is known besides the arguments. What is not known is unknown: no word about labels is not the same as no labels.
fn circumstances(request: &ActionRequest<'_>, now_ms: i64) -> Circumstances {
    const DAYS: [&str; 7] =
        ["thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday"];
    let session = request.session;
    let day = usize::try_from(now_ms.div_euclid(86_400_000).rem_euclid(7)).unwrap_or_default();
    Circumstances {
        session: Session {
            link: Some(session.link.as_str().to_owned()),
            labels: session.labels.clone(),
            done: session.done.clone(),
            tried: session.tried.clone(),
        },
        delegation: Delegation {
            depth: session.delegation_depth.and_then(|depth| i64::try_from(depth).ok()),
        },
        time: Time {
            hour_utc: Some(now_ms.div_euclid(3_600_000).rem_euclid(24)),
            weekday_utc: DAYS.get(day).map(|day| (*day).to_owned()),
        },
        ..Circumstances::default()
    }
}

#[cfg(test)]
mod tests {
    use lockgate_model::decision::SessionFacts;
    use lockgate_model::ledger::Link;

    use super::*;

    const FILES: &str = "
tools:
  desk:
    labels: desk
    actions:
      read: {arguments: {path: path}}
      send: {arguments: {to: email}, labels: [mail]}
      wipe: {arguments: {}}
rules:
  - {id: reads, tool: desk, action: read, effect: allow, when: {path.ancestors: {contains: /srv}}}
  - {id: sends, tool: desk, action: send, effect: allow}
  - {id: few, tool: desk, action: send, effect: limit, limit: {rate: 100/hour}}
  - {id: tainted, tool: desk, action: read, effect: deny, when: {session.labels: {contains: web}}}
";

    fn asked(
        policy: &InForce,
        labels: Option<&[&str]>,
        action: &str,
        arguments: &Value,
    ) -> Decided {
        let (agent, version): (AgentName, VersionName) =
            ("support".parse().expect("a name"), "v1".parse().expect("a name"));
        let tool: ToolName = "desk".parse().expect("a name");
        let labels = labels.map(|labels| labels.iter().map(|label| (*label).to_owned()).collect());
        let session = SessionFacts { labels, ..SessionFacts::unknown(Link::Explicit) };
        policy.decide(&ActionRequest {
            agent: &agent,
            version: &version,
            tool: &tool,
            action,
            arguments,
            session: &session,
        })
    }

    #[test]
    fn what_is_not_known_allows_nothing() {
        let bundle = Bundle::load(&[("t.yaml", FILES)]).expect("it is valid");
        let policy = InForce { bundle, since_wall_ms: 0 };
        let read = json!({ "path": "/srv/a" });
        let clean = asked(&policy, Some(&["user"]), "read", &read);
        assert_eq!((clean.effect, &clean.rules[..]), (Effect::Allow, &["reads".to_owned()][..]));
        assert_eq!(asked(&policy, Some(&["web"]), "read", &read).effect, Effect::Deny);
        assert_eq!(asked(&policy, None, "read", &read).effect, Effect::Deny, "labels are unknown");
        let outside = json!({ "path": "/srv/../etc/passwd" });
        assert_eq!(asked(&policy, Some(&["user"]), "read", &outside).effect, Effect::Deny);
        let sent = asked(&policy, Some(&["user"]), "send", &json!({ "to": "ada@example.com" }));
        assert_eq!(sent.effect, Effect::Allow);
        let [few] = &sent.limits[..] else { panic!("{sent:?}") };
        assert_eq!((few.rule.as_str(), few.most, few.span_ms), ("few", 100, 3_600_000));
        assert_eq!(sent.labels, ["desk", "mail"]);
        assert_eq!(asked(&policy, Some(&["user"]), "wipe", &Value::Null).effect, Effect::Deny);
        let (agent, tool) = ("support", "desk");
        let permits = |action: &str| policy.bundle.permits(agent, tool, action);
        assert_eq!(
            [permits("read"), permits("send"), permits("wipe"), permits("x")],
            [true, true, false, false]
        );
    }

    /// Nobody says here what is left to spend: a rule that asks for it allows nothing, and denies.
    #[test]
    fn what_is_left_of_a_budget_is_not_known_and_allows_nothing() {
        let decide = |effect: &str, when: &str| {
            let rules = format!(
                "tools: {{desk: {{actions: {{wipe: {{arguments: {{}}}}}}}}}}\nrules:\n  - {{id: it, tool: desk, action: wipe, effect: {effect}, when: {when}}}\n"
            );
            let more = match effect {
                "deny" => "  - {id: all, tool: desk, action: wipe, effect: allow}\n",
                _ => "",
            };
            let bundle = Bundle::load(&[("t.yaml", &(rules + more))]).expect("it is valid");
            let policy = InForce { bundle, since_wall_ms: 0 };
            asked(&policy, Some(&[]), "wipe", &Value::Null).effect
        };
        for fact in ["left_nanousd", "left_tokens", "left_calls"] {
            for test in ["at_least: 0", "below: 1", "not_in: [7]"] {
                let when = format!("{{budget.{fact}: {{{test}}}}}");
                assert_eq!(decide("allow", &when), Effect::Deny, "{when}");
                assert_eq!(decide("allow", &format!("{{not: {when}}}")), Effect::Deny, "{when}");
                assert_eq!(decide("deny", &when), Effect::Deny, "{when}");
            }
        }
        assert_eq!(decide("allow", "{time.hour_utc: {at_least: 0}}"), Effect::Allow);
    }

    #[test]
    fn the_day_and_the_hour_are_those_of_utc() {
        let session = SessionFacts::unknown(Link::None);
        let (agent, version) = ("support".parse().expect("a name"), "v1".parse().expect("a name"));
        let tool = "desk".parse().expect("a name");
        let request = ActionRequest {
            agent: &agent,
            version: &version,
            tool: &tool,
            action: "read",
            arguments: &Value::Null,
            session: &session,
        };
        // 2026-11-26T17:20:00Z, a Thursday.
        let time = circumstances(&request, 1_795_713_600_000).time;
        assert_eq!((time.hour_utc, time.weekday_utc.as_deref()), (Some(17), Some("thursday")));
    }
}
