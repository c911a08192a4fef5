//! `[[policy]]`: which trust decides about which images.

use serde::{Deserialize, Deserializer};

use super::TrustConfig;
use super::error::Wrong;
use super::values::{NotYet, choose};

/// One policy. Its pattern is text here: what patterns mean, and which wins, is a rule and is decided in `tufd-tuf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyConfig {
    /// The pattern over `registry/repository`, not empty and otherwise unchecked.
    pub images: String,
    /// The trust that decides, by name; it exists.
    pub trust: String,
    /// What its decision means.
    pub mode: PolicyMode,
}

/// `[[policy]] mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyMode {
    /// Its decision is the answer.
    Enforce,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    images: Option<String>,
    trust: Option<Vec<String>>,
    #[serde(default = "enforce", deserialize_with = "mode")]
    mode: PolicyMode,
    #[expect(dead_code, reason = "only its absence can be read")]
    agreement: Option<NotYet>,
    #[expect(dead_code, reason = "only its absence can be read")]
    targets: Option<NotYet>,
}

impl RawPolicy {
    /// `at` is the entry's own key, such as `policy[0]`.
    pub(super) fn check(self, at: &str, trusts: &[TrustConfig]) -> Result<PolicyConfig, Wrong> {
        let key = |name: &str| format!("{at}.{name}");
        let images = self.images.ok_or_else(|| Wrong::missing(key("images")))?;
        if images.is_empty() {
            return Err(Wrong::new(key("images"), "is empty; `**` matches every image"));
        }
        let given = self.trust.ok_or_else(|| Wrong::missing(key("trust")))?;
        let trust = match <[String; 1]>::try_from(given) {
            Ok([trust]) => trust,
            Err(given) if given.is_empty() => {
                return Err(Wrong::new(key("trust"), "must name a [[trust]]"));
            }
            Err(_) => {
                return Err(Wrong::new(
                    key("trust"),
                    "several trusts are not available yet; allowed: one name",
                ));
            }
        };
        if !trusts.iter().any(|known| known.name == trust) {
            let known: Vec<&str> = trusts.iter().map(|known| known.name.as_str()).collect();
            let problem = format!(
                "there is no [[trust]] `{}`; allowed: {}",
                trust.escape_debug(),
                known.join(", ")
            );
            return Err(Wrong::new(key("trust[0]"), problem));
        }
        Ok(PolicyConfig { images, trust, mode: self.mode })
    }
}

fn enforce() -> PolicyMode {
    PolicyMode::Enforce
}

fn mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PolicyMode, D::Error> {
    choose(deserializer, &[("enforce", PolicyMode::Enforce)], &["warn", "deny", "exempt"])
}
