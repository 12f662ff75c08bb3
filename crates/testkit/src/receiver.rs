//! An HTTP server that takes webhooks, after it has failed as often as a test wants.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A request that the receiver got.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `webhook-id`.
    pub id: String,
    at: String,
    signature: String,
    /// The body.
    pub body: String,
}

impl Seen {
    /// Whether its signature is that of Standard Webhooks with this secret.
    pub fn signed_with(&self, secret: &[u8]) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(format!("{}.{}.{}", self.id, self.at, self.body).as_bytes());
        self.signature == format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// Where alerts arrive.
#[derive(Debug)]
pub struct Receiver {
    /// Its address.
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Receiver {
    /// What arrived so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// An HTTP server that fails so many times before it takes anything.
pub async fn receiver(failures: usize) -> Receiver {
    answering(failures, "202 Accepted").await
}

/// The same with another status for what it takes.
pub async fn answering(failures: usize, taken: &'static str) -> Receiver {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let list = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = read(&mut stream).await;
            let fail = {
                let mut list = list.lock().unwrap();
                list.push(request);
                list.len() <= failures
            };
            let status = if fail { "503 Busy" } else { taken };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    Receiver { url, seen }
}

async fn read(stream: &mut tokio::net::TcpStream) -> Seen {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_lowercase().starts_with(name));
            line.map(|line| line[name.len() + 1..].trim().to_owned()).unwrap_or_default()
        };
        if body.len() >= header("content-length").parse::<usize>().unwrap() {
            return Seen {
                id: header("webhook-id"),
                at: header("webhook-timestamp"),
                signature: header("webhook-signature"),
                body: body.to_owned(),
            };
        }
    }
}
