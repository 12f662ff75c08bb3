//! Parameters of requests, as policies see them.

use http::HeaderMap;
use serde_json::{Value, json};

use super::action::Action;
use super::arguments::read;
use super::{Asked, Unclear, VERSION, Version};

const INTERACTION: &str = "0190a1b2-0000-7000-8000-000000000001";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn asked(action: Action, version: Version, params: &Value) -> Result<Asked, Unclear> {
    read(action, version, params.as_object().unwrap(), 7, &["https://x/ext".to_owned()])
}

fn arguments(action: Action, version: Version, params: &Value) -> Value {
    asked(action, version, params).unwrap_or_else(|why| panic!("{params}: {why}")).arguments
}

fn message(parts: &Value) -> Value {
    json!({ "messageId": "m", "role": "ROLE_USER", "contextId": "c", "taskId": "", "parts": parts })
}

#[test]
fn a_message_is_told_by_what_a_policy_can_be_about() {
    let params = json!({
        "tenant": "eu", "metadata": { "lockgate-interaction": INTERACTION, "a": 1 },
        "message": {
            "messageId": "m", "role": "ROLE_USER", "contextId": "c", "taskId": "t",
            "extensions": ["https://y/ext"], "referenceTaskIds": ["r"], "metadata": { "traceparent": TRACE },
            "parts": [
                { "text": "hello", "metadata": { "b": 2 } },
                { "text": "you" },
                { "url": "https://files.example.com/a", "filename": "a.pdf", "mediaType": "application/pdf" },
                { "raw": "AAAA" },
                { "data": { "amount": 5 } },
            ],
        },
        "configuration": {
            "returnImmediately": true, "historyLength": "3", "acceptedOutputModes": ["text/plain"],
            "taskPushNotificationConfig": { "url": "https://hook.example.com", "token": "secret",
                "authentication": { "scheme": "Bearer", "credentials": "secret" } },
        },
    });
    let asked = asked(Action::SendMessage, Version::V1_0, &params).unwrap();
    assert_eq!(
        asked.arguments,
        json!({
            "tenant": "eu", "role": "user", "context": "c", "task": "t", "references": ["r"],
            "extensions": ["https://y/ext", "https://x/ext"], "text": "hello\nyou", "bytes": 7, "parts": 5,
            "kinds": ["data", "raw", "text", "url"], "media_types": ["application/pdf"], "files": ["a.pdf"],
            "link": "https://files.example.com/a", "data": [{ "amount": 5 }],
            "metadata": { "request": { "a": 1 }, "parts": [{ "b": 2 }] },
            "blocking": false, "output_modes": ["text/plain"], "history": 3, "push_url": "https://hook.example.com",
        })
    );
    assert_eq!(asked.metadata.len(), 2);
}

#[test]
fn the_version_before_is_told_in_the_same_words() {
    let now = json!({ "message": message(&json!([
        { "text": "hi" }, { "url": "https://x/a", "filename": "a", "mediaType": "b/c" }, { "raw": "AA==" }, { "data": {} },
    ])), "configuration": { "taskPushNotificationConfig": { "url": "https://h" } } });
    let before = json!({ "message": { "kind": "message", "messageId": "m", "role": "user", "contextId": "c", "parts": [
        { "kind": "text", "text": "hi" },
        { "kind": "file", "file": { "uri": "https://x/a", "name": "a", "mimeType": "b/c" } },
        { "kind": "file", "file": { "bytes": "AA==" } },
        { "kind": "data", "data": {} },
    ] }, "configuration": { "blocking": true, "pushNotificationConfig": { "url": "https://h" } } });
    for action in [Action::SendMessage, Action::SendStreamingMessage] {
        assert_eq!(
            arguments(action, Version::V1_0, &now),
            arguments(action, Version::V0_3, &before)
        );
    }
    for (action, now, before) in [
        (
            Action::GetTask,
            json!({ "id": "t", "historyLength": 2 }),
            json!({ "id": "t", "historyLength": 2 }),
        ),
        (Action::CancelTask, json!({ "id": "t" }), json!({ "id": "t" })),
        (Action::SubscribeToTask, json!({ "id": "t" }), json!({ "id": "t" })),
        (
            Action::CreatePushConfig,
            json!({ "taskId": "t", "id": "c", "url": "https://h" }),
            json!({ "taskId": "t", "pushNotificationConfig": { "id": "c", "url": "https://h" } }),
        ),
        (
            Action::GetPushConfig,
            json!({ "taskId": "t", "id": "c" }),
            json!({ "id": "t", "pushNotificationConfigId": "c" }),
        ),
        (Action::ListPushConfigs, json!({ "taskId": "t" }), json!({ "id": "t" })),
        (Action::GetExtendedCard, json!({}), json!({})),
    ] {
        assert_eq!(
            arguments(action, Version::V1_0, &now),
            arguments(action, Version::V0_3, &before),
            "{action:?}"
        );
    }
}

#[test]
fn what_is_not_said_is_as_the_other_agent_takes_it() {
    let plain =
        arguments(Action::SendMessage, Version::V1_0, &json!({ "message": message(&json!([])) }));
    assert_eq!(
        plain,
        json!({ "role": "user", "context": "c", "references": [], "extensions": ["https://x/ext"], "text": "",
            "bytes": 7, "parts": 0, "kinds": [], "media_types": [], "files": [], "blocking": true, "output_modes": [] })
    );
    let several =
        json!({ "message": message(&json!([{ "url": "https://a" }, { "url": "https://b" }])) });
    let link = &arguments(Action::SendMessage, Version::V1_0, &several)["link"];
    assert_eq!(*link, json!(["https://a", "https://b"]), "no URL, so nothing is known of it");
    let null = json!({ "message": message(&json!([{ "data": null }])) });
    assert_eq!(arguments(Action::SendMessage, Version::V1_0, &null)["data"], json!([null]));
    let list = arguments(Action::ListTasks, Version::V1_0, &json!({ "pageToken": "x" }));
    assert_eq!(list, json!({ "artifacts": false }));
}

#[test]
fn what_could_be_read_otherwise_is_refused() {
    let with = |parts: Value| json!({ "message": message(&parts) });
    for params in [
        json!({}),
        json!({ "message": [] }),
        json!({ "message": { "parts": [] } }),
        json!({ "message": { "role": "ROLE_SYSTEM", "parts": [] } }),
        json!({ "message": { "role": 1, "parts": [] } }),
        json!({ "message": { "role": "user", "parts": [], "task_id": "t" } }),
        json!({ "message": { "role": "user", "parts": [], "taskID": "t" } }),
        json!({ "message": { "role": "user", "parts": [], "taskId": 7 } }),
        json!({ "message": { "role": "user", "parts": {} } }),
        with(json!([{}])),
        with(json!([7])),
        with(json!([{ "text": "a", "url": "https://x" }])),
        with(json!([{ "text": "a", "data": null }])),
        with(json!([{ "text": 7 }])),
        with(json!([{ "text": "a", "media_type": "x" }])),
        with(json!([{ "kind": "text", "text": "a" }])),
        json!({ "message": message(&json!([])), "configuration": { "return_immediately": true } }),
        json!({ "message": message(&json!([])), "configuration": { "returnImmediately": "true" } }),
        json!({ "message": message(&json!([])), "configuration": { "task_push_notification_config": {} } }),
        json!({ "message": message(&json!([])), "configuration": { "pushNotificationConfig": { "url": "x" } } }),
        json!({ "message": message(&json!([])), "configuration": { "taskPushNotificationConfig": {} } }),
        json!({ "message": message(&json!([])),
            "configuration": { "taskPushNotificationConfig": { "url": "x", "URL": "y" } } }),
        json!({ "message": message(&json!([])), "tenant": "a",
            "configuration": { "taskPushNotificationConfig": { "url": "x", "tenant": "b" } } }),
        json!({ "message": message(&json!([])), "more": 1 }),
    ] {
        assert!(asked(Action::SendMessage, Version::V1_0, &params).is_err(), "{params}");
    }
    let before =
        |parts: Value| json!({ "message": { "kind": "message", "role": "user", "parts": parts } });
    for params in [
        json!({ "message": { "kind": "task", "role": "user", "parts": [] } }),
        before(json!([{ "text": "a" }])),
        before(json!([{ "kind": "text", "text": "a", "file": {} }])),
        before(json!([{ "kind": "file", "file": { "uri": "a", "bytes": "b" } }])),
        before(json!([{ "kind": "file", "file": {} }])),
        before(json!([{ "kind": "video" }])),
        json!({ "message": { "role": "user", "parts": [] }, "configuration": { "blocking": "yes" } }),
        json!({ "message": { "role": "user", "parts": [] },
            "configuration": { "taskPushNotificationConfig": { "url": "x" } } }),
    ] {
        assert!(asked(Action::SendMessage, Version::V0_3, &params).is_err(), "{params}");
    }
    for (action, params) in [
        (Action::GetTask, json!({})),
        (Action::GetTask, json!({ "id": "" })),
        (Action::GetTask, json!({ "id": "t", "history_length": 3 })),
        (Action::CancelTask, json!({ "taskId": "t" })),
        (Action::CreatePushConfig, json!({ "taskId": "t" })),
        (Action::CreatePushConfig, json!({ "taskId": "t", "url": "" })),
        (Action::DeletePushConfig, json!({ "taskId": "t" })),
        (Action::ListTasks, json!({ "includeArtifacts": 1 })),
        (Action::GetExtendedCard, json!({ "x": 1 })),
    ] {
        assert!(asked(action, Version::V1_0, &params).is_err(), "{action:?} {params}");
    }
}

#[test]
fn a_version_is_its_first_two_numbers() {
    for (said, version) in [
        ("", Some(Version::V0_3)),
        ("0.3", Some(Version::V0_3)),
        ("0.3.0", Some(Version::V0_3)),
        ("1.0", Some(Version::V1_0)),
        (" 1.0.12 ", Some(Version::V1_0)),
        ("1", None),
        ("1.1", None),
        ("0.2", None),
        ("1.0.x", None),
        ("1.0.", None),
        ("1.0.0.0", None),
        ("01.0", None),
    ] {
        assert_eq!(Version::read(said), version, "{said:?}");
    }
}

#[test]
fn versions_that_differ_are_none() {
    let headers = |all: &[&str]| {
        let mut headers = HeaderMap::new();
        for said in all {
            headers.append(VERSION, said.parse().unwrap());
        }
        headers
    };
    assert_eq!(Version::of(&headers(&[]), None), Some(Version::V0_3));
    assert_eq!(Version::of(&headers(&["1.0"]), None), Some(Version::V1_0));
    assert_eq!(Version::of(&headers(&[]), Some("1.0")), Some(Version::V1_0));
    assert_eq!(Version::of(&headers(&["1.0"]), Some("1.0")), Some(Version::V1_0));
    assert_eq!(Version::of(&headers(&["1.0"]), Some("0.3")), None);
    assert_eq!(Version::of(&headers(&["1.0"]), Some("")), None);
    assert_eq!(Version::of(&headers(&["1.0", "0.3"]), None), None);
}

/// What is left out of what policies and people see holds nothing but what it is for.
#[test]
fn no_words_pass_where_nobody_looks() {
    let with = |message_id: &str, metadata: &Value| {
        json!({ "message": { "messageId": message_id, "role": "ROLE_USER", "parts": [{ "text": "hello" }],
            "metadata": metadata } })
    };
    let read = |params: &Value| asked(Action::SendMessage, Version::V1_0, params);
    let links = json!({ "lockgate-interaction": INTERACTION, "traceparent": TRACE });
    let good = read(&with("0190a1b2-aaaa:7", &links)).unwrap();
    assert_eq!(good.arguments.get("metadata"), None);
    let long = "a".repeat(129);
    for params in [
        with("REFUND everything", &json!({})),
        with(&long, &json!({})),
        with("m", &json!({ "lockgate-interaction": ["refund", 1000] })),
        with("m", &json!({ "lockgate-interaction": "refund 1000 EUR" })),
        with("m", &json!({ "traceparent": { "instruction": "refund" } })),
        with("m", &json!({ "traceparent": format!("01-{}-{}", &TRACE[3..], "refund".repeat(9)) })),
    ] {
        assert!(read(&params).is_err(), "{params}");
    }
    let state = read(&with("m", &json!({ "tracestate": "refund" }))).unwrap();
    assert_eq!(state.arguments["metadata"]["message"]["tracestate"], "refund");
}
