//! Tokens of an issuer outside, whose server turns its keys over, breaks, lies, and is slow.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lockgate_model::identity::Revoked;
use lockgate_model::issuer::{IssuerKind, JwksAt, Mapped, OutsideIssuer, Who};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::egress_world::{World, breaks_off, call, post, request, token};
use crate::world::{until, version, wall_ms};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Fine,
    Broken,
    Huge,
    Moved,
    Packed,
    NoJson,
    Slow,
}

/// An issuer's server.
struct Idp {
    address: SocketAddr,
    keys: Mutex<Vec<u8>>,
    mood: Mutex<Mood>,
    seen: Mutex<Vec<String>>,
}

impl Idp {
    async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let idp = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            keys: Mutex::new(vec![1]),
            mood: Mutex::new(Mood::Fine),
            seen: Mutex::default(),
        });
        let shared = Arc::clone(&idp);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let idp = Arc::clone(&shared);
                let service = service_fn(move |request| {
                    let idp = Arc::clone(&idp);
                    async move { Ok::<_, Infallible>(idp.answer(&request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        idp
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        self.seen.lock().unwrap().push(request.uri().path().to_owned());
        let answer = Response::builder();
        let mood = *self.mood.lock().unwrap();
        let body = match mood {
            Mood::Fine => match request.uri().path() {
                "/.well-known/openid-configuration" => {
                    json!({ "issuer": self.url(), "jwks_uri": format!("{}/jwks", self.url()) })
                }
                "/jwks" => jwks(&self.keys.lock().unwrap()),
                _ => jwks(&[66]),
            },
            Mood::Broken => return answer.status(500).body("{\"keys\":[]}".into()).unwrap(),
            Mood::Huge => {
                let mut all = jwks(&[1]);
                all["padding"] = "x".repeat(300 * 1024).into();
                all
            }
            Mood::Moved => {
                let there = format!("{}/elsewhere", self.url());
                return answer.status(302).header("location", there).body(Full::default()).unwrap();
            }
            Mood::Packed => {
                let body = jwks(&[66]).to_string();
                return answer.header("content-encoding", "gzip").body(body.into()).unwrap();
            }
            Mood::NoJson => return answer.body("<html>".into()).unwrap(),
            Mood::Slow => std::future::pending().await,
        };
        answer.body(body.to_string().into()).unwrap()
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn asked(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// One that takes as long as the test wants.
    fn settings(&self, jwks: JwksAt) -> OutsideIssuer {
        let claims = [("sub".to_owned(), "support-v1".to_owned())];
        OutsideIssuer {
            name: "corp".parse().unwrap(),
            kind: IssuerKind::Oidc { issuer: self.url() },
            audience: "lockgate".into(),
            jwks,
            refresh_ms: 3_600_000,
            max_age_ms: 3_600_000,
            map: vec![Mapped {
                who: Who::Claims(claims.into()),
                agent: "support".parse().unwrap(),
                version: version("v1"),
            }],
        }
    }

    fn at_url(&self) -> OutsideIssuer {
        self.settings(JwksAt::Url(format!("{}/jwks", self.url())))
    }

    /// A token that its key of this number has signed.
    fn token(&self, key: u8) -> String {
        self.token_with(key, &json!({}))
    }

    fn token_with(&self, key: u8, header: &Value) -> String {
        let mut all = json!({ "alg": "EdDSA", "typ": "JWT", "kid": format!("k{key}") });
        for (name, value) in header.as_object().unwrap() {
            all[name] = value.clone();
        }
        let now_s = wall_ms() / 1_000;
        let claims = json!({ "iss": self.url(), "aud": "lockgate", "sub": "support-v1", "iat": now_s,
            "exp": now_s + 600 });
        let text = format!("{}.{}", b64(all.to_string()), b64(claims.to_string()));
        format!("{text}.{}", b64(signing(key).sign(text.as_bytes()).to_bytes()))
    }
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn signing(key: u8) -> SigningKey {
    SigningKey::from_bytes(&[key; 32])
}

fn jwks(keys: &[u8]) -> Value {
    let keys = keys.iter().map(|key| {
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": format!("k{key}"),
            "x": b64(signing(*key).verifying_key().as_bytes()) })
    });
    json!({ "keys": keys.collect::<Vec<_>>() })
}

async fn status(world: &World, token: &str) -> u16 {
    world.client().await.send(post(token, &request("ping", &json!({})))).await.status
}

async fn until_status(world: &World, token: &str, wanted: u16) {
    for _ in 0..500 {
        if status(world, token).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it is not {wanted}");
}

async fn believe(world: &World, issuers: Vec<OutsideIssuer>, revoked: Vec<Revoked>) {
    let mut snapshot = world.snapshot(revoked);
    snapshot.egress.issuers = issuers;
    world.put_in_force(snapshot).await;
}

#[tokio::test]
async fn tokens_are_taken_as_the_issuers_keys_come_and_go() {
    let (world, idp) = (World::start().await, Idp::start().await);
    let first = idp.token(1);
    assert_eq!(status(&world, &first).await, 401, "nobody believes it");
    believe(&world, vec![idp.at_url()], Vec::new()).await;
    until_status(&world, &first, 200).await;
    assert_eq!(status(&world, &token("v1")).await, 200, "our own are good beside it");
    let got = world.client().await.send(post(&first, &call("echo"))).await;
    assert_eq!(got.status, 200);
    let [intent] = &world.intents()[..] else { panic!("one intent") };
    assert_eq!(intent.detail["issuer"], "corp");
    assert_eq!(idp.asked(), 1, "calls ask for nothing");

    *idp.keys.lock().unwrap() = vec![2];
    let second = idp.token(2);
    assert_eq!(status(&world, &second).await, 401, "a call does not wait for keys");
    until_status(&world, &second, 200).await;
    assert_eq!(status(&world, &first).await, 401, "its key is gone");
    for n in 0..50 {
        assert_eq!(status(&world, &idp.token(100 + n)).await, 401);
    }
    // Time enough for whoever would ask again at once.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(idp.asked(), 2, "not again within the minute");
    // Whatever a token points to, nobody goes there.
    let elsewhere = format!("{}/evil", idp.url());
    for header in
        [json!({ "jku": elsewhere }), json!({ "x5u": elsewhere }), json!({ "kid": elsewhere })]
    {
        assert_eq!(status(&world, &idp.token_with(66, &header)).await, 401);
    }
    assert!(idp.seen.lock().unwrap().iter().all(|path| path == "/jwks"));
}

#[tokio::test]
async fn what_an_issuer_vouched_for_ends_with_its_terms_and_with_revocation() {
    let (world, idp) = (World::patient().await, Idp::start().await);
    believe(&world, vec![idp.at_url()], Vec::new()).await;
    let token = idp.token(1);
    until_status(&world, &token, 200).await;
    let open = async || {
        let mut client = world.client().await;
        let mut stream =
            client.open(post(&token, &call("stream-hangs"))).await.unwrap().into_body();
        stream.frame().await.unwrap().unwrap();
        (client, stream)
    };
    let (_client, stream) = open().await;
    let mut other = idp.at_url();
    other.audience = "somebody".into();
    believe(&world, vec![other], Vec::new()).await;
    assert!(breaks_off(stream).await);
    assert_eq!(status(&world, &token).await, 401);

    believe(&world, vec![idp.at_url()], Vec::new()).await;
    until_status(&world, &token, 200).await;
    let (_client, stream) = open().await;
    let floor = |before_wall_s| Revoked::Version {
        agent: "support".parse().unwrap(),
        version: version("v1"),
        before_wall_s,
    };
    // Its clock may be a minute ahead, and so may a token of before.
    believe(&world, vec![idp.at_url()], vec![floor(wall_ms() / 1_000 - 55)]).await;
    assert!(breaks_off(stream).await);
    assert_eq!(status(&world, &token).await, 401);
    believe(&world, vec![idp.at_url()], vec![floor(wall_ms() / 1_000 - 120)]).await;
    assert_eq!(status(&world, &token).await, 200);
    // After a security event the issuer goes on, and its tokens are good no more; ours of later are.
    let barred = Revoked::Outside { agent: "support".parse().unwrap(), version: version("v1") };
    believe(&world, vec![idp.at_url()], vec![barred]).await;
    assert_eq!(status(&world, &idp.token(1)).await, 401);
    assert_eq!(status(&world, &crate::egress_world::token("v1")).await, 200);
    believe(&world, Vec::new(), Vec::new()).await;
    assert_eq!(status(&world, &token).await, 401);
}

#[tokio::test]
async fn keys_that_cannot_be_read_again_are_good_for_a_while() {
    let (world, idp) = (World::start().await, Idp::start().await);
    let quick = || OutsideIssuer { refresh_ms: 1, ..idp.at_url() };
    believe(&world, vec![quick()], Vec::new()).await;
    let token = idp.token(1);
    until_status(&world, &token, 200).await;
    // From here on its keys would be others, if anybody believed what is wrong with the answer.
    *idp.keys.lock().unwrap() = vec![66];
    for mood in [Mood::Broken, Mood::Huge, Mood::Moved, Mood::Packed, Mood::NoJson, Mood::Slow] {
        *idp.mood.lock().unwrap() = mood;
        let before = idp.asked();
        until("it is asked again", || {
            idp.asked() >= before + 2 || mood == Mood::Slow && idp.asked() > before
        })
        .await;
        assert_eq!(status(&world, &token).await, 200, "{mood:?}");
        assert_eq!(status(&world, &idp.token(66)).await, 401, "{mood:?}");
    }
    assert!(idp.seen.lock().unwrap().iter().all(|path| path == "/jwks"), "no redirect is followed");
    believe(&world, vec![OutsideIssuer { max_age_ms: 0, ..quick() }], Vec::new()).await;
    assert_eq!(status(&world, &token).await, 401, "they are too old");
}

#[tokio::test]
async fn keys_are_found_by_discovery_and_in_files() {
    let (world, idp) = (World::start().await, Idp::start().await);
    believe(&world, vec![idp.settings(JwksAt::Discovery)], Vec::new()).await;
    until_status(&world, &idp.token(1), 200).await;
    let seen = idp.seen.lock().unwrap().clone();
    assert_eq!(seen, ["/.well-known/openid-configuration", "/jwks"]);

    let file = world.dir.path().join("keys.json");
    std::fs::write(&file, jwks(&[5]).to_string()).unwrap();
    let at = JwksAt::File(file.to_str().unwrap().to_owned());
    believe(&world, vec![idp.settings(at)], Vec::new()).await;
    until_status(&world, &idp.token(5), 200).await;
    assert_eq!(status(&world, &idp.token(1)).await, 401, "keys of another place");
    assert_eq!(idp.asked(), 2);
}
