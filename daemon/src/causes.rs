//! Errors as people read them: what happened, then why, on one line. `Display` never prints a source.

use std::error::Error;

/// An error and its causes. A cause that says what was just said (wrappers do) is left out.
#[must_use]
pub(crate) fn in_one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn causes_are_told_once() {
        let inner = Layer("no such file", None);
        let same = Layer("cannot open x", Some(Box::new(inner)));
        let outer = Layer("cannot open x", Some(Box::new(same)));
        assert_eq!(in_one_line(&outer), "cannot open x: no such file");
    }
}
