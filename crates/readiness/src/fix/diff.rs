//! Files as a unified diff that `git apply` takes.

use std::fmt::Write as _;

use super::Fixes;

/// What is offered: in words first, which `git apply` passes over, then each file as a new one.
pub fn unified(fixes: &Fixes) -> String {
    let mut text = String::from(
        "Starter files, to be reviewed by a person before `git apply` takes them. Nothing that is there is changed.\n",
    );
    for file in &fixes.files {
        // Writing to a String does not fail.
        let _ = writeln!(text, "\n{}", file.path);
        for (what, list) in [
            ("shows as it is", &file.passes),
            ("shows once it is filled in", &file.waits),
            ("to fill in", &file.fill_in),
        ] {
            if !list.is_empty() {
                let _ = writeln!(text, "  {what}: {}", list.join(", "));
            }
        }
    }
    for file in &fixes.files {
        let path = &file.path;
        let lines = file.text.lines().count();
        let _ = write!(
            text,
            "\ndiff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{lines} @@\n"
        );
        for line in file.text.lines() {
            let _ = writeln!(text, "+{line}");
        }
    }
    text
}
