//! Talks to the API of a running server.

use lockgate_model::config::Source;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{CliError, CliResult, Exit, OrExit as _};

/// Longest wait for an answer. Commands wait up to 5 s on the server.
const ANSWER_MAX: Duration = Duration::from_secs(30);
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// A connection that was idle for longer is not used again: a server closes it, and a request on it would be lost.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// Which server, and as whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// Address of the server's API
    #[arg(
        long,
        env = "LOCKGATE_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:8090",
        hide_env_values = true
    )]
    pub(crate) server: Url,
    /// API token
    #[arg(long, env = "LOCKGATE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// File that holds the API token
    #[arg(long, value_name = "PATH", conflicts_with = "token")]
    pub(crate) token_file: Option<PathBuf>,
}

/// A problem as the server tells it (RFC 9457).
#[derive(Debug, Default, Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    hint: Option<String>,
    cli_hint: Option<String>,
    #[serde(default)]
    errors: Vec<Value>,
}

/// One server, one token.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    server: Url,
    token: Option<String>,
}

impl Client {
    /// Reads the token; connects with the first request.
    pub(crate) fn new(args: &ServerArgs) -> CliResult<Self> {
        let token =
            match (&args.token_file, &args.token) {
                (Some(path), _) => Some(std::fs::read_to_string(path).or_exit(
                    Exit::Usage,
                    format!("cannot read the token file {}", path.display()),
                )?),
                (None, token) => token.clone(),
            };
        let mut builder = reqwest::Client::builder();
        if args.server.scheme() != "https" {
            // Plain HTTP must work where no certificate authorities are installed.
            builder = builder.tls_certs_only([]);
        }
        let http = builder
            .connect_timeout(CONNECT_MAX)
            .pool_idle_timeout(IDLE_MAX)
            .user_agent(concat!("lockgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .or_exit(Exit::Failed, "cannot prepare HTTP")?;
        Ok(Self {
            http,
            server: args.server.clone(),
            token: token.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
        })
    }

    /// The address of an API path given in segments, each escaped.
    pub(crate) fn url(&self, segments: &[&str]) -> CliResult<Url> {
        let mut url = self.server.clone();
        url.path_segments_mut()
            .map_err(|()| CliError::usage(format!("`{}` cannot be a server address", self.server)))?
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(segments);
        Ok(url)
    }

    /// Reads.
    pub(crate) async fn get(&self, segments: &[&str]) -> CliResult<Value> {
        self.get_url(self.url(segments)?).await
    }

    /// Reads an address made by [`Client::url`].
    pub(crate) async fn get_url(&self, url: Url) -> CliResult<Value> {
        let request = self.request(Method::GET, url).timeout(ANSWER_MAX);
        read(self.send(request).await?).await
    }

    /// Reads an address as the text that the server answers, byte for byte.
    pub(crate) async fn get_exact(&self, url: Url) -> CliResult<String> {
        let request = self.request(Method::GET, url).timeout(ANSWER_MAX);
        let response = self.send(request).await?;
        response.text().await.or_exit(Exit::Unreachable, "the server's answer broke off")
    }

    /// Asks for a change.
    pub(crate) async fn post(&self, segments: &[&str], body: &Value) -> CliResult<Value> {
        let request = self.request(Method::POST, self.url(segments)?).timeout(ANSWER_MAX);
        read(self.send(request.json(body)).await?).await
    }

    /// Takes something away.
    pub(crate) async fn delete(&self, segments: &[&str], reason: &str) -> CliResult<Value> {
        let mut url = self.url(segments)?;
        url.query_pairs_mut().append_pair("reason", reason);
        let request = self.request(Method::DELETE, url).timeout(ANSWER_MAX);
        read(self.send(request).await?).await
    }

    /// The same with the reason in the body: addresses are kept by whatever stands between.
    pub(crate) async fn delete_because(&self, segments: &[&str], reason: &str) -> CliResult<Value> {
        let body = serde_json::json!({ "reason": reason });
        let request = self.request(Method::DELETE, self.url(segments)?).timeout(ANSWER_MAX);
        read(self.send(request.json(&body)).await?).await
    }

    /// Sends a configuration with the files that it names.
    pub(crate) async fn put_source(&self, url: Url, source: &Source) -> CliResult<Value> {
        let request = self.request(Method::PUT, url).timeout(ANSWER_MAX).json(source);
        read(self.send(request).await?).await
    }

    /// Opens a stream of server-sent events after the event `after`.
    pub(crate) async fn events(&self, url: Url, after: Option<&str>) -> CliResult<Response> {
        let mut request = self.request(Method::GET, url).header("accept", "text/event-stream");
        if let Some(id) = after {
            request = request.header("last-event-id", id);
        }
        self.send(request).await
    }

    fn request(&self, method: Method, url: Url) -> reqwest::RequestBuilder {
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> CliResult<Response> {
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.bytes().await.unwrap_or_default();
        let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
        Err(self.refused(status, problem))
    }

    fn unreachable(&self, error: reqwest::Error) -> CliError {
        let server = self.server.as_str().trim_end_matches('/');
        let kind = if error.is_builder() { Exit::Usage } else { Exit::Unreachable };
        CliError::new(kind, anyhow::Error::new(error.without_url()))
            .context(format!("cannot reach the server at {server}"))
            .hint(
                "start it with `lockgate serve`, or name another with --server or LOCKGATE_SERVER",
            )
    }

    fn refused(&self, status: StatusCode, problem: Problem) -> CliError {
        let told = problem.title.is_some();
        let title = problem.title.unwrap_or_else(|| format!("the server answered {status}"));
        let mut text = match problem.detail {
            Some(detail) if detail != title => format!("{title}: {detail}"),
            _ => title,
        };
        for error in problem.errors.iter().filter_map(placed) {
            text.push('\n');
            text.push_str(&error);
        }
        let kind = match status {
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::UNPROCESSABLE_ENTITY => Exit::Usage,
            // Whoever stands between says that nobody is behind.
            StatusCode::SERVICE_UNAVAILABLE if !told => Exit::Unreachable,
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Exit::Unreachable,
            _ => Exit::Failed,
        };
        let of_token = match status {
            StatusCode::UNAUTHORIZED if self.token.is_none() => Some(
                "give a token with --token, --token-file or LOCKGATE_TOKEN; the first start of the server printed one",
            ),
            StatusCode::UNAUTHORIZED => Some("the token is not known or was revoked"),
            StatusCode::FORBIDDEN if problem.hint.is_none() => {
                Some("ask an admin for a token with a higher role, or for this agent")
            }
            _ => None,
        };
        let mut error = CliError::text(kind, text);
        error.hint = of_token.map(Into::into).or(problem.cli_hint).or(problem.hint);
        error.passing = status == StatusCode::SERVICE_UNAVAILABLE;
        error
    }
}

/// One configuration error of a problem as `file:line:column: message (hint)`. Errors without a
/// place only repeat the problem's own text.
fn placed(error: &Value) -> Option<String> {
    let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| error.get(key).and_then(Value::as_u64).unwrap_or_default();
    let file = error.get("file").and_then(Value::as_str)?;
    let hint = match text("hint") {
        "" => String::new(),
        hint => format!(" ({hint})"),
    };
    let (line, column) = (number("line"), number("column"));
    Some(format!("{file}:{line}:{column}: {}{hint}", text("message")))
}

async fn read(response: Response) -> CliResult<Value> {
    let bytes =
        response.bytes().await.or_exit(Exit::Unreachable, "the server's answer broke off")?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes)
        .context("is this a Lockgate server?")
        .or_exit(Exit::Failed, "the server's answer is not JSON")
}

/// Reads a typed value out of an answer.
pub(crate) fn typed<T: serde::de::DeserializeOwned>(value: &Value) -> CliResult<T> {
    serde_json::from_value(value.clone())
        .or_exit(Exit::Failed, "the server's answer has an unexpected shape")
        .map_err(|error| error.hint("the server and this command may be of different versions"))
}
