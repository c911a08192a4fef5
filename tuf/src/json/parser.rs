//! The grammar of JSON (RFC 8259), less what TUF must not carry. One pass, in document order.

use super::tree::{Kind, Span};
use super::{DEPTH_MAX, JsonError, VALUES_MAX};

/// Parses one whole document into the spans of its values, in document order.
///
/// # Errors
/// [`JsonError`] with the place of the first fault.
pub(super) fn spans(text: &str) -> Result<Vec<Span>, JsonError> {
    // Spans are 32 bits wide.
    if u32::try_from(text.len()).is_err() {
        return Err(JsonError::TooMany);
    }
    let mut parser = Parser { text, at: 0, spans: Vec::with_capacity(text.len() / 24) };
    parser.value(0)?;
    parser.blanks();
    match parser.peek() {
        None => Ok(parser.spans),
        Some(_) => Err(parser.expected("the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    spans: Vec<Span>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expected(&self, expected: &'static str) -> JsonError {
        JsonError::Syntax { expected, at: self.at }
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8, expected: &'static str) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<(), JsonError> {
        self.blanks();
        match self.peek() {
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.integer(),
            Some(b't') => self.word("true", Kind::True),
            Some(b'f') => self.word("false", Kind::False),
            Some(b'n') => self.word("null", Kind::Null),
            _ => Err(self.expected("a value")),
        }
    }

    /// Opens a node; it is closed by [`Self::close`].
    fn open(&mut self, kind: Kind, start: usize) -> Result<usize, JsonError> {
        if self.spans.len() >= VALUES_MAX {
            return Err(JsonError::TooMany);
        }
        let start = u32::try_from(start).map_err(|_| JsonError::TooMany)?;
        self.spans.push(Span { kind, start, end: start, next: 0 });
        Ok(self.spans.len() - 1)
    }

    fn close(&mut self, index: usize, end: usize) -> Result<(), JsonError> {
        let next = u32::try_from(self.spans.len()).map_err(|_| JsonError::TooMany)?;
        let end = u32::try_from(end).map_err(|_| JsonError::TooMany)?;
        if let Some(span) = self.spans.get_mut(index) {
            span.end = end;
            span.next = next;
        }
        Ok(())
    }

    fn leaf(&mut self, kind: Kind, start: usize, end: usize) -> Result<(), JsonError> {
        let index = self.open(kind, start)?;
        self.close(index, end)
    }

    fn word(&mut self, word: &'static str, kind: Kind) -> Result<(), JsonError> {
        if !self
            .text
            .as_bytes()
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word.as_bytes()))
        {
            return Err(self.expected(word));
        }
        self.at += word.len();
        self.leaf(kind, self.at - word.len(), self.at)
    }

    fn integer(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        while matches!(self.peek(), Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
            self.at += 1;
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        // Only the shortest spelling: "-0", "01" and "+1" would have two canonical forms.
        let plain = digits.parse::<u64>().is_ok_and(|n| n.to_string() == digits);
        if !plain && !digits.parse::<i64>().is_ok_and(|n| n.to_string() == digits) {
            return Err(JsonError::NotAnInteger { at: start });
        }
        self.leaf(Kind::Integer, start, self.at)
    }

    fn string(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        let start = self.at;
        let mut kind = Kind::Plain;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                Some(0x20..) => self.at += 1,
                _ => return Err(self.expected("a character of a string")),
            }
        }
        self.at += 1;
        self.leaf(kind, start, self.at - 1)
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                match self.hex4()? {
                    0xD800..=0xDBFF => {
                        self.eat(b'\\', "a low surrogate")?;
                        self.eat(b'u', "a low surrogate")?;
                        if !(0xDC00..=0xDFFF).contains(&self.hex4()?) {
                            return Err(self.expected("a low surrogate"));
                        }
                    }
                    0xDC00..=0xDFFF => return Err(self.expected("a high surrogate first")),
                    _ => {}
                }
            }
            _ => return Err(self.expected("an escape")),
        }
        Ok(())
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits
            .and_then(|d| u32::from_str_radix(d, 16).ok())
            .ok_or(self.expected("four hex digits"))?;
        self.at += 4;
        Ok(code)
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        let index = self.container(Kind::Array, depth)?;
        let mut first = true;
        loop {
            self.blanks();
            match self.peek() {
                Some(b']') => break,
                _ if first => {}
                _ => self.eat(b',', "',' or ']'")?,
            }
            self.value(depth)?;
            first = false;
        }
        self.at += 1;
        self.close(index, self.at)
    }

    fn object(&mut self, depth: usize) -> Result<(), JsonError> {
        let index = self.container(Kind::Object, depth)?;
        let mut first = true;
        loop {
            self.blanks();
            match self.peek() {
                Some(b'}') => break,
                _ if first => {}
                _ => {
                    self.eat(b',', "',' or '}'")?;
                    self.blanks();
                }
            }
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key"));
            }
            self.string()?;
            self.blanks();
            self.eat(b':', "':'")?;
            self.value(depth)?;
            first = false;
        }
        self.at += 1;
        self.close(index, self.at)
    }

    fn container(&mut self, kind: Kind, depth: usize) -> Result<usize, JsonError> {
        if depth > DEPTH_MAX {
            return Err(JsonError::TooDeep);
        }
        self.at += 1;
        self.open(kind, self.at - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Document;
    use super::*;

    fn refused(text: &str) -> JsonError {
        Document::parse(text.as_bytes()).expect_err(text)
    }

    #[test]
    fn numbers_only_integers_in_their_shortest_form() {
        for bad in [
            "1.0",
            "1e2",
            "-0",
            "01",
            "18446744073709551616",
            "-9223372036854775809",
            "-",
            "1-1",
            "NaN",
            "+1",
        ] {
            refused(bad);
        }
        for good in ["0", "-1", "18446744073709551615", "-9223372036854775808"] {
            assert_eq!(Document::parse(good.as_bytes()).unwrap().root().text(), good);
        }
    }

    #[test]
    fn duplicate_keys_refused_also_when_escaped() {
        assert_eq!(
            refused(r#"{"role":1,"r\u006fle":2}"#),
            JsonError::DuplicateKey { key: "role".into() }
        );
        assert_eq!(
            refused(r#"[{"a":{"b":1,"b":1}}]"#),
            JsonError::DuplicateKey { key: "b".into() }
        );
    }

    #[test]
    fn syntax_faults_refused() {
        let cases = [
            "",
            "[",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "tru",
            "1 1",
            "\u{feff}1",
            "\"\n\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\udc00\\ud800\"",
            "\"\\ud800\\u0041\"",
            "{,}",
            "]",
            "\"",
        ];
        for bad in cases {
            refused(bad);
        }
        assert_eq!(Document::parse(b"\xff").unwrap_err(), JsonError::NotUtf8 { at: 0 });
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(Document::parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(refused(&nested(DEPTH_MAX + 1)), JsonError::TooDeep);
        assert_eq!(refused(&"[".repeat(1_000_000)), JsonError::TooDeep);
    }

    #[test]
    fn count_is_bounded() {
        let many = format!("[{}0]", "0,".repeat(VALUES_MAX));
        assert_eq!(refused(&many), JsonError::TooMany);
    }

    #[test]
    fn strings_are_unescaped() {
        let document = Document::parse(br#" ["\u0041\ud83d\ude00\n\"\/", "plain"] "#).unwrap();
        let strings: Vec<_> = document.root().children().map(|n| n.string().into_owned()).collect();
        assert_eq!(strings, ["A\u{1F600}\n\"/", "plain"]);
    }
}
