use serde_json::json;
use uuid::Uuid;

use super::*;

fn of(version: &str) -> Of {
    ("a".parse().unwrap(), version.parse().unwrap())
}

fn id(n: u128) -> InteractionId {
    InteractionId(Uuid::from_u128(n))
}

fn asks(name: &str, arguments: &Value) -> ToolCall {
    ToolCall::Of { name: name.to_owned(), arguments: arguments.as_object().cloned() }
}

/// Who asked for a call of `files/read_file`.
fn asker(all: &AskedCalls, arguments: &Value, now: Instant) -> Option<InteractionId> {
    asker_of(all, ("files", "read_file"), arguments, now)
}

fn asker_of(
    all: &AskedCalls,
    (tool, action): (&str, &str),
    arguments: &Value,
    now: Instant,
) -> Option<InteractionId> {
    let tool = tool.parse().unwrap();
    all.session(&of("v1"), &Keys::of(&Call { tool: &tool, action, arguments })?, now)
}

#[test]
fn names_match_however_a_framework_writes_them() {
    for (asked, tool, action, same) in [
        ("read_file", "files", "read_file", true),
        ("files_read_file", "files", "read_file", true),
        ("files__read_file", "files", "read_file", true),
        ("mcp__files__read_file", "files", "read_file", true),
        ("files-read_file", "files", "read_file", true),
        ("files.read_file", "files", "read_file", true),
        ("get_order", "shop", "getOrder", true),
        ("get_sum", "shop", "get-sum", true),
        ("files_read_v2", "files", "files/read.v2", true),
        ("read_files", "files", "read_file", false),
        ("other_read_file", "files", "read_file", false),
        ("mcp_read_file", "files", "read_file", false),
        ("files", "files", "read_file", false),
    ] {
        let (mut all, now) = (AskedCalls::default(), Instant::now());
        all.add(of("v1"), Some(id(1)), &[asks(asked, &json!({}))], now);
        let found = asker_of(&all, (tool, action), &json!({}), now);
        assert_eq!(found, same.then(|| id(1)), "{asked} {tool}/{action}");
    }
}

#[test]
fn arguments_match_when_they_mean_the_same() {
    for (asked, called, same) in [
        (json!({ "a": 1, "b": [true, "x"] }), json!({ "b": [true, "x"], "a": 1.0 }), true),
        (json!({ "a": "x" }), json!({ "a": "x", "head": null }), true),
        (json!({}), json!({ "head": null }), true),
        (json!({ "a": { "b": 1 } }), json!({ "a": { "b": 1, "c": null } }), false),
        (json!({ "a": [1, 2] }), json!({ "a": [2, 1] }), false),
        (json!({ "a": 1 }), json!({ "a": "1" }), false),
        (json!({ "a": "x" }), json!({ "a": "x", "b": "y" }), false),
        (json!({ "a": "x" }), json!({}), false),
        (json!({ "a": "x" }), json!({ "A": "x" }), false),
        (json!({ "a": "\u{e9}" }), json!({ "a": "e\u{301}" }), false),
        (json!({}), json!([]), false),
    ] {
        let (mut all, now) = (AskedCalls::default(), Instant::now());
        all.add(of("v1"), Some(id(1)), &[asks("read_file", &asked)], now);
        assert_eq!(asker(&all, &called, now), same.then(|| id(1)), "{asked} {called}");
    }
}

#[test]
fn a_call_that_two_could_have_asked_for_is_nobodys() {
    let (path, now) = (json!({ "path": "x" }), Instant::now());
    let exactly = || asks("read_file", &path);
    let unread = || ToolCall::Of { name: "files_read_file".into(), arguments: None };
    for (first, second, whose, found) in [
        (exactly(), exactly(), Some(id(1)), Some(id(1))),
        (exactly(), exactly(), Some(id(2)), None),
        (exactly(), exactly(), None, None),
        (exactly(), asks("mcp__files__read_file", &path), Some(id(2)), None),
        (exactly(), unread(), Some(id(1)), Some(id(1))),
        (exactly(), unread(), Some(id(2)), None),
        (exactly(), ToolCall::Others, Some(id(1)), Some(id(1))),
        (exactly(), ToolCall::Others, Some(id(2)), None),
        (exactly(), asks("write_file", &path), Some(id(2)), Some(id(1))),
        (exactly(), asks("read_file", &json!({ "path": "y" })), Some(id(2)), Some(id(1))),
        // What could be anything is no match by itself.
        (unread(), ToolCall::Others, Some(id(1)), None),
    ] {
        let mut all = AskedCalls::default();
        all.add(of("v1"), Some(id(1)), std::slice::from_ref(&first), now);
        all.add(of("v1"), whose, std::slice::from_ref(&second), now);
        assert_eq!(asker(&all, &path, now), found, "{first:?} {second:?} {whose:?}");
    }
}

#[test]
fn what_was_asked_for_is_known_for_a_while_and_of_one_version() {
    let (path, now) = (json!({ "path": "x" }), Instant::now());
    let mut all = AskedCalls::default();
    all.add(of("v2"), Some(id(2)), &[asks("read_file", &path)], now);
    assert!(all.knows(&of("v2")) && !all.knows(&of("v1")));
    assert_eq!(asker(&all, &path, now), None, "another version asked");
    all.add(of("v1"), Some(id(1)), &[asks("read_file", &path)], now);
    // It is not used up: agents try again.
    for _ in 0..2 {
        assert_eq!(asker(&all, &path, now), Some(id(1)));
    }
    let before = KNOWN_FOR.saturating_sub(Duration::from_millis(1));
    assert_eq!(asker(&all, &path, now + before), Some(id(1)));
    assert_eq!(asker(&all, &path, now + KNOWN_FOR), None);
    // Asked for again, it is known for longer, and then alone.
    let later = now + KNOWN_FOR / 2;
    all.add(of("v1"), Some(id(3)), &[asks("read_file", &path)], later);
    assert_eq!(asker(&all, &path, later), None);
    all.add(of("v3"), None, &[], now + KNOWN_FOR);
    assert_eq!(asker(&all, &path, now + KNOWN_FOR), Some(id(3)));
    assert!(!all.knows(&of("v2")), "it is forgotten");
    all.add(of("v3"), None, &[], later + KNOWN_FOR);
    assert!(!all.knows(&of("v1")));
}

#[test]
fn what_is_forgotten_before_its_time_links_nobody() {
    let (path, now) = (json!({ "path": "x" }), Instant::now());
    let mut all = AskedCalls::default();
    let later = now + Duration::from_secs(1);
    all.add(of("v1"), Some(id(1)), &[asks("read_file", &path)], now);
    let others: Vec<ToolCall> =
        (0..CALLS_MAX).map(|n| asks("read_file", &json!({ "path": n }))).collect();
    all.add(of("v1"), Some(id(2)), &others[1..], later);
    assert_eq!(asker(&all, &path, later), Some(id(1)));
    all.add(of("v1"), Some(id(2)), &others[..1], later);
    assert_eq!(all.0[&of("v1")].by_key.len(), CALLS_MAX);
    // Somebody may have asked for these as well.
    let one = json!({ "path": 1 });
    assert_eq!(asker(&all, &path, later), None);
    assert_eq!(asker(&all, &one, later), None);
    assert_eq!(asker(&all, &one, now + KNOWN_FOR), Some(id(2)), "those are over");
}

#[test]
fn many_who_ask_for_the_same_take_no_more_room() {
    let (mut all, now) = (AskedCalls::default(), Instant::now());
    for n in 0..100 {
        all.add(of("v1"), Some(id(n)), &[asks("read_file", &json!({}))], now);
        assert_eq!(asker(&all, &json!({}), now).is_some(), n == 0, "{n}");
    }
    let askers: usize = all.0[&of("v1")].by_key.values().map(Vec::len).sum();
    assert_eq!(askers, ASKERS_MAX);
}
