//! Functions as programs describe them: Modal's decorators, and constructs of CDK, as far as arguments are written out.

use super::{FUNCTIONS_MAX, Found, Function, Number, mebibytes, seconds};
use crate::code::{Argument, Code, Syntax};
use crate::tree::has_end;

/// Lines from a decorator to what it decorates, at most.
const NAME_LINES_MAX: usize = 60;

/// Constructs of CDK that are functions of Lambda.
const CONSTRUCTS: &[&str] = &[
    "lambda.Function",
    "lambda_.Function",
    "_lambda.Function",
    "aws_lambda.Function",
    "new Function",
    "NodejsFunction",
    "PythonFunction",
    "GoFunction",
    "RustFunction",
    "DockerImageFunction",
];

pub(super) fn read(path: &str, text: &str, found: &mut Found) {
    let is_modal = has_end(path, "py") && text.contains("modal");
    let is_cdk = text.contains("cdk") && text.contains("ambda");
    if !is_modal && !is_cdk {
        return;
    }
    let Some(code) = Code::read(path, text) else { return };
    if is_modal {
        modal(&code, found);
    }
    match Syntax::of(path) {
        Some(Syntax::Script | Syntax::Python) if is_cdk => cdk(&code, found),
        Some(Syntax::Compiled) if is_cdk && code.words("Stack").next().is_some() => {
            found.unread.push(format!("{path}: functions of CDK are not read in this language"));
        }
        _ => {}
    }
}

/// `@app.function(memory=1024, timeout=60)`.
fn modal(code: &Code<'_>, found: &mut Found) {
    let brings = code.masked.lines().any(|line| {
        line.trim_start().starts_with("import modal") || line.trim_start().starts_with("from modal")
    });
    if !brings {
        return;
    }
    for start in [".function(", ".cls("] {
        let starts: Vec<usize> = code.words(start).take(FUNCTIONS_MAX).collect();
        for at in starts {
            let line = code.line(at);
            let is_decorator = code.masked_line(line).trim_start().starts_with('@');
            let Some(arguments) = code.arguments(at).filter(|_| is_decorator) else { continue };
            let after = (line..line + NAME_LINES_MAX).find_map(|line| {
                let rest = code.masked_line(line).trim_start().trim_start_matches("async ");
                rest.strip_prefix("def ").or_else(|| rest.strip_prefix("class "))
            });
            let name = after.and_then(|rest| rest.split(['(', ':']).next()).unwrap_or("function");
            let scales = (
                &["min_containers", "keep_warm"][..],
                &["max_containers", "concurrency_limit"][..],
            );
            scaling(code, &arguments, scales, found);
            found.functions.push(Function {
                platform: "Modal",
                name: name.trim().to_owned(),
                at: code.shown(at),
                memory_bytes: number(&arguments, &["memory"], request),
                timeout_s: number(&arguments, &["timeout"], seconds),
            });
        }
    }
}

/// `1024`, or what is asked for and the limit.
fn request(text: &str) -> Option<u64> {
    match text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(both) => mebibytes(both.split(',').nth(1)?.trim()),
        None => mebibytes(text),
    }
}

/// `new lambda.Function(this, 'Ask', { memorySize: 1024 })` and `lambda_.Function(self, "Ask", memory_size=1024)`.
fn cdk(code: &Code<'_>, found: &mut Found) {
    for construct in CONSTRUCTS {
        let starts: Vec<usize> = code.words(construct).take(FUNCTIONS_MAX).collect();
        for at in starts {
            let called = code.masked[at + construct.len()..].starts_with('(');
            let Some(given) = code.arguments(at).filter(|_| called) else { continue };
            // Any other function that is called so is none of CDK's, which has a scope and a name first.
            let [scope, name, rest @ ..] = given.as_slice() else { continue };
            if !matches!(scope.value, "this" | "self" | "scope" | "stack") {
                continue;
            }
            let object = rest.first().filter(|first| first.key.is_none());
            let inner = match object {
                Some(first) if first.value.starts_with('{') => code.arguments(first.at),
                Some(_) => None,
                None => Some(rest.to_vec()),
            };
            let scales =
                (&[][..], &["reservedConcurrentExecutions", "reserved_concurrent_executions"][..]);
            scaling(code, inner.as_deref().unwrap_or_default(), scales, found);
            let of = |keys: &[&str], read: &dyn Fn(&str) -> Option<u64>| {
                inner.as_ref().map_or(Number::Computed, |all| number(all, keys, read))
            };
            found.functions.push(Function {
                platform: "AWS Lambda",
                name: name.value.trim_matches(['\'', '"', '`']).to_owned(),
                at: code.shown(at),
                memory_bytes: of(&["memorySize", "memory_size"], &mebibytes),
                timeout_s: of(&["timeout"], &duration),
            });
        }
    }
    for key in ["provisionedConcurrentExecutions", "provisioned_concurrent_executions"] {
        let is_set =
            |at: &usize| code.masked[at + key.len()..].trim_start().starts_with([':', '=']);
        found
            .warm
            .extend(code.words(key).filter(is_set).take(FUNCTIONS_MAX).map(|at| code.shown(at)));
    }
}

/// `Duration.seconds(30)`, from wherever it is imported.
fn duration(text: &str) -> Option<u64> {
    let (_, call) = text.rsplit_once("Duration.")?;
    let (unit, amount) = call.strip_suffix(')')?.split_once('(')?;
    let amount: u64 = amount.trim().parse().ok()?;
    match unit {
        "seconds" => Some(amount),
        "minutes" => amount.checked_mul(60),
        _ => None,
    }
}

fn number(arguments: &[Argument<'_>], keys: &[&str], read: impl Fn(&str) -> Option<u64>) -> Number {
    let is = |one: &&Argument<'_>| one.key.is_some_and(|key| keys.contains(&key));
    match arguments.iter().rev().find(is) {
        Some(one) => Number::of(Some(one.value), read),
        // What is taken over from elsewhere may have it.
        None if arguments
            .iter()
            .any(|one| one.value.starts_with("...") || one.value.starts_with("**")) =>
        {
            Number::Computed
        }
        None => Number::NotWritten,
    }
}

/// Notes what is kept or limited by these keys.
fn scaling(
    code: &Code<'_>,
    arguments: &[Argument<'_>],
    (min, max): (&[&str], &[&str]),
    found: &mut Found,
) {
    for one in arguments {
        let Some(key) = one.key else { continue };
        if min.contains(&key) && !matches!(one.value, "0" | "None") {
            found.warm.push(code.shown(one.at));
        } else if max.contains(&key) && matches!(one.value, "0" | "1") {
            found.single.push(code.shown(one.at));
        }
    }
}
