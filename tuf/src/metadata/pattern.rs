use std::str::Chars;

/// A PATHPATTERN (TUF 4.5): a shell glob matched segment by segment, so that no wildcard crosses a `/`.
///
/// `*`, `?` and `[…]` as Python's fnmatch has them, case-sensitive; dots and leading slashes are like other characters.
/// Kept as text: a compiled one would take many times the bytes of the file that lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Box<str>);

/// How much a search may still compare. Patterns are chosen by delegates, and a lookup must not take seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    steps_left: u64,
}

impl Effort {
    /// For one search: some tens of milliseconds. A thousand teams with two patterns each take 1 % of it.
    pub const SEARCH: Self = Self { steps_left: 5_000_000 };

    /// Whether nothing is left: what was compared since then counts for nothing.
    #[must_use]
    pub fn is_spent(self) -> bool {
        self.steps_left == 0
    }

    pub(super) fn spend(&mut self, steps: usize) {
        self.steps_left = self.steps_left.saturating_sub(steps as u64);
    }
}

enum Piece<'p> {
    Char(char),
    /// `?`
    One,
    /// `*`
    Any,
    /// `[…]`: its members, and whether they are to be avoided (`[!…]`).
    Class(&'p str, Members),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Members {
    Match,
    Fail,
}

impl Pattern {
    /// Takes a pattern; every text is one.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    /// Whether the whole path fits. False once the effort is spent.
    #[must_use]
    pub fn matches(&self, path: &str, effort: &mut Effort) -> bool {
        let mut segments = path.split('/');
        let fits = self.0.split('/').all(|pattern| {
            segments.next().is_some_and(|segment| segment_fits(pattern, segment, effort))
        });
        fits && segments.next().is_none() && !effort.is_spent()
    }
}

/// Only the last `*` is ever tried again.
fn segment_fits(pattern: &str, segment: &str, effort: &mut Effort) -> bool {
    let (mut rest, mut text) = (pattern, segment.chars());
    let mut retry: Option<(&str, Chars<'_>)> = None;
    while !effort.is_spent() {
        effort.spend(1);
        let mut after = text.clone();
        match (next_piece(rest), after.next()) {
            (None, None) => return true,
            (Some((Piece::Any, next)), _) => {
                retry = Some((next, text.clone()));
                rest = next;
                continue;
            }
            (Some((piece, next)), Some(c)) if piece.fits(c, effort) => {
                (rest, text) = (next, after);
                continue;
            }
            _ => {}
        }
        // What `*` takes grows by one character.
        let Some((next, mut from)) = retry else { return false };
        if from.next().is_none() {
            return false;
        }
        (rest, text) = (next, from.clone());
        retry = Some((next, from));
    }
    false
}

fn next_piece(pattern: &str) -> Option<(Piece<'_>, &str)> {
    let mut chars = pattern.chars();
    let piece = match chars.next()? {
        '?' => Piece::One,
        '*' => Piece::Any,
        '[' => {
            if let Some((piece, rest)) = class(chars.as_str()) {
                return Some((piece, rest));
            }
            Piece::Char('[')
        }
        other => Piece::Char(other),
    };
    Some((piece, chars.as_str()))
}

/// Reads what follows a `[`; nothing where it is never closed, and then the `[` stands for itself.
fn class(text: &str) -> Option<(Piece<'_>, &str)> {
    let (members, body) = match text.strip_prefix('!') {
        Some(body) => (Members::Fail, body),
        None => (Members::Match, text),
    };
    // A `]` that comes first is a member.
    let first = body.chars().next()?.len_utf8();
    let close = body.get(first..)?.find(']')? + first;
    Some((Piece::Class(body.get(..close)?, members), body.get(close + 1..)?))
}

impl Piece<'_> {
    fn fits(&self, c: char, effort: &mut Effort) -> bool {
        match self {
            Self::Char(own) => *own == c,
            Self::One => true,
            Self::Any => false,
            Self::Class(members, meaning) => {
                effort.spend(members.len());
                is_member(members, c) == (*meaning == Members::Match)
            }
        }
    }
}

/// Characters and ranges such as `a-z`; a `-` at either end is itself.
fn is_member(members: &str, c: char) -> bool {
    let mut rest = members.chars();
    while let Some(low) = rest.next() {
        let mut ahead = rest.clone();
        let high = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(high)) => {
                rest = ahead;
                high
            }
            _ => low,
        };
        if (low..=high).contains(&c) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_never_cross_a_slash() {
        let cases = [
            ("a/*", "a/b", true),
            ("a/*", "a/b/c", false),
            ("a/*", "a", false),
            ("*", "a/b", false),
            ("?/b", "a/b", true),
            ("?", "/", false),
            ("[!x]", "/", false),
            ("**", "a/b", false),
            ("r.example/app:*", "r.example/app:v1", true),
            ("r.example/app:*", "r.example/app2:v1", false),
            ("r.example/app@*", "r.example/app@sha256:00", true),
            ("/a", "a", false),
            ("*.tgz", ".tgz", true),
            ("A", "a", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(
                Pattern::new(pattern).matches(path, &mut Effort::SEARCH.clone()),
                expected,
                "{pattern} {path}"
            );
        }
    }

    /// Outcomes of Python 3.11's `fnmatch.fnmatchcase` on one segment.
    #[test]
    fn classes_are_fnmatchs() {
        let cases = [
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[]]", "]", true),
            ("[]", "[]", true),
            ("[a", "[a", true),
            ("[a-]", "-", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(
                Pattern::new(pattern).matches(path, &mut Effort::SEARCH.clone()),
                expected,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn costly_patterns_end_with_the_effort() {
        let (pattern, path) =
            (Pattern::new(&format!("*{}b", "a".repeat(3_000))), "a".repeat(6_000));
        let mut effort = Effort::SEARCH;
        assert!(!pattern.matches(&path, &mut effort));
        assert!(effort.is_spent());
        assert!(!Pattern::new("x").matches("x", &mut effort), "what is spent decides nothing");
        let stars = Pattern::new(&"*a".repeat(2_000));
        assert!(!stars.matches(&"a".repeat(1_999), &mut Effort::SEARCH.clone()));
    }
}
