//! Asks the running Lockgate. Whatever is not an answer is none.

use std::time::Duration;

use lockgate_gateway::stdio::{Decision, Question, Told};
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};

use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output;

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Longest wait for what is answered from memory.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Longest wait for a decision. Nothing is done meanwhile.
const DECISION_MAX: Duration = Duration::from_hours(1);
/// Names that are asked about at once.
const NAMES_MAX: usize = 4_096;
/// How often an outcome is told that nobody took.
const TELLS_MAX: u32 = 3;
const TELL_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Why there is no answer.
struct NoAnswer {
    kind: Exit,
    what: String,
}

/// One Lockgate, one token, one tool.
pub(super) struct Asker {
    http: reqwest::Client,
    egress: Url,
    token: String,
    tool: String,
}

impl Asker {
    /// Connects with the first question.
    pub(super) fn new(egress: &Url, token: String, tool: String) -> CliResult<Self> {
        let mut builder = reqwest::Client::builder();
        if egress.scheme() != "https" {
            // Plain HTTP must work where no certificate authorities are installed.
            builder = builder.tls_certs_only([]);
        }
        let http = builder
            .connect_timeout(CONNECT_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("lockgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .or_exit(Exit::Failed, "cannot prepare HTTP")?;
        if egress.cannot_be_a_base() {
            return Err(CliError::usage(format!("`{egress}` cannot be an address")));
        }
        Ok(Self { http, egress: egress.clone(), token, tool })
    }

    /// Whether somebody is there who knows us and the tool.
    pub(super) async fn try_out(&self) -> CliResult<()> {
        let question = json!({ "tool": self.tool, "actions": [] });
        let answer = self.post("/permits", &question, ANSWER_MAX).await;
        let Err(NoAnswer { kind, what }) = answer else { return Ok(()) };
        let hint = if kind == Exit::Unreachable {
            "start it with `lockgate serve`, or name another with --egress or LOCKGATE_EGRESS"
        } else {
            "the tool stands in `tools` with `protocol: external`, and the token is what `lockgate identity issue` printed"
        };
        Err(CliError::text(kind, what).hint(hint))
    }

    /// Which of these actions could be allowed; else why that is not known.
    pub(super) async fn permitted(&self, actions: &[&str]) -> Result<Vec<String>, String> {
        let mut permitted = Vec::new();
        let mut rest = actions;
        loop {
            let (some, more) = rest.split_at(rest.len().min(NAMES_MAX));
            let question = json!({ "tool": self.tool, "actions": some });
            let answer = self.post("/permits", &question, ANSWER_MAX).await;
            let answer = answer.map_err(|no_answer| no_answer.what)?;
            let names = answer["permitted"].as_array().ok_or("its answer is not understood")?;
            permitted.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
            rest = more;
            if rest.is_empty() {
                return Ok(permitted);
            }
        }
    }

    /// Has an action decided.
    pub(super) async fn decide(&self, question: &Question) -> Decision {
        let mut asked = json!({
            "tool": self.tool, "action": question.action, "arguments": question.arguments, "exact": question.exact,
            "request": question.id,
        });
        for (name, value) in
            [("interaction", &question.interaction), ("traceparent", &question.traceparent)]
        {
            if let Some(value) = value {
                asked[name] = value.as_str().into();
            }
        }
        let answer = match self.post("/decide", &asked, DECISION_MAX).await {
            Ok(answer) => answer,
            Err(no_answer) => return Decision::Silence(no_answer.what),
        };
        match (answer["decision"].as_str(), answer["record"].as_u64()) {
            (Some("allow"), Some(record)) => Decision::Allow { record },
            (Some("deny"), _) if answer["hidden"] == true => Decision::Hidden,
            (Some("deny"), _) => match answer["text"].as_str() {
                Some(text) => Decision::Refused(text.to_owned()),
                None => Decision::Silence("it was denied".into()),
            },
            _ => Decision::Silence("Lockgate's answer is not understood".into()),
        }
    }

    /// Tells an outcome. One that cannot be told ends as `timeout` by itself.
    pub(super) async fn tell(&self, told: &Told) {
        let path = format!("/decide/{}", told.record);
        for again in (0..TELLS_MAX).rev() {
            match self.post(&path, &told.outcome, ANSWER_MAX).await {
                Ok(_) => return,
                Err(NoAnswer { kind: Exit::Unreachable, .. }) if again > 0 => {
                    tokio::time::sleep(TELL_AGAIN_AFTER).await;
                }
                Err(no_answer) => {
                    output::note(format!(
                        "what became of a call could not be told: {}",
                        no_answer.what
                    ));
                    return;
                }
            }
        }
    }

    async fn post(&self, path: &str, body: &Value, wait_max: Duration) -> Result<Value, NoAnswer> {
        let mut url = self.egress.clone();
        url.set_path(path);
        let request = self.http.post(url).bearer_auth(&self.token).json(body).timeout(wait_max);
        let sent = request.send().await.map_err(|error| NoAnswer {
            kind: Exit::Unreachable,
            what: format!("Lockgate cannot be reached ({})", plain(&error.without_url())),
        })?;
        let status = sent.status();
        let bytes = sent.bytes().await.map_err(|_| NoAnswer {
            kind: Exit::Unreachable,
            what: "Lockgate's answer broke off".into(),
        })?;
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let detail = answer["detail"].as_str();
        let what = detail.map_or_else(|| format!("Lockgate answered {status}"), str::to_owned);
        let kind = match status.as_u16() {
            500..=599 => Exit::Unreachable,
            _ => Exit::Usage,
        };
        Err(NoAnswer { kind, what })
    }
}

/// An error with what caused it, in one line.
fn plain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
