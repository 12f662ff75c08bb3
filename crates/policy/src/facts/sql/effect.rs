//! What one statement does.

use std::collections::BTreeSet;

use sqlparser::ast::{
    Delete, FromTable, ObjectName, ObjectType, Statement, TableFactor, TableObject, TableWithJoins,
    Update, UpdateTableFromKind,
};

use super::condition;
use super::names::{self, Names};
use crate::facts::Decided;

pub(super) struct Effect {
    pub(super) kind: &'static str,
    pub(super) tables: Decided<BTreeSet<String>>,
    pub(super) writes: Decided<BTreeSet<String>>,
    pub(super) functions: Decided<BTreeSet<String>>,
    pub(super) has_where: Decided<bool>,
}

/// What a statement does with all that is in it.
pub(super) fn of(statement: &Statement) -> Decided<Effect> {
    let names = Names::of(statement);
    let mut own =
        Own { kind: "select", writes: Ok(BTreeSet::new()), tables: Ok(()), has_where: Ok(true) };
    for part in &names.statements {
        own.add(part, &names)?;
    }
    if let Some(why) = names.unread {
        own.kind_unknown(why)?;
    }
    let mut tables = own.tables.and(names.tables);
    if let (Ok(tables), Ok(written)) = (&mut tables, &own.writes) {
        tables.extend(written.iter().cloned());
    }
    Ok(Effect {
        kind: own.kind,
        tables,
        writes: own.writes,
        functions: names.functions,
        has_where: own.has_where,
    })
}

/// What statements do by themselves, those in common table expressions too.
struct Own {
    kind: &'static str,
    writes: Decided<BTreeSet<String>>,
    tables: Decided<()>,
    has_where: Decided<bool>,
}

impl Own {
    fn add(&mut self, statement: &Statement, names: &Names<'_>) -> Decided<()> {
        match statement {
            Statement::Query(_) | Statement::Explain { .. } => Ok(()),
            Statement::Insert(insert) => {
                self.does("insert")?;
                match &insert.table {
                    TableObject::TableName(name) => self.write(name, names),
                    _ => self.writes = Err("not a table by name"),
                }
                Ok(())
            }
            Statement::Update(update) => {
                self.does("update")?;
                self.update(update, names);
                Ok(())
            }
            Statement::Delete(delete) => {
                self.does("delete")?;
                self.delete(delete, names);
                Ok(())
            }
            Statement::Merge(merge) => {
                self.does("other")?;
                self.has_where = Err("a MERGE");
                self.write_factor(&merge.table, names);
                Ok(())
            }
            Statement::Call(_) => {
                self.does("call")?;
                self.unknown("what a procedure does");
                Ok(())
            }
            Statement::StartTransaction { statements, exception: None, .. }
                if statements.is_empty() =>
            {
                self.does("transaction")
            }
            Statement::Commit { .. }
            | Statement::Rollback { .. }
            | Statement::Savepoint { .. }
            | Statement::ReleaseSavepoint { .. } => self.does("transaction"),
            Statement::StartTransaction { .. }
            | Statement::Prepare { .. }
            | Statement::Execute { .. }
            | Statement::Case(_)
            | Statement::If(_)
            | Statement::While(_) => Err("a program"),
            _ => self.define(statement, names),
        }
    }

    fn define(&mut self, statement: &Statement, names: &Names<'_>) -> Decided<()> {
        match statement {
            Statement::Drop {
                object_type: ObjectType::Table | ObjectType::View,
                names: all,
                table: None,
                ..
            } => {
                self.does("ddl")?;
                for name in all {
                    self.write(name, names);
                }
            }
            Statement::Truncate(truncate) => {
                self.does("ddl")?;
                self.has_where = Ok(false);
                for target in &truncate.table_names {
                    self.write(&target.name, names);
                }
            }
            Statement::CreateTable(create) => {
                self.does("ddl")?;
                self.tables = Err("what a definition refers to");
                self.write(&create.name, names);
            }
            Statement::AlterTable(alter) => {
                self.does("ddl")?;
                self.tables = Err("what a definition refers to");
                self.write(&alter.name, names);
            }
            other => {
                let first = other.to_string();
                let first = first.split(' ').next().unwrap_or_default();
                let defines = matches!(first, "CREATE" | "ALTER" | "DROP" | "RENAME" | "COMMENT");
                self.does(if defines { "ddl" } else { "other" })?;
                self.unknown("a statement whose tables are not read");
            }
        }
        Ok(())
    }

    fn does(&mut self, kind: &'static str) -> Decided<()> {
        if self.kind != "select" && self.kind != kind {
            return Err("it does several things");
        }
        self.kind = kind;
        Ok(())
    }

    fn kind_unknown(&mut self, why: &'static str) -> Decided<()> {
        self.unknown(why);
        Err(why)
    }

    fn unknown(&mut self, why: &'static str) {
        self.tables = Err(why);
        self.writes = Err(why);
        self.has_where = Err(why);
    }

    fn update(&mut self, update: &Update, names: &Names<'_>) {
        self.restricted(update.selection.as_ref());
        let from = match &update.from {
            Some(UpdateTableFromKind::BeforeSet(_)) => {
                self.writes = Err("several tables at once");
                return;
            }
            Some(UpdateTableFromKind::AfterSet(from)) => from.as_slice(),
            None => &[],
        };
        self.write_one(std::slice::from_ref(&update.table), from, names);
    }

    fn delete(&mut self, delete: &Delete, names: &Names<'_>) {
        self.restricted(delete.selection.as_ref());
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        if delete.tables.is_empty() {
            self.write_one(from, delete.using.as_deref().unwrap_or_default(), names);
        } else {
            self.writes = Err("several tables at once");
        }
    }

    fn restricted(&mut self, selection: Option<&sqlparser::ast::Expr>) {
        let this = selection.map_or(Ok(false), condition::restricts);
        self.has_where = match (self.has_where, this) {
            (Ok(false), _) | (_, Ok(false)) => Ok(false),
            (Err(why), _) | (_, Err(why)) => Err(why),
            (Ok(true), Ok(true)) => Ok(true),
        };
    }

    /// Writes the one table of `targets`, unless that is another name for one of `others`.
    fn write_one(
        &mut self,
        targets: &[TableWithJoins],
        others: &[TableWithJoins],
        names: &Names<'_>,
    ) {
        let [TableWithJoins { relation, joins }] = targets else {
            self.writes = Err("several tables at once");
            return;
        };
        if !joins.is_empty() {
            self.writes = Err("several tables at once");
            return;
        }
        let aliased = others.iter().any(|other| {
            !other.joins.is_empty()
                || !matches!(&other.relation, TableFactor::Table { alias: None, .. })
        });
        if aliased
            && let TableFactor::Table { name, .. } = relation
            && name.0.len() == 1
        {
            // some databases take the name for an alias of the others
            let others = others.iter().flat_map(|other| {
                std::iter::once(&other.relation)
                    .chain(other.joins.iter().map(|join| &join.relation))
            });
            if names::has_alias(others, name) {
                self.writes = Err("another name for a table");
                return;
            }
        }
        self.write_factor(relation, names);
    }

    fn write_factor(&mut self, factor: &TableFactor, names: &Names<'_>) {
        match factor {
            TableFactor::Table { name, args: None, .. } => self.write(name, names),
            _ => self.writes = Err("not a table by name"),
        }
    }

    fn write(&mut self, name: &ObjectName, names: &Names<'_>) {
        let target = match names::table(name) {
            Ok(target) if names.common.contains(&target) => Err("a common table expression"),
            target => target,
        };
        match (&mut self.writes, target) {
            (Ok(writes), Ok(target)) => {
                writes.insert(target);
            }
            (writes, Err(why)) => {
                *writes = Err(why);
                // those of a definition are found nowhere else
                self.tables = Err(why);
            }
            (Err(_), Ok(_)) => {}
        }
    }
}
