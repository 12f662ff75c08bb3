//! Requests to a witness: bounded in time and size, and never led elsewhere.

use std::time::Duration;

use lockgate_audit::origin_hash;
use reqwest::{Client, Response, redirect};

/// From the beginning of a request to the end of its answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// The longest answer that is read, in bytes: a note with sixteen signatures of the longest kind.
const ANSWER_MAX_BYTES: usize = 128 << 10;

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HttpError(pub(crate) String);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// One witness.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    url: String,
}

impl Http {
    pub(crate) fn new(url: &str) -> Result<Self, HttpError> {
        // An error says that the process has chosen a provider already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder();
        if url.starts_with("http://") {
            // Plain HTTP must work where no certificate authorities are installed.
            builder = builder.tls_certs_only([]);
        }
        let client = builder
            .timeout(ANSWER_MAX)
            .connect_timeout(CONNECT_MAX)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("lockgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| HttpError(format!("cannot prepare HTTP: {}", chain(&error))))?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned() })
    }

    pub(crate) async fn add_checkpoint(&self, body: Vec<u8>) -> Result<Answer, HttpError> {
        let request = self.client.post(format!("{}/add-checkpoint", self.url)).body(body);
        read(request.send().await).await
    }

    async fn checkpoint(&self, origin: &str) -> Result<Answer, HttpError> {
        let url = format!("{}/{}/checkpoint", self.url, origin_hash(origin));
        read(self.client.get(url).send().await).await
    }
}

/// Asks a witness for the newest checkpoint that it cosigned of a log, by its monitoring prefix; `None` when there is
/// none. Nothing in the answer was checked.
pub async fn fetch_checkpoint(url: &str, origin: &str) -> Result<Option<Vec<u8>>, HttpError> {
    let answer = Http::new(url)?.checkpoint(origin).await?;
    match answer.status {
        200 => Ok(Some(answer.body)),
        404 => Ok(None),
        status => Err(HttpError(format!("it answered with status {status}"))),
    }
}

async fn read(answered: Result<Response, reqwest::Error>) -> Result<Answer, HttpError> {
    let failed = |error: reqwest::Error| HttpError(chain(&error.without_url()));
    let mut response = answered.map_err(failed)?;
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if body.len() + part.len() > ANSWER_MAX_BYTES {
            return Err(HttpError("its answer is too long".into()));
        }
        body.extend_from_slice(&part);
    }
    Ok(Answer { status: response.status().as_u16(), body })
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
