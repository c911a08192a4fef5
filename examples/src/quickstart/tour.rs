//! What is tried, act by act. Each leaves the scene as the next one finds it.

use std::time::Duration;

use anyhow::Result;
use jiff::SignedDuration;
use testkit::FakeImage;

use crate::Scene;
use crate::node::Refresh;
use crate::organisation::Organisation;
use crate::pull::{Expected, Pull};
use crate::report::{Patience, Report};

/// Signed by its team from the start; the image that most acts ask about.
pub(crate) const SIGNED: &str = "api:1.0";
/// Nobody signs it.
pub(crate) const UNSIGNED: &str = "worker:1.0";

const WRONG_TEAM: &str = "backdoor:1.0";
const LATER: &str = "api:1.1";
/// Signed when all is back.
const LAST: &str = "api:1.2";
const RESCINDED: &str = "legacy:0.9";

const TIMESTAMP_LIVES: SignedDuration = SignedDuration::from_secs(6);
/// What is promised for root keys that are taken away, with SPIRE's intervals at 1 s.
const KEYS_ARRIVE: Patience = Patience::Within(Duration::from_secs(8));
/// A timestamp of 6 s, a refresh that has to find it and a margin.
const EXPIRES: Patience = Patience::Within(Duration::from_secs(12));

const ALLOW: Expected = Expected::Allow;
const NOT_SIGNED: Expected = Expected::Deny("TARGET_NOT_FOUND");

/// Plays all acts. An answer that is wrong does not end it, a part that fails does.
pub(crate) async fn tour(scene: &mut Scene, report: &mut Report) -> Result<()> {
    report.doing("starting the organisation, the agent and the daemon");
    scene.organisation.sign("payments", SIGNED);
    scene.organisation.sign("payments", RESCINDED);
    scene.organisation.sign("web", WRONG_TEAM);
    scene.organisation.publish()?;
    let keys = scene.organisation.root_keys();
    scene.agent.start(scene.organisation.trust_domain(), &keys).await?;
    scene.node.start().await?;
    images(scene, report).await?;
    older_files(scene, report).await?;
    expiry(scene, report).await?;
    root_keys(scene, report).await?;
    everything_down(scene, report).await
}

async fn images(scene: &mut Scene, report: &mut Report) -> Result<()> {
    let signed = Organisation::image(SIGNED);
    let by_digest = signed.by_digest();
    let swapped = Pull::new(&signed.name, &FakeImage::new("something else"));
    let elsewhere = Pull::new("docker.io/library/nginx:1.27", &FakeImage::new("nginx"));
    let no_policy = Expected::Deny("NO_POLICY");
    for (tried, pull, expected) in [
        ("signed, by tag", &signed, ALLOW),
        ("signed, by digest", &by_digest, ALLOW),
        ("not signed", &Organisation::image(UNSIGNED), NOT_SIGNED),
        ("its tag, another digest", &swapped, Expected::Deny("DIGEST_MISMATCH")),
        ("signed by wrong team", &Organisation::image(WRONG_TEAM), NOT_SIGNED),
        ("outside every policy", &elsewhere, no_policy),
    ] {
        report.ask(&scene.node, tried, pull, expected, Patience::None).await?;
    }
    Ok(())
}

/// The floors hold: whoever serves the files cannot bring back what was taken back.
async fn older_files(scene: &mut Scene, report: &mut Report) -> Result<()> {
    let (later, rescinded) = (Organisation::image(LATER), Organisation::image(RESCINDED));
    let older = scene.organisation.served();
    scene.organisation.sign("payments", LATER);
    scene.organisation.rescind("payments", RESCINDED);
    scene.organisation.publish()?;
    report.ask(&scene.node, "signed a moment ago", &later, ALLOW, Patience::None).await?;
    report.ask(&scene.node, "signature taken back", &rescinded, NOT_SIGNED, Patience::None).await?;
    // Floors are of what a node has seen: it has, whatever it answered.
    scene.node.refresh(Refresh::Verified).await?;
    scene.organisation.serve_again(&older)?;
    scene.node.refresh(Refresh::Refused).await?;
    report
        .ask(&scene.node, "old files: taken back", &rescinded, NOT_SIGNED, Patience::None)
        .await?;
    report.ask(&scene.node, "old files: newer image", &later, ALLOW, Patience::None).await?;
    scene.organisation.serve_today()
}

async fn expiry(scene: &mut Scene, report: &mut Report) -> Result<()> {
    let signed = Organisation::image(SIGNED);
    scene.organisation.publish_for(TIMESTAMP_LIVES)?;
    scene.node.refresh(Refresh::Verified).await?;
    // The repository answers and has nothing newer: somebody may be holding it back.
    let frozen = Expected::Deny("FREEZE_SUSPECTED");
    report.ask(&scene.node, "timestamp expired (6 s)", &signed, frozen, EXPIRES).await?;
    scene.organisation.publish()?;
    report.ask(&scene.node, "published again", &signed, ALLOW, Patience::None).await
}

async fn root_keys(scene: &mut Scene, report: &mut Report) -> Result<()> {
    let signed = Organisation::image(SIGNED);
    let (one, all) = (scene.organisation.one_root_key(), scene.organisation.root_keys());
    let not_covered = Expected::Deny("ROOT_NOT_COVERED");
    let domain = scene.organisation.trust_domain();
    scene.agent.set(domain, &one).await?;
    report.ask(&scene.node, "root keys withdrawn", &signed, not_covered, KEYS_ARRIVE).await?;
    scene.agent.set(domain, &all).await?;
    report.ask(&scene.node, "root keys put back", &signed, ALLOW, KEYS_ARRIVE).await
}

/// A node answers from its own files, and without a daemon it blocks.
async fn everything_down(scene: &mut Scene, report: &mut Report) -> Result<()> {
    let (signed, unsigned) = (Organisation::image(SIGNED), Organisation::image(UNSIGNED));
    scene.agent.stop().await?;
    scene.organisation.vanish()?;
    scene.node.stop().await?;
    report.ask(&scene.node, "daemon down", &signed, Expected::NoVerdict, Patience::None).await?;
    scene.node.start().await?;
    report.ask(&scene.node, "all down, restarted", &signed, ALLOW, Patience::None).await?;
    report.ask(&scene.node, "all down, not signed", &unsigned, NOT_SIGNED, Patience::None).await?;
    scene.agent.restart().await?;
    scene.organisation.sign("payments", LAST);
    scene.organisation.publish()?;
    let last = Organisation::image(LAST);
    report.ask(&scene.node, "all back: just signed", &last, ALLOW, KEYS_ARRIVE).await
}
