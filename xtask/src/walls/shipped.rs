//! A node enters a chain under an anchor. The plain client alone takes a root as it was shipped.

use std::fs;
use std::path::Path;

use anyhow::Result;

const ROOMS: [&str; 6] = [
    "agent-plugin/src",
    "daemon/src",
    "examples/src",
    "integration/src",
    "publisher/src",
    "testkit/src",
];
const PLAIN_CLIENT: &str = "daemon/src/client";
const WAY_IN: &str = "TrustedRoot::shipped";

/// Every other use of that way in, as a sentence each.
pub(super) fn breaches(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for room in ROOMS {
        read(root, &root.join(room), &mut found)?;
    }
    Ok(found)
}

fn read(root: &Path, path: &Path, found: &mut Vec<String>) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            read(root, &entry?.path(), found)?;
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        found.extend(breach(path.strip_prefix(root)?, &fs::read_to_string(path)?));
    }
    Ok(())
}

fn breach(file: &Path, code: &str) -> Option<String> {
    let breach = code.contains(WAY_IN) && !file.starts_with(PLAIN_CLIENT);
    breach.then(|| format!("{} takes a root without an anchor: {WAY_IN}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_root_outside_the_plain_client_is_seen() {
        let code = "let root = TrustedRoot::shipped(raw)?;";
        assert!(breach(Path::new("daemon/src/refresh/enter.rs"), code).is_some());
        assert!(breach(Path::new("daemon/src/client/directory.rs"), code).is_none());
        assert!(breach(Path::new("daemon/src/refresh/enter.rs"), "TrustedRoot::enter").is_none());
    }
}
