//! What must hold for which images.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp as Time;

use super::ImageDigest;
use super::reference::one_spelling;

/// A policy: images, and what must hold for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Which images.
    pub images: ImagePattern,
    /// What must hold.
    pub rule: Rule,
}

/// What must hold for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// A trust must vouch for it.
    Enforce {
        /// Name of the `[[trust]]`.
        trust: String,
    },
    /// The same is found out, and the image allowed whatever comes out.
    Warn {
        /// Name of the `[[trust]]`.
        trust: String,
    },
    /// It is denied.
    Deny,
}

/// Digests that are allowed for a while whatever policies say. The boot list of a node is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// Under which names.
    pub images: ImagePattern,
    /// Which content.
    pub digests: BTreeSet<ImageDigest>,
    /// It ends then.
    pub until: Time,
    /// Why there is one.
    pub reason: String,
}

/// Policies of which exactly one, or none, speaks of an image, and the exemptions from them.
#[derive(Debug, Clone, Default)]
pub struct PolicySet {
    policies: Vec<Policy>,
    exemptions: Vec<Exemption>,
}

/// A pattern over `registry/repository`, anchored at both ends: `*` stays inside a segment, `**` is one or more whole
/// segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePattern {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Char(char),
    /// Any one character: what `**` needs at least.
    One,
    /// Any number of characters but `/`.
    InSegment,
    /// Any number of characters.
    Deep,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// `**` beside other characters in a segment.
    #[error("{pattern:?}: ** stands only as a whole segment")]
    DeepInSegment {
        /// The pattern.
        pattern: String,
    },
    /// A character that no image name has.
    #[error(
        "{pattern:?}: {found:?} stands in no image name; patterns see registry/repository in lower case, without tag or digest"
    )]
    Character {
        /// The pattern.
        pattern: String,
        /// The character.
        found: char,
    },
    /// A registry as no name has it.
    #[error("{pattern:?}: no image name begins like that{}", instead.as_ref().map(|i| format!("; write {i:?}")).unwrap_or_default())]
    Registry {
        /// The pattern.
        pattern: String,
        /// What was probably meant.
        instead: Option<String>,
    },
    /// A segment without characters, or no slash at all.
    #[error("{pattern:?}: a pattern is registry/repository, as in \"docker.io/library/nginx\"")]
    Segments {
        /// The pattern.
        pattern: String,
    },
}

/// Two policies that would both speak of an image with the same right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{first:?} and {second:?} match the same images and neither is more specific")]
pub struct PolicyError {
    /// One pattern.
    pub first: String,
    /// The other.
    pub second: String,
}

impl ImagePattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`PatternError`]
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        let text = pattern.to_owned();
        if !pattern.contains('/') || pattern.split('/').any(str::is_empty) {
            return Err(PatternError::Segments { pattern: text });
        }
        let allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-:[]*/".contains(c);
        if let Some(found) = pattern.chars().find(|c| !allowed(*c)) {
            return Err(PatternError::Character { pattern: text, found });
        }
        let last = pattern.rsplit('/').next().unwrap_or_default();
        if let Some(found) = last.chars().find(|c| *c == ':') {
            return Err(PatternError::Character { pattern: text, found });
        }
        check_registry(pattern)?;
        let mut tokens = Vec::new();
        for (i, segment) in pattern.split('/').enumerate() {
            tokens.extend((i > 0).then_some(Token::Char('/')));
            match segment {
                "**" => tokens.extend([Token::One, Token::Deep]),
                _ if segment.contains("**") => {
                    return Err(PatternError::DeepInSegment { pattern: text });
                }
                _ => tokens.extend(
                    segment
                        .chars()
                        .map(|c| if c == '*' { Token::InSegment } else { Token::Char(c) }),
                ),
            }
        }
        Ok(Self { text, tokens })
    }

    /// Whether the whole name fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let literal: Vec<Token> = name.chars().map(Token::Char).collect();
        overlap(&self.tokens, &literal)
    }

    /// More literal text before the first wildcard, then more literal characters, then `*` before `**`.
    fn by_specificity(&self, other: &Self) -> Ordering {
        let is_char = |token: &&Token| matches!(token, Token::Char(_));
        let prefix = |p: &Self| p.tokens.iter().take_while(is_char).count();
        let literal = |p: &Self| p.tokens.iter().filter(is_char).count();
        let shallow = |p: &Self| !p.tokens.contains(&Token::Deep);
        let rank = |p: &Self| (prefix(p), literal(p), shallow(p));
        rank(self).cmp(&rank(other))
    }
}

impl fmt::Display for ImagePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PolicySet {
    /// Takes policies, refusing any two that tie for an image.
    ///
    /// # Errors
    /// [`PolicyError`] naming both patterns.
    pub fn new(mut policies: Vec<Policy>, exemptions: Vec<Exemption>) -> Result<Self, PolicyError> {
        policies.sort_by(|a, b| b.images.by_specificity(&a.images));
        for (i, first) in policies.iter().enumerate() {
            let tie = |other: &&Policy| {
                first.images.by_specificity(&other.images) == Ordering::Equal
                    && overlap(&first.images.tokens, &other.images.tokens)
            };
            if let Some(second) = policies.iter().skip(i + 1).find(tie) {
                return Err(PolicyError {
                    first: first.images.text.clone(),
                    second: second.images.text.clone(),
                });
            }
        }
        Ok(Self { policies, exemptions })
    }

    /// The one policy that speaks of `registry/repository`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.images.matches(name))
    }

    /// The exemption of a digest under `registry/repository` that lasts longest, be it over or not.
    #[must_use]
    pub fn exemption(&self, name: &str, digest: ImageDigest) -> Option<&Exemption> {
        let speaks = |exemption: &&Exemption| {
            exemption.digests.contains(&digest) && exemption.images.matches(name)
        };
        self.exemptions.iter().filter(speaks).max_by_key(|exemption| exemption.until)
    }
}

/// A pattern that no name can fit would be void in silence.
fn check_registry(pattern: &str) -> Result<(), PatternError> {
    let Some((registry, path)) = pattern.split_once('/') else { return Ok(()) };
    if registry.contains('*') {
        return Ok(());
    }
    let refused = |instead| Err(PatternError::Registry { pattern: pattern.to_owned(), instead });
    match one_spelling(registry) {
        Some(one) if one == registry && (one == "localhost" || one.contains(['.', ':'])) => {}
        Some(one) if one == registry => return refused(Some(format!("docker.io/{pattern}"))),
        one => return refused(one.map(|one| format!("{one}/{path}"))),
    }
    match path {
        "**" => Ok(()),
        path if registry == "docker.io" && !path.contains('/') => {
            refused(Some(format!("docker.io/library/{path}")))
        }
        _ => Ok(()),
    }
}

/// Whether some text fits both. Walks pairs of positions, so its cost is bounded by the product of the lengths.
fn overlap(a: &[Token], b: &[Token]) -> bool {
    // reached[j]: some text leads to (i, j).
    let width = b.len() + 1;
    let mut seen = vec![false; (a.len() + 1) * width];
    let mut stack = vec![(0, 0)];
    while let Some((i, j)) = stack.pop() {
        match seen.get_mut(i * width + j) {
            Some(seen) if !*seen => *seen = true,
            _ => continue,
        }
        let (x, y) = (a.get(i).copied(), b.get(j).copied());
        if x.is_none() && y.is_none() {
            return true;
        }
        stack.extend(x.filter(|t| repeats(*t)).map(|_| (i + 1, j)));
        stack.extend(y.filter(|t| repeats(*t)).map(|_| (i, j + 1)));
        if let (Some(x), Some(y)) = (x, y)
            && share_a_character(x, y)
        {
            stack.push((if repeats(x) { i } else { i + 1 }, if repeats(y) { j } else { j + 1 }));
        }
    }
    false
}

fn repeats(token: Token) -> bool {
    matches!(token, Token::InSegment | Token::Deep)
}

fn share_a_character(x: Token, y: Token) -> bool {
    match (x, y) {
        (Token::Char(x), Token::Char(y)) => x == y,
        (Token::Char(c), Token::InSegment) | (Token::InSegment, Token::Char(c)) => c != '/',
        (Token::Char(_) | Token::One | Token::InSegment | Token::Deep, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(patterns: &[&str]) -> Result<PolicySet, PolicyError> {
        let policy = |p: &&str| Policy { images: ImagePattern::new(p).unwrap(), rule: Rule::Deny };
        PolicySet::new(patterns.iter().map(policy).collect(), Vec::new())
    }

    #[test]
    fn patterns_are_anchored_and_stars_stay_inside() {
        let cases = [
            ("r.io/pay/**", "r.io/pay/a", true),
            ("r.io/pay/**", "r.io/pay/a/b", true),
            ("r.io/pay/**", "r.io/pay", false),
            ("r.io/pay/**", "evil.io/r.io/pay/a", false),
            ("r.io/pay/*", "r.io/pay/a/b", false),
            ("r.io/pay*", "r.io/payments", true),
            ("r.io/pay", "r.io/pay2", false),
            ("**/app", "r.io/a/app", true),
            ("**/app", "r.io/a/xapp", false),
            ("r.io:5000/*/app", "r.io:5000/x/app", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(
                ImagePattern::new(pattern).unwrap().matches(name),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn junk_patterns_are_refused() {
        for bad in [
            "",
            "nginx",
            "r.io//a",
            "r.io/a**",
            "r.io/***",
            "r.io/a:v1",
            "r.io/a@sha256",
            "r.io/a b",
            "R.io/a",
            "r.io:443/a",
            "r.io:080/a",
            "r.io./a",
            "r.io:/a",
            "[0:0::1]/a",
            "index.docker.io/**",
            "docker.io/nginx",
            "/a",
            "a/",
        ] {
            assert!(ImagePattern::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_most_specific_policy_wins_whatever_the_order() {
        let order =
            ["r.io/**", "r.io/pay/**", "r.io/pay/*", "r.io/pay/app", "**/app", "r.io/pay/*-x"];
        let cases = [
            ("r.io/pay/app", Some("r.io/pay/app")),
            ("r.io/pay/other", Some("r.io/pay/*")),
            ("r.io/pay/b-x", Some("r.io/pay/*-x")),
            ("r.io/pay/a/b", Some("r.io/pay/**")),
            ("r.io/x", Some("r.io/**")),
            ("q.io/app", Some("**/app")),
            ("q.io/x", None),
        ];
        let mut reversed = order;
        reversed.reverse();
        for set in [set(&order).unwrap(), set(&reversed).unwrap()] {
            for (name, expected) in cases {
                assert_eq!(
                    set.find(name).map(|p| p.images.to_string()).as_deref(),
                    expected,
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn ties_name_both_and_disjoint_patterns_are_none() {
        assert!(set(&["r.io/*-dev", "r.io/*-prd"]).is_ok());
        let tie = set(&["r.io/*a", "r.io/*b*"]).unwrap_err();
        assert!([tie.first, tie.second].contains(&"r.io/*a".to_owned()));
        assert!(set(&["r.io/x", "r.io/x"]).is_err());
    }
}
