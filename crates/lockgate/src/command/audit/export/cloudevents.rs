//! CloudEvents 1.0 in JSON, with the `sequence` extension.

use std::io;

use lockgate_audit::Record;
use serde_json::json;

/// One event: source and id name the log and the record's place, so that a second export brings no second event.
pub(super) fn line(origin: &str, record: &Record, _: &[u8]) -> io::Result<Vec<u8>> {
    let mut event = json!({
        "specversion": "1.0",
        "id": record.seq.to_string(),
        "source": format!("urn:lockgate:audit:{origin}"),
        "type": format!("lockgate.audit.{}", record.action),
        "datacontenttype": "application/json",
        "sequence": format!("{:020}", record.seq),
        "data": record,
    });
    // These may not be empty.
    if !record.object.is_empty() {
        event["subject"] = record.object.as_str().into();
    }
    if let Some(time) = super::rfc3339(record.at_ms) {
        event["time"] = time.into();
    }
    Ok(serde_json::to_vec(&event)?)
}
