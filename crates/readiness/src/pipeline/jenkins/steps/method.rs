//! Calls on something: images of Docker, loops over lists, what libraries made.

use super::super::syntax::{Call, Expression, Value};
use super::{Around, Reader, Used, perhaps};
use crate::finding::Place;

impl<'a> Reader<'a> {
    /// A name that neither the file nor Jenkins gives a value: a shared library does.
    fn is_strange(&self, root: &str) -> bool {
        const GIVEN: [&str; 10] = [
            "env",
            "params",
            "currentBuild",
            "docker",
            "scm",
            "new",
            "it",
            "pullRequest",
            "pipeline",
            "super",
        ];
        let is_package = ["java", "groovy", "hudson", "jenkins", "com", "org", "net", "io"];
        root.starts_with(char::is_lowercase)
            && !GIVEN.contains(&root)
            && !is_package.contains(&root)
            && !self.assigned.contains_key(root)
            && !self.bound.contains(root)
            && !self.functions.contains_key(root)
    }

    /// Calls on something: images of Docker, loops over lists, what libraries made.
    pub(super) fn method(&mut self, call: &'a Call, place: Place, around: &Around) {
        let Some(of) = &call.of else { return };
        self.expression(of, around, Used::Yes);
        self.arguments(&call.arguments, around);
        let path = of.path().unwrap_or_default();
        let root = path.split('.').next().unwrap_or_default();
        let image = self.images.contains(&path) || of.call().is_some_and(is_image);
        match call.name.as_str() {
            // What is built from an address is not this repository.
            "build" if path == "docker" && !call.plain().any(is_address) => {
                self.docker(place, around, "docker build .");
            }
            "push" if image => self.docker(place, around, "docker push image"),
            "inside" | "withRun" | "withRegistry" | "withServer" | "withTool" | "image" | "run"
            | "pull" | "tag"
                if image || path == "docker" =>
            {
                self.known = true;
                if matches!(call.name.as_str(), "withRun" | "run")
                    && let Some(job) = self.jobs.get_mut(self.current)
                {
                    job.services = true;
                }
                self.inside(call, around);
            }
            name => {
                let foreign = self.foreign.contains(root)
                    || self.is_strange(root)
                    || gives_itself(call) && !is_new(call)
                    || root.starts_with(char::is_uppercase) && !self.libraries.is_empty();
                if foreign {
                    let why =
                        format!("`{root}.{name}` is from a file or a library that is not followed");
                    self.stranger.get_or_insert_with(|| (place, format!("{root}.{name}")));
                    self.opaque(around, place, why);
                }
                self.inside(call, &around.when(&perhaps(&format!("`{name}`"))));
            }
        }
    }
}

/// `new Name(…)`.
pub(super) fn is_new(call: &Call) -> bool {
    call.of.as_ref().is_some_and(|of| of.value == Value::Name("new".to_owned()))
}

/// Something is given the pipeline itself, so that it can run steps.
pub(super) fn gives_itself(call: &Call) -> bool {
    call.arguments.iter().any(|argument| argument.value.path().as_deref() == Some("this"))
}

fn is_address(argument: &Expression) -> bool {
    argument.text().is_some_and(|text| text.contains("://"))
}

/// `docker.build(…)`, `docker.image(…)`.
pub(super) fn is_image(call: &Call) -> bool {
    matches!(call.name.as_str(), "build" | "image")
        && call.of.as_ref().is_some_and(|of| of.path().as_deref() == Some("docker"))
}
