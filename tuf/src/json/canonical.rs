//! Canonical JSON as TUF uses it (OLPC): keys in the order of their UTF-8 bytes, no blanks, only `"` and `\`
//! escaped, no Unicode normalisation. securesystemslib agrees byte for byte; RFC 8785 does not.

use super::{Document, JsonError, Node, tree::Kind};

/// The canonical form of any JSON document.
///
/// # Errors
/// [`JsonError`] where the document is none that TUF may carry.
pub fn canonical(bytes: &[u8]) -> Result<Vec<u8>, JsonError> {
    Ok(Document::parse(bytes)?.root().canonical())
}

impl Node<'_, '_> {
    /// The bytes that are signed and hashed for this value.
    pub(crate) fn canonical(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text().len());
        self.write_canonical(&mut out);
        out
    }

    fn write_canonical(self, out: &mut Vec<u8>) {
        match self.kind() {
            Kind::Null | Kind::True | Kind::False | Kind::Integer => {
                out.extend_from_slice(self.text().as_bytes())
            }
            Kind::Plain | Kind::Escaped => write_string(&self.string(), out),
            Kind::Array => write_array(self, out),
            Kind::Object => write_object(self, out),
        }
    }
}

fn write_array(node: Node<'_, '_>, out: &mut Vec<u8>) {
    out.push(b'[');
    for (i, element) in node.children().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        element.write_canonical(out);
    }
    out.push(b']');
}

fn write_object(node: Node<'_, '_>, out: &mut Vec<u8>) {
    let mut entries: Vec<_> = node.entries().map(|(key, value)| (key.string(), value)).collect();
    entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    out.push(b'{');
    for (i, (key, value)) in entries.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_string(key, out);
        out.push(b':');
        value.write_canonical(out);
    }
    out.push(b'}');
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors checked against securesystemslib 1.6.0 `encode_canonical`.
    #[test]
    fn canonical_form_is_securesystemslibs() {
        let cases = [
            (r#" { "b" : [ 1 , true , null ] , "a" : "x" } "#, r#"{"a":"x","b":[1,true,null]}"#),
            (r#"{"t":"\t\n\u0001"}"#, "{\"t\":\"\t\n\u{1}\"}"),
            (r#"["\"","\\","\/"]"#, r#"["\"","\\","/"]"#),
            ("{\"z\":1,\"e\u{301}\":2}", "{\"e\u{301}\":2,\"z\":1}"),
            ("{\"\u{1F600}\":1,\"\u{FB33}\":2}", "{\"\u{FB33}\":2,\"\u{1F600}\":1}"),
            ("18446744073709551615", "18446744073709551615"),
        ];
        for (input, expected) in cases {
            assert_eq!(canonical(input.as_bytes()).unwrap(), expected.as_bytes(), "{input}");
        }
    }
}
