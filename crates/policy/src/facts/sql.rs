//! Statements of SQL: what they do, and to which tables.
//!
//! The text is parsed as PostgreSQL, MySQL, SQLite and the generic dialect read it. What they do not agree about is
//! unknown, and so is everything where the databases are known to split the text differently (see [`lexical`]).
//!
//! Not here: views, triggers, rules and functions of the database, which may do more than the statement says.

mod condition;
mod effect;
mod lexical;
mod names;

use std::collections::BTreeSet;

use serde_json::Value;
use sqlparser::dialect::{Dialect, GenericDialect, MySqlDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;

use self::effect::Effect;
use super::{Decided, Fact, Kind, Shape, long, text_of, unknown};

/// Longer than statements with parameters are.
pub(super) const BYTES_MAX: usize = 16 * 1024;

/// Parentheses, subqueries and negations in each other.
const DEPTH_MAX: usize = 20;

/// - `functions`: the functions that are called by name, in lower case; those of a schema with and without it
/// - `has_comment`: has a comment
/// - `has_where`: every `UPDATE` and `DELETE` has a `WHERE` that is not true of every row; `TRUNCATE` has none
/// - `kind`: `select`, `insert`, `update`, `delete`, `ddl`, `transaction`, `call` or `other`; the writing kind where a
///   statement reads and writes
/// - `statements`: how many there are
/// - `table_names`: the tables without their schemas
/// - `tables`: the tables that are named, in lower case, with their schema where it is written
/// - `writes`: the tables that are written or defined
pub(super) const FACTS: Shape = &[
    ("functions", Kind::Texts),
    ("has_comment", Kind::Bool),
    ("has_where", Kind::Bool),
    ("kind", Kind::Text),
    ("statements", Kind::Long),
    ("table_names", Kind::Texts),
    ("tables", Kind::Texts),
    ("writes", Kind::Texts),
];

pub(super) fn extract(argument: &Value) -> Vec<Fact> {
    match text_of(argument, BYTES_MAX).and_then(agreed) {
        Ok(facts) => facts,
        Err(why) => unknown(FACTS, why),
    }
}

/// What the dialects that read the text agree about.
fn agreed(text: &str) -> Decided<Vec<Fact>> {
    lexical::unambiguous(text)?;
    let dialects: [&dyn Dialect; 3] = [&PostgreSqlDialect {}, &MySqlDialect {}, &SQLiteDialect {}];
    let mut agreed: Option<Vec<Fact>> = None;
    for dialect in dialects {
        match (&mut agreed, read(text, dialect)?) {
            (_, None) => {}
            (None, first) => agreed = first,
            (Some(agreed), Some(facts)) => agree(agreed, facts),
        }
    }
    let mut agreed = agreed.ok_or("no dialect reads it")?;
    // what only the generic dialect reads is read by no database
    if let Some(facts) = read(text, &GenericDialect {})? {
        agree(&mut agreed, facts);
    }
    // a statement of another kind is another statement
    if agreed[3] == Fact::Unknown(DISAGREED) {
        return Err(DISAGREED);
    }
    Ok(agreed)
}

const DISAGREED: &str = "dialects do not agree";

fn agree(agreed: &mut [Fact], facts: Vec<Fact>) {
    for (before, now) in agreed.iter_mut().zip(facts) {
        if *before != now {
            *before = Fact::Unknown(DISAGREED);
        }
    }
}

/// What one dialect reads, if it does; an error is a reason why no dialect's reading counts.
fn read(text: &str, dialect: &dyn Dialect) -> Decided<Option<Vec<Fact>>> {
    let Some(tokens) = lexical::tokens(text, dialect)? else { return Ok(None) };
    let comment = tokens.iter().any(lexical::is_comment);
    let parsed =
        Parser::new(dialect).with_recursion_limit(DEPTH_MAX).with_tokens(tokens).parse_statements();
    let Ok(statements) = parsed else { return Ok(None) };
    let effects = statements.iter().map(effect::of).collect::<Decided<Vec<Effect>>>()?;
    let Some(first) = effects.first() else { return Err("no statement") };
    let kind = if effects.iter().all(|effect| effect.kind == first.kind) {
        Ok(first.kind.to_owned())
    } else {
        Err("statements of several kinds")
    };
    let tables = union(effects.iter().map(|effect| &effect.tables));
    let table_names = tables.as_ref().map_err(|why| *why).map(|tables| {
        tables.iter().filter_map(|table| table.rsplit('.').next()).map(str::to_owned).collect()
    });
    let has_where = effects.iter().try_fold(true, |all, effect| Ok(effect.has_where? && all));
    Ok(Some(vec![
        union(effects.iter().map(|effect| &effect.functions)).into(),
        Fact::Bool(comment),
        has_where.into(),
        kind.into(),
        Fact::Long(long(effects.len())),
        Decided::<BTreeSet<String>>::into(table_names),
        tables.into(),
        union(effects.iter().map(|effect| &effect.writes)).into(),
    ]))
}

fn union<'a>(
    sets: impl Iterator<Item = &'a Decided<BTreeSet<String>>>,
) -> Decided<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for set in sets {
        all.extend(set.as_ref().map_err(|why| *why)?.iter().cloned());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fact(sql: &str, name: &str) -> String {
        let at = FACTS.iter().position(|(of, _)| *of == name).unwrap();
        match extract(&json!(sql)).swap_remove(at) {
            Fact::Bool(yes) => yes.to_string(),
            Fact::Long(number) => number.to_string(),
            Fact::Text(text) => text,
            Fact::Texts(texts) => texts.into_iter().collect::<Vec<_>>().join(" "),
            Fact::Unknown(_) => "unknown".to_owned(),
        }
    }

    #[test]
    fn tables_are_found_wherever_they_are() {
        for (sql, tables, writes) in [
            ("SELECT 1", "", ""),
            ("SELECT * FROM Users u JOIN public.orders o ON o.u = u.id", "public.orders users", ""),
            (
                "SELECT (SELECT max(a) FROM t2) FROM t1 WHERE x IN (SELECT y FROM t3)",
                "t1 t2 t3",
                "",
            ),
            ("WITH c AS (SELECT * FROM t) SELECT * FROM c", "t", ""),
            ("WITH t AS (SELECT * FROM t) SELECT * FROM t", "t", ""),
            (
                "WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b JOIN z ON true",
                "z",
                "",
            ),
            ("INSERT INTO a SELECT * FROM b", "a b", "a"),
            ("UPDATE a SET x = 1 WHERE id = 2", "a", "a"),
            ("DELETE FROM a WHERE id = 1 RETURNING (SELECT 1 FROM b)", "a b", "a"),
            ("WITH d AS (DELETE FROM a WHERE id = 1 RETURNING *) SELECT * FROM d", "a", "a"),
            ("DROP TABLE a, b", "a b", "a b"),
            ("TRUNCATE TABLE a", "a", "a"),
            ("SELECT * FROM generate_series(1, 2)", "", ""),
        ] {
            assert_eq!(fact(sql, "tables"), tables, "{sql}");
            assert_eq!(fact(sql, "writes"), writes, "{sql}");
        }
    }

    #[test]
    fn kinds_are_what_a_statement_does() {
        for (sql, kind) in [
            ("SELECT 1", "select"),
            ("select 1;", "select"),
            ("(SELECT 1) UNION SELECT 2", "select"),
            ("INSERT INTO a VALUES (1)", "insert"),
            ("WITH d AS (DELETE FROM a WHERE id = 1 RETURNING *) SELECT * FROM d", "delete"),
            ("EXPLAIN DELETE FROM a WHERE id = 1", "delete"),
            ("CREATE TABLE a (b int)", "ddl"),
            ("DROP TABLE a", "ddl"),
            ("BEGIN", "transaction"),
            ("COMMIT", "transaction"),
            ("CALL p()", "call"),
            ("SELECT 1; DELETE FROM a", "unknown"),
            ("SELECT * INTO b FROM a", "unknown"),
            ("SELEC 1", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(fact(sql, "kind"), kind, "{sql}");
        }
    }

    #[test]
    fn a_where_that_is_true_of_every_row_is_none() {
        for (condition, expected) in [
            ("id = 1", "true"),
            ("id IN (1, 2) AND true", "true"),
            ("created < now()", "true"),
            ("name LIKE 'a%'", "true"),
            ("1 = 1", "false"),
            ("true", "false"),
            ("1", "false"),
            ("'a' = 'a'", "false"),
            ("2 > 1", "false"),
            ("id = id", "false"),
            ("id = 1 OR 1 = 1", "false"),
            ("NOT false", "false"),
            ("name LIKE '%'", "false"),
            ("id = 1 OR id <> 1", "unknown"),
            ("id IN (SELECT id FROM a)", "unknown"),
            ("EXISTS (SELECT 1)", "unknown"),
            ("id + 0 = id", "unknown"),
            ("id IS NOT NULL", "unknown"),
        ] {
            assert_eq!(
                fact(&format!("DELETE FROM a WHERE {condition}"), "has_where"),
                expected,
                "{condition}"
            );
        }
        assert_eq!(fact("DELETE FROM a", "has_where"), "false");
        assert_eq!(fact("SELECT 1", "has_where"), "true");
        assert_eq!(
            fact("UPDATE a SET b = 1 WHERE id = 1; UPDATE a SET b = 2", "has_where"),
            "false"
        );
    }

    #[test]
    fn functions_are_known_with_and_without_their_schema() {
        assert_eq!(
            fact("SELECT pg_catalog.PG_SLEEP(1), max(a) FROM t", "functions"),
            "max pg_catalog.pg_sleep pg_sleep"
        );
        assert_eq!(fact("SELECT * FROM dblink('x', 'y')", "functions"), "dblink");
    }

    #[test]
    fn what_databases_split_differently_is_not_read() {
        for sql in [
            "SELECT 1 /*! , pw FROM users */",
            "SELECT 1 /* /* */ , 2 -- */",
            "SELECT 'a\\' OR 1=1 -- '",
            "SELECT 1 # comment",
            "SELECT 1 --1",
            "SELECT $$a$$",
            "SELECT E'a'",
            "SELECT 1\0",
            "SELECT 1 -- a\rDELETE FROM a",
            "PREPARE x AS DELETE FROM a",
            "EXECUTE x",
            "DELETE FROM ONLY users WHERE id = 1",
        ] {
            let name = if sql.contains("ONLY") { "tables" } else { "kind" };
            assert_eq!(fact(sql, name), "unknown", "{sql}");
        }
    }
}
