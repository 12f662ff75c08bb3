//! Arguments made to use up time or the stack: every extractor comes back, on the stack of a worker thread.

use std::thread;

use lockgate_policy::facts::{Fact, FactType};
use serde_json::Value;

/// What worker threads have by default.
const STACK_BYTES: usize = 2 * 1024 * 1024;

const REPEATED: [&str; 40] = [
    "(",
    "((",
    "$(",
    "`",
    "{ ",
    "if ",
    "( ",
    "! ",
    "sh -c '",
    "sudo ",
    "x=",
    "<<E ",
    "${",
    "\"$(",
    "[",
    "{\"a\":",
    "a.",
    "../",
    "SELECT (",
    "SELECT * FROM (",
    "NOT ",
    "1+",
    "1 AND ",
    "SELECT 1 UNION ",
    "SELECT 1 UNION (",
    "- ",
    "CASE WHEN ",
    "a::",
    "x[1]",
    "/*",
    "WITH a AS (",
    "EXPLAIN ",
    "ARRAY[",
    "f(",
    "a@b.example,",
    "\"",
    "<",
    "%",
    "é",
    "ARRAY<",
];

#[test]
fn nothing_uses_up_the_stack() {
    let run = || {
        for piece in REPEATED {
            for bytes in [600, 4000, 8000, 16_000, 70_000] {
                let body = piece.repeat(bytes / piece.len());
                for text in [
                    body.clone(),
                    format!("SELECT {body}1"),
                    format!("DELETE FROM t WHERE {body}1"),
                    format!("CREATE TABLE t (a {body}"),
                ] {
                    let argument = Value::from(text);
                    for of in FactType::ALL {
                        assert_eq!(of.extract(&argument).len(), of.facts().len());
                    }
                }
            }
        }
    };
    thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap().join().unwrap();
}

#[test]
fn long_sums_are_read_up_to_the_limit() {
    let run = || {
        for (count, known) in [(200, true), (300, false)] {
            let sum = vec!["1"; count].join("+");
            let facts = FactType::Sql.extract(&Value::from(format!("SELECT {sum}")));
            assert_eq!(matches!(facts[3], Fact::Text(_)), known, "{count}");
        }
    };
    thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap().join().unwrap();
}
