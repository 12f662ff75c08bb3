//! The files of a repository as somebody else collected them: names, contents where they matter, and what was not read.

use std::collections::BTreeMap;

use crate::attest;
use crate::pipeline::Budget;

/// A file that is larger is listed and not read.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// More text than this is listed and not read.
pub const TREE_BYTES_MAX: u64 = 48 * 1024 * 1024;

/// What is known of a file's contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// The whole text.
    Text(Box<str>),
    /// Bytes that are no UTF-8 text.
    Binary,
    /// Nothing here looks into such files.
    NotWanted,
    /// It would matter and could not be read; why.
    Unread(&'static str),
}

/// The files, in the order of their paths. A path is relative to the root and has `/` between its parts.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    files: BTreeMap<String, Contents>,
    /// What people say of the repository. Kept apart: a word is no evidence.
    said: Option<Contents>,
    /// What the one who collected it has to say: files left out, links not followed.
    pub notes: Vec<String>,
    /// There are files that are not even listed: what is not seen here is not known to be missing.
    pub incomplete: bool,
    /// Other repositories that are parts of this one and were not looked at. What would be shown by a file may be in one.
    pub submodules: Vec<String>,
    /// How much of its paths may still be compared with patterns.
    compared: Budget,
}

impl Tree {
    /// Adds a file.
    pub fn insert(&mut self, path: impl Into<String>, contents: Contents) {
        let path = path.into();
        if path == attest::FILE {
            self.said = Some(contents);
        } else {
            self.files.insert(path, contents);
        }
    }

    /// What people say of the repository, when they do.
    pub(crate) fn said(&self) -> Option<&Contents> {
        self.said.as_ref()
    }

    /// The text of a file, when there is one and it was read.
    pub fn text(&self, path: &str) -> Option<&str> {
        match self.files.get(path)? {
            Contents::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether such a file is there, read or not.
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// What is known of a file.
    pub fn contents(&self, path: &str) -> Option<&Contents> {
        self.files.get(path)
    }

    /// All paths in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The paths below a directory, in order; the empty one is the root.
    pub fn under<'a>(&'a self, dir: &'a str) -> impl Iterator<Item = &'a str> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let end = prefix.clone();
        self.files
            .range(prefix..)
            .map(|(path, _)| path.as_str())
            .take_while(move |path| path.starts_with(&end))
    }

    /// Lets as much be compared as an assessment may.
    pub(crate) fn renew(&self) {
        self.compared.renew();
    }

    /// Whether so much was compared that some of what was asked for is not known.
    pub(crate) fn is_spent(&self) -> bool {
        self.compared.is_spent()
    }

    /// Whether a pattern names a path; `None` when too much was compared before.
    pub(crate) fn fits(&self, pattern: &str, path: &str) -> Option<bool> {
        self.compared.matches(pattern, path)
    }

    /// Counts as that many comparisons of a path with a pattern; `None` when too much was compared before.
    pub(crate) fn compares(&self, count: usize) -> Option<()> {
        self.compared.take(count as u64)
    }

    /// Whether one of these patterns names one of these files; `None` when too much was compared before.
    pub(crate) fn has_fitting<P: AsRef<str>>(
        &self,
        patterns: &[P],
        of: impl Fn(&str) -> bool,
    ) -> Option<bool> {
        for path in self.paths().filter(|path| of(path)) {
            for pattern in patterns {
                if self.fits(pattern.as_ref(), path)? {
                    return Some(true);
                }
            }
        }
        Some(false)
    }

    /// All texts with their paths.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, contents)| match contents {
            Contents::Text(text) => Some((path.as_str(), &**text)),
            _ => None,
        })
    }
}

impl<P: Into<String>, T: Into<Box<str>>> FromIterator<(P, T)> for Tree {
    fn from_iter<I: IntoIterator<Item = (P, T)>>(files: I) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.insert(path, Contents::Text(text.into()));
        }
        tree
    }
}

/// The last part of a path.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The directory of a path; empty for the root.
pub(crate) fn dir(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// A path seen from a directory, without `.` and `..`; `None` when it leaves the tree.
pub(crate) fn join(dir: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let from = if path.starts_with('/') { "" } else { dir };
    for part in from.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether a name has this ending after its last dot.
pub(crate) fn has_end(path: &str, end: &str) -> bool {
    name(path).rsplit_once('.').is_some_and(|(_, found)| found == end)
}

/// Directories whose files are somebody else's, or only show how things could be.
pub(crate) fn is_aside(path: &str) -> bool {
    dir(path).split('/').any(|part| {
        matches!(
            part,
            "vendor"
                | "third_party"
                | "node_modules"
                | "testdata"
                | "fixtures"
                | "__fixtures__"
                | "examples"
                | "example"
                | "samples"
                | "sample"
                | "docs"
                | "doc"
                | "templates-examples"
                | "cookiecutter"
                | "tests"
                | "test"
                | "__tests__"
                | "e2e"
                | "benchmarks"
        )
    })
}

/// Whether a file is code of this repository, or a template of what it runs in.
pub(crate) fn is_source(path: &str) -> bool {
    const ENDS: [&str; 40] = [
        "rs", "py", "js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "vue", "svelte", "go",
        "java", "kt", "kts", "scala", "groovy", "cs", "fs", "vb", "rb", "php", "c", "cc", "cpp",
        "cxx", "h", "hpp", "m", "swift", "dart", "ex", "exs", "erl", "clj", "hs", "ml", "tf",
        "bicep",
    ];
    ENDS.iter().any(|end| has_end(path, end)) && !is_aside(path)
}

/// Whether the contents of such a file matter. Others are only listed.
pub fn wanted(path: &str) -> bool {
    let name = name(path);
    if dir(path).split('/').any(|part| matches!(part, "node_modules" | "vendor" | "third_party")) {
        return false;
    }
    let Some((_, extension)) = name.rsplit_once('.') else {
        // Makefile, Dockerfile, Jenkinsfile, CODEOWNERS, and scripts without an extension.
        return true;
    };
    matches!(
        extension.to_ascii_lowercase().as_str(),
        "yml"
            | "yaml"
            | "json"
            | "toml"
            | "ini"
            | "cfg"
            | "conf"
            | "xml"
            | "gradle"
            | "kts"
            | "csproj"
            | "fsproj"
            | "props"
            | "targets"
            | "mod"
            | "sh"
            | "bash"
            | "mk"
            | "just"
            | "tf"
            | "tofu"
            | "hcl"
            | "bicep"
            | "rs"
            | "py"
            | "js"
            | "mjs"
            | "cjs"
            | "ts"
            | "mts"
            | "cts"
            | "tsx"
            | "jsx"
            | "go"
            | "java"
            | "kt"
            | "cs"
            | "rb"
            | "php"
            | "txt"
            | "rules"
            | "dockerfile"
            | "groovy"
            | "jenkinsfile"
            | "coveragerc"
            | "nycrc"
            | "service"
            | "properties"
            | "md"
            | "c8rc"
    ) || name.starts_with("Dockerfile")
        || name.starts_with("Jenkinsfile")
        || name.starts_with("Makefile")
        || name.starts_with('.')
}
