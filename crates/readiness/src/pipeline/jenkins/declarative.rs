//! `pipeline { … }`: sections, stages, matrices, and what runs behind them.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::{Occasion, Occasions, Runs};
use super::steps::{Around, Reader, catch_error, perhaps};
use super::syntax::{Block, Call, Expression, Says, Statement, Value};
use super::value::Known;
use super::when;
use crate::finding::Place;
use crate::shell::Blocking;

/// Most cells of a matrix; of a larger one the values are not known.
const CELLS_MAX: usize = 64;

/// A section by its name: the call, and where it stands.
fn sections<'b>(block: &'b Block, name: &'b str) -> impl Iterator<Item = (Place, &'b Call)> {
    block.iter().filter_map(move |statement| {
        let call = call_of(statement)?;
        (call.of.is_none() && call.name == name).then_some((statement.place, call))
    })
}

fn call_of(statement: &Statement) -> Option<&Call> {
    match &statement.says {
        Says::Expression(expression) => expression.call(),
        _ => None,
    }
}

impl<'a> Reader<'a> {
    /// The whole of `pipeline { … }`.
    pub(super) fn pipeline(&mut self, call: &'a Call, around: &Around) {
        let Some(body) = call.body() else { return };
        for (_, parameters) in sections(body, "parameters") {
            self.parameters(parameters);
        }
        for (place, libraries) in sections(body, "libraries") {
            for lib in libraries.body().into_iter().flatten().filter_map(call_of) {
                let name = lib.plain().next().and_then(Expression::text).unwrap_or_default();
                self.library(place, name);
            }
        }
        let around = self.environment(body, around);
        let around = Self::options(body, around);
        for (_, stages) in sections(body, "stages") {
            self.stages(stages, &around, "");
        }
        self.post(body, &around);
    }

    /// What the parameters are when nobody says otherwise.
    fn parameters(&mut self, call: &'a Call) {
        for parameter in call.body().into_iter().flatten().filter_map(call_of) {
            let name = parameter.named("name").and_then(Expression::text);
            let value = match parameter.named("defaultValue").map(|value| &value.value) {
                Some(Value::Text(text)) => text.fixed(),
                Some(Value::Truth(truth)) => Some(truth.to_string()),
                _ => match parameter.named("choices").map(|choices| &choices.value) {
                    Some(Value::List(choices)) => choices.first().and_then(Expression::text),
                    _ => None,
                },
            };
            if let (Some(name), Some(value)) = (name, value) {
                self.of_file.insert(format!("params.{name}"), value);
            }
        }
    }

    /// With the variables of an `environment` section.
    fn environment(&mut self, body: &'a Block, around: &Around) -> Around {
        let mut around = around.clone();
        for (_, section) in sections(body, "environment") {
            for statement in section.body().into_iter().flatten() {
                let Says::Assign { target: Some(name), value } = &statement.says else { continue };
                let known = self.names(&around.env).evaluate(value, Occasion::Main);
                let env = Rc::make_mut(&mut around.env);
                match known {
                    Known::Text(text) => env.insert(name.clone(), text),
                    Known::Truth(truth) => env.insert(name.clone(), truth.to_string()),
                    _ => env.remove(name),
                };
            }
        }
        around
    }

    /// A step that surrounds others may stand among the options of what it surrounds.
    fn options(body: &Block, around: Around) -> Around {
        let options = sections(body, "options").filter_map(|(_, section)| section.body());
        options.flatten().filter_map(call_of).fold(around, |around, call| {
            match call.name.as_str() {
                "catchError" => around.soft(&catch_error(call)),
                "warnError" => around.soft(&Blocking::No("`warnError` makes it a warning".into())),
                _ => around,
            }
        })
    }

    fn stages(&mut self, call: &'a Call, around: &Around, prefix: &str) {
        let Some(body) = call.body() else { return };
        for (place, stage) in sections(body, "stage") {
            let name = stage.plain().next().and_then(Expression::text).unwrap_or_default();
            let name = if prefix.is_empty() { name } else { format!("{prefix} / {name}") };
            if let Some(body) = stage.body() {
                self.stage(name.clone(), place, |reader| reader.one(body, around, &name));
            }
        }
        // A `script` or a `for` around stages is no declarative pipeline, but some write it.
        for statement in body {
            if call_of(statement).is_none_or(|call| call.name != "stage") {
                self.block(std::slice::from_ref(statement), around);
            }
        }
    }

    fn one(&mut self, body: &'a Block, around: &Around, name: &str) {
        let mut around = self.environment(body, around);
        for (place, condition) in sections(body, "when") {
            if let Some(condition) = condition.body() {
                let names = self.names(&around.env);
                let runs = when::runs(condition, names, self.tree, place.line);
                around = around.when(&runs);
            }
        }
        let around = Self::options(body, around);
        if sections(body, "input").next().is_some() {
            self.wait(&around);
        }
        for (_, steps) in sections(body, "steps") {
            self.inside(steps, &around);
        }
        for (_, stages) in sections(body, "stages").chain(sections(body, "parallel")) {
            self.stages(stages, &around, name);
        }
        for (_, matrix) in sections(body, "matrix") {
            self.matrix(matrix, &around, name);
        }
        self.post(body, &around);
    }

    /// The stages of a matrix, once for each of its cells.
    fn matrix(&mut self, call: &'a Call, around: &Around, name: &str) {
        let Some(body) = call.body() else { return };
        let axes = axes(body);
        let excluded = excluded(body);
        let around = self.environment(body, around);
        let mut cells: Vec<BTreeMap<String, String>> = vec![BTreeMap::new()];
        for (axis, values) in &axes {
            if cells.len() * values.len() > CELLS_MAX {
                cells = vec![BTreeMap::new()];
                break;
            }
            cells = cells
                .iter()
                .flat_map(|cell| {
                    values.iter().map(|value| {
                        let mut next = cell.clone();
                        next.insert(axis.clone(), value.clone());
                        next
                    })
                })
                .collect();
        }
        for cell in cells {
            let is_excluded = excluded.iter().any(|exclude| {
                !exclude.is_empty()
                    && exclude.iter().all(|(axis, values, inside)| {
                        cell.get(axis).is_some_and(|value| values.contains(value) == *inside)
                    })
            });
            if is_excluded {
                continue;
            }
            let mut around = around.clone();
            Rc::make_mut(&mut around.env).extend(cell);
            for (place, condition) in sections(body, "when") {
                if let Some(condition) = condition.body() {
                    let names = self.names(&around.env);
                    around = around.when(&when::runs(condition, names, self.tree, place.line));
                }
            }
            for (_, stages) in sections(body, "stages") {
                self.stages(stages, &around, name);
            }
            self.post(body, &around);
        }
    }

    /// What runs behind a stage or the pipeline.
    fn post(&mut self, body: &'a Block, around: &Around) {
        for (_, post) in sections(body, "post") {
            for condition in post.body().into_iter().flatten().filter_map(call_of) {
                let runs = match condition.name.as_str() {
                    "always" | "success" | "cleanup" => Occasions::from_fn(|_| Runs::Yes),
                    "changed" | "fixed" => perhaps(&format!("`{}`", condition.name)),
                    // Behind a failure nothing is left to prove.
                    _ => Occasions::never(),
                };
                self.inside(condition, &around.when(&runs));
            }
        }
    }
}

/// The axes of a matrix with their values.
fn axes(body: &Block) -> Vec<(String, Vec<String>)> {
    let axes = sections(body, "axes").filter_map(|(_, axes)| axes.body());
    axes.flat_map(|body| sections(body, "axis"))
        .filter_map(|(_, axis)| {
            let (name, values, _) = axis_of(axis.body()?)?;
            Some((name, values))
        })
        .collect()
}

/// An axis by its name, its values, and whether it is these or all others.
type Axis = (String, Vec<String>, bool);

fn axis_of(body: &Block) -> Option<Axis> {
    let (_, name) = sections(body, "name").next()?;
    let name = name.plain().next()?.text()?;
    let given = |key: &'static str| {
        let (_, call) = sections(body, key).next()?;
        Some(call.plain().filter_map(Expression::text).collect::<Vec<_>>())
    };
    match (given("values"), given("notValues")) {
        (Some(values), _) => Some((name, values, true)),
        (None, Some(values)) => Some((name, values, false)),
        (None, None) => None,
    }
}

fn excluded(body: &Block) -> Vec<Vec<Axis>> {
    let all = sections(body, "excludes").filter_map(|(_, excludes)| excludes.body());
    all.flat_map(|body| sections(body, "exclude"))
        .filter_map(|(_, exclude)| exclude.body())
        .map(|body| sections(body, "axis").filter_map(|(_, axis)| axis_of(axis.body()?)).collect())
        .collect()
}
