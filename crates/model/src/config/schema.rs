//! The file's JSON Schema, and its findings in plain English.

use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::LocationSegment;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::bound::{self, Role};
use super::file::ConfigFile;
use super::node::{Kind, Node};
use super::place::{Path, Step};
use super::report::Report;
use super::text::{CONDITION, NAME, NAME_RULE, SOME_TEXT, URL};
use crate::plan::Metric;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(ConfigFile).to_value());

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    jsonschema::options().build(&SCHEMA).expect("the schema is made here, and a test builds it")
});

/// The JSON Schema (2020-12) of the file.
pub fn schema() -> Value {
    SCHEMA.clone()
}

/// Reports everything that is not as the schema wants it.
pub(super) fn check(root: &Node, json: &Value, report: &mut Report<'_>) {
    for error in VALIDATOR.iter_errors(json) {
        Finding::of(&error, root).tell(report);
    }
}

/// One finding with what is needed to say it well.
struct Finding<'a> {
    error: &'a ValidationError<'a>,
    /// The value complained about.
    path: Path,
    node: &'a Node,
    /// The part of the schema that it breaks.
    rules: &'a Value,
}

impl<'a> Finding<'a> {
    fn of(error: &'a ValidationError<'a>, root: &'a Node) -> Self {
        let path: Path = error
            .instance_path()
            .segments()
            .map(|segment| match segment {
                LocationSegment::Property(key) => Step::Key(key.into_owned()),
                LocationSegment::Index(index) => Step::Index(index),
            })
            .collect();
        let keyword = error.schema_path().as_str();
        let rules = keyword.rsplit_once('/').map_or("", |(parent, _)| parent);
        Self {
            error,
            node: root.nearest(&path),
            path,
            rules: SCHEMA.pointer(rules).unwrap_or(&Value::Null),
        }
    }

    fn tell(&self, report: &mut Report<'_>) {
        match self.error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for field in unexpected {
                    // What is only counted needs no hint.
                    let hint =
                        if report.is_full() { String::new() } else { self.hint_for_unknown(field) };
                    let path = self.path.key(field);
                    report.key_error(&path, format!("unknown field `{field}`"), hint);
                }
            }
            ValidationErrorKind::Required { property } => {
                let field = property.as_str().unwrap_or_default();
                let message = format!("`{field}` is missing");
                report.missing(&self.path, field, message, self.hint_for_missing(field));
            }
            // Said better by whoever reads it.
            ValidationErrorKind::Pattern { .. } if matches!(self.title(), CONDITION | URL) => {}
            ValidationErrorKind::Type { kind } => {
                report.wrong_kind(&self.path, self.wrong_type(kind), self.hint_for_type(kind));
            }
            _ => {
                let (message, hint) = self.value();
                report.error(&self.path, message, hint);
            }
        }
    }

    /// Message and hint for a value of the right type.
    fn value(&self) -> (String, String) {
        let name = self.name();
        let shown = self.shown();
        match self.error.kind() {
            ValidationErrorKind::Pattern { .. } if self.title() == NAME => (
                format!("`{name}` cannot be{}", shown.trim_start_matches(", not")),
                self.examples(),
            ),
            ValidationErrorKind::Pattern { .. } if self.title() == SOME_TEXT => {
                (format!("`{name}` is empty"), "write something, or remove the field".into())
            }
            ValidationErrorKind::Pattern { .. } => {
                (format!("`{name}` must be {}{shown}", self.title()), self.examples())
            }
            ValidationErrorKind::Enum { .. }
            | ValidationErrorKind::OneOfNotValid { .. }
            | ValidationErrorKind::AnyOf { .. }
            | ValidationErrorKind::Constant { .. } => {
                let words = self.words();
                let close = match &self.node.kind {
                    Kind::Text(text) => did_you_mean(text, &words),
                    _ => None,
                };
                let close = close.map(|close| format!("{close} ")).unwrap_or_default();
                let shown = shown.replacen(", not", " cannot be", 1);
                (format!("`{name}`{shown}"), format!("{close}use one of {}", list(&words)))
            }
            ValidationErrorKind::Minimum { limit } => {
                (format!("`{name}` must be at least {limit}{shown}"), self.range())
            }
            ValidationErrorKind::Maximum { limit } => {
                (format!("`{name}` must be at most {limit}{shown}"), self.range())
            }
            ValidationErrorKind::MinItems { .. } => {
                (format!("`{name}` is empty"), "write at least one entry".into())
            }
            ValidationErrorKind::MaxItems { limit } => {
                (format!("`{name}` has more than {limit} entries"), "write fewer".into())
            }
            ValidationErrorKind::UniqueItems => {
                (format!("`{name}` names something twice"), "write each entry once".into())
            }
            ValidationErrorKind::MinProperties { .. }
            | ValidationErrorKind::MaxProperties { .. } => (
                format!("`{name}` takes exactly one of {}", list(&self.fields())),
                "keep one of them".into(),
            ),
            _ => (format!("`{name}` is not as expected: {}", self.error.masked()), String::new()),
        }
    }

    fn name(&self) -> &str {
        self.path.name().unwrap_or("the file")
    }

    fn is_secret(&self) -> bool {
        self.rules.get("writeOnly").is_some_and(|flag| flag == true)
    }

    /// The value as it was written, when it is short and no secret.
    fn shown(&self) -> String {
        if self.is_secret() {
            return ", and what stands here is not shown".into();
        }
        match &self.node.kind {
            Kind::Text(text) if text.is_empty() => ", not empty".into(),
            Kind::Text(text) => format!(", not `{}`", short(text)),
            Kind::Number(_, written) => format!(", not {}", short(written)),
            _ => String::new(),
        }
    }

    fn title(&self) -> &str {
        self.rules.get("title").and_then(Value::as_str).unwrap_or("something else")
    }

    fn examples(&self) -> String {
        let examples: Vec<String> = self
            .rules
            .get("examples")
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |examples| {
                let plain = |example: &Value| match example {
                    Value::String(text) => format!("`{text}`"),
                    other => format!("`{other}`"),
                };
                examples.iter().map(plain).collect()
            });
        match (examples.is_empty(), self.is_secret()) {
            _ if self.title() == CONDITION => self.condition(),
            _ if self.title() == NAME => format!("{NAME_RULE}, such as {}", examples.join(" or ")),
            (true, _) => self.range(),
            (false, true) => format!("write where it is found: {}", examples.join(" or ")),
            (false, false) => format!("write it like {}", examples.join(" or ")),
        }
    }

    /// An example for the metric that is meant here.
    fn condition(&self) -> String {
        let keys: Vec<&str> = self.path.keys().collect();
        let role = if keys.contains(&"triggers") { Role::Trigger } else { Role::Gate };
        let built_in = keys.iter().find_map(|key| Metric::built_in(key));
        let own = || keys.last().and_then(|key| key.parse().ok()).map(Metric::Measure);
        let metric = built_in.or_else(|| keys.contains(&"measures").then(own)?);
        metric.map_or_else(String::new, |metric| bound::example(metric, role))
    }

    /// The numbers that the schema allows here.
    fn range(&self) -> String {
        let limit = |key: &str| self.rules.get(key).map(Value::to_string);
        match (limit("minimum"), limit("maximum")) {
            (Some(low), Some(high)) => format!("use a number from {low} to {high}"),
            (Some(low), None) => format!("use {low} or more"),
            _ => String::new(),
        }
    }

    /// The words that the schema allows here.
    fn words(&self) -> Vec<String> {
        let choices =
            ["enum", "oneOf", "anyOf"].iter().find_map(|key| self.rules.get(key)?.as_array());
        let word = |choice: &Value| {
            let word = choice.get("const").unwrap_or(choice);
            word.as_str().map(str::to_owned)
        };
        let nested = |choice: &Value| match choice.get("enum").and_then(Value::as_array) {
            Some(words) => words.iter().filter_map(word).collect(),
            None => word(choice).into_iter().collect::<Vec<_>>(),
        };
        choices.into_iter().flatten().flat_map(nested).collect()
    }

    /// The fields that the schema allows here.
    fn fields(&self) -> Vec<String> {
        let fields = self.rules.get("properties").and_then(Value::as_object);
        fields.into_iter().flat_map(|fields| fields.keys().cloned()).collect()
    }

    fn hint_for_unknown(&self, field: &str) -> String {
        let fields = self.fields();
        did_you_mean(field, &fields)
            .unwrap_or_else(|| format!("the fields here are {}", list(&fields)))
    }

    fn hint_for_missing(&self, field: &str) -> String {
        let Some(rules) = self.rules.get("properties").and_then(|fields| fields.get(field)) else {
            return format!("add `{field}`");
        };
        let description = rules.get("description").and_then(Value::as_str).unwrap_or_default();
        let description = description.split('\n').next().unwrap_or_default().trim();
        match rules.get("examples").and_then(|examples| examples.get(0)) {
            Some(Value::String(example)) if !example.starts_with(char::is_alphanumeric) => {
                format!("add `{field}: \"{example}\"`. {description}")
            }
            Some(Value::String(example)) => format!("add `{field}: {example}`. {description}"),
            Some(example) => format!("add `{field}: {example}`. {description}"),
            None => format!("add `{field}`. {description}"),
        }
    }

    fn wrong_type(&self, kind: &TypeKind) -> String {
        let name = self.name();
        let found = match &self.node.kind {
            Kind::Null => return format!("`{name}` has no value"),
            Kind::Bool(value) => format!("{value}"),
            Kind::Number(_, written) => format!("the number {}", short(written)),
            Kind::Text(_) if self.is_secret() => "text".into(),
            Kind::Text(text) => format!("the text `{}`", short(text)),
            Kind::List(_) => "a list".into(),
            Kind::Map(_) => "a map".into(),
        };
        let wanted = match self.rules.get("title").and_then(Value::as_str) {
            Some(title) if self.rules.get("pattern").is_some() => title.to_owned(),
            _ => wanted(kind),
        };
        format!("`{name}` must be {wanted}, not {found}")
    }

    fn hint_for_type(&self, kind: &TypeKind) -> String {
        let takes = |name: &str| type_names(kind).iter().any(|known| known == name);
        match &self.node.kind {
            Kind::Text(text) if takes("boolean") => match text.to_ascii_lowercase().as_str() {
                "on" | "yes" | "y" => "write `true`".into(),
                "off" | "no" | "n" => "write `false`".into(),
                _ => "write `true` or `false`".into(),
            },
            Kind::Number(_, written)
                if takes("string") && matches!(self.title(), NAME | SOME_TEXT) =>
            {
                format!("put it in quotes: \"{}\"", short(written))
            }
            Kind::Bool(_) if takes("object") && takes("string") => {
                let word = self.rules.pointer("/examples/0").and_then(Value::as_str);
                format!("write `{}`, or a map with {}", word.unwrap_or("off"), list(&self.fields()))
            }
            _ if self.title() == CONDITION => self.condition(),
            _ if takes("array") => "start each entry with `- `".into(),
            _ if takes("object") && !self.fields().is_empty() => {
                format!("its fields are {}", list(&self.fields()))
            }
            _ => self.examples(),
        }
    }
}

fn type_names(kind: &TypeKind) -> Vec<String> {
    match kind {
        TypeKind::Single(single) => vec![single.to_string()],
        TypeKind::Multiple(several) => several.iter().map(|one| one.to_string()).collect(),
    }
}

fn wanted(kind: &TypeKind) -> String {
    let names = type_names(kind);
    let plain: Vec<&str> = names
        .iter()
        .map(|name| match name.as_str() {
            "array" => "a list",
            "object" => "a map",
            "string" => "text",
            "boolean" => "true or false",
            "integer" => "a whole number",
            "number" => "a number",
            _ => "empty",
        })
        .collect();
    plain.join(" or ")
}

/// At most 60 characters of a text, in one line.
pub(super) fn short(text: &str) -> String {
    let mut line: String =
        text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        line.push('…');
    }
    line
}

/// Names in backticks.
pub(super) fn list<T: AsRef<str>>(names: &[T]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    quoted.join(", ")
}

/// The known name that was probably meant.
pub fn did_you_mean<T: AsRef<str>>(given: &str, known: &[T]) -> Option<String> {
    if given.len() > 64 {
        return None;
    }
    let closest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(given, name.as_ref()), name.as_ref()))
        .min_by_key(|(distance, _)| *distance);
    closest
        .filter(|(distance, name)| *distance <= (name.len().max(given.len()) / 3).max(1))
        .map(|(_, name)| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::super::template::{Scenario, template};
    use super::super::yaml;
    use super::*;

    /// Editors know only the schema; it must not refuse what is taken.
    #[test]
    fn what_ships_is_valid_for_the_schema_alone() {
        let mut texts = Scenario::ALL.map(template).to_vec();
        texts.push(include_str!("../../../../examples/first.yaml").into());
        texts.push(include_str!("../../../../examples/plans.yaml").into());
        for text in texts {
            let json = yaml::parse(&text).root.map(|root| root.to_json()).unwrap_or_default();
            let errors: Vec<String> =
                VALIDATOR.iter_errors(&json).map(|error| error.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new());
        }
    }

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["endpoint", "name", "p95_ms"];
        assert_eq!(did_you_mean("endpont", &known).as_deref(), Some("did you mean `endpoint`?"));
        assert_eq!(did_you_mean("p99_ms", &known).as_deref(), Some("did you mean `p95_ms`?"));
        assert_eq!(did_you_mean("colour", &known), None);
        assert_eq!(did_you_mean(&"x".repeat(65), &known), None);
    }
}
