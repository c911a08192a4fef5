use std::error::Error;

/// An error and its sources on one line: no layer's Display prints its source, so it is done once, here.
pub(crate) fn sentence(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        // Some libraries repeat their source.
        if !sentence.ends_with(&text) {
            sentence.push_str(": ");
            sentence.push_str(&text);
        }
        source = error.source();
    }
    sentence
}
