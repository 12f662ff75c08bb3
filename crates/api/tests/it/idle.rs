//! Sockets that ask nothing, and the people that they must not keep out.

use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;

use crate::server::{json, start};
use crate::world::World;

const CONNECTIONS: usize = 16;
const IDLE: usize = 8 * CONNECTIONS;

#[tokio::test(flavor = "multi_thread")]
async fn idle_sockets_make_room() {
    let server =
        start(World::new().await, None, |options| options.connections_max = CONNECTIONS).await;
    let at = server.url.strip_prefix("http://").unwrap();
    let mut following = server.get("/api/v1/events", &server.admin).await;
    assert_eq!(following.status(), 200);
    let idle: Vec<TcpStream> = (0..IDLE).map(|_| TcpStream::connect(at).unwrap()).collect();

    // Sockets are taken in their order: when this one is answered, all others were taken.
    let asked = reqwest::Client::new().get(format!("{}/api/v1/agents", server.url));
    let agents = asked.bearer_auth(&server.admin).send().await.unwrap();
    json(agents, 200).await;
    assert!(is_open(&idle[IDLE - 1]), "it was not time that made room");

    let first = idle.first().unwrap().try_clone().unwrap();
    let closed = tokio::task::spawn_blocking(move || (&first).read(&mut [0]));
    assert!(!matches!(closed.await.unwrap(), Ok(1..)), "the first ones had to go");

    server.world.start("support", "v2", Some("v1"), "someone is listening").await;
    assert!(following.chunk().await.unwrap().is_some(), "who is served stays");
}

fn is_open(socket: &TcpStream) -> bool {
    socket.set_nonblocking(true).unwrap();
    let read = (&*socket).read(&mut [0]);
    matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
}
