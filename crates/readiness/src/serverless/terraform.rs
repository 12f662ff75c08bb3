//! Functions as Terraform has them, in HCL and in JSON.

use super::{Found, Function, Number, mebibytes, quantity, seconds};
use crate::finding::Evidence;
use crate::hcl;
use crate::lines::File;
use crate::template::terraform::{Resource, blocks, modules, resources};
use crate::tree::has_end;
use crate::yaml::{self, Entry, Node};

/// Most blocks in each other.
const DEPTH_MAX: usize = 8;

pub(super) fn read(path: &str, text: &str, found: &mut Found) {
    let may =
        ["aws_lambda", "google_cloud_run", "lambda/aws"].iter().any(|mark| text.contains(mark));
    if !may {
        return;
    }
    let root = if has_end(path, "json") {
        yaml::document(text).map(Option::unwrap_or_default)
    } else {
        hcl::document(text)
    };
    let lines: Vec<&str> = text.lines().collect();
    let file = File::new(path, text, &lines);
    match root {
        Ok(root) => {
            resources(&root).for_each(|resource| one(file, &resource, found));
            modules(&root).for_each(|module| of_module(file, module, found));
        }
        Err(unread) => found.unread.push(format!("{path}:{}: {}", unread.place.line, unread.why)),
    }
}

fn one(file: File<'_>, resource: &Resource<'_>, found: &mut Found) {
    let body = resource.body;
    match resource.kind {
        "aws_lambda_function" => {
            limited(file, body.entry("reserved_concurrent_executions"), found);
            found.functions.push(lambda(file, resource.name, body));
        }
        "aws_lambda_provisioned_concurrency_config" => found.warm.push(file.shown(body)),
        "google_cloud_run_v2_service" | "google_cloud_run_service" => {
            cloud_run(file, resource, found);
        }
        _ => {}
    }
}

fn lambda(file: File<'_>, name: &str, body: &Node) -> Function {
    Function {
        platform: "AWS Lambda",
        name: name.to_owned(),
        at: file.shown(body),
        memory_bytes: number(body.get("memory_size"), mebibytes),
        timeout_s: number(body.get("timeout"), seconds),
    }
}

/// The module for Lambda of the public registry, which takes the same names.
fn of_module(file: File<'_>, module: &Entry, found: &mut Found) {
    let source = module.value.get("source").and_then(Node::text).unwrap_or_default();
    let is_off = module.value.get("create_function").and_then(Node::truth) == Some(false);
    if !source.ends_with("terraform-aws-modules/lambda/aws") || is_off {
        return;
    }
    limited(file, module.value.entry("reserved_concurrent_executions"), found);
    kept(file, module.value.entry("provisioned_concurrent_executions"), found);
    found.functions.push(lambda(file, &module.key, &module.value));
}

fn cloud_run(file: File<'_>, resource: &Resource<'_>, found: &mut Found) {
    let body = resource.body;
    for key in ["min_instance_count", "autoscaling.knative.dev/minScale"] {
        kept(file, deep(body, key, 0), found);
    }
    for key in ["max_instance_count", "autoscaling.knative.dev/maxScale"] {
        limited(file, deep(body, key, 0), found);
    }
    let template = blocks(body, "template").next();
    let timeout = template.and_then(|template| {
        template
            .get("timeout")
            .or_else(|| deep(template, "timeout_seconds", 0).map(|entry| &entry.value))
    });
    let limits = template.and_then(|template| deep(template, "limits", 0));
    found.functions.push(Function {
        platform: "Google Cloud Run",
        name: resource.name.to_owned(),
        at: file.shown(body),
        memory_bytes: match limits {
            Some(limits) if limits.value.tag.is_some() => Number::Computed,
            limits => number(limits.and_then(|limits| limits.value.get("memory")), quantity),
        },
        timeout_s: number(timeout, seconds),
    });
}

/// The first entry of this name, but not one of a probe, which has a timeout of its own.
fn deep<'a>(body: &'a Node, key: &str, depth: usize) -> Option<&'a Entry> {
    if depth > DEPTH_MAX {
        return None;
    }
    body.entry(key).or_else(|| {
        let inner = body.entries().iter().filter(|entry| !entry.key.ends_with("_probe"));
        inner
            .flat_map(|entry| std::iter::once(&entry.value).chain(entry.value.items()))
            .find_map(|node| deep(node, key, depth + 1))
    })
}

fn number(node: Option<&Node>, read: impl Fn(&str) -> Option<u64>) -> Number {
    match node {
        None => Number::NotWritten,
        Some(node) if node.is_null() => Number::NotWritten,
        Some(node) if node.tag.is_some() => Number::Computed,
        Some(node) => node.text().map_or(Number::Computed, |text| Number::of(Some(text), read)),
    }
}

fn at(file: File<'_>, entry: &Entry) -> Evidence {
    file.at(entry.key_place)
}

fn kept(file: File<'_>, entry: Option<&Entry>, found: &mut Found) {
    let is = |entry: &&Entry| !matches!(entry.value.text(), None | Some("0" | "-1"));
    found.warm.extend(entry.filter(is).map(|entry| at(file, entry)));
}

fn limited(file: File<'_>, entry: Option<&Entry>, found: &mut Found) {
    let is = |entry: &&Entry| matches!(entry.value.text(), Some("0" | "1"));
    found.single.extend(entry.filter(is).map(|entry| at(file, entry)));
}
