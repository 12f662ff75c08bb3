//! OCSF 1.6: sign-ins as Authentication (3002), changes as Entity Management (3004), all else as Base Event (0).
//!
//! API Activity (6003) demands the caller's network address, which the log does not hold; nothing is made up for it.

use std::io;

use lockgate_audit::Record;
use serde_json::{Value, json};

use lockgate_model::version::Digest;

const SCHEMA: &str = "1.6.0";
const AUTHENTICATION: u32 = 3002;
const ENTITY_MANAGEMENT: u32 = 3004;

/// A class with its activity.
struct Class {
    uid: u32,
    name: &'static str,
    activity: u32,
    activity_name: &'static str,
}

pub(super) fn line(origin: &str, record: &Record, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let class = class(record);
    let (status_id, status) = status(record);
    let raw = String::from_utf8_lossy(bytes);
    let digest = Digest::of(bytes);
    let mut event = json!({
        "activity_id": class.activity,
        "activity_name": class.activity_name,
        "category_uid": class.uid / 1000,
        "class_uid": class.uid,
        "class_name": class.name,
        "type_uid": u64::from(class.uid) * 100 + u64::from(class.activity),
        "time": record.at_ms,
        "severity_id": 1,
        "severity": "Informational",
        "status_id": status_id,
        "status": status,
        "message": format!("{} {} {}", record.principal, record.action, record.object),
        "metadata": {
            "version": SCHEMA,
            "product": {
                "name": "Lockgate", "vendor_name": "Lockgate", "version": env!("CARGO_PKG_VERSION"),
            },
            "uid": format!("{origin}/{}", record.seq),
            "log_name": origin,
            "sequence": record.seq,
            "event_code": record.action,
        },
        "raw_data": raw,
        "raw_data_hash": {
            "algorithm_id": 3, "algorithm": "SHA-256", "value": digest.as_str().trim_start_matches("sha256:"),
        },
        "unmapped": {
            "object": record.object, "principal": record.principal, "labels": record.labels,
            "detail": record.detail, "step": record.step, "step_of": record.step_of,
            "session": record.session, "session_n": record.session_n,
        },
    });
    match class.uid {
        AUTHENTICATION => {
            event["user"] = json!({ "name": record.principal });
            event["service"] = json!({ "name": "lockgate" });
        }
        ENTITY_MANAGEMENT => {
            event["actor"] = json!({ "user": { "name": record.principal } });
            event["entity"] = json!({
                "name": record.object, "type_id": 99, "type": subject(record),
            });
            if let Some(reason) = record.detail.get("reason").and_then(Value::as_str) {
                event["comment"] = reason.into();
            }
        }
        _ => {}
    }
    Ok(serde_json::to_vec(&event)?)
}

/// What an action is done to: `rollout` of `rollout.start`.
fn subject(record: &Record) -> &str {
    record.action.split('.').next().unwrap_or_default()
}

fn class(record: &Record) -> Class {
    let authentication = |activity, activity_name| Class {
        uid: AUTHENTICATION,
        name: "Authentication",
        activity,
        activity_name,
    };
    match subject(record) {
        "sign_in" => return authentication(1, "Logon"),
        "sign_out" => return authentication(2, "Logoff"),
        "config" | "rollout" | "token" => {}
        _ => return Class { uid: 0, name: "Base Event", activity: 99, activity_name: "Other" },
    }
    let verb = record.action.split('.').nth(1).unwrap_or_default();
    let (activity, activity_name) = match verb {
        "create" | "start" => (1, "Create"),
        "revoke" => (4, "Delete"),
        "pause" => (12, "Suspend"),
        "resume" => (13, "Resume"),
        _ => (3, "Update"),
    };
    Class { uid: ENTITY_MANAGEMENT, name: "Entity Management", activity, activity_name }
}

/// Success is claimed for what was done alone: an intent has no status yet.
fn status(record: &Record) -> (u32, &'static str) {
    let outcome = record.detail.get("outcome").and_then(Value::as_str);
    if record.action.ends_with(".refused")
        || record.labels.get("decision").is_some_and(|d| d == "deny")
    {
        (2, "Failure")
    } else if record.step == "intent" || outcome == Some("unknown") {
        (0, "Unknown")
    } else {
        (1, "Success")
    }
}
