//! How control speaks to addresses that people configured.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Made when they are needed first: plain HTTP must work where no certificate authorities are
/// installed, and TLS from the moment they are.
#[derive(Default)]
pub(crate) struct Clients {
    plain: Option<reqwest::Client>,
    tls: Option<reqwest::Client>,
}

impl Clients {
    pub(crate) fn of(&mut self, url: &str) -> Result<reqwest::Client, String> {
        let is_plain = reqwest::Url::parse(url).is_ok_and(|url| url.scheme() == "http");
        // An error says that the process has chosen a provider already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (place, builder) = if is_plain {
            (&mut self.plain, reqwest::Client::builder().tls_certs_only([]))
        } else {
            (&mut self.tls, reqwest::Client::builder())
        };
        if let Some(client) = place {
            return Ok(client.clone());
        }
        let client = builder
            .timeout(SEND_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("lockgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("cannot prepare HTTP: {}", chain(&error)))?;
        Ok(place.insert(client).clone())
    }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Standard Webhooks: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`.
pub(crate) fn sign(secret: &[u8], id: &str, at_seconds: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{at_seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}
