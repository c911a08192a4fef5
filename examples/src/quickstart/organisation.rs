//! Who signs: two teams under root keys of three kinds, of which two must sign.

use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use testkit::{Clock, FakeImage, Files, Lifetimes, Org, Team, damage};
use tufpub::{AnchorBundle, SigningKey};

use crate::pull::Pull;

const PAYMENTS: &str = "registry.acme.example/payments";

/// The organisation, and the directory that it publishes into.
pub(crate) struct Organisation {
    org: Org,
    directory: PathBuf,
    served: Files,
}

impl Organisation {
    pub(crate) fn new(directory: PathBuf) -> Self {
        let mut org = Org::new(&Clock::at(now()));
        // Scopes that grant a repository's tags and digests, and nothing beside them.
        let team = |team: &str| {
            let repository = format!("registry.acme.example/{team}/*");
            Team::new(team, &[&repository])
        };
        org.add_team(team("payments"));
        org.add_team(team("web"));
        Self { org, directory, served: Files::default() }
    }

    /// An image under a name below `payments`, whoever signs it.
    pub(crate) fn image(name: &str) -> Pull {
        Pull::new(&format!("{PAYMENTS}/{name}"), &FakeImage::new(name))
    }

    /// A team signs it; nodes hear of that when it is published.
    pub(crate) fn sign(&mut self, team: &str, name: &str) {
        let image = FakeImage::new(name).named(&format!("{PAYMENTS}/{name}"));
        self.org.sign_image(team, &image);
    }

    /// The team takes its word back.
    pub(crate) fn rescind(&mut self, team: &str, name: &str) {
        let image = FakeImage::new(name).named(&format!("{PAYMENTS}/{name}"));
        self.org.rescind(team, &image);
    }

    /// Publishes what was signed, with the usual timestamp.
    pub(crate) fn publish(&mut self) -> Result<()> {
        self.publish_for(Lifetimes::default().timestamp)
    }

    /// Publishes with a timestamp that lives so long.
    pub(crate) fn publish_for(&mut self, lifetime: SignedDuration) -> Result<()> {
        self.org.clock().set(now());
        self.org.lifetimes.timestamp = lifetime;
        self.served = self.org.publish();
        self.serve(&self.served)
    }

    /// What is served now.
    pub(crate) fn served(&self) -> Files {
        self.served.clone()
    }

    /// An attacker in the network serves older files in place of today's.
    pub(crate) fn serve_again(&self, older: &Files) -> Result<()> {
        let mut files = self.served();
        damage::serve_again(&mut files, older);
        self.serve(&files)
    }

    /// Serves today's files again.
    pub(crate) fn serve_today(&self) -> Result<()> {
        self.serve(&self.served)
    }

    /// The repository is gone.
    pub(crate) fn vanish(&self) -> Result<()> {
        std::fs::remove_dir_all(&self.directory).context("cannot remove the repository")
    }

    /// The trust domain that carries the root keys.
    pub(crate) fn trust_domain(&self) -> &str {
        self.org.trust_domain().as_str()
    }

    /// All root keys, as SPIRE carries them.
    pub(crate) fn root_keys(&self) -> AnchorBundle {
        self.org.anchor()
    }

    /// Only the first of them: fewer than must have signed a root.
    pub(crate) fn one_root_key(&self) -> AnchorBundle {
        let one: Vec<SigningKey> = self.org.root_keys().iter().take(1).cloned().collect();
        self.org.anchor_of(&one, None)
    }

    fn serve(&self, files: &Files) -> Result<()> {
        files
            .write_to(&self.directory)
            .with_context(|| format!("cannot publish into {}", self.directory.display()))
    }
}

/// TUF knows whole seconds.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
