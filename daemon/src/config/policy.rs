//! `[[policy]]`: what must hold for which images.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use tufd_tuf::image::{ImageDigest, Rule};

use super::TrustConfig;
use super::error::Wrong;
use super::values::{NotYet, choose};

/// One policy. Its pattern is text here: what patterns mean, and which wins, is a rule and is decided in `tufd-tuf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyConfig {
    /// The pattern over `registry/repository`, not empty and otherwise unchecked.
    pub images: String,
    /// What it says of them.
    pub mode: PolicyMode,
}

/// `[[policy]] mode`, with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyMode {
    /// `enforce`, `warn`, `deny`; a trust that it names exists.
    Rule(Rule),
    /// `exempt`.
    Exempt {
        /// The digests, at least one.
        digests: Vec<ImageDigest>,
        /// When it ends.
        until: Timestamp,
        /// Why there is one.
        reason: String,
    },
}

#[derive(Clone, Copy)]
enum Word {
    Enforce,
    Warn,
    Deny,
    Exempt,
}

/// More digests in one exemption are a policy in disguise.
const DIGESTS_MAX: usize = 1_024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    images: Option<String>,
    trust: Option<Vec<String>>,
    #[serde(default = "enforce", deserialize_with = "mode")]
    mode: Word,
    digests: Option<Vec<String>>,
    until: Option<String>,
    reason: Option<String>,
    #[expect(dead_code, reason = "only its absence can be read")]
    agreement: Option<NotYet>,
    #[expect(dead_code, reason = "only its absence can be read")]
    targets: Option<NotYet>,
}

impl RawPolicy {
    /// `at` is the entry's own key, such as `policy[0]`.
    pub(super) fn check(self, at: &str, trusts: &[TrustConfig]) -> Result<PolicyConfig, Wrong> {
        let Self { images, trust, mode, digests, until, reason, agreement: _, targets: _ } = self;
        let key = |name: &str| format!("{at}.{name}");
        let images = images.ok_or_else(|| Wrong::missing(key("images")))?;
        if images.is_empty() {
            return Err(Wrong::new(key("images"), "is empty; `**` matches every image"));
        }
        let exempting = [
            ("digests", digests.is_some()),
            ("until", until.is_some()),
            ("reason", reason.is_some()),
        ];
        let surplus = match mode {
            Word::Enforce | Word::Warn | Word::Deny => exempting.iter().find(|(_, given)| *given),
            Word::Exempt => None,
        };
        if let Some((name, _)) = surplus {
            return Err(Wrong::new(key(name), "belongs to mode = \"exempt\" only"));
        }
        let mode = match mode {
            Word::Enforce => {
                PolicyMode::Rule(Rule::Enforce { trust: one_trust(at, trust, trusts)? })
            }
            Word::Warn => PolicyMode::Rule(Rule::Warn { trust: one_trust(at, trust, trusts)? }),
            Word::Deny => {
                no_trust(at, trust.as_ref())?;
                PolicyMode::Rule(Rule::Deny)
            }
            Word::Exempt => {
                no_trust(at, trust.as_ref())?;
                exempt(at, digests, until, reason)?
            }
        };
        Ok(PolicyConfig { images, mode })
    }
}

fn no_trust(at: &str, given: Option<&Vec<String>>) -> Result<(), Wrong> {
    match given {
        Some(_) => {
            let problem = "belongs to mode = \"enforce\" or \"warn\" only";
            Err(Wrong::new(format!("{at}.trust"), problem))
        }
        None => Ok(()),
    }
}

fn one_trust(
    at: &str,
    given: Option<Vec<String>>,
    trusts: &[TrustConfig],
) -> Result<String, Wrong> {
    let key = format!("{at}.trust");
    let given = given.ok_or_else(|| Wrong::missing(&key))?;
    let trust = match <[String; 1]>::try_from(given) {
        Ok([trust]) => trust,
        Err(given) if given.is_empty() => return Err(Wrong::new(key, "must name a [[trust]]")),
        Err(_) => {
            let problem = "several trusts are not available yet; allowed: one name";
            return Err(Wrong::new(key, problem));
        }
    };
    if trusts.iter().any(|known| known.name == trust) {
        return Ok(trust);
    }
    let known: Vec<&str> = trusts.iter().map(|known| known.name.as_str()).collect();
    let problem =
        format!("there is no [[trust]] `{}`; allowed: {}", trust.escape_debug(), known.join(", "));
    Err(Wrong::new(format!("{key}[0]"), problem))
}

fn exempt(
    at: &str,
    digests: Option<Vec<String>>,
    until: Option<String>,
    reason: Option<String>,
) -> Result<PolicyMode, Wrong> {
    let key = |name: &str| format!("{at}.{name}");
    let given = digests.ok_or_else(|| Wrong::missing(key("digests")))?;
    if given.is_empty() || given.len() > DIGESTS_MAX {
        return Err(Wrong::new(key("digests"), format!("must be 1 to {DIGESTS_MAX} digests")));
    }
    let parse = |(index, text): (usize, String)| {
        let digest = text.parse::<ImageDigest>();
        digest.map_err(|error| Wrong::new(format!("{at}.digests[{index}]"), error.to_string()))
    };
    let digests = given.into_iter().enumerate().map(parse).collect::<Result<_, _>>()?;
    let until = until.ok_or_else(|| Wrong::missing(key("until")))?;
    let until = until.parse().map_err(|_| {
        let problem = "is no moment such as \"2027-01-31T00:00:00Z\"";
        Wrong::new(key("until"), format!("`{}` {problem}", until.escape_debug()))
    })?;
    let reason = reason.filter(|reason| !reason.trim().is_empty());
    let reason = reason.ok_or_else(|| Wrong::missing(key("reason")))?;
    Ok(PolicyMode::Exempt { digests, until, reason })
}

fn enforce() -> Word {
    Word::Enforce
}

fn mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
    let words = [
        ("enforce", Word::Enforce),
        ("warn", Word::Warn),
        ("deny", Word::Deny),
        ("exempt", Word::Exempt),
    ];
    choose(deserializer, &words, &[])
}
