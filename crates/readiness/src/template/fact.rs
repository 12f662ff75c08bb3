//! What a template says of the things that are asked of all templates.

use crate::finding::Evidence;
use crate::hcl::COMPUTED;
use crate::lines::File;
use crate::yaml::Node;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// Whether the health of what runs is checked.
    Health,
    /// Whether what runs has a limit of memory.
    Limits,
    /// Whether versions are fixed.
    Pinned,
    /// Where the state of templates is kept.
    State,
    /// Whether secrets stand elsewhere.
    Secrets,
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Is {
    Good,
    Bad,
    /// The files do not say.
    Unsure,
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    pub(crate) about: About,
    pub(crate) is: Is,
    /// In words, of what is bad or unsure.
    pub(crate) why: String,
    pub(crate) at: Evidence,
}

impl Fact {
    pub(crate) fn good(about: About, at: Evidence) -> Self {
        Self { about, is: Is::Good, why: String::new(), at }
    }

    pub(crate) fn bad(about: About, why: impl Into<String>, at: Evidence) -> Self {
        Self { about, is: Is::Bad, why: why.into(), at }
    }

    pub(crate) fn unsure(about: About, why: impl Into<String>, at: Evidence) -> Self {
        Self { about, is: Is::Unsure, why: why.into(), at }
    }
}

/// Whether a text is put in by something when it is used.
pub(crate) fn is_put_in(node: &Node) -> bool {
    node.tag.is_some()
        || node.text().is_some_and(|text| {
            text == super::helm::PUT_IN || text.contains("${") || text.contains("{{")
        })
}

/// Stores and the like that others made, beside which the program itself runs.
const STORES: &[&str] = &[
    "postgres",
    "postgis",
    "pgvector",
    "timescaledb",
    "mysql",
    "mariadb",
    "mongo",
    "redis",
    "valkey",
    "memcached",
    "rabbitmq",
    "kafka",
    "zookeeper",
    "nats",
    "elasticsearch",
    "opensearch",
    "clickhouse",
    "cassandra",
    "minio",
    "etcd",
    "neo4j",
    "qdrant",
    "weaviate",
    "influxdb",
    "localstack",
    "mssql",
    "cockroach",
];

/// Whether an image is one of a store: that it answers says nothing of the program that uses it.
pub(crate) fn is_store(image: Option<&Node>) -> bool {
    let name = image.and_then(Node::text).unwrap_or_default();
    let last = name.split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    STORES.iter().any(|store| last.starts_with(store)) || name.contains("mssql/")
}

/// Whether an image has a version of its own.
pub(crate) fn image(node: &Node, file: File<'_>) -> Option<Fact> {
    let at = file.shown(node);
    let name = node.text()?;
    // A digest or a tag that is written out is one, whatever registry is put in before it.
    let is_digest = name.contains("@sha256:");
    let (_, tag) =
        name.rsplit_once('/').unwrap_or(("", name)).1.split_once(':').unwrap_or_default();
    let unsure = || Fact::unsure(About::Pinned, "an image's version is put in later", at.clone());
    if is_digest {
        return Some(Fact::good(About::Pinned, at));
    }
    if node.tag.as_deref().is_some_and(|tag| tag != COMPUTED) {
        return Some(unsure());
    }
    Some(match tag {
        "" if is_put_in(node) || name.contains(super::helm::PUT_IN) => unsure(),
        "" => Fact::bad(About::Pinned, format!("the image `{name}` has no version"), at),
        "latest" => {
            Fact::bad(About::Pinned, format!("the image `{name}` is whatever is latest"), at)
        }
        tag if tag.contains("${") || tag.contains(super::helm::PUT_IN) || tag.contains("{{") => {
            unsure()
        }
        _ if node.tag.is_some() && !name.contains("${") => unsure(),
        _ => Fact::good(About::Pinned, at),
    })
}

/// Whether a range of versions lets in what nobody has seen yet.
pub(crate) fn is_open(version: &str) -> bool {
    let version = version.trim();
    version.is_empty()
        || version == "*"
        || version == "latest"
        || version.split(',').all(|part| part.trim().starts_with('>'))
}
