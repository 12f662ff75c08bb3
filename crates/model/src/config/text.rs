//! Texts of the file form that have a shape of their own. The schema carries the shape, so that
//! editors check it too; `title` and `examples` also make the error messages.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// Titles in the schema by which messages are chosen.
pub(super) const NAME: &str = "a name";
pub(super) const URL: &str = "a URL";
pub(super) const SOME_TEXT: &str = "some text";
pub(super) const CONDITION: &str = "a condition";

/// How names are written.
pub(super) const NAME_RULE: &str =
    "use 1 to 63 lowercase letters, digits, `-`, `_` or `.`, starting with a letter or digit";

macro_rules! text {
    ($(#[$doc:meta])* $name:ident: $title:expr, $pattern:expr, [$($example:literal),*] $(, $key:literal = $value:literal)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        pub(super) struct $name(pub(super) String);

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "title": $title,
                    "pattern": $pattern,
                    "examples": [$($example),*]
                    $(, $key: $value)*
                })
            }
        }
    };
}

text!(
    /// A name, as [`crate::ids`] takes them.
    NameText: NAME, "^[a-z0-9][a-z0-9._-]{0,62}$", ["support", "v1.2.0"]
);
text!(
    /// A name, as [`crate::measure::MeasureName`] takes them.
    MeasureNameText: "a name of small letters, digits and `_`", "^[a-z][a-z0-9_]{0,31}$", ["groundedness", "steps"]
);
text!(
    /// A span of time.
    DurationText: "a duration", "^([0-9]+(ms|s|m|h|d))+$", ["4h", "90s", "250ms"]
);
text!(
    /// A span of time, or `none`.
    DeadlineText: "a duration or none", "^(none|([0-9]+(ms|s|m|h|d))+)$", ["7d", "none"]
);
text!(
    /// A window in which nothing advances.
    FreezeText: "a window with its time zone", r"^ *([a-zA-Z]{3}|[0-9]{4}-[0-9]{2}-[0-9]{2}) +[0-9]{1,2}:[0-9]{2} +[-–] +([a-zA-Z]{3}|[0-9]{4}-[0-9]{2}-[0-9]{2}) +[0-9]{1,2}:[0-9]{2} +[A-Za-z0-9_+/-]+ *$", ["fri 16:00 - mon 08:00 Europe/Berlin", "2026-12-23 12:00 - 2027-01-02 08:00 UTC"]
);
text!(
    /// A number of bytes.
    SizeText: "a size", "^[0-9]+(B|KiB|MiB|GiB)$", ["32MiB", "512KiB"]
);
text!(
    /// An address to listen on.
    AddressText: "an IP address with a port", r"^(\[[0-9a-fA-F:.]+\]|[0-9.]+):[0-9]{1,5}$", ["127.0.0.1:8080", "[::1]:8080"]
);
text!(
    /// A base URL.
    UrlText: URL, "^https?://[^/?#]+", ["http://127.0.0.1:9001", "https://agent.example.com/v2"]
);
text!(
    /// A place in object storage, or a directory. Credentials have no place in it.
    MirrorText: "a place for a copy", r"^((s3|gs|az)://[A-Za-z0-9][A-Za-z0-9._-]*(/[^?#@ ]*)?|file:///[^?# ]+)$", ["s3://bucket/lockgate", "file:///mnt/archive/lockgate"]
);
text!(
    /// A witness's public key, a verifier key of c2sp.org/signed-note.
    WitnessKeyText: "a witness's public key", r"^[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$", ["witness.example/w1+e75f6532+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"]
);
text!(
    /// A reference to a secret. What stands here by mistake may be the secret: it is not repeated.
    SecretText: "a reference to a secret", "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$", ["env:ALERT_KEY", "file:/run/secrets/alert"], "writeOnly" = true
);
text!(
    /// Where a set of keys is.
    JwksText: "a URL or a file", "^(https?://[^/?#]+.*|file:.+)$", ["https://idp.example.com/keys", "file:/etc/lockgate/bundle.json"]
);
text!(
    /// A commit of git, in full.
    CommitText: "a commit in full: 40 or 64 hex digits", "^([0-9a-f]{40}|[0-9a-f]{64})$", ["3f0a8b6d1c5e4f2a9b7c8d6e5f4a3b2c1d0e9f8a"]
);
text!(
    /// The id of a workload.
    SpiffeIdText: "a SPIFFE id", "^spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)+$", ["spiffe://example.org/ns/agents/sa/support-v2"]
);
text!(
    /// The trust domain of workloads.
    TrustDomainText: "a trust domain", "^[a-z0-9._-]{1,255}$", ["example.org"]
);
text!(
    /// The name of a header of HTTP.
    HeaderNameText: "the name of a header", "^[A-Za-z0-9][A-Za-z0-9-]{0,62}$", ["authorization", "x-api-key"]
);
text!(
    /// A model's name, or its beginning and a `*`.
    ModelText: "a model's name, with `*` at most at its end", r"^[!-)+-~]{1,128}\*?$", ["gpt-4o", "claude-haiku-*"]
);
text!(
    /// The name of an action or argument, as policies take it.
    ActionText: "a name of letters, digits, `_`, `-` and `.`", "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", ["look_up", "refund"]
);
text!(
    /// A method and a path.
    CallText: "a method and a path", "^(GET|POST|PUT|PATCH|DELETE) /[^ ]*$", ["GET /orders/{id}", "POST /orders"]
);
text!(
    /// A path in a URL.
    UrlPathText: "a path that starts with /", "^/", ["/healthz"]
);
text!(
    /// A file beside the configuration.
    FileNameText: "a file beside this one", r"^([A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*$", ["probes.jsonl"]
);
text!(
    /// A day.
    DateText: "a day", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", ["2026-11-27"]
);
text!(
    /// Something that must be said.
    SomeText: SOME_TEXT, r"\S", []
);

/// The shape of a gate's or a trigger's bound.
pub(super) const BOUND_PATTERN: &str = r"^ *([<>=] *-?[0-9]+(\.[0-9]+)? *(%|ms|s)?|> *baseline( *\+ *[0-9]+(\.[0-9]+)? *%)?|< *baseline *- *[0-9]+(\.[0-9]+)? *%) *$";

text!(
    /// A metric's bound.
    BoundText: CONDITION, BOUND_PATTERN, ["< 0.5%", "> baseline + 20%"]
);

/// A share of traffic: a number of percent, or text with `%`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum WeightText {
    Number(f64),
    Text(String),
}

impl JsonSchema for WeightText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Weight".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["number", "string"],
            "title": "a percentage",
            "minimum": 0,
            "maximum": 100,
            "pattern": r"^[0-9]+(\.[0-9]{1,2})? *%$",
            "examples": [10, "12.5%"]
        })
    }
}

/// Something with fields of its own, or the word that switches it off.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Switchable<T> {
    Off(OffWord),
    On(T),
}

/// The word `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OffWord {
    Off,
}

impl<T: JsonSchema> JsonSchema for Switchable<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        or_text(T::json_schema(generator), "`off` or a map", "^off$", "off")
    }
}

/// A bound alone, or a map with the bound and more.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum BoundOr<T> {
    Bound(String),
    More(T),
}

impl<T: JsonSchema> JsonSchema for BoundOr<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        or_text(T::json_schema(generator), CONDITION, BOUND_PATTERN, "< 0.5%")
    }
}

/// Takes text beside an object. One schema with two types, not two schemas: errors then say what
/// is wrong in the form that was chosen.
fn or_text(mut object: Schema, title: &str, pattern: &str, example: &str) -> Schema {
    object.insert("type".into(), serde_json::json!(["string", "object"]));
    object.insert("title".into(), title.into());
    object.insert("pattern".into(), pattern.into());
    object.insert("examples".into(), serde_json::json!([example]));
    object
}
