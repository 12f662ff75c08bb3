//! Tools behind TLS of an authority that the web does not know.

use std::net::SocketAddr;
use std::sync::Arc;

use lockgate_gateway::EgressOptions;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::egress_world::World;
use crate::mcp_server;
use crate::world::{Fake, start_gateway, try_gateway};

/// An authority of our own, and a server for `localhost` that it vouches for.
fn authority() -> (String, ServerConfig) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".into()]).unwrap();
    let certificate = own.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let server =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
    (issuer.pem(), server)
}

/// In front of a server without TLS.
async fn in_front_of(server: SocketAddr, config: ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut inside) = acceptor.accept(stream).await else { return };
                let Ok(mut behind) = TcpStream::connect(server).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut inside, &mut behind).await;
            });
        }
    });
    at
}

async fn world(authorities: Option<String>, config: ServerConfig) -> World {
    let (mcp, server) = mcp_server::start().await;
    let at = in_front_of(mcp, config).await;
    let (fake, dir) = (Fake::new(), tempfile::tempdir().unwrap());
    let gateway = start_gateway(&fake, &dir, |options| {
        options.egress = Some(EgressOptions::new("127.0.0.1:0".parse().unwrap()));
        options.authorities = authorities;
    })
    .await;
    let mut world = World { fake, gateway, server, tools: World::start().await.tools, dir };
    world.tools[0].url = format!("https://localhost:{}/deep/mcp", at.port());
    world.publish(Vec::new()).await;
    world
}

#[tokio::test]
async fn a_tool_that_our_own_authority_vouches_for_is_called() {
    let (pem, config) = authority();
    let world = world(Some(pem), config).await;
    let done = world.call("echo").await;
    assert_eq!(done["result"]["isError"], false, "{done}");
    assert_eq!(world.server.calls().len(), 1);
}

#[tokio::test]
async fn a_tool_that_nobody_vouches_for_is_not_called_and_it_is_said_why() {
    let (other, _) = authority();
    for authorities in [None, Some(other)] {
        let (_, own) = authority();
        let world = world(authorities, own).await;
        let refused = world.call("echo").await;
        assert!(refused.to_string().contains("its certificate is not trusted here"), "{refused}");
        assert!(world.server.calls().is_empty());
    }
}

#[tokio::test]
async fn what_is_no_list_of_authorities_lets_nothing_start() {
    let (fake, dir) = (Fake::new(), tempfile::tempdir().unwrap());
    let broken = "-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n";
    for pem in ["", "no certificate", broken] {
        let started =
            try_gateway(&fake, &dir, |options| options.authorities = Some(pem.to_owned())).await;
        let error = started.err().expect("it does not start").to_string();
        assert!(error.contains("`authorities`"), "{pem}: {error}");
    }
}
