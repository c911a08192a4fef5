//! The span tree: nodes in document order, each knowing where it ends.

use std::borrow::Cow;

use super::parser;
use super::{JsonError, cut};

/// A parsed document that borrows its text.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    text: &'a str,
    spans: Vec<Span>,
}

/// One value of a [`Document`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'d, 'a> {
    document: &'d Document<'a>,
    span: Span,
    index: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Integer,
    /// A string without escapes: its span is its value.
    Plain,
    Escaped,
    Array,
    /// Keys and values take turns.
    Object,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
    /// Index of the first node after this one and all below it.
    pub(super) next: u32,
}

impl<'a> Document<'a> {
    /// Parses one whole document.
    ///
    /// # Errors
    /// [`JsonError`] with the place of the first fault.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let text =
            std::str::from_utf8(bytes).map_err(|e| JsonError::NotUtf8 { at: e.valid_up_to() })?;
        let document = Self { text, spans: parser::spans(text)? };
        (0..document.spans.len()).try_for_each(|index| document.node(index).refuse_duplicates())?;
        Ok(document)
    }

    pub(crate) fn root(&self) -> Node<'_, 'a> {
        self.node(0)
    }

    fn node(&self, index: usize) -> Node<'_, 'a> {
        // A document has at least one node, and indices only come from its own spans.
        let span = self.spans.get(index).copied().unwrap_or(Span {
            kind: Kind::Null,
            start: 0,
            end: 0,
            next: 0,
        });
        Node { document: self, span, index }
    }
}

impl<'d, 'a> Node<'d, 'a> {
    pub(crate) fn kind(self) -> Kind {
        self.span.kind
    }

    /// The text between its ends; for strings without the quotes.
    pub(crate) fn text(self) -> &'a str {
        self.document.text.get(self.span.start as usize..self.span.end as usize).unwrap_or_default()
    }

    /// The value of a string, unescaped.
    pub(crate) fn string(self) -> Cow<'a, str> {
        match self.span.kind {
            Kind::Escaped => Cow::Owned(unescape(self.text())),
            Kind::Null
            | Kind::True
            | Kind::False
            | Kind::Integer
            | Kind::Plain
            | Kind::Array
            | Kind::Object => Cow::Borrowed(self.text()),
        }
    }

    /// Elements of an array; keys and values by turns of an object; nothing for others.
    pub(crate) fn children(self) -> impl Iterator<Item = Node<'d, 'a>> {
        let mut at = self.index + 1;
        let end = self.span.next as usize;
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let node = self.document.node(at);
                at = node.span.next as usize;
                node
            })
        })
    }

    /// Keys with their values.
    pub(crate) fn entries(self) -> impl Iterator<Item = (Node<'d, 'a>, Node<'d, 'a>)> {
        let mut children = self.children();
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    /// The value, if it is an object.
    ///
    /// # Errors
    /// [`JsonError::Shape`]
    pub(crate) fn object(self) -> Result<Self, JsonError> {
        self.of_kind(Kind::Object, "an object")
    }

    /// The value, if it is an array.
    ///
    /// # Errors
    /// [`JsonError::Shape`]
    pub(crate) fn array(self) -> Result<Self, JsonError> {
        self.of_kind(Kind::Array, "an array")
    }

    fn of_kind(self, kind: Kind, what: &str) -> Result<Self, JsonError> {
        if self.kind() == kind {
            return Ok(self);
        }
        let at = self.span.start;
        Err(JsonError::shape(format!("expected {what} at byte {at}")))
    }

    /// Keys are compared as they read, not as they are spelled.
    fn refuse_duplicates(self) -> Result<(), JsonError> {
        if self.kind() != Kind::Object {
            return Ok(());
        }
        let mut keys: Vec<Cow<'_, str>> = self.entries().map(|(key, _)| key.string()).collect();
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair.first() == pair.last()) {
            Some(pair) => Err(JsonError::DuplicateKey {
                key: pair.first().map(|key| cut(key)).unwrap_or_default(),
            }),
            None => Ok(()),
        }
    }

    /// The value under a key of an object.
    pub(crate) fn get(self, key: &str) -> Option<Node<'d, 'a>> {
        (self.kind() == Kind::Object)
            .then(|| self.entries().find(|(k, _)| k.string() == key).map(|(_, v)| v))
            .flatten()
    }
}

/// Unescapes what [`Parser::escape`] let through.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => out.push(unescape_unicode(&mut rest)),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

fn unescape_unicode(rest: &mut std::str::Chars<'_>) -> char {
    let mut hex4 = || {
        rest.by_ref()
            .take(4)
            .filter_map(|c| c.to_digit(16))
            .fold(0, |code, digit| code * 16 + digit)
    };
    let high = hex4();
    if !(0xD800..=0xDBFF).contains(&high) {
        return char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER);
    }
    rest.by_ref().take(2).for_each(drop);
    let low = rest
        .by_ref()
        .take(4)
        .filter_map(|c| c.to_digit(16))
        .fold(0, |code, digit| code * 16 + digit);
    let code = 0x10000 + ((high - 0xD800) << 10) + low.saturating_sub(0xDC00);
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}
