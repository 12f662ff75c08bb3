//! How versions and tools are connected to, and who vouches for them.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// TCP keep-alive probes find peers that died without a word, also under silent event streams.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Connects by `http` and `https`, the latter with the web's root certificates and those that are given.
pub(crate) type Connector = HttpsConnector<HttpConnector>;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The protocol's versions.
    #[error("TLS cannot be set up")]
    Versions(#[source] rustls::Error),
    /// What is given as authorities is none.
    #[error("`authorities` names what is no list of certificates in PEM")]
    Authorities,
    /// One of them cannot vouch for anything.
    #[error("certificate {0} of `authorities` is no certificate authority")]
    Authority(usize, #[source] rustls::Error),
}

/// A new connector; the authorities are in PEM.
pub(crate) fn connector(authorities: Option<&str>) -> Result<Connector, TlsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = authorities {
        let given: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let given = given.ok().filter(|given| !given.is_empty()).ok_or(TlsError::Authorities)?;
        for (at, authority) in (1..).zip(given) {
            roots.add(authority).map_err(|error| TlsError::Authority(at, error))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Versions)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEP_ALIVE));
    tcp.set_keepalive_interval(Some(KEEP_ALIVE / 3));
    tcp.set_keepalive_retries(Some(3));
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp))
}

/// Whether a connection failed because nobody who is trusted here vouches for the server.
pub(crate) fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        // An error of I/O does not name what it holds as its source, but the source of that.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = held.map(|held| held as &(dyn Error + 'static)).or_else(|| error.source());
    }
    false
}
