//! Taking a person out: names and that person's words make way for `[erased]`, in the file and in what is left of it.
//!
//! Not reached: the text of configurations, plans within releases, and tokens that are still good.

use std::collections::BTreeSet;

use lockgate_model::ledger::ERASED;
use serde_json::Value;
use sqlx::SqliteConnection;

use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// Above this, in bytes, the file is not written anew: everyone who writes would wait too long.
const REWRITTEN_BYTES_MAX: i64 = 256 * 1024 * 1024;

/// Fields that say who, and the texts beside them that are that person's words.
const SAID: [(&str, &[&str]); 5] = [
    ("by", &["reason", "text"]),
    ("started_by", &["reason"]),
    ("overridden_by", &[]),
    ("principal", &["detail", "rule"]),
    // Who answers for a word in a report.
    ("owner", &[]),
];

/// Not looked into: a plan is compared with that of the configuration, whose text stays.
const PLANS: [&str; 2] = ["plan", "next_plan"];

/// Words that are too short to be looked for in other texts.
const SHORT_CHARS: usize = 4;

/// What holds documents, as `SELECT` by a part of the text and `UPDATE` by row.
const DOCUMENTS: [[&str; 2]; 5] = [
    [
        "SELECT rowid, body FROM rollout_transition WHERE instr(body, ?) > 0",
        "UPDATE rollout_transition SET body = ? WHERE rowid = ?",
    ],
    [
        "SELECT rowid, body FROM feed WHERE instr(body, ?) > 0",
        "UPDATE feed SET body = ? WHERE rowid = ?",
    ],
    [
        "SELECT rowid, body FROM security_event WHERE instr(body, ?) > 0",
        "UPDATE security_event SET body = ? WHERE rowid = ?",
    ],
    [
        "SELECT rowid, body FROM path_report WHERE instr(body, ?) > 0",
        "UPDATE path_report SET body = ? WHERE rowid = ?",
    ],
    // Whoever has read a release before must read it again, or would write the name back.
    [
        "SELECT rowid, body FROM rollout WHERE instr(body, ?) > 0",
        "UPDATE rollout SET body = ?, row_version = row_version + 1 WHERE rowid = ?",
    ],
];

impl Store {
    /// Takes a person out, all or nothing. Returns how many rows of the list of changes there were.
    ///
    /// Times and words would otherwise say whose the records of the same moments in the audit log are.
    pub async fn forget_person(&self, name: &str) -> Result<u64, StoreError> {
        let mut tx = self.begin_overwriting().await?;
        let rows = journal(&mut tx, name).await?;
        columns(&mut tx, name).await?;
        let mut words = BTreeSet::new();
        let quoted = quoted(name)?;
        inbox(&mut tx, name, &quoted, &mut words).await?;
        for [select, update] in DOCUMENTS {
            for (row, body) in found(&mut tx, select, &quoted).await? {
                let mut document = codec::from_json("document", &body)?;
                if forget(&mut document, name, &mut words) {
                    write(&mut tx, update, row, &document).await?;
                }
            }
        }
        repeated(&mut tx, &words).await?;
        self.commit(tx).await?;
        self.purge().await?;
        Ok(rows)
    }

    /// What was overwritten is in no file after this: not in free pages, nor in the log of the database.
    async fn purge(&self) -> Result<(), StoreError> {
        let mut conn = self.writer().await?;
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *conn).await?;
        let bytes: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *conn).await?;
        if pages.saturating_mul(bytes) <= REWRITTEN_BYTES_MAX {
            sqlx::query("VACUUM").execute(&mut *conn).await?;
        } else {
            tracing::warn!(
                "state.db is too large to be written anew; free pages may hold what was deleted before"
            );
        }
        let (busy, ..): (i64, i64, i64) =
            sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *conn).await?;
        if busy != 0 {
            tracing::warn!(
                "someone is reading: state.db-wal holds what was erased until it is written over"
            );
        }
        Ok(())
    }
}

fn quoted(text: &str) -> Result<String, StoreError> {
    codec::to_json("name", &text)
}

async fn found(
    conn: &mut SqliteConnection,
    select: &'static str,
    part: &str,
) -> Result<Vec<(i64, String)>, StoreError> {
    Ok(sqlx::query_as(select).bind(part).fetch_all(conn).await?)
}

async fn write(
    conn: &mut SqliteConnection,
    update: &'static str,
    row: i64,
    document: &Value,
) -> Result<(), StoreError> {
    sqlx::query(update).bind(document.to_string()).bind(row).execute(conn).await?;
    Ok(())
}

async fn journal(conn: &mut SqliteConnection, name: &str) -> Result<u64, StoreError> {
    let acted = sqlx::query(
        "UPDATE journal SET principal = ?1,
             detail = json_replace(detail, '$.reason', ?1, '$.rule', ?1, '$.diff', ?1, '$.override', ?1)
         WHERE principal = ?2",
    )
    .bind(ERASED)
    .bind(name)
    .execute(&mut *conn)
    .await?;
    let named = sqlx::query(
        "UPDATE journal SET detail = json_set(detail, '$.name', ?1)
         WHERE action LIKE 'token.%' AND json_extract(detail, '$.name') = ?2",
    )
    .bind(ERASED)
    .bind(name)
    .execute(&mut *conn)
    .await?;
    Ok(acted.rows_affected() + named.rows_affected())
}

/// Names that have a column of their own. A token that is good keeps its name: it would act on under it.
async fn columns(conn: &mut SqliteConnection, name: &str) -> Result<(), StoreError> {
    for update in [
        "UPDATE config SET principal = ?1, reason = ?1 WHERE principal = ?2",
        "UPDATE token SET name = ?1 WHERE name = ?2 AND revoked_wall_ms IS NOT NULL",
        "UPDATE drift_result SET principal = ?1 WHERE principal = ?2",
        "UPDATE quarantine SET principal = ?1, reason = ?1 WHERE principal = ?2",
        "UPDATE approval_vote SET principal = ?1 || ' ' || rowid, reason = ?1 WHERE principal = ?2",
        "UPDATE path_report SET principal = ?1 WHERE principal = ?2",
        "UPDATE value_event SET principal = ?1 WHERE principal = ?2",
        "UPDATE value_import SET principal = ?1 WHERE principal = ?2",
        "UPDATE quarantine SET lifted_by = ?1, lifted_reason = ?1 WHERE lifted_by = ?2",
    ] {
        sqlx::query(update).bind(ERASED).bind(name).execute(&mut *conn).await?;
    }
    Ok(())
}

/// What was asked for: the rest of a row is the words of whoever the row names.
async fn inbox(
    conn: &mut SqliteConnection,
    name: &str,
    quoted: &str,
    words: &mut BTreeSet<String>,
) -> Result<(), StoreError> {
    let rows = "SELECT rowid, body FROM inbox WHERE principal = ?";
    let update = "UPDATE inbox SET body = ? WHERE rowid = ?";
    for (row, body) in found(conn, rows, name).await? {
        let mut document: Value = codec::from_json("item", &body)?;
        forget(&mut document, name, words);
        take(&mut document, "reason", words);
        take(&mut document, "override", words);
        write(conn, update, row, &document).await?;
    }
    sqlx::query("UPDATE inbox SET principal = ?1 WHERE principal = ?2")
        .bind(ERASED)
        .bind(name)
        .execute(&mut *conn)
        .await?;
    // Told to those who listen, with the item as it came.
    let told = "SELECT rowid, body FROM feed WHERE kind = 'command' AND instr(body, ?) > 0";
    let update = "UPDATE feed SET body = ? WHERE rowid = ?";
    for (row, body) in found(conn, told, quoted).await? {
        let mut document: Value = codec::from_json("feed row", &body)?;
        if document["by"] == name {
            if let Some(item) = document.get_mut("item") {
                take(item, "reason", words);
                take(item, "override", words);
            }
            forget(&mut document, name, words);
            write(conn, update, row, &document).await?;
        }
    }
    Ok(())
}

/// Texts of others that repeat the person's words: alerts, and why a release was taken back.
async fn repeated(conn: &mut SqliteConnection, words: &BTreeSet<String>) -> Result<(), StoreError> {
    let long = || words.iter().filter(|text| text.chars().count() >= SHORT_CHARS);
    for [select, update, field] in [
        [
            "SELECT rowid, body FROM outbox WHERE kind = 'notify' AND instr(body, ?) > 0",
            "UPDATE outbox SET body = ? WHERE rowid = ?",
            "/alert/text",
        ],
        [
            "SELECT rowid, body FROM rollout WHERE instr(body, ?) > 0",
            "UPDATE rollout SET body = ?, row_version = row_version + 1 WHERE rowid = ?",
            "/taken_back_because",
        ],
    ] {
        for text in long() {
            // Without the quotation marks: it is a part of a longer text.
            let quoted = quoted(text)?;
            let part = quoted.trim_start_matches('"').trim_end_matches('"');
            for (row, body) in found(conn, select, part).await? {
                let mut document: Value = codec::from_json("document", &body)?;
                if let Some(Value::String(told)) = document.pointer_mut(field) {
                    *told = told.replace(text.as_str(), ERASED);
                    write(conn, update, row, &document).await?;
                }
            }
        }
    }
    Ok(())
}

/// Takes a field out, and keeps what it said.
fn take(value: &mut Value, field: &str, words: &mut BTreeSet<String>) {
    if let Some(Value::String(text)) = value.get_mut(field)
        && text != ERASED
    {
        words.insert(std::mem::replace(text, ERASED.to_owned()));
    }
}

/// Takes a person out of a document; `false` when the document is as it was.
fn forget(value: &mut Value, name: &str, words: &mut BTreeSet<String>) -> bool {
    let mut changed = false;
    if value.is_object() {
        for (who, said) in SAID {
            if value.get(who).and_then(Value::as_str) != Some(name) {
                continue;
            }
            value[who] = ERASED.into();
            for field in said {
                take(value, field, words);
            }
            // `command abort by NAME`: which rule it was stays.
            if let Some(Value::String(rule)) = value.get_mut("rule") {
                *rule = rule.replace(name, ERASED);
            }
            changed = true;
        }
    }
    match value {
        Value::Object(fields) => {
            for (_, inner) in fields.iter_mut().filter(|(key, _)| !PLANS.contains(&key.as_str())) {
                changed |= forget(inner, name, words);
            }
        }
        Value::Array(items) => {
            for inner in items {
                changed |= forget(inner, name, words);
            }
        }
        _ => {}
    }
    changed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_persons_words_go_and_those_of_others_stay() {
        let mut words = BTreeSet::new();
        let mut release = json!({
            "started_by": "ada", "reason": "hers", "overridden_by": "ada",
            "plan": { "few_stages": { "by": "ada", "reason": "in the file" } },
            "phase": { "phase": "paused", "by": "eve", "reason": "of eve, about ada" },
        });
        assert!(forget(&mut release, "ada", &mut words));
        assert_eq!(
            release,
            json!({
                "started_by": "[erased]", "reason": "[erased]", "overridden_by": "[erased]",
                "plan": { "few_stages": { "by": "ada", "reason": "in the file" } },
                "phase": { "phase": "paused", "by": "eve", "reason": "of eve, about ada" },
            })
        );
        let mut step = json!({ "causes": [
            { "by": "ada", "rule": "command abort by ada", "text": "her words" },
            { "by": "eve", "rule": "command start by eve", "text": "for ada" },
        ] });
        assert!(forget(&mut step, "ada", &mut words));
        assert_eq!(step["causes"][0]["rule"], "command abort by [erased]");
        assert_eq!(step["causes"][0]["text"], "[erased]");
        assert_eq!(step["causes"][1]["text"], "for ada");
        let mut event = json!({ "principal": "ada", "detail": "seen", "rule": "her rule" });
        assert!(forget(&mut event, "ada", &mut words));
        assert_eq!(event["rule"], "[erased]");
        let told: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(told, ["her rule", "her words", "hers", "seen"]);
        assert!(!forget(&mut event, "ada", &mut words));
    }
}
