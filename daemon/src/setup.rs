//! A configuration, and what is compiled from it: once, at the start and at each reload.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use jiff::SignedDuration;
use tufd_tuf::image::{Exemption, ImagePattern, Policy, PolicySet};
use tufd_tuf::known_good::Availability;

use crate::config::{self, Config, PolicyConfig, PolicyMode};

/// A configuration that can be put in force.
#[derive(Debug, Clone)]
pub struct Setup {
    /// As it was read.
    pub(crate) config: Config,
    /// Its `[[policy]]` sections.
    pub(crate) policies: Arc<PolicySet>,
    /// Its `[verdicts]`.
    pub(crate) availability: Availability,
}

impl Setup {
    /// Compiles a configuration.
    ///
    /// # Errors
    /// A policy's pattern that is none, or two that tie, by the key.
    pub fn new(config: Config) -> Result<Self> {
        let (policies, availability) = (policies(&config)?, availability(&config));
        Ok(Self { config, policies: Arc::new(policies), availability })
    }

    /// Reads and compiles a configuration of this machine.
    ///
    /// # Errors
    /// What is wrong with it, by the key.
    pub fn load(file: &Path) -> Result<Self> {
        Self::new(Config::load(file)?).with_context(|| file.display().to_string())
    }

    /// As it was read.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }
}

fn policies(config: &Config) -> Result<PolicySet> {
    let (mut policies, mut exemptions) = (Vec::new(), Vec::new());
    for (at, PolicyConfig { images, mode }) in config.policies.iter().enumerate() {
        let images = ImagePattern::new(images).with_context(|| format!("policy[{at}].images"))?;
        match mode.clone() {
            PolicyMode::Rule(rule) => policies.push(Policy { images, rule }),
            PolicyMode::Exempt { digests, until, reason } => {
                let digests = digests.into_iter().collect();
                exemptions.push(Exemption { images, digests, until, reason });
            }
        }
    }
    PolicySet::new(policies, exemptions).context("policy: two patterns tie")
}

fn availability(config: &Config) -> Availability {
    match config.verdicts.availability {
        config::Availability::Strict => Availability::Strict,
        config::Availability::KnownGood => {
            let grace = SignedDuration::try_from(config.verdicts.grace_max).unwrap_or_default();
            Availability::KnownGood { grace }
        }
    }
}
