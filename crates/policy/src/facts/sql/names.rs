//! The tables and functions that a statement names, wherever in it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::ptr;

use sqlparser::ast::{
    Expr, Function, InTarget, ObjectName, ObjectNamePart, Query, Select, SetExpr, Statement,
    TableFactor, Visit, Visitor,
};

use crate::facts::Decided;

/// Words before a table's name that some dialects take for the name, and the name for an alias.
const MODIFIERS: [&str; 14] = [
    "only",
    "low_priority",
    "high_priority",
    "quick",
    "ignore",
    "delayed",
    "lateral",
    "rows",
    "table",
    "unnest",
    "straight_join",
    "final",
    "sample",
    "partition",
];

/// What a statement names.
pub(super) struct Names<'a> {
    pub(super) tables: Decided<BTreeSet<String>>,
    pub(super) functions: Decided<BTreeSet<String>>,
    /// The names of all common table expressions.
    pub(super) common: BTreeSet<String>,
    /// The statement, and those in it.
    pub(super) statements: Vec<&'a Statement>,
    /// A part that is not read.
    pub(super) unread: Option<&'static str>,
}

impl<'a> Names<'a> {
    pub(super) fn of(statement: &'a Statement) -> Self {
        let mut walk = Walk::default();
        let _ = statement.visit(&mut walk);
        if let Statement::Call(function) = statement {
            walk.call(function);
        }
        let mut statements = Vec::new();
        inner(statement, &walk.statements, &mut statements);
        Self {
            tables: walk.tables_unknown.map_or(Ok(walk.tables), Err),
            functions: walk.functions_unknown.map_or(Ok(walk.functions), Err),
            common: walk.common,
            unread:
                walk.unread
                    .or((statements.len() != walk.statements.len())
                        .then_some("a statement in another")),
            statements,
        }
    }
}

/// The statements in a statement, as far as they are in `expected`: those of queries and of `EXPLAIN`.
fn inner<'a>(
    statement: &'a Statement,
    expected: &[*const Statement],
    found: &mut Vec<&'a Statement>,
) {
    if !expected.contains(&ptr::from_ref(statement)) {
        return;
    }
    found.push(statement);
    match statement {
        Statement::Query(query) => inner_query(query, expected, found),
        Statement::Explain { statement, .. } => inner(statement, expected, found),
        Statement::Insert(insert) => {
            if let Some(source) = &insert.source {
                inner_query(source, expected, found);
            }
        }
        _ => {}
    }
}

fn inner_query<'a>(
    query: &'a Query,
    expected: &[*const Statement],
    found: &mut Vec<&'a Statement>,
) {
    for common in query.with.iter().flat_map(|with| &with.cte_tables) {
        inner_query(&common.query, expected, found);
    }
    match &*query.body {
        SetExpr::Insert(statement)
        | SetExpr::Update(statement)
        | SetExpr::Delete(statement)
        | SetExpr::Merge(statement) => inner(statement, expected, found),
        SetExpr::Query(query) => inner_query(query, expected, found),
        _ => {}
    }
}

/// A table by name: in lower case, since it is not quoted or quoted without need.
pub(super) fn table(name: &ObjectName) -> Decided<String> {
    let mut whole = String::new();
    for part in &name.0 {
        let ObjectNamePart::Identifier(part) = part else { return Err("a name that is computed") };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$';
        if part.value.is_empty() || !part.value.bytes().all(plain) {
            return Err("a name that databases read differently");
        }
        // a quoted name has its case in some databases and not in others
        let upper = part.value.bytes().any(|byte| byte.is_ascii_uppercase());
        if part.quote_style.is_some() && upper {
            return Err("a quoted name in upper case");
        }
        if !whole.is_empty() {
            whole.push('.');
        }
        whole.push_str(&part.value.to_ascii_lowercase());
    }
    if MODIFIERS.contains(&whole.as_str()) {
        return Err("a word that may be no name");
    }
    Ok(whole)
}

/// Whether one of these tables goes by this name.
pub(super) fn has_alias<'a>(
    mut factors: impl Iterator<Item = &'a TableFactor>,
    name: &ObjectName,
) -> bool {
    let Some(ObjectNamePart::Identifier(name)) = name.0.last() else { return true };
    factors.any(|factor| match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. } => {
            alias.as_ref().is_some_and(|alias| alias.name.value.eq_ignore_ascii_case(&name.value))
        }
        _ => true,
    })
}

/// The names of common table expressions that a query has, and how many of them are seen from where the walk is.
struct Scope {
    query: *const Query,
    names: Vec<String>,
    bodies: Vec<*const Query>,
    recursive: bool,
    seen: usize,
}

#[derive(Default)]
struct Walk {
    scopes: Vec<Scope>,
    tables: BTreeSet<String>,
    tables_unknown: Option<&'static str>,
    functions: BTreeSet<String>,
    functions_unknown: Option<&'static str>,
    common: BTreeSet<String>,
    statements: Vec<*const Statement>,
    /// Names before arguments, which are functions.
    called: Vec<*const ObjectName>,
    unread: Option<&'static str>,
}

impl Walk {
    fn call(&mut self, function: &Function) {
        self.function(&function.name);
    }

    fn function(&mut self, name: &ObjectName) {
        let parts = name.0.iter().map(|part| match part {
            ObjectNamePart::Identifier(part) if part.value.is_ascii() => {
                Some(part.value.to_ascii_lowercase())
            }
            _ => None,
        });
        match parts.collect::<Option<Vec<String>>>() {
            Some(parts) => {
                self.functions.insert(parts.join("."));
                self.functions.extend(parts.into_iter().next_back());
            }
            None => {
                self.functions_unknown.get_or_insert("a name that databases read differently");
            }
        }
    }

    fn table(&mut self, name: &ObjectName) {
        match table(name) {
            Ok(name) if self.is_common(&name) => {}
            Ok(name) => {
                self.tables.insert(name);
            }
            Err(why) => {
                self.tables_unknown.get_or_insert(why);
            }
        }
    }

    fn is_common(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.names[..scope.seen].iter().any(|seen| seen == name))
    }

    /// From inside the body of a common table expression, only those before it are seen, and itself if it recurs.
    fn enter_body(&mut self, query: *const Query) {
        for scope in &mut self.scopes {
            if let Some(at) = scope.bodies.iter().position(|body| *body == query) {
                scope.seen = at + usize::from(scope.recursive);
            }
        }
    }

    fn leave_body(&mut self, query: *const Query) {
        for scope in &mut self.scopes {
            if scope.bodies.contains(&query) {
                scope.seen = scope.names.len();
            }
        }
    }
}

impl Visitor for Walk {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        self.statements.push(ptr::from_ref(statement));
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if query.for_clause.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            self.unread = Some("a clause that is not read");
        }
        if is_table_command(&query.body) {
            self.unread = Some("a TABLE command");
        }
        let this = ptr::from_ref(query);
        self.enter_body(this);
        if let Some(with) = &query.with {
            let mut names = Vec::new();
            for common in &with.cte_tables {
                match table(&ObjectName::from(vec![common.alias.name.clone()])) {
                    Ok(name) => names.push(name),
                    Err(why) => self.unread = Some(why),
                }
            }
            if names.len() == with.cte_tables.len() {
                self.common.extend(names.iter().cloned());
                let bodies =
                    with.cte_tables.iter().map(|common| ptr::from_ref(&*common.query)).collect();
                let seen = names.len();
                self.scopes.push(Scope {
                    query: this,
                    names,
                    bodies,
                    recursive: with.recursive,
                    seen,
                });
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let this = ptr::from_ref(query);
        if self.scopes.last().is_some_and(|scope| scope.query == this) {
            self.scopes.pop();
        }
        self.leave_body(this);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if select.into.is_some() {
            self.unread = Some("a SELECT that writes");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, args: Some(_), .. } => {
                self.called.push(ptr::from_ref(name));
                self.function(name);
            }
            TableFactor::Table { .. }
            | TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. } => {}
            TableFactor::Function { name, .. } => self.function(name),
            TableFactor::UNNEST { .. } => {
                self.functions.insert("unnest".to_owned());
            }
            _ => self.unread = Some("a table that is not read"),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        if !self.called.contains(&ptr::from_ref(name)) {
            self.table(name);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => self.call(function),
            Expr::In { target: InTarget::Table { name, args: Some(_) }, .. } => {
                self.called.push(ptr::from_ref(name));
                self.function(name);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn is_table_command(body: &SetExpr) -> bool {
    match body {
        SetExpr::Table(_) => true,
        SetExpr::SetOperation { left, right, .. } => {
            is_table_command(left) || is_table_command(right)
        }
        _ => false,
    }
}
