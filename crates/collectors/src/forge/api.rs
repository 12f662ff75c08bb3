//! One host, asked within bounds. Nothing that an answer names is followed but a redirect within the host; the next page
//! is asked for by its number, and what a forge writes in an error is not repeated.

use std::time::{Duration, SystemTime};

use lockgate_readiness::forge::Kind;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LINK, RETRY_AFTER};
use reqwest::{Client, Response, Url, redirect};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::{ForgeError, Question, Token};

/// All that is asked of a forge together.
const ALL_MAX: Duration = Duration::from_mins(1);
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// From the beginning of a request to the end of its answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// The longest answer, and the longest list of all its pages together.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Items that are asked for at once, and how often more are asked for.
const PAGE_ITEMS: usize = 100;
const PAGES_MAX: usize = 10;
/// How often the same is asked when the forge says that it is asked too often, and how long is waited in between.
const TRIES_MAX: u32 = 3;
const WAIT_MAX: Duration = Duration::from_secs(20);
const REDIRECTS_MAX: usize = 3;

/// One forge, as one who asks.
pub(super) struct Api {
    pub(super) kind: Kind,
    client: Client,
    root: Url,
    token: Option<Token>,
    until: Instant,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The forge's own no, with what it says in `message`.
    Status { status: u16, message: String },
    /// Anything else, in words that follow the forge's name.
    Why(String),
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    /// From the root of the API.
    pub(super) path: String,
    pub(super) said: Result<Value, Refusal>,
    /// All pages of it.
    pub(super) whole: bool,
}

/// One page.
struct Page {
    value: Value,
    headers: HeaderMap,
    bytes: usize,
}

/// How more of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paging {
    /// `page` and `per_page`; the answer is the list.
    Numbers,
    /// `continuationToken` and `$top`; the list is in `value`.
    Continuation,
}

impl Api {
    pub(super) fn new(question: &Question) -> Result<Self, ForgeError> {
        let Question { kind, url, token, .. } = question;
        let own = match kind {
            Kind::Github => "https://api.github.com",
            Kind::Gitlab => "https://gitlab.com/api/v4",
            Kind::AzureDevops => "https://dev.azure.com",
        };
        let root = match url {
            Some(url) => url.clone(),
            None => own.parse().expect("an address"),
        };
        let is_plain = check(&root)?;
        // An error says that the process has chosen a provider already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder();
        if is_plain {
            // It stays on this machine, also where a proxy is set, and needs no certificate authorities.
            builder = builder.tls_certs_only([]).no_proxy();
        }
        let client = builder
            .timeout(ANSWER_MAX)
            .connect_timeout(CONNECT_MAX)
            .redirect(redirect::Policy::custom(within_host))
            .default_headers(headers(*kind, token.as_ref()))
            .user_agent(concat!("lockgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ForgeError::Http(chain(&error)))?;
        Ok(Self {
            kind: *kind,
            client,
            root,
            token: token.clone(),
            until: Instant::now() + ALL_MAX,
        })
    }

    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// What repeats the token is not kept: parts of answers are asked for and told.
    fn kept(&self, page: Page) -> Result<Page, Refusal> {
        if self.token.as_ref().is_some_and(|token| token.is_in(&page.value)) {
            return Err(Refusal::Why("repeats the token in its answer, which is not kept".into()));
        }
        Ok(page)
    }

    /// Asks for one thing. Segments of the path are escaped.
    pub(super) async fn get(&self, segments: &[&str], query: &[(&str, &str)]) -> Reply {
        let (url, path) = self.url(segments, query);
        let page = self.page(url, ANSWER_BYTES_MAX).await;
        Reply { path, said: page.map(|page| page.value), whole: true }
    }

    /// Asks for a list, page after page.
    pub(super) async fn list(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
        paging: Paging,
    ) -> Reply {
        let (url, path) = self.url(segments, query);
        let mut items = Vec::new();
        let mut bytes = 0;
        let mut next = Next::Page(1);
        for _ in 0..PAGES_MAX {
            let page = match self.page(next.of(&url, paging), ANSWER_BYTES_MAX - bytes).await {
                Ok(page) => page,
                Err(refusal) if items.is_empty() => {
                    return Reply { path, said: Err(refusal), whole: false };
                }
                // What the pages before show is shown.
                Err(_) => return Reply { path, said: Ok(Value::Array(items)), whole: false },
            };
            bytes += page.bytes;
            let following = next.after(&page, paging);
            let Some(more) = listed(page.value, paging) else {
                let why = "answers with something that is no list".to_owned();
                return Reply { path, said: Err(Refusal::Why(why)), whole: false };
            };
            items.extend(more);
            match following {
                Some(following) => next = following,
                None => return Reply { path, said: Ok(Value::Array(items)), whole: true },
            }
        }
        Reply { path, said: Ok(Value::Array(items)), whole: false }
    }

    fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> (Url, String) {
        let mut url = self.root.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let root = self.root.path().trim_end_matches('/');
        let path = url.path().strip_prefix(root).unwrap_or(url.path()).to_owned();
        (url, path)
    }

    async fn page(&self, url: Url, bytes_max: usize) -> Result<Page, Refusal> {
        let mut tries = 1;
        loop {
            let asked = timeout_at(self.until, self.once(url.clone(), bytes_max)).await;
            let (response, body) = asked.map_err(|_| late())??;
            let status = response.status;
            let Some(wait) = wait(status, &response.headers, tries) else {
                return page(status, response.headers, &body).and_then(|page| self.kept(page));
            };
            if tries == TRIES_MAX {
                return Err(Refusal::Why(format!(
                    "is asked too often ({status}): ask again later"
                )));
            }
            if wait > WAIT_MAX || Instant::now() + wait >= self.until {
                let seconds = wait.as_secs();
                return Err(Refusal::Why(format!(
                    "is asked too often ({status}): ask again in {seconds} s"
                )));
            }
            sleep(wait).await;
            tries += 1;
        }
    }

    async fn once(&self, url: Url, bytes_max: usize) -> Result<(Head, Vec<u8>), Refusal> {
        let failed = |error: reqwest::Error| {
            Refusal::Why(format!("cannot be reached: {}", chain(&error.without_url())))
        };
        let mut response = self.client.get(url).send().await.map_err(failed)?;
        let head = Head::of(&response);
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(failed)? {
            if body.len() + part.len() > bytes_max {
                let mib = ANSWER_BYTES_MAX >> 20;
                return Err(Refusal::Why(format!(
                    "answers with more than the {mib} MiB that are read"
                )));
            }
            body.extend_from_slice(&part);
        }
        Ok((head, body))
    }
}

struct Head {
    status: u16,
    headers: HeaderMap,
}

impl Head {
    fn of(response: &Response) -> Self {
        Self { status: response.status().as_u16(), headers: response.headers().clone() }
    }
}

/// Which part of a list.
enum Next {
    Page(usize),
    Token(String),
}

impl Next {
    fn of(&self, url: &Url, paging: Paging) -> Url {
        let mut url = url.clone();
        let (items, which, value) = match (paging, self) {
            (Paging::Numbers, Self::Page(page)) => ("per_page", "page", page.to_string()),
            (Paging::Continuation, Self::Page(_)) => ("$top", "", String::new()),
            (_, Self::Token(token)) => ("$top", "continuationToken", token.clone()),
        };
        url.query_pairs_mut().append_pair(items, &PAGE_ITEMS.to_string());
        if !which.is_empty() {
            url.query_pairs_mut().append_pair(which, &value);
        }
        url
    }

    /// Where the list goes on, when it does.
    fn after(&self, page: &Page, paging: Paging) -> Option<Self> {
        let text = |name: &str| page.headers.get(name).and_then(|value| value.to_str().ok());
        match paging {
            Paging::Numbers => {
                let Self::Page(number) = self else { return None };
                let more = text(LINK.as_str()).is_some_and(|link| link.contains("rel=\"next\""))
                    || page.value.as_array().is_some_and(|items| items.len() >= PAGE_ITEMS);
                more.then_some(Self::Page(number + 1))
            }
            Paging::Continuation => {
                let token = text("x-ms-continuationtoken").filter(|token| !token.is_empty())?;
                Some(Self::Token(token.to_owned()))
            }
        }
    }
}

fn listed(value: Value, paging: Paging) -> Option<Vec<Value>> {
    match (value, paging) {
        (Value::Array(items), Paging::Numbers) => Some(items),
        (Value::Object(mut all), Paging::Continuation) => match all.remove("value")? {
            Value::Array(items) => Some(items),
            _ => None,
        },
        _ => None,
    }
}

fn page(status: u16, headers: HeaderMap, body: &[u8]) -> Result<Page, Refusal> {
    let value = serde_json::from_slice::<Value>(body);
    match (status, value) {
        (200, Ok(value)) => Ok(Page { value, headers, bytes: body.len() }),
        (200, Err(_)) => Err(Refusal::Why("answers with something that is not JSON".into())),
        // Azure DevOps shows a page to sign in.
        (203, _) => Err(Refusal::Status { status: 401, message: String::new() }),
        (_, value) => {
            let message =
                value.ok().and_then(|value| Some(value.get("message")?.as_str()?.to_owned()));
            Err(Refusal::Status { status, message: message.unwrap_or_default() })
        }
    }
}

/// How long to wait before the same is asked again, when the forge says that it is asked too often.
fn wait(status: u16, headers: &HeaderMap, tries: u32) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let after = number(RETRY_AFTER.as_str());
    let is_used_up = number("x-ratelimit-remaining") == Some(0);
    // GitHub says it with 403 too, and then in its headers.
    let limited = status == 429 || status == 403 && (after.is_some() || is_used_up);
    if !limited {
        return None;
    }
    let until_reset = || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        number("x-ratelimit-reset").filter(|_| is_used_up).map(|at| at.saturating_sub(now))
    };
    let seconds = after.or_else(until_reset).unwrap_or(1 << tries.min(8));
    Some(Duration::from_secs(seconds))
}

fn late() -> Refusal {
    Refusal::Why(format!(
        "does not answer within the {} s that are waited in all",
        ALL_MAX.as_secs()
    ))
}

/// Redirects stay where the token was meant for.
fn within_host(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let from = attempt.previous().first();
    let stays = from.is_some_and(|from| from.origin() == attempt.url().origin());
    if stays && attempt.previous().len() <= REDIRECTS_MAX {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

fn headers(kind: Kind, token: Option<&Token>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let accept = match kind {
        Kind::Github => "application/vnd.github+json",
        Kind::Gitlab | Kind::AzureDevops => "application/json",
    };
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    if kind == Kind::Github {
        headers.insert("x-github-api-version", HeaderValue::from_static("2022-11-28"));
    }
    if kind == Kind::AzureDevops {
        // Without it a refused token leads to a page for people.
        headers.insert("x-tfs-fedauthredirect", HeaderValue::from_static("Suppress"));
    }
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, token.header(kind));
    }
    headers
}

/// Whether an address is plain HTTP, which only this machine may be asked by.
fn check(url: &Url) -> Result<bool, ForgeError> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ForgeError::Url("holds credentials: give the token with `--token`"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(ForgeError::Url("has a query or a fragment: write only the root of its API"));
    }
    match url.scheme() {
        "https" => Ok(false),
        "http" if is_here(url) => Ok(true),
        "http" => Err(ForgeError::Url(
            "is plain HTTP, by which only this machine is asked: use `https://`",
        )),
        _ => Err(ForgeError::Url("is none: it begins with `https://`")),
    }
}

fn is_here(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
