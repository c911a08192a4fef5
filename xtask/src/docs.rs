//! Holds the documents to the code: every test that `docs/threats.md` names exists, and `docs/reasons.md` has every
//! reason code and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::shell::root;

/// Reads documents and code, and names every mismatch.
pub(crate) fn check() -> Result<()> {
    let root = root();
    let read = |path: &str| fs::read_to_string(root.join(path)).with_context(|| path.to_owned());
    let mut code = Known::default();
    for room in ["agent-plugin", "daemon", "publisher", "testkit", "tuf", "xtask"] {
        code.read_functions(&root.join(room))?;
    }
    code.read_steps(&root.join("integration/suites"))?;
    code.read_drivers(&root.join("integration/src/bin"))?;
    let mut wrong = missing_tests(&read("docs/threats.md")?, &code);
    wrong.extend(other_reasons(&read("docs/reasons.md")?, &read("tuf/tests/golden/reasons.txt")?));
    ensure!(wrong.is_empty(), "the documents are not true:\n{}", wrong.join("\n"));
    Ok(())
}

/// What a document may name as a proof.
#[derive(Default)]
struct Known {
    functions: BTreeSet<String>,
    steps: BTreeSet<String>,
}

impl Known {
    fn read_functions(&mut self, directory: &Path) -> Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                self.read_functions(&path)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path)?;
                let names = text.split("fn ").skip(1).map(|rest| rest.split(['(', '<']).next());
                self.functions.extend(names.flatten().map(str::to_owned));
            }
        }
        Ok(())
    }

    fn read_steps(&mut self, suites: &Path) -> Result<()> {
        for suite in fs::read_dir(suites)? {
            let suite = suite?;
            for step in fs::read_dir(suite.path())? {
                let step = step?.file_name().to_string_lossy().replace(".sh", "");
                self.steps.insert(format!("{}/{step}", suite.file_name().to_string_lossy()));
            }
        }
        Ok(())
    }

    /// A driver is a proof by its program's name.
    fn read_drivers(&mut self, programs: &Path) -> Result<()> {
        for program in fs::read_dir(programs)? {
            let name = program?.file_name().to_string_lossy().replace(".rs", "");
            self.steps.insert(name);
        }
        Ok(())
    }

    /// `name`, `name_*`, `suite/step`, or `driver`.
    fn has(&self, name: &str) -> bool {
        match name.strip_suffix('*') {
            Some(start) => self.functions.iter().any(|function| function.starts_with(start)),
            None => self.functions.contains(name) || self.steps.contains(name),
        }
    }
}

/// Names in the last column of a table that nothing bears. Paths and types (a dot, a colon) are not tests.
fn missing_tests(threats: &str, known: &Known) -> Vec<String> {
    let rows = threats.lines().filter(|line| line.starts_with("| "));
    let last = rows.filter_map(|row| row.trim_end_matches([' ', '|']).rsplit(" | ").next());
    let names = last.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let tests = names.filter(|name| !name.contains(['.', ':']) && !name.starts_with("tuf/"));
    let missing = tests.filter(|name| !known.has(name));
    missing.map(|name| format!("docs/threats.md: no test `{name}`")).collect()
}

fn other_reasons(document: &str, golden: &str) -> Vec<String> {
    // The first table; warnings and the like come after it.
    let table = document.split("\n## ").next().unwrap_or_default();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let told: BTreeSet<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    let codes: BTreeSet<&str> = golden.lines().collect();
    let difference = told.symmetric_difference(&codes);
    difference.map(|code| format!("docs/reasons.md: {code} stands in one of both only")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known {
            functions: ["root_skipped".to_owned(), "slots_cut".to_owned()].into(),
            steps: ["pull/01-up".to_owned()].into(),
        }
    }

    #[test]
    fn a_test_that_is_gone_is_named() {
        let threats = "| a `word` | b | `root_skipped`, `slots_*`, `pull/01-up`, docs/adr/0002 |\n\
                       | a | `Type::method` | `root_gone`, `pull/02-gone`, `cache_*` |\n";
        let missing = missing_tests(threats, &known());
        let names = ["root_gone", "pull/02-gone", "cache_*"];
        assert_eq!(missing, names.map(|name| format!("docs/threats.md: no test `{name}`")));
    }

    #[test]
    fn reasons_without_a_word_and_words_without_a_reason_are_named() {
        let document = "| code | decision |\n|---|---|\n| `SIGNED` | ALLOW |\n| `OLD` | DENY |\n";
        assert_eq!(other_reasons(document, "SIGNED\nNO_POLICY\n").len(), 2);
        assert!(other_reasons(document, "SIGNED\nOLD\n").is_empty());
    }
}
