//! What the sockets offer, and to whom.

use testkit::Team;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tufd_proto::v1;
use tufd_proto::v1::admin_client::AdminClient;
use tufd_proto::v1::trust_client::TrustClient;
use tufd_proto::v1::verifier_client::VerifierClient;
use tufpub::{AnchorBundle, Signer as _, Threshold};

use crate::node::{API, DOMAIN, Node, digest_of, new_key};
use crate::site::{Manner, Site};

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

/// A delegate that makes the answer too long for a client blinds the operator.
#[tokio::test(start_paused = true)]
async fn roles_and_keys_beyond_the_list_are_cut_and_said_so() {
    let mut node = Node::new().await;
    let keys: Vec<_> = (0..17).map(|_| new_key()).collect();
    let one = Threshold::try_from(1).unwrap();
    for number in 0..256 {
        let team = Team::new(&format!("team-{number}"), &["registry.acme.example/other/*"]);
        node.org.add_team(team.held_by(&keys, one));
    }
    node.publish();
    node.start().await;
    let entry = node.trust_becomes("").await;
    // Beside the three of the top level; of the 258 delegated ones, the first two have one key each.
    assert_eq!(entry.roles.len(), 3 + 256);
    assert_eq!(entry.roles.iter().map(|role| role.keys.len()).max(), Some(16));
    let warnings: Vec<_> = entry.warnings.iter().map(|it| it.code.as_str()).collect();
    assert_eq!(warnings, ["ROLES_CUT"]);
}

/// One source that hangs must not keep the others from what the operator asked for.
#[tokio::test(start_paused = true)]
async fn refresh_of_all_waits_for_no_slow_source_of_another() {
    let mut node = Node::new().await;
    let other = Site::start(node.org.publish()).await;
    let domain = "tuf-root.other.example";
    let keys: Vec<_> = node.org.root_keys().iter().map(|key| key.public_key().clone()).collect();
    let bundle = AnchorBundle::new(&domain.parse().unwrap(), &keys, None).unwrap();
    node.agent.set(domain, bundle.to_der());
    let url = other.url();
    node.settings.more = format!(
        "[[trust]]\nname = \"other\"\ntrust_domain = {domain:?}\nthreshold = 2\nmetadata = [{url:?}]"
    );
    node.start().await;
    node.trust_becomes("").await;
    let begun = trust(&node, "other", |entry| entry.reason.is_empty()).await;

    node.site.behave(Manner::Hang);
    node.org.renew("payments");
    other.serve(node.org.publish());
    let mut admin = AdminClient::new(node.admin());
    let refresh = tokio::spawn(async move { admin.refresh(v1::RefreshRequest::default()).await });
    trust(&node, "other", |entry| entry.roles != begun.roles).await;
    assert_eq!(node.trust().await.last_error, "", "the hung one has not ended");
    let results = refresh.await.unwrap().unwrap().into_inner().results;
    let ended: Vec<_> = results.iter().map(|it| (it.trust.as_str(), it.error.is_empty())).collect();
    assert_eq!(ended, [("acme", false), ("other", true)]);
}

/// Waits until it is so.
async fn trust(node: &Node, name: &str, is_so: impl Fn(&v1::TrustEntry) -> bool) -> v1::TrustEntry {
    for _ in 0..10_000 {
        let request = v1::GetTrustRequest { trust: name.to_owned() };
        let state = TrustClient::new(node.channel()).get_trust(request).await.unwrap();
        let entry = state.into_inner().trusts.remove(0);
        if is_so(&entry) {
            return entry;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("{name} never became so");
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
    assert!(format!("{error:#}").contains("is held by"), "{error:#}");
    assert_eq!(node.reason().await, "SIGNED");
}
