//! The certificate authority of tunnels that are opened: made once, kept beside other keys, and trusted by nobody who was
//! not told to. It vouches for hosts of declared tools alone.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lockgate_model::destination::Host;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::durable;
use crate::live::lock;

const KEY: &str = "inspection.key";
const CERTIFICATE: &str = "inspection.pem";
/// How long the authority is good, and what it vouches for.
const AUTHORITY_DAYS: i64 = 5 * 365;
const HOST_DAYS: i64 = 7;
/// When a host gets another certificate, long before the last is over.
const RENEWED_AFTER: Duration = Duration::from_hours(24);
/// Clocks of clients may be behind.
const BEHIND_HOURS: i64 = 24;
/// Hosts that are remembered; then it begins anew.
const HOSTS_MAX: usize = 1_024;

/// Vouches for hosts.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: PathBuf,
    hosts: Mutex<HashMap<String, (Instant, Arc<ServerConfig>)>>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Authority {
    /// The one that is kept in a directory; a new one when there is no key. A key that does not go with its certificate is
    /// no reason to make others: agents trust the certificate that was there. Blocks.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let (key, certificate) = (dir.join(KEY), dir.join(CERTIFICATE));
        if !fs::exists(&key)? {
            fs::create_dir_all(dir)?;
            let made = KeyPair::generate().map_err(io::Error::other)?;
            let own = params(&made).self_signed(&made).map_err(io::Error::other)?;
            // The key last: a certificate without one was never used, and makes way.
            durable::replace(&certificate, own.pem().as_bytes())?;
            durable::replace(&key, made.serialize_pem().as_bytes())?;
        }
        let pair = KeyPair::from_pem(&fs::read_to_string(&key)?).map_err(invalid)?;
        let own = CertificateDer::from_pem_file(&certificate).map_err(invalid)?;
        let signing =
            ring::sign::any_supported_type(&PrivatePkcs8KeyDer::from(pair.serialize_der()).into());
        CertifiedKey::new(vec![own], signing.map_err(invalid)?).keys_match().map_err(invalid)?;
        let issuer = Issuer::new(params(&pair), pair);
        Ok(Self { issuer, certificate, hosts: Mutex::default() })
    }

    /// What agents have to trust.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// What a client of this host is shown.
    pub(super) fn config(&self, host: &Host) -> io::Result<Arc<ServerConfig>> {
        let name = host.to_string();
        let known = lock(&self.hosts).get(&name).cloned();
        if let Some((made, config)) = known
            && made.elapsed() < RENEWED_AFTER
        {
            return Ok(config);
        }
        let config = Arc::new(self.vouch(&name).map_err(io::Error::other)?);
        let mut hosts = lock(&self.hosts);
        if hosts.len() >= HOSTS_MAX {
            hosts.clear();
        }
        hosts.insert(name, (Instant::now(), Arc::clone(&config)));
        Ok(config)
    }

    fn vouch(&self, name: &str) -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
        // An address may be written in brackets.
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.distinguished_name = named("Lockgate");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = span(HOST_DAYS);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// What the authority says of itself; its name is that of its key, so that two are told apart.
fn params(key: &KeyPair) -> CertificateParams {
    let id = hex::encode(&Sha256::digest(key.public_key_raw())[..4]);
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("Lockgate inspection {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = span(AUTHORITY_DAYS);
    params
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

fn span(days: i64) -> (OffsetDateTime, OffsetDateTime) {
    let now = OffsetDateTime::now_utc();
    (now - time::Duration::hours(BEHIND_HOURS), now + time::Duration::days(days))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_authority_is_made_once_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let first = Authority::open(dir.path()).unwrap();
        let text = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        let before = (text(KEY), text(CERTIFICATE));
        assert!(before.1.starts_with("-----BEGIN CERTIFICATE-----"));
        let mode = fs::metadata(dir.path().join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        Authority::open(dir.path()).unwrap();
        assert_eq!((text(KEY), text(CERTIFICATE)), before);
        assert_eq!(first.certificate(), dir.path().join(CERTIFICATE));

        let other = tempfile::tempdir().unwrap();
        Authority::open(other.path()).unwrap();
        let others = fs::read_to_string(other.path().join(CERTIFICATE)).unwrap();
        for (name, content) in [(CERTIFICATE, "garbage"), (CERTIFICATE, &others), (KEY, "no key")] {
            fs::write(dir.path().join(name), content).unwrap();
            assert_eq!(Authority::open(dir.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert_eq!(text(name), content, "it is left as it is");
            fs::write(dir.path().join(CERTIFICATE), &before.1).unwrap();
        }
        fs::write(dir.path().join(KEY), &before.0).unwrap();
        fs::remove_file(dir.path().join(CERTIFICATE)).unwrap();
        assert_eq!(Authority::open(dir.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        // What a crash leaves behind before anything was trusted.
        fs::remove_file(dir.path().join(KEY)).unwrap();
        fs::write(dir.path().join(CERTIFICATE), &before.1).unwrap();
        Authority::open(dir.path()).unwrap();
        assert_ne!(text(CERTIFICATE), before.1);
    }

    #[test]
    fn a_host_is_vouched_for_once_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open(dir.path()).unwrap();
        let host = Host::Name("api.example.com".into());
        let one = authority.config(&host).unwrap();
        assert!(Arc::ptr_eq(&one, &authority.config(&host).unwrap()));
        authority.config(&Host::Address("::1".parse().unwrap())).unwrap();
    }
}
