//! Who may depend on what: the walls between the rooms, checked over what each `Cargo.toml` declares
//! (`cargo metadata`) and over what is compiled for this machine (`cargo tree`, since the graph in
//! `cargo metadata` follows weak features and names crates that nobody compiles).
//!
//! A dev-dependency is looser: a test may play the other side, so it may be on any room of ours
//! and on tonic. It may not bring sled or reqwest into another room, and `proto` has none.

mod shipped;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::shell::{cargo, output, root};

/// Which rooms a room may be built from; `None` is any.
const ROOMS: [(&str, Option<&[&str]>); 9] = [
    ("tufd-proto", Some(&[])),
    ("tufd-tuf", Some(&[])),
    ("tufpub", Some(&["tufd-tuf"])),
    ("tufd", Some(&["tufd-tuf", "tufd-proto"])),
    ("tufd-verifier", Some(&["tufd-proto"])),
    ("testkit", Some(&["tufd-tuf", "tufpub", "tufd-proto"])),
    ("tufd-examples", None),
    ("tufd-integration", None),
    ("xtask", Some(&[])),
];

/// All that the rules of trust may be built from.
const RULES: &str = "tufd-tuf";
const RULES_MAY_USE: [&str; 7] =
    ["aws-lc-rs", "hex", "jiff", "pem-rfc7468", "serde", "thiserror", "x509-parser"];
/// What must not come in through those either: runtimes, sockets, stores, randomness.
const RULES_NEVER_REACH: [&str; 14] = [
    "async-std",
    "fastrand",
    "getrandom",
    "h2",
    "hyper",
    "mio",
    "rand",
    "rand_core",
    "reqwest",
    "sled",
    "smol",
    "socket2",
    "tokio",
    "tonic",
];

/// A crate, the rooms that may use it, and whether a test elsewhere may too.
struct Reserved {
    name: &'static str,
    rooms: &'static [&'static str],
    tests_elsewhere: Elsewhere,
}

#[derive(PartialEq, Eq)]
enum Elsewhere {
    Allowed,
    Refused,
}

const RESERVED: [Reserved; 4] = [
    Reserved { name: "sled", rooms: &["tufd"], tests_elsewhere: Elsewhere::Refused },
    Reserved { name: "reqwest", rooms: &["tufd"], tests_elsewhere: Elsewhere::Refused },
    Reserved { name: "spiffe", rooms: &["tufd"], tests_elsewhere: Elsewhere::Refused },
    Reserved {
        name: "tonic",
        // examples: a workload that asks; integration: the benchmark holds our calls against an empty one
        rooms: &[
            "tufd-proto",
            "tufd",
            "tufd-verifier",
            "testkit",
            "tufd-examples",
            "tufd-integration",
        ],
        tests_elsewhere: Elsewhere::Allowed,
    },
];

/// Never compiled anywhere: the tree has one cryptography, aws-lc-rs, and no OpenSSL.
const BANNED: [&str; 3] = ["ring", "openssl", "openssl-sys"];

/// What cargo says of the workspace.
struct Workspace {
    /// Packages of the workspace, as declared.
    members: Vec<Package>,
    /// Names of the crates that the rules of trust are compiled from.
    rules: Vec<String>,
    /// Names of all crates that are compiled, for builds and tests too.
    all: Vec<String>,
}

/// `cargo metadata --no-deps`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

/// A dependency by the package's real name.
#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// cargo writes a normal dependency's kind as null.
    kind: Option<Kind>,
}

#[derive(PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Dev,
    Build,
}

/// Checks this workspace as it is built for the machine at hand.
pub(crate) fn check() -> Result<()> {
    let metadata =
        output(&mut cargo(&["metadata", "--format-version", "1", "--locked", "--no-deps"]))?;
    let metadata: Metadata =
        serde_json::from_str(&metadata).context("cannot read what cargo metadata printed")?;
    let workspace = Workspace {
        members: metadata.packages,
        rules: compiled(&["--package", RULES, "--edges", "normal"])?,
        all: compiled(&["--workspace", "--edges", "normal,build,dev"])?,
    };
    let mut breaches = breaches(&workspace);
    breaches.extend(shipped::breaches(&root())?);
    breaches.extend(code_in_proto(&fs::read_to_string(root().join("proto/src/lib.rs"))?));
    for breach in &breaches {
        eprintln!("walls: {breach}");
    }
    ensure!(breaches.is_empty(), "{} breaches of the walls", breaches.len());
    Ok(())
}

/// Names of what `cargo tree` shows, features and platform considered.
fn compiled(what: &[&str]) -> Result<Vec<String>> {
    let mut tree = cargo(&["tree", "--locked", "--prefix", "none", "--format", "{p}"]);
    let printed = output(tree.args(what))?;
    let names: BTreeSet<&str> = printed.lines().filter_map(|line| line.split(' ').next()).collect();
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// Every breach found, as a sentence each.
fn breaches(workspace: &Workspace) -> Vec<String> {
    let mut found = Vec::new();
    for member in &workspace.members {
        found.extend(wrong_rooms(workspace, member));
        found.extend(wrong_use(member));
    }
    found.extend(rules(workspace));
    let banned = workspace.all.iter().filter(|name| BANNED.contains(&name.as_str()));
    found.extend(banned.map(|name| format!("{name} is compiled")));
    found
}

fn wrong_rooms(workspace: &Workspace, member: &Package) -> Vec<String> {
    let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == member.name) else {
        return vec![format!("{} has no row in the table of rooms", member.name)];
    };
    let ours = |name: &str| workspace.members.iter().any(|other| other.name == name);
    let mut found = Vec::new();
    for dependency in member.dependencies.iter().filter(|dependency| ours(&dependency.name)) {
        let fine = match dependency.kind {
            Some(Kind::Dev) => member.name != "tufd-proto",
            Some(Kind::Build) | None => {
                allowed.is_none_or(|rooms| rooms.contains(&dependency.name.as_str()))
            }
        };
        if !fine {
            found.push(format!("{} may not depend on {}", member.name, dependency.name));
        }
    }
    found
}

fn wrong_use(member: &Package) -> Vec<String> {
    let mut found = Vec::new();
    for dependency in &member.dependencies {
        let family = |name: &str| {
            dependency.name == name || dependency.name.starts_with(&format!("{name}-"))
        };
        let Some(reserved) = RESERVED.iter().find(|reserved| family(reserved.name)) else {
            continue;
        };
        let test =
            dependency.kind == Some(Kind::Dev) && reserved.tests_elsewhere == Elsewhere::Allowed;
        if !test && !reserved.rooms.contains(&member.name.as_str()) {
            found.push(format!("{} may not use {}", member.name, dependency.name));
        }
    }
    found
}

fn rules(workspace: &Workspace) -> Vec<String> {
    let Some(rules) = workspace.members.iter().find(|member| member.name == RULES) else {
        return vec![format!("there is no {RULES}")];
    };
    let mut found = Vec::new();
    for dependency in &rules.dependencies {
        let fine = match dependency.kind {
            Some(Kind::Dev) => true,
            Some(Kind::Build) => false,
            None => RULES_MAY_USE.contains(&dependency.name.as_str()),
        };
        if !fine {
            found.push(format!("{RULES} may not depend on {}", dependency.name));
        }
    }
    let reached = workspace.rules.iter().filter(|name| RULES_NEVER_REACH.contains(&name.as_str()));
    found.extend(reached.map(|name| format!("{RULES} reaches {name} through its dependencies")));
    found
}

/// `proto` holds modules that include generated code, and constants.
fn code_in_proto(source: &str) -> Vec<String> {
    let code = |line: &&str| {
        let line = line.trim_start();
        ["fn ", "impl", "struct ", "enum ", "trait ", "macro_rules", "use "]
            .iter()
            .any(|word| line.strip_prefix("pub ").unwrap_or(line).starts_with(word))
    };
    source
        .lines()
        .filter(code)
        .map(|line| format!("tufd-proto has code of its own: {}", line.trim()))
        .collect()
}
