//! From bytes to verified metadata: the only place where a signature is counted, and the only one that can make a
//! [`Verified`].

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::Arc;

use jiff::Timestamp as Time;
use serde::Deserialize;

use crate::hash::Sha256;
use crate::json::{Document, Node, from_node};
use crate::key::Fingerprint;
use crate::metadata::{
    FileMeta, KeyId, Role, RoleKeys, RoleName, Root, Signed, Version, field, shape,
};
use crate::refusal::Refusal;

/// Bytes of a file that claims to be of role `R`: within its size limit, and nothing more is known.
#[derive(Debug, Clone)]
pub struct Raw<R> {
    name: RoleName,
    bytes: Arc<[u8]>,
    role: PhantomData<fn() -> R>,
}

/// Metadata whose signatures met the threshold of whoever delegates to it. Read from the very bytes that were signed.
/// A clone is the same file.
#[derive(Debug)]
pub struct Verified<R>(Arc<File<R>>);

#[derive(Debug)]
struct File<R> {
    name: RoleName,
    bytes: Arc<[u8]>,
    hash: Sha256,
    content: Sha256,
    signed: R,
    signers: BTreeSet<Fingerprint>,
}

/// More signatures on one file are refused.
pub const SIGNATURES_MAX: usize = 256;

impl<R: Role> Raw<R> {
    /// Takes bytes of a top-level role.
    ///
    /// # Errors
    /// [`Refusal::TooBig`]
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Result<Self, Refusal> {
        Self::named(RoleName::new(R::TYPE), bytes)
    }

    /// Takes bytes of a role of that name.
    ///
    /// # Errors
    /// [`Refusal::TooBig`]
    pub fn named(name: RoleName, bytes: impl Into<Arc<[u8]>>) -> Result<Self, Refusal> {
        let bytes = bytes.into();
        if bytes.len() > R::BYTES_MAX {
            return Err(Refusal::TooBig { role: name, limit: R::BYTES_MAX });
        }
        Ok(Self { name, bytes, role: PhantomData })
    }

    /// Checks length and hashes as another file lists them (TUF 5.5.2, 5.6.2), before anything is parsed.
    ///
    /// # Errors
    /// [`Refusal::LengthMismatch`], [`Refusal::HashMismatch`]
    pub fn matching(self, meta: &FileMeta) -> Result<Self, Refusal> {
        // "length" is an upper bound in the specification, an equality for every repository; only longer is refused.
        if meta.length.is_some_and(|length| self.bytes.len() as u64 > length) {
            let limit = meta.length.unwrap_or_default();
            return Err(Refusal::LengthMismatch {
                role: self.name,
                found: self.bytes.len() as u64,
                limit,
            });
        }
        if meta.hashes.as_ref().is_some_and(|hashes| !hashes.match_bytes(&self.bytes)) {
            return Err(Refusal::HashMismatch { role: self.name });
        }
        Ok(self)
    }

    /// Checks the signatures against the keys and threshold of the delegating role (TUF 5.4.2, 5.5.3, 5.6.3).
    ///
    /// # Errors
    /// [`Refusal`]
    pub fn verify(self, keys: &RoleKeys) -> Result<Verified<R>, Refusal> {
        let opened = Opened::new(&self.name, &self.bytes)?;
        // Nothing is built from what nobody signed: structs take many times the bytes of a file.
        let signers = opened.signed_by(keys)?;
        let signed = opened.read()?;
        let content = Sha256::of(&opened.message);
        Ok(verified(self, content, signed, signers))
    }
}

impl Raw<Root> {
    /// Checks a root against its own root role (TUF 5.2, 5.3.4).
    ///
    /// # Errors
    /// [`Refusal`]
    pub(crate) fn verify_by_itself(self) -> Result<Verified<Root>, Refusal> {
        let opened = Opened::new(&self.name, &self.bytes)?;
        let signed: Root = opened.read()?;
        let signers = opened.signed_by(signed.root())?;
        let content = Sha256::of(&opened.message);
        Ok(verified(self, content, signed, signers))
    }

    /// Checks a root against its predecessor's root role and its own (TUF 5.3.4). Returns it with the signers among
    /// the predecessor's keys.
    ///
    /// # Errors
    /// [`Refusal`]
    pub(crate) fn verify_after(
        self,
        predecessor: &RoleKeys,
    ) -> Result<(Verified<Root>, BTreeSet<Fingerprint>), Refusal> {
        let before = Opened::new(&self.name, &self.bytes)?.signed_by(predecessor)?;
        Ok((self.verify_by_itself()?, before))
    }
}

impl<R> Verified<R> {
    /// The role's name.
    #[must_use]
    pub fn name(&self) -> &RoleName {
        &self.0.name
    }

    /// The file as it came.
    #[must_use]
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.0.bytes
    }

    /// SHA-256 of the file.
    #[must_use]
    pub fn hash(&self) -> Sha256 {
        self.0.hash
    }

    /// SHA-256 of what was signed, in canonical form: the same whichever of its signatures a copy carries.
    #[must_use]
    pub fn content(&self) -> Sha256 {
        self.0.content
    }

    /// The distinct keys whose signatures counted.
    #[must_use]
    pub fn signers(&self) -> &BTreeSet<Fingerprint> {
        &self.0.signers
    }
}

impl<R: Role> Verified<R> {
    /// TUF 5.3.5, 5.5.4, 5.6.4: the version that was asked for, and no other.
    pub(crate) fn expect_version(&self, expected: Version) -> Result<(), Refusal> {
        if self.version() == expected {
            return Ok(());
        }
        let found = self.version();
        Err(Refusal::VersionMismatch { role: self.name().clone(), found, expected })
    }

    /// TUF 5.3.10, 5.4.4, 5.5.6, 5.6.5: expired from the very second on.
    pub(crate) fn expect_unexpired(&self, now: Time) -> Result<(), Refusal> {
        if self.expires() > now {
            return Ok(());
        }
        Err(Refusal::Expired { role: self.name().clone(), expires: self.expires() })
    }
}

impl<R> Clone for Verified<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> std::ops::Deref for Verified<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.0.signed
    }
}

fn verified<R>(
    raw: Raw<R>,
    content: Sha256,
    signed: R,
    signers: BTreeSet<Fingerprint>,
) -> Verified<R> {
    let Raw { name, bytes, role: _ } = raw;
    Verified(Arc::new(File { name, hash: Sha256::of(&bytes), bytes, content, signed, signers }))
}

/// A file taken apart, whose signatures nobody has looked at yet.
struct Opened<'a> {
    name: &'a RoleName,
    document: Document<'a>,
    /// Canonical form of `signed`.
    message: Vec<u8>,
    signatures: Vec<(KeyId, Vec<u8>)>,
}

impl<'a> Opened<'a> {
    fn new(name: &'a RoleName, bytes: &'a [u8]) -> Result<Self, Refusal> {
        let malformed = |source| Refusal::Malformed { role: name.clone(), source };
        let document = Document::parse(bytes).map_err(malformed)?;
        let signatures = read_signatures(document.root(), name)?;
        let message = field(document.root(), "signed").map_err(malformed)?.canonical();
        Ok(Self { name, document, message, signatures })
    }

    /// Reads what was signed: the very node whose canonical form is the message.
    fn read<R: Role>(&self) -> Result<R, Refusal> {
        let signed = field(self.document.root(), "signed").and_then(|node| R::read(Signed(node)));
        signed.map_err(|source| Refusal::Malformed { role: self.name.clone(), source })
    }

    /// Counts distinct public keys of the role whose signatures are valid. The only counting of signatures there is.
    fn signed_by(&self, keys: &RoleKeys) -> Result<BTreeSet<Fingerprint>, Refusal> {
        let mut signers = BTreeSet::new();
        for (id, signature) in &self.signatures {
            let Some(key) = keys.get(id) else { continue };
            let signer = key.public().fingerprint();
            // A key under hundreds of ids would cost as many verifications, and counts once.
            if !signers.contains(&signer) && key.verifies(&self.message, signature) {
                signers.insert(signer);
            }
        }
        if keys.threshold().is_met_by(signers.len()) {
            return Ok(signers);
        }
        let (role, needed) = (self.name.clone(), keys.threshold());
        Err(Refusal::TooFewSignatures { role, found: signers.len(), needed })
    }
}

#[derive(Deserialize)]
struct SignatureJson {
    keyid: KeyId,
    sig: String,
}

/// Reads `signatures`. A keyid that stands twice refuses the file; one whose `sig` is no hexadecimal counts for nothing.
fn read_signatures(root: Node<'_, '_>, role: &RoleName) -> Result<Vec<(KeyId, Vec<u8>)>, Refusal> {
    let malformed = |source| Refusal::Malformed { role: role.clone(), source };
    let mut seen = BTreeSet::new();
    let mut read = Vec::new();
    let signatures = field(root, "signatures").and_then(Node::array).map_err(malformed)?;
    for node in signatures.children() {
        let SignatureJson { keyid, sig } = from_node(node).map_err(malformed)?;
        if !seen.insert(keyid.clone()) {
            return Err(Refusal::DuplicateSignature { role: role.clone(), keyid });
        }
        if seen.len() > SIGNATURES_MAX {
            return Err(malformed(shape(format!("more than {SIGNATURES_MAX} signatures"))));
        }
        read.push((keyid, hex::decode(sig).unwrap_or_default()));
    }
    Ok(read)
}
