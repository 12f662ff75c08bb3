//! A real model behind the demo's agent, at whatever speaks chat completions.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};

use crate::process::{helper, lockgate};
use crate::served::curl;

const ANSWER: &str = r#"{"choices":[{"message":{"role":"assistant","content":"Fourteen."}}]}"#;

/// Answers one request; gives its head and body.
fn model(listener: &TcpListener) -> (String, Value) {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "cut off: {head}");
    }
    let head = head.to_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let length = ANSWER.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{ANSWER}"
    );
    (&stream).write_all(answer.as_bytes()).unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

#[test]
fn a_model_that_is_named_writes_the_answers() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/base/", listener.local_addr().unwrap());
    let mut tools = Command::new(lockgate());
    tools.arg("demo-tools").arg("--address-file").arg(dir.path().join("tools.address"));
    let (_tools, tools_address) = helper(dir.path(), "tools", &mut tools);
    let mut agent = Command::new(lockgate());
    agent
        .args(["demo-agent", "--tools-url", &format!("http://{tools_address}")])
        .arg("--address-file")
        .arg(dir.path().join("agent.address"))
        .env("LOCKGATE_MODEL_URL", &url)
        .env("LOCKGATE_MODEL_KEY", "a-key")
        .env("LOCKGATE_MODEL_NAME", "a-model");
    let (_agent, address) = helper(dir.path(), "agent", &mut agent);
    let asked = std::thread::spawn(move || model(&listener));
    let question = "How many nights is mooring along the towpath free?";
    let body = json!({"model": "harbour", "messages": [{"role": "user", "content": question}]});
    let answer = curl(&format!("http://{address}/v1/chat/completions"), &body.to_string(), &[]);
    assert_eq!(answer, ("200".to_owned(), ANSWER.as_bytes().to_vec()), "as the model wrote it");
    let (head, sent) = asked.join().unwrap();
    assert!(head.starts_with("post /base/chat/completions "), "{head}");
    assert!(head.contains("authorization: bearer a-key"), "{head}");
    assert_eq!(sent["model"], "a-model");
    assert_eq!(sent["messages"][1], json!({"role": "user", "content": question}));
    let context = sent["messages"][0]["content"].as_str().unwrap();
    assert!(context.contains("14 nights"), "what the tools found is put before it: {context}");
}
