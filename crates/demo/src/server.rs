//! What the agent and the tool server share: a port, an address file, a way to stop.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use axum::Router;
use tokio::net::TcpListener;

use crate::error::DemoError;

/// Serves until told to stop; the address is written once connections are taken.
pub(crate) async fn serve(
    router: Router,
    port: u16,
    address_file: Option<&Path>,
    stop_with_stdin: bool,
) -> Result<(), DemoError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(DemoError::io("listen on 127.0.0.1"))?;
    let address = listener.local_addr().map_err(DemoError::io("read the listening address"))?;
    if let Some(path) = address_file {
        announce(path, address)?;
    }
    axum::serve(listener, router)
        .with_graceful_shutdown(stopped(stop_with_stdin))
        .await
        .map_err(DemoError::io("serve HTTP"))
}

/// Written beside and renamed, so that a reader never sees half an address.
fn announce(path: &Path, address: SocketAddr) -> Result<(), DemoError> {
    let draft = path.with_extension("draft");
    std::fs::write(&draft, address.to_string()).map_err(DemoError::file("write", &draft))?;
    std::fs::rename(&draft, path).map_err(DemoError::file("write", path))
}

async fn stopped(with_stdin: bool) {
    let stdin_closed = async {
        if !with_stdin {
            return std::future::pending().await;
        }
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            // Whatever ends the read, the parent is gone; so is the receiver, if telling fails.
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            let _ = tell.send(());
        });
        let _ = told.await;
    };
    tokio::select! {
        () = stdin_closed => {}
        () = signalled() => {}
    }
}

/// Resolves with Ctrl-C or a request to terminate.
pub(crate) async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut stream) => {
                stream.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

/// An HTTP client with the project's TLS provider.
pub(crate) fn http_client() -> Result<reqwest::Client, DemoError> {
    // Fails only when a provider is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(std::time::Duration::from_secs(5))
        .pool_max_idle_per_host(64)
        .build()
        .map_err(DemoError::Http)
}
