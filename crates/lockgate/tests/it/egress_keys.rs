//! The key that signs agents' tokens changes while a server runs, and is killed.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::server::Server;
use crate::support::tools;

/// How often a server is killed while its key changes; `./test --full` asks for more.
fn kills() -> u64 {
    std::env::var("LOCKGATE_EGRESS_KILLS").map_or(8, |text| text.parse().expect("a number"))
}

fn issue(server: &Server) -> String {
    let args = ["identity", "issue", "support", "v1", "--reason", "a test", "--expires", "1h"];
    server.json(&args)["token"].as_str().expect("a text").to_owned()
}

/// 200 for a call that was done, 503 for one that is refused for now.
fn call(world: &World, server: &Server, token: &str) -> u16 {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "echo", "arguments": {} } });
    let at = format!("{}/mcp/desk", server.egress());
    let (status, answer) = world.post(&at, token, &message).expect("egress answers");
    if answer["result"]["isError"] == true { 503 } else { status }
}

/// Names and states, the key that signs first.
fn keys(server: &Server) -> Vec<(String, String)> {
    let listed = server.json(&["identity", "keys"]);
    let text = |key: &Value, name: &str| key[name].as_str().expect("a text").to_owned();
    let listed = listed.as_array().expect("a list").iter();
    listed.map(|key| (text(key, "kid"), text(key, "state"))).collect()
}

#[test]
fn tokens_outlive_the_change_of_their_key_until_it_is_retired() {
    let world = World::new();
    let (url, calls) = tools::start(world.runtime());
    let mut server = Server::start_governed(&tools::config(&world.agent().url, &url));
    let old = issue(&server);
    assert_eq!(call(&world, &server, &old), 200);
    let [(first, signs)] = &keys(&server)[..] else { panic!("one key") };
    assert_eq!(signs, "signs");

    let rotated = server.json(&["identity", "rotate-key", "--reason", "each spring"]);
    assert_eq!(rotated["former"], **first);
    let second = rotated["kid"].as_str().expect("a text").to_owned();
    let new = issue(&server);
    assert_eq!((call(&world, &server, &old), call(&world, &server, &new)), (200, 200));
    let state = |name: &str, state: &str| (name.to_owned(), state.to_owned());
    assert_eq!(keys(&server), [state(&second, "signs"), state(first, "good")]);
    let refused = server.run(&["identity", "retire-key", &second, "--reason", "no"]);
    assert_eq!(refused.code, 1, "{}", refused.shown());
    let shown = server.run(&["identity", "keys"]).stdout;
    assert!(shown.contains("signs") && shown.contains("good"), "{shown}");

    // The same after a restart, and no private key of before is left.
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    server.again();
    server.until("it is heard of", |server| call(&world, server, &old) == 200);
    assert_eq!(call(&world, &server, &new), 200);
    assert!(!server.data_dir().join("keys/identity.key.next").exists());

    let retired = server.run(&["identity", "retire-key", first, "--reason", "it was seen"]);
    assert_eq!(retired.code, 0, "{}", retired.shown());
    server.until("its tokens are void", |server| call(&world, server, &old) == 401);
    assert_eq!(call(&world, &server, &new), 200);
    let listed = server.json(&["identity", "list"]);
    let revoked: Vec<bool> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["revoked_wall_ms"].is_number())
        .collect();
    assert_eq!(revoked.iter().filter(|is| **is).count(), 1, "{listed}");

    // Both at once.
    let args = ["identity", "rotate-key", "--retire-after", "0s", "--reason", "it was seen too"];
    server.json(&args);
    server.until("its tokens are void", |server| call(&world, server, &new) == 401);
    assert_eq!(call(&world, &server, &issue(&server)), 200);
    let before = calls.lock().expect("nobody panics with it").len();
    server.kill();
    server.again();
    for void in [&old, &new] {
        server.until("it is void still", |server| call(&world, server, void) == 401);
    }
    assert_eq!(calls.lock().expect("nobody panics with it").len(), before, "after a restart too");
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let made = calls.lock().expect("nobody panics with it").len();
    assert!(made >= 7, "calls that were let through: {made}");
    let recorded =
        |action: &str| server.records().iter().filter(|record| record.action == action).count();
    assert_eq!((recorded("identity.rotate_key"), recorded("identity.retire_key")), (2, 1));
}

#[test]
fn no_token_is_handed_out_whose_key_is_lost_over_kills() {
    let world = World::new();
    let (url, _) = tools::start(world.runtime());
    let mut server = Server::start_governed(&tools::config(&world.agent().url, &url));
    let mut tokens = vec![issue(&server)];
    for kill in 0..kills() {
        let (api, http) = (server.api(), world.http());
        let admin = fs::read_to_string(server.token_file()).expect("a token");
        let began = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&began);
        let changing = world.spawn(async move {
            // As many as there is time for; whoever asked does not hear of the last one.
            loop {
                let body = json!({ "reason": "a test" });
                let change = http.post(format!("{api}/api/v1/identity-keys"));
                let sent = change.bearer_auth(admin.trim()).json(&body).send();
                begins.store(true, Ordering::SeqCst);
                match sent.await {
                    Ok(answer) if answer.status() == 201 => {}
                    Ok(answer) => return Some(answer.status().as_u16()),
                    Err(_) => return None,
                }
            }
        });
        server.until("a change is under way", |_| began.load(Ordering::SeqCst));
        std::thread::sleep(Duration::from_millis(kill * 13 % 60));
        server.kill();
        let ended = world.block_on(changing).expect("it ends in order");
        assert!(matches!(ended, None | Some(409)), "{ended:?}");
        server.again();
        // Room for the next ones. What is retired here has no token of this test.
        tokens.push(issue(&server));
        server.until("it is heard of", |server| call(&world, server, &tokens[0]) == 200);
        for token in &tokens {
            assert_eq!(call(&world, &server, token), 200, "kill {kill}");
        }
        let (signs, good): (Vec<_>, Vec<_>) =
            keys(&server).into_iter().partition(|(_, state)| state == "signs");
        assert_eq!(signs.len(), 1, "one key signs");
        let used: Vec<String> = tokens.iter().map(|token| kid(token)).collect();
        for (kid, _) in good.iter().filter(|(kid, state)| state == "good" && !used.contains(kid)) {
            let retired = server.run(&["identity", "retire-key", kid, "--reason", "a test"]);
            assert_eq!(retired.code, 0, "{}", retired.shown());
        }
    }
    assert_eq!(server.stop(), Some(0), "{}", server.log());
}

/// The key that a token names.
fn kid(token: &str) -> String {
    let header = token.split('.').next().expect("a first part");
    let header = URL_SAFE_NO_PAD.decode(header).expect("base64url");
    let header: Value = serde_json::from_slice(&header).expect("a header");
    header["kid"].as_str().expect("a text").to_owned()
}
