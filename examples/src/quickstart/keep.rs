//! After the tour: everything stays up, for a user to try.

use std::time::Duration;

use anyhow::Result;
use jiff::SignedDuration;

use crate::Scene;
use crate::organisation::Organisation;
use crate::tour::{SIGNED, UNSIGNED};

const TIMESTAMP_LIVES: SignedDuration = SignedDuration::from_secs(60);
const SIGN_EVERY: Duration = Duration::from_secs(20);

/// Prints what to try and keeps the timestamp fresh until `end`.
pub(crate) async fn serve(scene: &mut Scene, end: impl Future<Output = ()>) -> Result<()> {
    let environment = scene.place.write("env", &environment(scene))?;
    println!("{}", commands(&environment.display().to_string()));
    tokio::pin!(end);
    loop {
        scene.organisation.publish_for(TIMESTAMP_LIVES)?;
        tokio::select! {
            () = &mut end => return Ok(()),
            () = tokio::time::sleep(SIGN_EVERY) => {}
        }
    }
}

/// A file for the shell, so that the commands stay short.
fn environment(scene: &Scene) -> String {
    let (signed, unsigned) = (Organisation::image(SIGNED), Organisation::image(UNSIGNED));
    let mut lines: Vec<String> = scene
        .node
        .environment()
        .into_iter()
        .chain([
            ("NAME", signed.name.clone()),
            ("DIGEST", signed.digest.clone()),
            ("SIGNED", format!("{}@{}", signed.name, signed.digest)),
            ("UNSIGNED", format!("{}@{}", unsigned.name, unsigned.digest)),
        ])
        .map(|(name, value)| format!("export {name}='{value}'"))
        .collect();
    lines.push(format!("PATH='{}':$PATH", scene.node.programs().directory().display()));
    lines.join("\n") + "\n"
}

fn commands(environment: &str) -> String {
    format!(
        "
Still serving; Ctrl-C ends it. To try, in another terminal as the same user:

  . {environment}
  tufctl verify $SIGNED
  tufctl verify $UNSIGNED
  tufctl status
  tufctl trust acme
  tufctl refresh
  tufd-verifier -name $NAME -digest $DIGEST </dev/null; echo $?
"
    )
}
