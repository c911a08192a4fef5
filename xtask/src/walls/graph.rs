//! What we read of `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

/// `cargo metadata --format-version 1`.
#[derive(Deserialize)]
pub(super) struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
pub(super) struct Package {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) dependencies: Vec<Declared>,
}

/// A dependency as a `Cargo.toml` declares it, by the package's real name.
#[derive(Deserialize)]
pub(super) struct Declared {
    pub(super) name: String,
    #[serde(deserialize_with = "kind")]
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Normal,
    Dev,
    Build,
}

/// The graph as resolved, features and platform considered.
#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    #[serde(deserialize_with = "kind")]
    kind: Kind,
}

impl Metadata {
    pub(super) fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json).context("cannot read what cargo metadata printed")
    }

    /// The packages of this workspace.
    pub(super) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// All packages that `from` are built with. From `from` itself every edge of `kinds` is
    /// followed; further on no dev-dependency is, since cargo builds none there.
    pub(super) fn reached(&self, from: &[&str], kinds: &[Kind]) -> Vec<&Package> {
        let nodes: BTreeMap<&str, &Node> =
            self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> = from.to_vec();
        while let Some(id) = open.pop() {
            let Some(node) = nodes.get(id) else { continue };
            let dev = from.contains(&id);
            let follows = |edge: &&Edge| {
                edge.dep_kinds
                    .iter()
                    .any(|EdgeKind { kind }| kinds.contains(kind) && (dev || *kind != Kind::Dev))
            };
            let next = node.deps.iter().filter(follows).map(|edge| edge.pkg.as_str());
            open.extend(next.filter(|id| seen.insert(id)).collect::<Vec<_>>());
        }
        self.packages.iter().filter(|package| seen.contains(package.id.as_str())).collect()
    }
}

/// cargo writes a normal dependency's kind as null.
fn kind<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Kind, D::Error> {
    Ok(Option::<Kind>::deserialize(input)?.unwrap_or(Kind::Normal))
}
