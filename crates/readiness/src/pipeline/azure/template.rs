//! Templates of the same repository, their parameters, and the variables that they add.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::Runs;
use super::expression::Value;
use super::scope;
use super::stage::Reader;
use super::view::{Variables, View};
use crate::shell::UNKNOWN;
use crate::tree::{dir, join};
use crate::yaml::Node;

/// Templates that include each other.
pub(super) const DEPTH_MAX: usize = 20;

/// A template that includes itself for a reason ends soon.
const CIRCLE_MAX: usize = 3;

impl<'a> Reader<'a> {
    /// The root of the template that an item includes, with what it is given; or why it cannot be read.
    pub(super) fn template(&self, item: &View<'a>) -> Result<View<'a>, String> {
        let own = item.sure();
        let name = own.text_at("template").unwrap_or_default();
        if name.is_empty() || name.contains(UNKNOWN) {
            return Err("which template is included is only known when it runs".into());
        }
        let (path, of) = name.split_once('@').unwrap_or((&name, "self"));
        if of != "self" {
            return Err(format!("the template `{name}` is in another repository"));
        }
        let around = &item.around;
        let near = join(dir(around.file), path);
        let found = near.and_then(|path| self.run.files.get(&path));
        let found = found.or_else(|| self.run.files.get(&join("", path)?));
        let Some((file, parsed)) = found else {
            return Err(format!("the template `{path}` is not in the repository"));
        };
        let mut through = (*around.through).clone();
        if through.iter().filter(|known| **known == file).count() >= CIRCLE_MAX {
            let note = format!("{file}: templates include each other in a circle");
            self.run.notes.borrow_mut().insert(note);
            return Err(format!("`{file}` is in a circle of templates"));
        }
        through.push(file);
        if through.len() > DEPTH_MAX {
            return Err(format!("templates include each other more than {DEPTH_MAX} times"));
        }
        let root = match parsed {
            Ok(Some(root)) => root,
            Ok(None) => return Err(format!("the template `{file}` is empty")),
            Err((place, why)) => {
                self.run.unread(file, *place, why);
                return Err(format!("the template `{file}` cannot be read"));
            }
        };
        let mut inner = (**around).clone();
        inner.file = file;
        inner.each = Vec::new();
        inner.through = Rc::new(through);
        inner.parameters = Rc::new(BTreeMap::new());
        let bare = View::new(root, Rc::new(inner.clone()));
        let mut parameters = declared(&bare);
        for (key, value) in own.get("parameters").map(|given| given.entries()).unwrap_or_default() {
            parameters.insert(key, value.value());
        }
        inner.parameters = Rc::new(parameters);
        Ok(View { node: root, around: Rc::new(inner), unsure: item.unsure.clone() })
    }

    /// Variables with those of a part: a map, or a list with names, groups and templates.
    pub(super) fn extended(
        &self,
        variables: &Variables<'a>,
        view: Option<&View<'a>>,
        needed: &[(String, Runs)],
    ) -> Variables<'a> {
        let mut all = variables.clone();
        let Some(view) = view else { return all };
        if !view.is_list() {
            for (name, value) in view.entries() {
                scope::set(&mut all, &name, &value, needed);
            }
            return all;
        }
        for item in view.items() {
            if !self.run.spend() {
                break;
            }
            if item.get("template").is_some() {
                if let Ok(inner) = self.template(&item) {
                    all = self.extended(&all, inner.get("variables").as_ref(), needed);
                }
            } else if let (Some(name), Some(value)) =
                (item.sure().text_at("name"), item.get("value"))
            {
                scope::set(&mut all, &name, &value, needed);
            }
        }
        all
    }
}

/// The parameters that a file declares, with their defaults: a list with types, or a map.
pub(super) fn declared<'a>(root: &View<'a>) -> BTreeMap<String, Value<'a>> {
    let Some(parameters) = root.get("parameters") else { return BTreeMap::new() };
    if !parameters.is_list() {
        return parameters
            .entries()
            .into_iter()
            .map(|(name, value)| (name, value.value()))
            .collect();
    }
    let one = |item: &View<'a>| {
        let name = item.sure().text_at("name")?;
        let unknown = || Value::Unknown(format!("the parameter `{name}` has no default"));
        let value = item.get("default").map_or_else(unknown, |default| default.value());
        Some((name, value))
    };
    parameters.items().iter().filter_map(one).collect()
}

/// Names of the files that a file includes, as they are written, with expressions left out.
pub(super) fn included(node: &Node, names: &mut Vec<String>) {
    for entry in node.entries() {
        if entry.key == "template"
            && let Some(name) = entry.value.text()
            && !name.contains("${{")
        {
            names.push(name.to_owned());
        }
        included(&entry.value, names);
    }
    node.items().iter().for_each(|item| included(item, names));
}
