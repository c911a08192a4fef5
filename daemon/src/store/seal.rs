//! A first line that vouches for itself and for all that follows it: so damage is told from content.

use aws_lc_rs::digest;

/// The line `START SUM\n`, where `SUM` is the lower-case hexadecimal SHA-256 of `START\n` followed by `body`.
pub(super) fn sealed(start: &str, body: &[u8]) -> String {
    let mut sum = digest::Context::new(&digest::SHA256);
    sum.update(start.as_bytes());
    sum.update(b"\n");
    sum.update(body);
    format!("{start} {}\n", hex::encode(sum.finish()))
}
