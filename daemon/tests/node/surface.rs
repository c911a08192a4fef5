//! What the sockets offer, and to whom.

use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tufd_proto::v1;
use tufd_proto::v1::admin_client::AdminClient;
use tufd_proto::v1::trust_client::TrustClient;
use tufd_proto::v1::verifier_client::VerifierClient;

use crate::node::{API, DOMAIN, Node, digest_of};

#[tokio::test(start_paused = true)]
async fn cold_start_reaches_allow_and_shows_why() {
    let node = Node::allowing().await;
    let verdict = node.verify(API, &digest_of(API)).await.unwrap();
    assert_eq!(verdict.role_path, ["targets", "payments"]);
    assert_eq!((verdict.trust.as_str(), verdict.keys.len()), ("acme", 1));
    let entry = node.trust().await;
    let anchor = entry.anchor.unwrap();
    assert_eq!((anchor.state.as_str(), anchor.threshold), ("fresh", 2));
    assert!(anchor.keys.len() == 3 && anchor.keys.iter().all(|key| key.covers && key.in_root));
    let root = entry.root.unwrap();
    assert_eq!((root.version, root.covered, root.covering), (1, true, 3));
    let names: Vec<_> = entry.roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["timestamp", "snapshot", "targets", "payments", "shop"]);
    assert!(entry.last_refresh.is_some() && entry.next_refresh.is_some());
    assert_eq!((entry.last_error.as_str(), entry.sources.len()), ("", 1));
    assert!(entry.warnings.is_empty(), "{:?}", entry.warnings);
}

#[tokio::test(start_paused = true)]
async fn health_follows_the_trust() {
    let node = Node::allowing().await;
    until_health(&node, ServingStatus::Serving).await;
    node.agent.set(DOMAIN, node.org.anchor_of(&node.org.root_keys()[..1], None).to_der());
    until_health(&node, ServingStatus::NotServing).await;
    // Expiry comes without an event.
    node.agent.set(DOMAIN, node.org.anchor().to_der());
    until_health(&node, ServingStatus::Serving).await;
    node.clock.advance(jiff::SignedDuration::from_hours(24));
    until_health(&node, ServingStatus::NotServing).await;
}

async fn until_health(node: &Node, wanted: ServingStatus) {
    let mut client = HealthClient::new(node.channel());
    let asked = HealthCheckRequest { service: "tufd.v1.Verifier".to_owned() };
    for _ in 0..10_000 {
        let status = client.check(asked.clone()).await.map(|it| it.into_inner().status());
        if status.is_ok_and(|status| status == wanted) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("never {wanted:?}");
}

#[tokio::test(start_paused = true)]
async fn admin_is_not_on_the_verdict_socket_nor_verdicts_on_the_admin_one() {
    let node = Node::allowing().await;
    let refused = AdminClient::new(node.channel()).refresh(v1::RefreshRequest::default()).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unimplemented);
    let request = v1::VerifyImageRequest::default();
    let refused = VerifierClient::new(node.admin()).verify_image(request).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test(start_paused = true)]
async fn trust_unknown_is_not_found_and_named() {
    let node = Node::allowing().await;
    let request = v1::GetTrustRequest { trust: "other".to_owned() };
    let status = TrustClient::new(node.channel()).get_trust(request).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(status.message().contains("acme"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn references_that_are_none_are_denied() {
    let node = Node::allowing().await;
    let good = digest_of(API);
    for (reference, digest, reason) in [
        ("", good.as_str(), "INVALID_REFERENCE"),
        ("registry.acme.example/UPPER", &good, "INVALID_REFERENCE"),
        (API, "", "INVALID_REFERENCE"),
        (API, "sha256:00", "INVALID_REFERENCE"),
        ("other.example/payments/api:1.0", &good, "NO_POLICY"),
        (&"a/".repeat(9_000), &good, "INVALID_REFERENCE"),
    ] {
        let verdict = node.verify(reference, digest).await.unwrap();
        assert_eq!(verdict.decision(), v1::Decision::Deny);
        assert_eq!(verdict.reason, reason, "{reference:.40}");
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_is_quick_and_takes_the_sockets_away() {
    let mut node = Node::allowing().await;
    let started = tokio::time::Instant::now();
    node.stop().await;
    assert!(started.elapsed() < std::time::Duration::from_secs(1), "{:?}", started.elapsed());
    assert!(!node.socket().exists() && !node.admin_socket().exists());
}

#[tokio::test(start_paused = true)]
async fn state_directory_in_use_is_refused() {
    let node = Node::allowing().await;
    let mut second = Node::new().await;
    second.use_state_of(&node);
    let error = second.try_start().await.unwrap_err();
    assert!(format!("{error:#}").contains("state.dir"), "{error:#}");
    assert_eq!(node.reason().await, "SIGNED");
}
