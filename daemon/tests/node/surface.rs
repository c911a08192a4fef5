//! What the sockets offer.

use crate::node::Node;

#[tokio::test(start_paused = true)]
async fn cold_start_reaches_allow() {
    let node = Node::allowing().await;
    let entry = node.trust().await;
    assert_eq!(entry.reason, "", "{entry:?}");
}
