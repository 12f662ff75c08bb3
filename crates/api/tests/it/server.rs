//! A running server and a client for it.

use std::sync::Arc;

use lockgate_api::{Api, Deps, Options, token};
use lockgate_model::decision::NoPolicy;
use lockgate_model::path::NoOversight;
use lockgate_model::ports::Fuses;
use lockgate_store::Role;
use lockgate_testkit::ledger::MemoryLedger;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Method, RequestBuilder, Response, redirect};
use serde_json::Value;

use crate::world::{NoTokens, NoUsers, World};

pub(crate) struct Server {
    pub(crate) world: Arc<World>,
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) admin: String,
    api: Option<Api>,
    control: Option<tokio::task::JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(control) = &self.control {
            control.abort();
        }
    }
}

/// A server whose commands are handled.
pub(crate) async fn server() -> Server {
    let mut server = without_control(None).await;
    let world = Arc::clone(&server.world);
    server.control = Some(tokio::spawn(async move { world.control().await }));
    server
}

/// A server whose commands stay pending.
pub(crate) async fn without_control(fuses: Option<Arc<dyn Fuses>>) -> Server {
    start(World::new().await, fuses, |_| {}).await
}

pub(crate) async fn start(
    world: World,
    fuses: Option<Arc<dyn Fuses>>,
    change: impl FnOnce(&mut Options),
) -> Server {
    // reqwest wants one although everything here is plain HTTP; a second install does nothing
    let _ = rustls::crypto::ring::default_provider().install_default();
    let admin = token::bootstrap(&world.store, &MemoryLedger::default()).await.unwrap().unwrap();
    let mut options = Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        metrics_need_token: false,
        connections_max: Options::CONNECTIONS_MAX,
    };
    change(&mut options);
    let deps = Deps {
        store: world.store.clone(),
        ledger: world.ledger.clone(),
        custody: world.ledger.clone(),
        issuer: Arc::new(NoTokens),
        decisions: Arc::new(NoPolicy),
        oversight: Arc::new(NoOversight),
        users: Arc::new(NoUsers),
        fuses,
        metrics: Vec::new(),
        on_config: None,
    };
    let api = Api::start(options, deps).await.unwrap();
    Server {
        url: format!("http://{}", api.local_addr()),
        world: Arc::new(world),
        client: Client::builder().redirect(redirect::Policy::none()).build().unwrap(),
        admin,
        api: Some(api),
        control: None,
    }
}

impl Server {
    pub(crate) async fn token(&self, role: Role, agents: Option<&[&str]>) -> String {
        self.named_token(&format!("{role}-token"), role, agents).await
    }

    pub(crate) async fn named_token(
        &self,
        name: &str,
        role: Role,
        agents: Option<&[&str]>,
    ) -> String {
        let agents =
            agents.map(|agents| agents.iter().map(|agent| agent.parse().unwrap()).collect());
        let (plaintext, record) = token::mint(name, role, agents);
        self.world.store.insert_token(&record).await.unwrap();
        plaintext
    }

    pub(crate) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.url))
            .header(AUTHORIZATION, format!("Bearer {token}"))
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Response {
        self.request(Method::GET, path, token).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Response {
        self.request(Method::POST, path, token).json(&body).send().await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Response {
        self.request(Method::DELETE, path, token).send().await.unwrap()
    }

    pub(crate) async fn put_config(&self, query: &str, token: &str, text: &str) -> Response {
        self.request(Method::PUT, &format!("/api/v1/config{query}"), token)
            .header(CONTENT_TYPE, "text/yaml")
            .body(text.to_owned())
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn shutdown(mut self) {
        self.api.take().unwrap().shutdown().await;
    }
}

/// The problem in an answer, after checking that it is one.
pub(crate) async fn problem(response: Response, status: u16) -> Value {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(problem["status"], status);
    assert!(problem["type"].as_str().unwrap().starts_with("urn:lockgate:problem:"));
    for field in ["title", "detail"] {
        assert!(!problem[field].as_str().unwrap().is_empty(), "{field}");
    }
    problem
}

/// The JSON of an answer with this status.
pub(crate) async fn json(response: Response, status: u16) -> Value {
    let got = response.status().as_u16();
    let text = response.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    serde_json::from_str(&text).unwrap()
}
