//! From a file to a configuration that is whole and consistent, or to the key that is wrong.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tufd_tuf::image::Rule;

use super::error::Wrong;
use super::log::RawLog;
use super::metrics::RawMetrics;
use super::policy::RawPolicy;
use super::sections::{RawRefresh, RawState, RawVerdicts};
use super::sockets::{RawAdmin, RawServe};
use super::trust::RawTrust;
use super::workload_api::RawWorkloadApi;
use super::{
    Admin, ConfigError, Log, Metrics, Patience, PolicyConfig, PolicyMode, Serve, System,
    TrustConfig, Verdicts, WorkloadApi,
};

/// A checked configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[workload_api]`.
    pub workload_api: WorkloadApi,
    /// `[serve]`.
    pub serve: Serve,
    /// `[admin]`.
    pub admin: Admin,
    /// `[state] dir`.
    pub state_dir: PathBuf,
    /// `[refresh] period`.
    pub refresh_period: Duration,
    /// `[verdicts]`.
    pub verdicts: Verdicts,
    /// `[metrics]`.
    pub metrics: Metrics,
    /// `[log]`.
    pub log: Log,
    /// `[[trust]]`, at least one.
    pub trusts: Vec<TrustConfig>,
    /// `[[policy]]`.
    pub policies: Vec<PolicyConfig>,
    /// What is allowed and probably not meant, for the log and for `tufd validate`.
    pub warnings: Vec<String>,
}

const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// A longer exemption is a policy in disguise.
const EXEMPTION_LONG: SignedDuration = SignedDuration::from_hours(366 * 24);

impl Config {
    /// Reads the configuration of this machine.
    ///
    /// # Errors
    /// See [`ConfigError`]; a wrong key is named.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text =
            read(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        Self::parse(&text, file, &System::current()?)
    }

    /// Checks the text of a configuration. `file` is where it comes from, for errors.
    ///
    /// # Errors
    /// See [`ConfigError`]; a wrong key is named.
    pub fn parse(text: &str, file: &Path, system: &System) -> Result<Self, ConfigError> {
        let syntax = |error: toml::de::Error| ConfigError::Syntax {
            file: file.to_owned(),
            line: error.span().map_or(1, |span| line_at(text, span.start)),
            problem: error.message().to_owned(),
        };
        let document = toml::Deserializer::parse(text).map_err(syntax)?;
        let raw: RawConfig = serde_path_to_error::deserialize(document).map_err(|error| {
            let key = error.path().to_string();
            Wrong::new(key, error.inner().message()).in_file(file.to_owned())
        })?;
        raw.check(system).map_err(|wrong| wrong.in_file(file.to_owned()))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    #[serde(default)]
    workload_api: RawWorkloadApi,
    #[serde(default)]
    serve: RawServe,
    #[serde(default)]
    admin: RawAdmin,
    #[serde(default)]
    state: RawState,
    #[serde(default)]
    refresh: RawRefresh,
    #[serde(default)]
    verdicts: RawVerdicts,
    #[serde(default)]
    metrics: RawMetrics,
    #[serde(default)]
    log: RawLog,
    #[serde(default)]
    trust: Vec<RawTrust>,
    #[serde(default)]
    policy: Vec<RawPolicy>,
}

impl RawConfig {
    fn check(self, system: &System) -> Result<Config, Wrong> {
        let serve = self.serve.check(system)?;
        let trusts = trusts(self.trust)?;
        let policies = self.policy.into_iter().enumerate();
        let policies: Vec<PolicyConfig> = policies
            .map(|(index, raw)| raw.check(&format!("policy[{index}]"), &trusts))
            .collect::<Result<_, _>>()?;
        let mut config = Config {
            workload_api: self.workload_api.check(system)?,
            admin: self.admin.check(system, &serve)?,
            serve,
            state_dir: self.state.check(),
            refresh_period: self.refresh.check()?,
            verdicts: self.verdicts.check()?,
            metrics: self.metrics.check(),
            log: self.log.check(),
            trusts,
            policies,
            warnings: Vec::new(),
        };
        config.warnings = warnings(&config, system.now);
        Ok(config)
    }
}

/// A name and a domain belong to one trust each: two that share a domain would share its withdrawal and its keys.
fn trusts(raw: Vec<RawTrust>) -> Result<Vec<TrustConfig>, Wrong> {
    let mut trusts: Vec<TrustConfig> = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let at = format!("trust[{index}]");
        let trust = raw.check(&at)?;
        for (other, earlier) in trusts.iter().enumerate() {
            if earlier.name == trust.name {
                return Err(Wrong::new(
                    format!("{at}.name"),
                    format!("`{}` is the name of trust[{other}]", trust.name),
                ));
            }
            if earlier.trust_domain == trust.trust_domain {
                let problem = format!(
                    "`{}` belongs to trust[{other}]; a domain anchors one trust",
                    trust.trust_domain
                );
                return Err(Wrong::new(format!("{at}.trust_domain"), problem));
            }
        }
        trusts.push(trust);
    }
    if trusts.is_empty() {
        return Err(Wrong::new("trust", "at least one [[trust]] is required"));
    }
    Ok(trusts)
}

fn warnings(config: &Config, now: Timestamp) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, trust) in config.trusts.iter().enumerate() {
        if trust.threshold.get() < 2 {
            warnings.push(format!(
                "trust[{index}].threshold: with 1, whoever has one root key has every node"
            ));
        }
    }
    for (name, patience) in [
        ("withdraw_after", config.workload_api.withdraw_after),
        ("permission_denied_after", config.workload_api.permission_denied_after),
        ("anchor_max_age", config.workload_api.anchor_max_age),
    ] {
        if patience == Patience::Never {
            warnings.push(format!(
                "workload_api.{name}: \"never\" lets a withdrawn root go on being trusted"
            ));
        }
    }
    if config.serve.mode & 0o007 != 0 {
        warnings.push(
            "serve.mode: every user may connect; only allow_uids and allow_gids decide".into(),
        );
    }
    if let Some(listen) = config.metrics.listen.filter(|listen| !listen.ip().is_loopback()) {
        warnings.push(format!("metrics.listen: whoever reaches {listen} may ask for metrics"));
    }
    for (index, policy) in config.policies.iter().enumerate() {
        match &policy.mode {
            PolicyMode::Rule(Rule::Warn { .. }) => {
                warnings.push(format!("policy[{index}].mode: \"warn\" stops nothing"));
            }
            PolicyMode::Exempt { until, .. } => {
                let problem = odd_end(*until, now);
                warnings.extend(problem.map(|what| format!("policy[{index}].until: {what}")));
            }
            PolicyMode::Rule(Rule::Enforce { .. } | Rule::Deny) => {}
        }
    }
    if config.policies.is_empty() {
        warnings.push("policy: there is none, so every image is denied".into());
    }
    warnings
}

/// What is odd about the end of an exemption.
fn odd_end(until: Timestamp, now: Timestamp) -> Option<String> {
    let left = until.duration_since(now);
    if left <= SignedDuration::ZERO {
        return Some(format!("the exemption ended at {until} and exempts nothing"));
    }
    (left > EXEMPTION_LONG).then(|| format!("{until} is more than a year ahead"))
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(file)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read <= MAX_FILE_BYTES) {
        return Ok(text);
    }
    Err(io::Error::new(
        io::ErrorKind::FileTooLarge,
        format!("it has more than {MAX_FILE_BYTES} bytes"),
    ))
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
