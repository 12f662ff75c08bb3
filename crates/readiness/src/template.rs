//! Templates of environments, containers, and what reconciles them; and what they say of what is asked of all of them.

mod azure;
mod cloudformation;
mod container;
pub(crate) mod fact;
mod helm;
mod kubernetes;
mod program;
mod reconcile;
mod secret;
pub(crate) mod terraform;

use self::fact::{About, Fact, Is};
use self::kubernetes::Retagged;
pub(crate) use self::terraform::Root;
use self::terraform::Roots;
use crate::finding::Evidence;
use crate::hcl;
use crate::lines::File;
use crate::tree::{Contents, Tree, dir, has_end, is_aside, join, name};
use crate::yaml::{self, Node, Unread};

/// With more answers than this, those that are alike are no longer all kept.
const FACTS_MAX: usize = 20_000;

/// Most answers of a kind that are kept then.
const OF_A_KIND_MAX: usize = 1_000;

/// Most resources that are kept.
const DECLARED_MAX: usize = 20_000;

/// A file that describes how something is run.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) what: &'static str,
    pub(crate) evidence: Evidence,
}

/// What is compared with what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compares {
    /// Objects of a cluster.
    Cluster,
    /// Roots of Terraform.
    Terraform,
    /// Stacks of `CloudFormation`.
    Stacks,
}

/// What brings running things back to their templates, or looks whether they went astray.
#[derive(Debug, Clone)]
pub(crate) struct Reconciler {
    pub(crate) what: &'static str,
    pub(crate) evidence: Evidence,
    pub(crate) compares: Compares,
    /// The directory that it takes templates from, where it says so.
    pub(crate) path: Option<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    /// Containers, compose files and the like.
    pub(crate) configuration: Vec<Found>,
    /// Templates of real environments.
    pub(crate) environments: Vec<Found>,
    /// What brings running things back to their templates.
    pub(crate) reconcilers: Vec<Reconciler>,
    /// What does so with things of other repositories.
    pub(crate) elsewhere: Vec<Reconciler>,
    /// The roots of Terraform, each of which is compared for itself.
    pub(crate) roots: Vec<Root>,
    /// Modules of Terraform that others use: nothing runs by them alone.
    pub(crate) is_library: bool,
    /// Resources by their kinds, as Terraform and `CloudFormation` name them.
    pub(crate) declared: Vec<(String, Evidence)>,
    /// What they say of what is asked of all.
    pub(crate) facts: Vec<Fact>,
    /// Templates that could not be read, or whose program is not seen.
    pub(crate) unread: Vec<Evidence>,
    pub(crate) notes: Vec<String>,
}

/// What is looked at for all files together.
struct Across {
    roots: Roots,
    retagged: Retagged,
    /// What compose files say.
    local: Vec<Fact>,
    /// Values of the chart whose templates were read last, since those follow each other.
    values: (String, Option<Node>),
}

impl Templates {
    pub(crate) fn read(tree: &Tree) -> Self {
        let mut all = Self::default();
        let mut across = Across {
            roots: Roots::read(tree),
            retagged: kubernetes::retagged(tree),
            local: Vec::new(),
            values: Default::default(),
        };
        for path in tree.paths() {
            let is_aside = is_aside(path) && !across.roots.is_environment(dir(path));
            if is_aside || path.starts_with(".github/") || path.starts_with(".devcontainer/") {
                continue;
            }
            let text = tree.text(path).unwrap_or_default();
            if let Some(what) = configuration(path).filter(|what| is_filled(what, tree, path)) {
                all.configuration.push(Found { what, evidence: Evidence::file(path, text) });
            }
            let lines: Vec<&str> =
                if may_be_one(path) { text.lines().collect() } else { Vec::new() };
            all.file(tree, File::new(path, text, &lines), &mut across);
            all.bound();
        }
        all.roots = across.roots.places();
        all.is_library = all.configuration.is_empty()
            && all.environments.iter().all(|found| found.what == "Terraform")
            && across.roots.are_modules(tree);
        all.facts.extend(across.roots.facts());
        let is_here = |one: &Reconciler| {
            one.path.as_deref().is_none_or(|path| {
                join("", path).is_some_and(|dir| tree.under(&dir).next().is_some())
            })
        };
        (all.reconcilers, all.elsewhere) = all.reconcilers.into_iter().partition(is_here);
        if all.environments.is_empty() {
            all.facts.extend(across.local);
        }
        all
    }

    /// Forgets what is one too many; none so that nothing of its kind is left.
    fn bound(&mut self) {
        self.declared.truncate(DECLARED_MAX);
        if self.facts.len() <= FACTS_MAX {
            return;
        }
        let mut kept: Vec<((About, Is), usize)> = Vec::new();
        self.facts.retain(|fact| {
            let kind = (fact.about, fact.is);
            let at = kept.iter().position(|(known, _)| *known == kind).unwrap_or_else(|| {
                kept.push((kind, 0));
                kept.len() - 1
            });
            kept[at].1 += 1;
            kept[at].1 <= OF_A_KIND_MAX
        });
    }

    /// Whether there are templates in a directory; `None` is anywhere.
    pub(crate) fn any_below(&self, place: Option<&str>) -> bool {
        self.environments.iter().any(|found| match place {
            None | Some("") => true,
            Some(place) => {
                found.evidence.file.starts_with(&format!("{place}/"))
                    || dir(&found.evidence.file) == place
            }
        })
    }

    /// What the templates say of one thing.
    pub(crate) fn said(&self, about: About) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(move |fact| fact.about == about)
    }

    fn file(&mut self, tree: &Tree, file: File<'_>, across: &mut Across) {
        let end = name(file.path).rsplit_once('.').map_or("", |(_, end)| end);
        match end {
            "tf" | "tofu" | "hcl" | "bicep"
                if matches!(tree.contents(file.path), Some(Contents::Unread(_))) =>
            {
                self.unread.push(Evidence::file(file.path, ""));
            }
            "tf" | "tofu" => {
                self.hcl(file, |all, root| all.terraform(file, root, &mut across.roots));
            }
            "hcl" if is_terragrunt(file) => {
                self.hcl(file, |all, root| all.terragrunt(file, root, &mut across.roots));
            }
            "bicep" => self.bicep(file),
            "yml" | "yaml" => self.yaml(tree, file, across),
            "json" => self.json(tree, file, across),
            "py" if file.text.contains("modal") => self.modal(file),
            _ if kubernetes::is_kustomization(file.path) => self.yaml(tree, file, across),
            _ => {}
        }
    }

    fn hcl(&mut self, file: File<'_>, take: impl FnOnce(&mut Self, &Node)) {
        match hcl::document(file.text) {
            Ok(root) => take(self, &root),
            Err(unread) => self.not_read(file, &unread),
        }
    }

    fn not_read(&mut self, file: File<'_>, unread: &Unread) {
        self.notes.push(format!("{}:{}: {}", file.path, unread.place.line, unread.why));
        self.unread.push(file.at(unread.place));
    }

    fn json(&mut self, tree: &Tree, file: File<'_>, across: &mut Across) {
        let text = file.text;
        if name(file.path) == "cdk.json" {
            return self.cdk(tree, file);
        }
        let is_terraform = file.path.ends_with(".tf.json");
        let marks =
            ["\"containerDefinitions\"", "\"AWS::", "eploymentTemplate.json", "\"apiVersion\""];
        if !is_terraform && !marks.iter().any(|mark| text.contains(mark)) {
            return;
        }
        match yaml::document(text) {
            Ok(Some(root)) if is_terraform => self.terraform(file, &root, &mut across.roots),
            Ok(Some(root)) => {
                self.task(file, &root);
                self.cloudformation(file, &root);
                self.arm(file, &root);
                self.kubernetes(file, &root, &across.retagged);
            }
            Ok(None) => {}
            Err(unread) => self.not_read(file, &unread),
        }
    }

    fn yaml(&mut self, tree: &Tree, file: File<'_>, across: &mut Across) {
        if name(file.path) == "Pulumi.yaml" {
            return self.pulumi(tree, file);
        }
        if let Some(chart) = chart_of(tree, file.path) {
            if across.values.0 != chart {
                let values = format!("{chart}/values.yaml");
                let values = helm::values(tree.text(values.trim_start_matches('/')));
                across.values = (chart, values);
            }
            return self.chart_template(file, across.values.1.as_ref(), &across.retagged);
        }
        let by_name = ["Chart.yaml"].contains(&name(file.path))
            || kubernetes::is_kustomization(file.path)
            || name(file.path).starts_with("Pulumi.")
            || configuration(file.path) == Some("a compose file");
        // Most YAML is nothing of the kind, and need not be parsed.
        let marks = ["apiVersion", "AWS::", "provider:", "hosts:"];
        if !by_name && !marks.iter().any(|mark| file.text.contains(mark)) {
            return;
        }
        match yaml::documents(file.text) {
            Ok(all) => all.iter().for_each(|root| self.document(tree, file, root, across)),
            Err(unread) => {
                self.notes.push(format!("{}:{}: {}", file.path, unread.place.line, unread.why));
            }
        }
    }

    fn document(&mut self, tree: &Tree, file: File<'_>, root: &Node, across: &mut Across) {
        match name(file.path) {
            "Chart.yaml" => return self.chart(tree, file, root),
            pulumi if pulumi.starts_with("Pulumi.") => return self.pulumi_stack(file, root),
            _ if kubernetes::is_kustomization(file.path) => self.kustomize(tree, file, root),
            _ if configuration(file.path) == Some("a compose file") => {
                return self.compose(file, root, &mut across.local);
            }
            _ => {}
        }
        if root.get("apiVersion").is_some() {
            self.kubernetes(file, root, &across.retagged);
        } else if root.get("Resources").is_some() {
            self.cloudformation(file, root);
        } else if is_framework(root) {
            let evidence = Evidence::file(file.path, file.text);
            self.environments.push(Found { what: "the Serverless Framework", evidence });
            secret::all(root, file, &mut self.facts);
        }
        self.playbook(file, root);
    }

    /// A playbook of Ansible: plays that do something.
    fn playbook(&mut self, file: File<'_>, root: &Node) {
        let does = |play: &Node| {
            let parts = ["tasks", "roles", "pre_tasks", "post_tasks"];
            play.get("hosts").is_some()
                && parts.iter().any(|key| play.get(key).is_some_and(|all| !all.items().is_empty()))
        };
        if let Some(play) = root.items().iter().find(|play| does(play)) {
            let evidence = file.shown(play);
            self.environments.push(Found { what: "an Ansible playbook", evidence });
            secret::all(root, file, &mut self.facts);
        }
    }
}

/// Whether a file of this name is looked into.
fn may_be_one(path: &str) -> bool {
    ["tf", "tofu", "hcl", "bicep", "yml", "yaml", "json"].iter().any(|end| has_end(path, end))
        || kubernetes::is_kustomization(path)
}

/// A configuration of the Serverless Framework that has functions.
fn is_framework(root: &Node) -> bool {
    root.get("service").is_some()
        && root.get("provider").is_some()
        && root.get("functions").is_some_and(|all| {
            !all.entries().is_empty()
                || !all.items().is_empty()
                || all.tag.is_some()
                || all.text().is_some()
        })
}

fn is_terragrunt(file: File<'_>) -> bool {
    matches!(name(file.path), "terragrunt.hcl" | "root.hcl") || file.text.contains("remote_state {")
}

/// The directory of the chart that a file is a template of.
fn chart_of(tree: &Tree, path: &str) -> Option<String> {
    let (chart, _) = path.rsplit_once("templates/")?;
    let chart = chart.trim_end_matches('/');
    let file =
        if chart.is_empty() { "Chart.yaml".to_owned() } else { format!("{chart}/Chart.yaml") };
    tree.has(&file).then(|| chart.to_owned())
}

/// Whether a file of this kind has something in it. One that was not read is taken for what its name says.
fn is_filled(what: &str, tree: &Tree, path: &str) -> bool {
    let Some(text) = tree.text(path) else { return true };
    match what {
        "a container" => text.lines().any(|line| {
            line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("from"))
        }),
        "a compose file" => text.lines().any(|line| {
            ["services:", "include:", "\"services\":"]
                .iter()
                .any(|key| line.trim_start().starts_with(key))
        }),
        _ => !text.trim().is_empty(),
    }
}

fn configuration(path: &str) -> Option<&'static str> {
    let name = name(path);
    let lower = name.to_ascii_lowercase();
    let is_yaml = has_end(&lower, "yml") || has_end(&lower, "yaml");
    Some(match lower.as_str() {
        "dockerfile" | "containerfile" => "a container",
        _ if lower.starts_with("dockerfile.") || has_end(&lower, "dockerfile") => "a container",
        _ if is_yaml && (lower.starts_with("compose.") || lower.starts_with("docker-compose")) => {
            "a compose file"
        }
        "procfile" | "fly.toml" | "app.yaml" | "render.yaml" | "railway.json" | "vercel.json"
        | "wrangler.toml" => "a platform's file",
        _ if has_end(&lower, "service") => "a systemd unit",
        _ => return None,
    })
}
