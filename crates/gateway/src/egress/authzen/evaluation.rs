//! How it is answered. Each evaluation is an action of its own, decided and recorded by itself.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use lockgate_model::identity::Identity;
use serde_json::{Map, Value, json};

use super::request::{Asked, Evaluation, Until};
use super::{Failed, REQUEST_ID};
use crate::egress::call::Verdict;
use crate::egress::decide::millis;
use crate::egress::elsewhere::{self, Enforcer, Undecided, Wanted};
use crate::egress::exact;
use crate::egress::known::Server;
use crate::egress::link;
use crate::egress::outcome::Open;
use crate::egress::refusal::Why;

/// The longest id of a request that is recorded.
const REQUEST_ID_BYTES_MAX: usize = 256;
/// What agents are called as subjects, and tools as resources.
const AGENT: &str = "agent";
const TOOL: &str = "tool";

/// What becomes of an evaluation.
enum Decision {
    Permit(Box<Open>, Arc<Server>),
    Deny(Value),
    /// It could not be decided, which denies too.
    Error(Failed),
}

impl Decision {
    fn not_there(message: &str) -> Self {
        let error = json!({ "status": 404, "message": message });
        Self::Deny(json!({ "reason": message, "error": error }))
    }
}

impl From<Undecided> for Decision {
    fn from(undecided: Undecided) -> Self {
        let why = undecided.in_words();
        match undecided {
            Undecided::NoTool => Self::not_there(&why),
            Undecided::NoAction | Undecided::Stopped => Self::Deny(json!({ "reason": why })),
            Undecided::Full => Self::Error(Failed::new(StatusCode::TOO_MANY_REQUESTS, why)),
            Undecided::Closed(_) => Self::Error(Failed::new(StatusCode::SERVICE_UNAVAILABLE, why)),
            Undecided::Nobody(refused) => Self::Error(Failed::nobody(refused)),
        }
    }
}

/// The body of the answer. What is permitted is held from the moment that all of it is known.
pub(super) async fn answer(
    enforcer: &Enforcer,
    headers: &HeaderMap,
    asked: &Asked,
) -> Result<Value, Failed> {
    let (until, evaluations) = match asked {
        Asked::One(evaluation) => {
            return match decide(enforcer, headers, evaluation, 0).await {
                Decision::Permit(open, server) => Ok(permitted(enforcer, *open, &server)),
                Decision::Deny(context) => Ok(denied(&context)),
                Decision::Error(failed) => Err(failed),
            };
        }
        Asked::Several { until, evaluations } => (*until, evaluations),
    };
    let mut decisions = Vec::with_capacity(evaluations.len());
    let mut permits = 0;
    for evaluation in evaluations {
        let decision = match evaluation {
            Ok(evaluation) => decide(enforcer, headers, evaluation, permits).await,
            Err(why) => Decision::Error(Failed::unreadable(why)),
        };
        let is_permit = matches!(decision, Decision::Permit(..));
        permits += usize::from(is_permit);
        decisions.push(decision);
        if until == if is_permit { Until::FirstPermit } else { Until::FirstDeny } {
            break;
        }
    }
    let told = decisions.into_iter().map(|decision| match decision {
        Decision::Permit(open, server) => permitted(enforcer, *open, &server),
        Decision::Deny(context) => denied(&context),
        Decision::Error(Failed { status, why, .. }) => {
            denied(&json!({ "error": { "status": status.as_u16(), "message": why } }))
        }
    });
    Ok(json!({ "evaluations": told.collect::<Vec<_>>() }))
}

async fn decide(
    enforcer: &Enforcer,
    headers: &HeaderMap,
    evaluation: &Evaluation,
    before: usize,
) -> Decision {
    let (kind, name) = &evaluation.resource;
    if kind != TOOL {
        return Decision::not_there("resources are tools, of the type `tool`");
    }
    let server = match enforcer.tool(name) {
        Ok(server) => server,
        Err(undecided) => return undecided.into(),
    };
    let objection = is_somebody_else(&enforcer.identity, &evaluation.subject);
    let [action, resource] = &evaluation.raw;
    let wanted = Wanted {
        action: &evaluation.action,
        arguments: &evaluation.arguments,
        request: &request_id(headers),
        exact: &|| {
            let arguments = exact::field(action.as_bytes(), "properties")?;
            Some(format!("{arguments} {}", exact::field(resource.as_bytes(), "properties")?))
        },
        linked: &link::of(headers, &elsewhere::link(&evaluation.context)),
        // Whoever asks here wants an answer at once, and asks again.
        waits: false,
        objection: objection.as_deref(),
        before,
    };
    match enforcer.decide(&server, wanted).await {
        Ok(Verdict::Go(open)) => Decision::Permit(Box::new(open), server),
        Ok(Verdict::Hidden) => Decision::not_there("there is no such action for this agent"),
        Ok(Verdict::Refused(why)) => Decision::Deny(reasons(&why)),
        Err(undecided) => undecided.into(),
    }
}

/// Nobody asks for anybody but the version whose token it has.
fn is_somebody_else(identity: &Identity, (kind, id): &(String, String)) -> Option<String> {
    let Identity { agent, version, .. } = identity;
    let is_own = kind == AGENT
        && match id.split_once('/') {
            Some((of, name)) => of == agent.as_str() && name == version.as_str(),
            None => id == agent.as_str(),
        };
    (!is_own).then(|| {
        format!(
            "the subject is not whose token this is: it must be of type `agent`, and `{agent}` or `{agent}/{version}`"
        )
    })
}

fn request_id(headers: &HeaderMap) -> Value {
    let id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    id.filter(|id| id.len() <= REQUEST_ID_BYTES_MAX).into()
}

fn permitted(enforcer: &Enforcer, open: Open, server: &Server) -> Value {
    let context = json!({ "record": open.record, "outcome_within_ms": millis(server.silence_max) });
    enforcer.hold(open, server);
    json!({ "decision": true, "context": context })
}

fn denied(context: &Value) -> Value {
    json!({ "decision": false, "context": context })
}

/// Why; nothing that is null, as the standard wants it.
fn reasons(why: &Why) -> Value {
    let all = [
        ("reason", json!(why.reason)),
        ("message", json!(why.message)),
        ("rules", json!(why.rules)),
        ("record", json!(why.record)),
        ("approval", json!(why.approval)),
    ];
    let there = all.into_iter().filter(|(_, value)| !value.is_null());
    there.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
}
