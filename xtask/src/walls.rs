//! Who may depend on what: the walls between the rooms, checked over `cargo metadata`.
//!
//! A dev-dependency is looser: a test may play the other side, so it may be on any room of ours
//! and on tonic. It may not bring sled or reqwest into another room, and `proto` has none.

mod graph;
#[cfg(test)]
mod tests;

use std::fs;

use anyhow::{Context, Result, ensure};

use self::graph::{Kind, Metadata, Package};
use crate::shell::{cargo, command, output, root};

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
        rooms: &["tufd-proto", "tufd", "tufd-verifier", "testkit"],
        tests_elsewhere: Elsewhere::Allowed,
    },
];

/// Never compiled anywhere: the tree has one cryptography, aws-lc-rs, and no OpenSSL.
const BANNED: [&str; 3] = ["ring", "openssl", "openssl-sys"];

/// Checks this workspace as it is built for the machine at hand.
pub(crate) fn check() -> Result<()> {
    let rustc = output(command("rustc").arg("-vV"))?;
    let host = rustc
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc names no host")?;
    let arguments = ["metadata", "--format-version", "1", "--locked", "--filter-platform", host];
    let metadata = Metadata::parse(&output(&mut cargo(&arguments))?)?;
    let mut breaches = breaches(&metadata);
    breaches.extend(code_in_proto(&fs::read_to_string(root().join("proto/src/lib.rs"))?));
    for breach in &breaches {
        eprintln!("walls: {breach}");
    }
    ensure!(breaches.is_empty(), "{} breaches of the walls", breaches.len());
    Ok(())
}

/// Every breach found in a metadata document, as a sentence each.
fn breaches(metadata: &Metadata) -> Vec<String> {
    let mut found = Vec::new();
    for member in metadata.members() {
        found.extend(wrong_rooms(metadata, member));
        found.extend(wrong_use(member));
    }
    found.extend(rules(metadata));
    found.extend(banned(metadata));
    found
}

fn wrong_rooms(metadata: &Metadata, member: &Package) -> Vec<String> {
    let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == member.name) else {
        return vec![format!("{} has no row in the table of rooms", member.name)];
    };
    let ours = |name: &str| metadata.members().any(|other| other.name == name);
    let mut found = Vec::new();
    for dependency in member.dependencies.iter().filter(|dependency| ours(&dependency.name)) {
        let fine = match dependency.kind {
            Kind::Dev => member.name != "tufd-proto",
            Kind::Normal | Kind::Build => {
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
        let test = dependency.kind == Kind::Dev && reserved.tests_elsewhere == Elsewhere::Allowed;
        if !test && !reserved.rooms.contains(&member.name.as_str()) {
            found.push(format!("{} may not use {}", member.name, dependency.name));
        }
    }
    found
}

fn rules(metadata: &Metadata) -> Vec<String> {
    let Some(rules) = metadata.members().find(|member| member.name == RULES) else {
        return vec![format!("there is no {RULES}")];
    };
    let mut found = Vec::new();
    for dependency in rules.dependencies.iter().filter(|dependency| dependency.kind != Kind::Dev) {
        if dependency.kind == Kind::Build || !RULES_MAY_USE.contains(&dependency.name.as_str()) {
            found.push(format!("{RULES} may not depend on {}", dependency.name));
        }
    }
    let reached = metadata.reached(&[&rules.id], &[Kind::Normal]);
    for package in
        reached.into_iter().filter(|package| RULES_NEVER_REACH.contains(&package.name.as_str()))
    {
        found.push(format!("{RULES} reaches {} through its dependencies", package.name));
    }
    found
}

fn banned(metadata: &Metadata) -> Vec<String> {
    let members: Vec<&str> = metadata.members().map(|member| member.id.as_str()).collect();
    let reached = metadata.reached(&members, &[Kind::Normal, Kind::Build, Kind::Dev]);
    let banned = reached.into_iter().filter(|package| BANNED.contains(&package.name.as_str()));
    banned.map(|package| format!("{} {} is compiled", package.name, package.version)).collect()
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
