//! serde over the span tree, so that typed structs are read from the very bytes whose signatures are checked.

use std::fmt::Display;

use serde::de::value::{CowStrDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::{JsonError, Node, tree::Kind};

/// Reads a typed value.
///
/// # Errors
/// [`JsonError::Shape`] with serde's account of what is missing or of another type.
pub(crate) fn from_node<'de, T: Deserialize<'de>>(node: Node<'_, 'de>) -> Result<T, JsonError> {
    T::deserialize(node)
}

impl Error for JsonError {
    fn custom<T: Display>(message: T) -> Self {
        Self::shape(message)
    }
}

impl<'de> IntoDeserializer<'de, JsonError> for Node<'_, 'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node<'_, 'de> {
    type Error = JsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self.kind() {
            Kind::Null => visitor.visit_unit(),
            Kind::True => visitor.visit_bool(true),
            Kind::False => visitor.visit_bool(false),
            Kind::Integer => match self.text().parse::<u64>() {
                Ok(n) => visitor.visit_u64(n),
                Err(_) => visitor.visit_i64(self.text().parse().map_err(JsonError::custom)?),
            },
            Kind::Plain | Kind::Escaped => {
                CowStrDeserializer::new(self.string()).deserialize_any(visitor)
            }
            Kind::Array => {
                let mut elements = SeqDeserializer::new(self.children());
                let value = visitor.visit_seq(&mut elements)?;
                elements.end()?;
                Ok(value)
            }
            Kind::Object => visitor.visit_map(MapDeserializer::new(self.entries())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self.kind() {
            Kind::Null => visitor.visit_none(),
            Kind::True
            | Kind::False
            | Kind::Integer
            | Kind::Plain
            | Kind::Escaped
            | Kind::Array
            | Kind::Object => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    /// From an object only: serde's derived structs would take a list, too, by position.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.object()?.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::super::Document;
    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Sample {
        version: u64,
        #[serde(default)]
        note: Option<String>,
        meta: BTreeMap<String, Vec<i64>>,
    }

    #[test]
    fn structs_are_read_and_unknown_fields_passed_over() {
        let document =
            Document::parse(br#"{"x":{"y":[]},"version":7,"note":null,"meta":{"a\n":[1,-2]}}"#)
                .unwrap();
        let sample: Sample = from_node(document.root()).unwrap();
        let meta = BTreeMap::from([("a\n".to_owned(), vec![1, -2])]);
        assert_eq!(sample, Sample { version: 7, note: None, meta });
    }

    #[test]
    fn wrong_shapes_are_named() {
        for (text, part) in [
            (r#"{"version":-1,"meta":{}}"#, "-1"),
            (r#"{"version":1}"#, "meta"),
            ("[1,null,{}]", "an object"),
        ] {
            let document = Document::parse(text.as_bytes()).unwrap();
            let error = from_node::<Sample>(document.root()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
