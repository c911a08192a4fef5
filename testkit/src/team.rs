//! A team: a targets role with keys and the names it may sign.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tufpub::{
    Delegations, KeyKind, PublicKey, Search, Signed, Signer, SigningKey, TargetFile, Targets,
    Threshold, Version,
};

/// A team of an [`crate::Org`], and the state of its targets role.
#[derive(Debug, Clone)]
pub struct Team {
    pub(crate) name: String,
    pub(crate) keys: Vec<SigningKey>,
    threshold: Threshold,
    paths: Vec<String>,
    search: Search,
    pub(crate) targets: BTreeMap<String, TargetFile>,
    signed: Option<Signed>,
    changed: bool,
}

impl Team {
    /// A team with one ECDSA key that may sign targets matching `paths`, and whose word is final
    /// for them. As scopes of a repository take `REPO:*` and `REPO@*`.
    pub fn new(name: &str, paths: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            keys: vec![new_key(KeyKind::EcdsaP256)],
            threshold: Threshold::try_from(1).expect("1 is a threshold"),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            search: Search::Ends,
            targets: BTreeMap::new(),
            signed: None,
            changed: true,
        }
    }

    /// With these keys, `threshold` of which must sign; all of them do.
    #[must_use]
    pub fn held_by(self, keys: &[SigningKey], threshold: Threshold) -> Self {
        Self { keys: keys.to_vec(), threshold, ..self }
    }

    /// With another rule for targets that the team does not have.
    #[must_use]
    pub fn search(self, search: Search) -> Self {
        Self { search, ..self }
    }

    pub(crate) fn delegate_to(&self, delegations: &mut Delegations) {
        let keys = publics(&self.keys);
        delegations.delegate(&self.name, &keys, self.threshold, &self.paths, self.search);
    }

    /// The targets, to be changed: the next publication has a new version of the role.
    pub(crate) fn change(&mut self) -> &mut BTreeMap<String, TargetFile> {
        self.changed = true;
        &mut self.targets
    }

    pub(crate) fn has_changed(&self) -> bool {
        self.changed
    }

    /// The role as it is to be published: a new version if anything changed.
    pub(crate) fn publish(&mut self, expires: Timestamp, delegations: Delegations) -> Signed {
        let next = self.signed.as_ref().map_or(Version::FIRST, |signed| version(signed).next());
        if std::mem::take(&mut self.changed) {
            let mut role = Targets::new(next, expires);
            role.targets.clone_from(&self.targets);
            role.delegations = delegations;
            self.signed = Some(sign(&role, &self.keys));
        }
        self.signed.clone().expect("a team begins changed")
    }
}

pub(crate) fn new_key(kind: KeyKind) -> SigningKey {
    SigningKey::generate(kind).expect("the library makes keys")
}

pub(crate) fn publics(keys: &[SigningKey]) -> Vec<PublicKey> {
    keys.iter().map(|key| key.public_key().clone()).collect()
}

pub(crate) fn sign(role: &impl tufpub::role::Role, keys: &[SigningKey]) -> Signed {
    Signed::new(role, &signers(keys)).expect("distinct keys sign")
}

pub(crate) fn signers(keys: &[SigningKey]) -> Vec<&dyn Signer> {
    keys.iter().map(|key| key as &dyn Signer).collect()
}

pub(crate) fn version(signed: &Signed) -> Version {
    signed.version().expect("we give versions")
}
