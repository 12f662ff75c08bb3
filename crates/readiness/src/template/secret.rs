//! Secrets that stand in templates. What is shown of such a line is its name, never its value.

use super::fact::{About, Fact};
use crate::finding::{Evidence, Place};
use crate::lines::File;
use crate::yaml::{Entry, Node};

/// What names of secrets end with, without what stands between their words.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secretkey",
    "secretaccesskey",
    "accesskey",
    "apikey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "clientsecret",
    "appsecret",
    "jwtsecret",
    "sharedsecret",
    "webhooksecret",
    "authtoken",
    "accesstoken",
    "apitoken",
    "bottoken",
    "connectionstring",
];

/// What stands where somebody should still write something.
const PLACEHOLDERS: &[&str] = &[
    "changeme",
    "change-me",
    "change_me",
    "replace",
    "placeholder",
    "example",
    "dummy",
    "todo",
    "xxx",
    "your-",
    "your_",
    "<",
    "...",
];

/// How texts begin that say where a secret is.
const REFERENCES: &[&str] = &[
    "$",
    "{{",
    "!",
    "arn:",
    "projects/",
    "vault:",
    "env:",
    "file:",
    "ref+",
    "op://",
    "https://",
    "/run/secrets/",
    "@Microsoft.KeyVault(",
    "[",
    "AQICAH",
];

/// All secrets of a document.
pub(super) fn all(root: &Node, file: File<'_>, found: &mut Vec<Fact>) {
    for entry in root.entries() {
        one(entry, file, found);
        all(&entry.value, file, found);
    }
    pair(root, file, found);
    for item in root.items() {
        let written = item.text().filter(|_| item.tag.is_none());
        let named = written.and_then(|text| text.split_once('='));
        if let Some((name, value)) = named.filter(|(name, _)| is_name(name)) {
            found.push(judged(name, value, false, item.place, file));
        }
        all(item, file, found);
    }
}

fn one(entry: &Entry, file: File<'_>, found: &mut Vec<Fact>) {
    if !is_name(&entry.key) {
        return;
    }
    let (value, is_computed) = (&entry.value, entry.value.tag.is_some());
    if let Some(text) = value.text() {
        if value.truth().is_none() {
            found.push(judged(&entry.key, text, is_computed, entry.key_place, file));
        }
    } else if value.entries().iter().any(|inner| is_reference(&inner.key)) {
        found.push(Fact::good(About::Secrets, shown(&entry.key, entry.key_place, file)));
    }
}

/// `name: DB_PASSWORD` beside its `value`, or beside what says where it is.
fn pair(map: &Node, file: File<'_>, found: &mut Vec<Fact>) {
    let of = |keys: [&str; 2]| keys.into_iter().find_map(|key| map.get(key));
    let Some(name) = of(["name", "Name"]).and_then(Node::text).filter(|name| is_name(name)) else {
        return;
    };
    if let Some(value) = of(["value", "Value"]) {
        if let Some(text) = value.text() {
            found.push(judged(name, text, value.tag.is_some(), value.place, file));
        }
    } else if let Some(from) = of(["valueFrom", "ValueFrom"]).or_else(|| map.get("value_source")) {
        found.push(Fact::good(About::Secrets, shown(name, from.place, file)));
    }
}

/// A secret that stands there, or says where it is.
pub(super) fn judged(
    name: &str,
    value: &str,
    is_computed: bool,
    place: Place,
    file: File<'_>,
) -> Fact {
    let at = shown(name, place, file);
    let lower = value.trim().to_ascii_lowercase();
    if is_computed
        || value.contains("${")
        || value.contains(super::helm::PUT_IN)
        || REFERENCES.iter().any(|start| value.trim_start().starts_with(start))
    {
        return Fact::good(About::Secrets, at);
    }
    // `DB_PASSWORD_VALUE` is the name of what something puts in.
    let is_named = value.contains('_') && value.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    if is_named || lower.is_empty() || PLACEHOLDERS.iter().any(|mark| lower.contains(mark)) {
        let why = format!("`{name}` has a placeholder, and what takes its place is not seen");
        return Fact::unsure(About::Secrets, why, at);
    }
    Fact::bad(About::Secrets, format!("`{name}` is written out"), at)
}

fn shown(name: &str, place: Place, file: File<'_>) -> Evidence {
    Evidence::shown(file.path, &format!("{name}: …"), place)
}

/// Keys of maps that say where a value is.
fn is_reference(key: &str) -> bool {
    matches!(
        key,
        "Ref"
            | "Fn::Sub"
            | "Fn::GetAtt"
            | "Fn::ImportValue"
            | "Fn::Join"
            | "valueFrom"
            | "secretKeyRef"
            | "reference"
            | "secure"
    )
}

pub(super) fn is_name(name: &str) -> bool {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    NAMES.iter().any(|end| plain.ends_with(end))
}
