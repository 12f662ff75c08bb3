//! Repositories that are parts of a repository, as `.gitmodules` names them.

use std::collections::BTreeSet;
use std::path::Path;

use crate::bounded;

/// More text than this is not read.
const BYTES_MAX: u64 = 1024 * 1024;

/// More are not told apart.
const SUBMODULES_MAX: usize = 10_000;

/// The paths that a checkout's `.gitmodules` names, from its root.
pub(crate) fn declared(root: &Path) -> BTreeSet<String> {
    let text = bounded::text(&root.join(".gitmodules"), BYTES_MAX).unwrap_or_default();
    text.lines().filter_map(path_of).take(SUBMODULES_MAX).map(str::to_owned).collect()
}

/// The path in a line `path = libs/x`.
fn path_of(line: &str) -> Option<&str> {
    let value = line.trim_start().strip_prefix("path")?.trim_start().strip_prefix('=')?.trim();
    let path = value.trim_matches('"').trim_end_matches('/');
    let is_inside = !path.is_empty()
        && !path.starts_with('/')
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    is_inside.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn only_paths_inside_count() {
        assert_eq!(path_of("\tpath = libs/x"), Some("libs/x"));
        assert_eq!(path_of("path=\"libs/a b\""), Some("libs/a b"));
        for line in
            ["paths = x", "path = /etc", "path = ../x", "path =", "url = https://example.com", ""]
        {
            assert_eq!(path_of(line), None, "{line}");
        }
    }
}
