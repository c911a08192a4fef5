/// A PATHPATTERN (TUF 4.5): a shell glob matched segment by segment, so that no wildcard crosses a `/`.
///
/// `*`, `?` and `[…]` as Python's fnmatch has them, case-sensitive; dots and leading slashes are like other characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Vec<Piece>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// `?`
    One,
    /// `*`
    Any,
    /// `[…]`: ranges, and whether they are to be avoided (`[!…]`).
    Class {
        ranges: Vec<(char, char)>,
        outside: Outside,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outside {
    Matches,
    Fails,
}

impl Pattern {
    /// Compiles a pattern; every text is one.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(
            pattern
                .split('/')
                .map(|segment| pieces(&segment.chars().collect::<Vec<_>>()))
                .collect(),
        )
    }

    /// Whether the whole path fits.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        let fits = self
            .0
            .iter()
            .all(|pattern| segments.next().is_some_and(|segment| fits(pattern, segment)));
        fits && segments.next().is_none()
    }
}

fn pieces(mut text: &[char]) -> Vec<Piece> {
    let mut out = Vec::new();
    while let Some((first, rest)) = text.split_first() {
        text = rest;
        match first {
            '?' => out.push(Piece::One),
            '*' if out.last() == Some(&Piece::Any) => {}
            '*' => out.push(Piece::Any),
            '[' => match class(rest) {
                Some((class, after)) => {
                    out.push(class);
                    text = after;
                }
                None => out.push(Piece::Char('[')),
            },
            other => out.push(Piece::Char(*other)),
        }
    }
    out
}

/// Reads what follows a `[`; nothing where it is never closed, and then the `[` stands for itself.
fn class(text: &[char]) -> Option<(Piece, &[char])> {
    let (outside, body) = match text.split_first() {
        Some(('!', rest)) => (Outside::Matches, rest),
        _ => (Outside::Fails, text),
    };
    // A `]` that comes first is a member.
    let close = body.iter().skip(1).position(|c| *c == ']')? + 1;
    let (mut members, after) = (body.get(..close)?, body.get(close + 1..)?);
    let mut ranges = Vec::new();
    while let Some((low, rest)) = members.split_first() {
        match rest {
            ['-', high, rest @ ..] => {
                ranges.push((*low, *high));
                members = rest;
            }
            _ => {
                ranges.push((*low, *low));
                members = rest;
            }
        }
    }
    Some((Piece::Class { ranges, outside }, after))
}

/// Linear in text × pattern: only the last `*` is ever tried again.
fn fits(pattern: &[Piece], segment: &str) -> bool {
    let text: Vec<char> = segment.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some(Piece::Any) => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(piece) if fits_one(piece, *c) => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after_any, from)) => {
                    retry = Some((after_any, from + 1));
                    (p, t) = (after_any, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|piece| *piece == Piece::Any)
}

fn fits_one(piece: &Piece, c: char) -> bool {
    match piece {
        Piece::Char(own) => *own == c,
        Piece::One => true,
        Piece::Any => false,
        Piece::Class { ranges, outside } => {
            ranges.iter().any(|(low, high)| (*low..=*high).contains(&c))
                != (*outside == Outside::Matches)
        }
    }
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
            assert_eq!(Pattern::new(pattern).matches(path), expected, "{pattern} {path}");
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
            assert_eq!(Pattern::new(pattern).matches(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn many_stars_stay_linear() {
        let pattern = Pattern::new(&"*a".repeat(2_000));
        assert!(!pattern.matches(&"a".repeat(1_999)));
    }
}
