use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp as Time;
use serde::Deserialize;

use super::{
    Effort, Head, KeyTable, Pattern, Role, RoleKeys, RoleKeysJson, RoleName, Signed, Version,
    field, shape,
};
use crate::hash::{Hashes, Sha256};
use crate::json::{JsonError, Node, from_node};

/// Targets metadata (TUF 4.5): what the role vouches for, and to whom it delegates.
#[derive(Debug, Clone)]
pub struct Targets {
    version: Version,
    expires: Time,
    targets: BTreeMap<String, Target>,
    delegations: Vec<Delegation>,
}

/// A target: one digest of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Bytes of the blob.
    pub length: u64,
    /// Hashes of the blob.
    pub hashes: Hashes,
}

/// A delegation to another role (TUF 4.5, "delegations").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// The role.
    pub name: RoleName,
    /// Who signs it.
    pub keys: RoleKeys,
    /// Which targets it may speak of.
    pub scope: Scope,
    /// What follows when it knows nothing of a target in its scope.
    pub after: After,
}

/// Whether the search goes on after a delegation whose scope holds the target (TUF 5.6.7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It ends there.
    Terminate,
    /// It goes on with the next delegation.
    Continue,
}

/// Which target paths a delegation covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Shell patterns, segment by segment.
    Paths(Vec<Pattern>),
    /// Prefixes of the SHA-256 of the path in hexadecimal.
    HashPrefixes(Vec<String>),
}

/// A target path as searches compare it.
#[derive(Debug)]
pub struct SearchPath<'p> {
    text: &'p str,
    /// SHA-256 in hexadecimal.
    hash: String,
}

impl<'p> SearchPath<'p> {
    /// Takes a target path.
    #[must_use]
    pub fn new(text: &'p str) -> Self {
        Self { text, hash: Sha256::of(text.as_bytes()).to_string() }
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &'p str {
        self.text
    }
}

impl Scope {
    /// Whether the target path is covered. False once the effort is spent.
    #[must_use]
    pub fn covers(&self, path: &SearchPath<'_>, effort: &mut Effort) -> bool {
        match self {
            Self::Paths(patterns) => {
                patterns.iter().any(|pattern| pattern.matches(path.text, effort))
            }
            Self::HashPrefixes(prefixes) => {
                effort.spend(prefixes.len());
                prefixes.iter().any(|prefix| path.hash.starts_with(prefix))
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Paths(patterns) => patterns.len(),
            Self::HashPrefixes(prefixes) => prefixes.len(),
        }
    }
}

#[derive(Deserialize)]
struct TargetJson {
    length: u64,
    hashes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct DelegationJson {
    name: RoleName,
    #[serde(flatten)]
    keys: RoleKeysJson,
    #[serde(default)]
    terminating: bool,
    #[serde(default)]
    paths: Option<Vec<String>>,
    #[serde(default)]
    path_hash_prefixes: Option<Vec<String>>,
}

/// More delegations in one role are refused.
const DELEGATIONS_MAX: usize = 32_768;
/// More paths and hash prefixes in one role are refused; 16,384 bins of four prefixes each have half of that.
const SCOPES_MAX: usize = 131_072;

impl Role for Targets {
    const TYPE: &'static str = "targets";
    const BYTES_MAX: usize = 5_000_000;

    fn version(&self) -> Version {
        self.version
    }

    fn expires(&self) -> Time {
        self.expires
    }

    fn read(Signed(signed): Signed<'_, '_>) -> Result<Self, JsonError> {
        let (version, expires) = Head::read::<Self>(signed)?;
        let entries = field(signed, "targets")?.object()?.entries();
        let targets =
            entries.map(|(path, target)| read_target(path, target)).collect::<Result<_, _>>()?;
        let delegations =
            signed.get("delegations").map(read_delegations).transpose()?.unwrap_or_default();
        Ok(Self { version, expires, targets, delegations })
    }
}

impl Targets {
    /// What the role says of a path.
    #[must_use]
    pub fn target(&self, path: &str) -> Option<&Target> {
        self.targets.get(path)
    }

    /// Its delegations in order of appearance.
    #[must_use]
    pub fn delegations(&self) -> &[Delegation] {
        &self.delegations
    }
}

fn read_target(path: Node<'_, '_>, target: Node<'_, '_>) -> Result<(String, Target), JsonError> {
    let path = path.string().into_owned();
    let TargetJson { length, hashes } = from_node(target)?;
    let hashes = Hashes::from_map(hashes.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    Ok((path, Target { length, hashes: hashes.map_err(|e| shape(e.to_string()))? }))
}

fn read_delegations(delegations: Node<'_, '_>) -> Result<Vec<Delegation>, JsonError> {
    // A format that is not understood must not read as "delegates to nobody".
    if delegations.get("succinct_roles").is_some() {
        return Err(shape("succinct_roles (TAP 15) are not supported yet".into()));
    }
    let keys = KeyTable::read(field(delegations, "keys")?.object()?)?;
    let (mut names, mut scopes) = (BTreeSet::new(), 0);
    let mut read = Vec::new();
    for role in field(delegations, "roles")?.array()?.children() {
        let delegation = read_delegation(&keys, role)?;
        if !names.insert(delegation.name.clone()) {
            return Err(shape(format!(
                "role {:?} is delegated to twice",
                delegation.name.as_str()
            )));
        }
        scopes += delegation.scope.len();
        if scopes > SCOPES_MAX {
            return Err(shape(format!("more than {SCOPES_MAX} paths and hash prefixes")));
        }
        if read.len() >= DELEGATIONS_MAX {
            return Err(shape(format!("more than {DELEGATIONS_MAX} delegations")));
        }
        read.push(delegation);
    }
    Ok(read)
}

fn read_delegation(keys: &KeyTable, role: Node<'_, '_>) -> Result<Delegation, JsonError> {
    let json: DelegationJson = from_node(role)?;
    if json.name.is_top_level() || json.name.as_str().is_empty() {
        return Err(shape(format!("role {:?} cannot be delegated to", json.name.as_str())));
    }
    let scope = match (json.paths, json.path_hash_prefixes) {
        (Some(_), Some(_)) => {
            return Err(shape(format!("role {:?} has two kinds of scope", json.name.as_str())));
        }
        (Some(paths), None) => Scope::Paths(paths.iter().map(|path| Pattern::new(path)).collect()),
        (None, Some(prefixes)) => Scope::HashPrefixes(prefixes),
        (None, None) => Scope::Paths(Vec::new()),
    };
    let after = if json.terminating { After::Terminate } else { After::Continue };
    Ok(Delegation { name: json.name, keys: keys.role(json.keys)?, scope, after })
}
