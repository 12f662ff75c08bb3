//! SAM and `CloudFormation`, `serverless.yml`, and services of Cloud Run.

use super::{Found, Function, Number, mebibytes, quantity, seconds};
use crate::finding::Evidence;
use crate::lines::File;
use crate::yaml::{self, Entry, Node};

pub(super) fn read(path: &str, text: &str, found: &mut Found) {
    let may = ["AWS::Lambda::", "AWS::Serverless::", "serving.knative.dev", "functions:"]
        .iter()
        .any(|mark| text.contains(mark));
    if !may {
        return;
    }
    match yaml::documents(text) {
        Ok(documents) => {
            let lines: Vec<&str> = text.lines().collect();
            let file = Reader { file: File::new(path, text, &lines) };
            for root in &documents {
                file.document(root, found);
            }
        }
        Err(unread) => found.unread.push(format!("{path}:{}: {}", unread.place.line, unread.why)),
    }
}

struct Reader<'a> {
    file: File<'a>,
}

impl Reader<'_> {
    fn shown(&self, entry: &Entry) -> Evidence {
        self.file.at(entry.key_place)
    }

    fn document(&self, root: &Node, found: &mut Found) {
        let version = root.get("apiVersion").and_then(Node::text).unwrap_or_default();
        if version.starts_with("serving.knative.dev/") {
            self.cloud_run(root, found);
        } else if let Some(resources) = root.get("Resources") {
            self.aws(root, resources, found);
        } else if let (Some(functions), Some(provider)) =
            (root.get("functions"), root.get("provider"))
        {
            self.framework(functions, provider, found);
        }
    }

    fn aws(&self, root: &Node, resources: &Node, found: &mut Found) {
        let globals = root.at(&["Globals", "Function"]);
        for entry in resources.entries() {
            let kind = entry.value.get("Type").and_then(Node::text).unwrap_or_default();
            let properties = entry.value.get("Properties");
            let of = |key: &str| {
                let own = properties.and_then(|all| all.entry(key));
                let global = globals.filter(|_| kind == "AWS::Serverless::Function");
                own.or_else(|| global.and_then(|all| all.entry(key)))
            };
            if let Some(kept) = of("ProvisionedConcurrencyConfig") {
                found.warm.push(self.shown(kept));
            }
            if !matches!(kind, "AWS::Serverless::Function" | "AWS::Lambda::Function") {
                continue;
            }
            self.limited(of("ReservedConcurrentExecutions"), found);
            found.functions.push(Function {
                platform: "AWS Lambda",
                name: entry.key.clone(),
                at: self.shown(entry),
                memory_bytes: number(of("MemorySize"), mebibytes),
                timeout_s: number(of("Timeout"), seconds),
            });
        }
    }

    fn framework(&self, functions: &Node, provider: &Node, found: &mut Found) {
        let platform = match provider.get("name").or(Some(provider)).and_then(Node::text) {
            Some("aws") => "AWS Lambda",
            Some("google") => "Google Cloud Run",
            _ => return,
        };
        for entry in functions.entries() {
            let of = |key: &str| entry.value.entry(key).or_else(|| provider.entry(key));
            for key in ["provisionedConcurrency", "minInstances"] {
                self.kept(of(key), found);
            }
            for key in ["reservedConcurrency", "maxInstances"] {
                self.limited(of(key), found);
            }
            found.functions.push(Function {
                platform,
                name: entry.key.clone(),
                at: self.shown(entry),
                memory_bytes: number(of("memorySize"), mebibytes),
                timeout_s: number(of("timeout"), seconds),
            });
        }
    }

    fn cloud_run(&self, root: &Node, found: &mut Found) {
        let Some(kind) = root.entry("kind").filter(|kind| kind.value.text() == Some("Service"))
        else {
            return;
        };
        let template = root.at(&["spec", "template"]);
        let notes = template.and_then(|template| template.at(&["metadata", "annotations"]));
        for note in notes.into_iter().flat_map(Node::entries) {
            match note.key.as_str() {
                "autoscaling.knative.dev/minScale" | "autoscaling.knative.dev/min-scale" => {
                    self.kept(Some(note), found);
                }
                "autoscaling.knative.dev/maxScale" | "autoscaling.knative.dev/max-scale" => {
                    self.limited(Some(note), found);
                }
                _ => {}
            }
        }
        let spec = template.and_then(|template| template.get("spec"));
        let containers = spec.and_then(|spec| spec.get("containers"));
        let limit = containers
            .and_then(|all| all.items().first())
            .and_then(|first| first.at(&["resources", "limits"]))
            .and_then(|limits| limits.entry("memory"));
        let name = root.at(&["metadata", "name"]).and_then(Node::text).unwrap_or("service");
        found.functions.push(Function {
            platform: "Google Cloud Run",
            name: name.to_owned(),
            at: self.shown(kind),
            memory_bytes: number(limit, quantity),
            timeout_s: number(spec.and_then(|spec| spec.entry("timeoutSeconds")), seconds),
        });
    }

    /// More than none are kept.
    fn kept(&self, entry: Option<&Entry>, found: &mut Found) {
        found.warm.extend(
            entry.filter(|entry| entry.value.text() != Some("0")).map(|entry| self.shown(entry)),
        );
    }

    /// One at most.
    fn limited(&self, entry: Option<&Entry>, found: &mut Found) {
        found.single.extend(
            entry
                .filter(|entry| matches!(entry.value.text(), Some("0" | "1")))
                .map(|entry| self.shown(entry)),
        );
    }
}

/// A map, a list or a tag such as `!Ref` says it elsewhere.
fn number(entry: Option<&Entry>, read: impl Fn(&str) -> Option<u64>) -> Number {
    let Some(entry) = entry else { return Number::NotWritten };
    match (&entry.value.tag, entry.value.text()) {
        (None, Some(text)) => Number::of(Some(text), read),
        _ => Number::Computed,
    }
}
