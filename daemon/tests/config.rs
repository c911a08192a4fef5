//! A configuration wrong in each key is refused by the name of that key; the reference says what is true.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tufd::config::{
    AuditTo, Availability, Config, ConfigError, LogFormat, LogLevel, Names, Patience, PolicyMode,
    System,
};
use tufd_tuf::image::Rule;
use tufd_tuf::metadata::Version;

const REFERENCE: &str = include_str!("../../deploy/tufd.toml");

const LEAST: &str = r#"
[[trust]]
name = "acme"
trust_domain = "tuf-root.acme.example"
threshold = 2
metadata = ["https://tuf.acme.example/metadata"]
"#;

fn system() -> System {
    System {
        own_uid: 990,
        users: Names::parse("root:x:0:0::/:/bin/sh\nspire:x:991:991::/:\nbroken\nbad:x:y:\n"),
        groups: Names::parse("root:x:0:\ntufd-clients:x:1200:a,b\n"),
        endpoint: Some("unix:///run/spire/api.sock".into()),
        now: "2026-07-01T00:00:00Z".parse().unwrap(),
    }
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/tufd/tufd.toml"), &system())
}

/// The key and the problem of a refused configuration.
fn wrong(text: &str) -> (String, String) {
    match parse(text) {
        Err(ConfigError::Key { file, key, problem }) => {
            assert_eq!(file, Path::new("/etc/tufd/tufd.toml"));
            (key, problem)
        }
        other => panic!("{text}\nwas not refused by a key: {other:?}"),
    }
}

/// `LEAST` with a line in one of its tables, which replaces the line of the same key.
fn with(section: &str, line: &str) -> String {
    let key = line.split('=').next().unwrap();
    match section {
        "trust" => {
            let kept = LEAST.lines().filter(|old| old.split('=').next().unwrap() != key);
            format!("{}\n{line}\n", kept.collect::<Vec<_>>().join("\n"))
        }
        "policy" => {
            let policy = ["images = \"**\"", "trust = [\"acme\"]"];
            let kept = policy.into_iter().filter(|old| old.split('=').next().unwrap() != key);
            format!("{LEAST}\n[[policy]]\n{}\n{line}\n", kept.collect::<Vec<_>>().join("\n"))
        }
        _ => format!("[{section}]\n{line}\n{LEAST}"),
    }
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = parse(LEAST).unwrap();
    let minutes = |count: u64| Patience::For(Duration::from_secs(count * 60));
    assert_eq!(config.workload_api.socket, Path::new("/run/spire/api.sock"));
    assert_eq!(config.workload_api.allowed_uids, BTreeSet::from([0, 991, 990]));
    assert_eq!(config.workload_api.withdraw_after, minutes(1));
    assert_eq!(config.workload_api.permission_denied_after, minutes(30));
    assert_eq!(config.workload_api.anchor_max_age, minutes(7 * 24 * 60));
    assert_eq!(config.serve.socket, Path::new("/run/tufd/tufd.sock"));
    assert_eq!(config.serve.allow_uids, BTreeSet::from([0]));
    assert_eq!(config.serve.allow_gids, BTreeSet::new());
    assert_eq!(config.serve.mode, 0o660);
    assert_eq!(config.admin.socket, Path::new("/run/tufd-admin/admin.sock"));
    assert_eq!(config.admin.allow_uids, BTreeSet::from([0]));
    assert_eq!(config.state_dir, Path::new("/var/lib/tufd"));
    assert_eq!(config.refresh_period, Duration::from_secs(300));
    assert_eq!(config.verdicts.availability, Availability::Strict);
    assert_eq!(config.verdicts.grace_max, Duration::from_secs(24 * 60 * 60));
    assert_eq!((config.log.level, config.log.format), (LogLevel::Info, LogFormat::Text));
    assert_eq!(config.log.audit, AuditTo::Stderr);
    assert_eq!(config.metrics.listen, None);
    assert_eq!(config.metrics.verifier_passed, Path::new("/run/tufd-verifier/passed"));
    let [trust] = config.trusts.as_slice() else { panic!("{config:?}") };
    assert_eq!(
        (trust.name.as_str(), trust.trust_domain.as_str()),
        ("acme", "tuf-root.acme.example")
    );
    assert_eq!(
        (trust.epoch.get(), trust.min_root_version, trust.threshold.get()),
        (1, Version::FIRST, 2)
    );
    assert_eq!(trust.metadata[0].to_string(), "https://tuf.acme.example/metadata/");
    assert_eq!(trust.anchor_pins, None);
}

/// The reference with every default written out.
fn written_out() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => {
            key.to_owned()
        }
        _ => line.to_owned(),
    };
    REFERENCE.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn reference_says_the_defaults() {
    let reference = parse(REFERENCE).unwrap();
    assert_eq!(parse(&written_out()).unwrap(), reference);
    assert_eq!(
        reference.policies[0].mode,
        PolicyMode::Rule(Rule::Enforce { trust: "acme".to_owned() })
    );
    assert_eq!(reference.warnings, Vec::<String>::new());
    let least = parse(LEAST).unwrap();
    assert_eq!(reference.trusts, least.trusts);
    assert_eq!(reference.serve, least.serve);
    let socket = PathBuf::from("/run/spire/agent/public/api.sock");
    let workload_api = tufd::config::WorkloadApi { socket, ..least.workload_api };
    assert_eq!(reference.workload_api, workload_api);
}

/// What a section knows, from what it says about a key that it does not.
fn known_keys(section: &str) -> Vec<String> {
    let (_, problem) = wrong(&with(section, "zz = 1"));
    problem.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[test]
fn reference_has_every_key() {
    let sections = [
        "workload_api",
        "serve",
        "admin",
        "state",
        "refresh",
        "verdicts",
        "metrics",
        "log",
        "trust",
        "policy",
    ];
    let mut seen = 0;
    for section in sections {
        let start = REFERENCE
            .find(&format!("\n[{section}]"))
            .or(REFERENCE.find(&format!("\n[[{section}]]")));
        let text = &REFERENCE[start.unwrap() + 1..];
        let text = text.split("\n[").next().unwrap();
        for key in known_keys(section) {
            let as_key = text
                .lines()
                .any(|line| line.trim_start_matches(['#', ' ']).starts_with(&format!("{key} = ")));
            assert!(
                as_key || text.contains(&format!("`{key}`")),
                "[{section}] {key} is not in the reference"
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 5 + 4 + 2 + 1 + 1 + 2 + 2 + 3 + 10 + 8);
}

#[test]
fn wrong_value_is_refused_by_its_key() {
    let cases = [
        ("workload_api", "socket = \"run/api.sock\"", "workload_api.socket", "absolute"),
        ("workload_api", "socket = \"tcp://127.0.0.1:1\"", "workload_api.socket", "unix:"),
        ("workload_api", "socket = \"unix://host/api.sock\"", "workload_api.socket", "absolute"),
        (
            "workload_api",
            "allowed_uids = [0, \"nobody-here\"]",
            "workload_api.allowed_uids[1]",
            "`nobody-here`",
        ),
        ("workload_api", "allowed_uids = [-1]", "workload_api.allowed_uids[0]", "a number from 0"),
        (
            "workload_api",
            "allowed_uids = [4294967295]",
            "workload_api.allowed_uids[0]",
            "4294967294",
        ),
        (
            "workload_api",
            "allowed_uids = [true]",
            "workload_api.allowed_uids[0]",
            "a number from 0",
        ),
        ("workload_api", "withdraw_after = \"soon\"", "workload_api.withdraw_after", "\"60s\""),
        ("workload_api", "withdraw_after = 60", "workload_api.withdraw_after", "string"),
        ("workload_api", "withdraw_after = \"-1s\"", "workload_api.withdraw_after", "\"60s\""),
        ("workload_api", "withdraw_after = \"2d\"", "workload_api.withdraw_after", "to 24h"),
        (
            "workload_api",
            "permission_denied_after = \"31d\"",
            "workload_api.permission_denied_after",
            "to 720h",
        ),
        ("workload_api", "anchor_max_age = \"0s\"", "workload_api.anchor_max_age", "from 1s"),
        ("workload_api", "anchor_max_age = \"366d\"", "workload_api.anchor_max_age", "to 8760h"),
        ("serve", "socket = \"/run/../tufd.sock\"", "serve.socket", "absolute"),
        ("serve", "socket = \"/\"", "serve.socket", "absolute"),
        ("serve", "allow_uids = [\"nobody-here\"]", "serve.allow_uids[0]", "`nobody-here`"),
        ("serve", "allow_gids = [\"own\"]", "serve.allow_gids[0]", "`own`"),
        ("serve", "mode = \"0770\"", "serve.mode", "octal"),
        ("serve", "mode = \"0460\"", "serve.mode", "octal"),
        ("serve", "mode = \"+660\"", "serve.mode", "octal"),
        ("serve", "mode = 660", "serve.mode", "string"),
        ("admin", "socket = \"/run/tufd/admin.sock\"", "admin.socket", "another directory"),
        ("admin", "socket = \"unix:/run/tufd//admin.sock\"", "admin.socket", "another directory"),
        ("admin", "allow_uids = [\"nobody-here\"]", "admin.allow_uids[0]", "`nobody-here`"),
        ("state", "dir = \"tufd\"", "state.dir", "absolute"),
        ("refresh", "period = \"999ms\"", "refresh.period", "from 1s"),
        ("refresh", "period = \"25h\"", "refresh.period", "to 24h"),
        ("refresh", "period = \"never\"", "refresh.period", "\"60s\""),
        ("verdicts", "availability = \"lax\"", "verdicts.availability", "\"known-good\""),
        ("verdicts", "availability = \"loose\"", "verdicts.availability", "\"strict\""),
        ("verdicts", "grace_max = \"73h\"", "verdicts.grace_max", "to 72h"),
        ("metrics", "listen = \"localhost:9464\"", "metrics.listen", "socket address"),
        ("metrics", "listen = 9464", "metrics.listen", "socket address"),
        ("metrics", "verifier_passed = \"passed\"", "metrics.verifier_passed", "absolute"),
        ("log", "level = \"loud\"", "log.level", "\"info\""),
        ("log", "format = \"xml\"", "log.format", "\"json\""),
        ("log", "audit = \"audit.log\"", "log.audit", "absolute"),
        ("log", "audit = \"stdout\"", "log.audit", "\"stderr\""),
        ("trust", "name = \"a b\"", "trust[0].name", "characters"),
        ("trust", "name = \"\"", "trust[0].name", "1 to 63"),
        ("trust", "trust_domain = \"Not A Domain\"", "trust[0].trust_domain", "acme.example"),
        (
            "trust",
            "trust_domain = \"spiffe://tuf-root.acme.example/x\"",
            "trust[0].trust_domain",
            "name",
        ),
        ("trust", "threshold = 0", "trust[0].threshold", "1 to 64"),
        ("trust", "threshold = 65", "trust[0].threshold", "1 to 64"),
        ("trust", "threshold = -1", "trust[0].threshold", "u64"),
        ("trust", "metadata = []", "trust[0].metadata", "at least one"),
        (
            "trust",
            "metadata = [\"https://a/\", \"oci://a/b\"]",
            "trust[0].metadata[1]",
            "`oci://` sources are not available yet",
        ),
        ("trust", "metadata = [\"https://a\", \"https://a/\"]", "trust[0].metadata[1]", "twice"),
        (
            "trust",
            "metadata = [\"http://tuf.acme.example/\"]",
            "trust[0].metadata[0]",
            "allow_http",
        ),
        ("trust", "metadata = [\"/srv/tuf\"]", "trust[0].metadata[0]", "URL"),
        ("trust", "epoch = 0", "trust[0].epoch", "1 or more"),
        ("trust", "min_root_version = 0", "trust[0].min_root_version", "1 to 2^53"),
        ("trust", "min_root_version = 9007199254740993", "trust[0].min_root_version", "1 to 2^53"),
        ("trust", "anchor_pins = []", "trust[0].anchor_pins", "threshold of 2"),
        (
            "trust",
            "anchor_pins = [\"abcd\"]",
            "trust[0].anchor_pins[0]",
            "64 lower-case hexadecimal",
        ),
        ("trust", "allow_http = \"yes\"", "trust[0].allow_http", "boolean"),
        ("trust", "keyid = \"strict\"", "trust[0].keyid", "not available yet"),
        ("trust", "keyid = \"off\"", "trust[0].keyid", "not available yet"),
        (
            "trust",
            "succinct_terminating = false",
            "trust[0].succinct_terminating",
            "not available yet",
        ),
        ("trust", "keyid = \"loose\"", "trust[0].keyid", "\"warn\""),
        ("trust", "succinct_terminating = 1", "trust[0].succinct_terminating", "boolean"),
        ("policy", "images = \"\"", "policy[0].images", "`**`"),
        ("policy", "trust = []", "policy[0].trust", "[[trust]]"),
        ("policy", "trust = [\"acme\", \"acme\"]", "policy[0].trust", "not available yet"),
        ("policy", "trust = [\"other\"]", "policy[0].trust[0]", "acme"),
        ("policy", "mode = \"deny\"", "policy[0].trust", "\"enforce\" or \"warn\""),
        ("policy", "mode = \"exempt\"", "policy[0].trust", "\"enforce\" or \"warn\""),
        ("policy", "mode = \"off\"", "policy[0].mode", "\"enforce\""),
        ("policy", "reason = \"boot\"", "policy[0].reason", "\"exempt\""),
        ("policy", "agreement = 2", "policy[0].agreement", "not available yet"),
        ("policy", "targets = { role = \"x\" }", "policy[0].targets", "not available yet"),
    ];
    for (section, line, expected, allowed) in cases {
        let (key, problem) = wrong(&with(section, line));
        assert_eq!(key, expected, "{line}: {problem}");
        assert!(problem.contains(allowed), "{line}: {problem}");
    }
}

#[test]
fn mode_warn_is_warned_about() {
    let policy = |mode: &str| {
        let policy = "[[policy]]\nimages = \"r.example/**\"\ntrust = [\"acme\"]\nmode = ";
        parse(&format!("{LEAST}{policy}\"{mode}\"\n")).unwrap().warnings
    };
    assert_eq!(policy("enforce"), Vec::<String>::new());
    assert!(policy("warn")[0].starts_with("policy[0].mode"));
}

/// An exemption has digests, an end and a reason, or is none.
#[test]
fn exemption_without_end_or_reason() {
    let trust = LEAST;
    let digest = format!("sha256:{}", "ab".repeat(32));
    let exempt = |lines: &str| {
        format!("{trust}[[policy]]\nimages = \"r.example/boot/*\"\nmode = \"exempt\"\n{lines}")
    };
    let good =
        format!("digests = [\"{digest}\"]\nuntil = \"2027-01-31T00:00:00Z\"\nreason = \"boot\"");
    let config = parse(&exempt(&good)).unwrap();
    let PolicyMode::Exempt { digests, until, reason } = &config.policies[0].mode else {
        panic!("{:?}", config.policies)
    };
    assert_eq!((digests[0].to_string(), reason.as_str()), (digest.clone(), "boot"));
    assert_eq!(until.to_string(), "2027-01-31T00:00:00Z");
    let cases = [
        (format!("digests = [\"{digest}\"]\n"), String::new(), "digests"),
        ("digests = [\"".to_owned(), "digests = [\"x".to_owned(), "digests[0]"),
        (format!("\"{digest}\""), String::new(), "digests"),
        ("until = \"2027-01-31T00:00:00Z\"\n".to_owned(), String::new(), "until"),
        ("T00:00:00Z".to_owned(), String::new(), "until"),
        ("reason = \"boot\"".to_owned(), String::new(), "reason"),
        ("\"boot\"".to_owned(), "\" \"".to_owned(), "reason"),
    ];
    for (from, to, key) in cases {
        let (found, problem) = wrong(&exempt(&good.replacen(&from, &to, 1)));
        assert_eq!(found, format!("policy[0].{key}"), "{from} → {to}: {problem}");
    }
}

#[test]
fn exemption_that_has_ended_or_hardly_ends_is_warned_about() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let warnings = |until: &str| {
        let text = format!(
            "{LEAST}[[policy]]\nimages = \"r.example/boot/*\"\nmode = \"exempt\"\n\
             digests = [\"{digest}\"]\nuntil = \"{until}\"\nreason = \"boot\""
        );
        parse(&text).unwrap().warnings
    };
    for (until, warned) in [
        ("2026-07-01T00:00:00Z", Some("ended")),
        ("2026-07-01T00:00:01Z", None),
        ("2027-07-01T00:00:00Z", None),
        ("2027-07-03T00:00:00Z", Some("more than a year")),
        ("9999-01-01T00:00:00Z", Some("more than a year")),
    ] {
        let found = warnings(until);
        let about = found.iter().find(|warning| warning.starts_with("policy[0].until"));
        assert_eq!(about.is_some(), warned.is_some(), "{until}: {found:?}");
        assert!(about.is_none_or(|text| text.contains(warned.unwrap())), "{until}: {found:?}");
    }
}

#[test]
fn unknown_key_is_refused_by_its_name() {
    for section in
        ["workload_api", "serve", "admin", "state", "refresh", "verdicts", "metrics", "log"]
    {
        let (key, problem) = wrong(&with(section, "alow_uids = [0]"));
        assert!(key.starts_with(section), "{key}");
        assert!(format!("{key} {problem}").contains("alow_uids"), "{key}: {problem}");
    }
    for section in ["trust", "policy"] {
        let (key, problem) = wrong(&with(section, "treshold = 2"));
        assert!(key.starts_with(&format!("{section}[0]")), "{key}");
        assert!(problem.contains("treshold"), "{key}: {problem}");
    }
    let (_, problem) = wrong(&format!("[serv]\n{LEAST}"));
    assert!(problem.contains("`serv`") && problem.contains("`serve`"), "{problem}");
}

#[test]
fn required_key_is_missed_by_its_name() {
    for key in ["name", "trust_domain", "threshold", "metadata"] {
        let text: Vec<&str> =
            LEAST.lines().filter(|line| !line.starts_with(&format!("{key} "))).collect();
        assert_eq!(wrong(&text.join("\n")).0, format!("trust[0].{key}"));
    }
    for key in ["images", "trust"] {
        let policy: Vec<&str> = ["images = \"**\"", "trust = [\"acme\"]"]
            .into_iter()
            .filter(|line| !line.starts_with(key))
            .collect();
        assert_eq!(
            wrong(&format!("{LEAST}[[policy]]\n{}", policy.join("\n"))).0,
            format!("policy[0].{key}")
        );
    }
    assert_eq!(wrong("").0, "trust");
    let nowhere = System { endpoint: None, ..system() };
    let refused = Config::parse(LEAST, Path::new("f"), &nowhere).unwrap_err();
    assert!(refused.to_string().starts_with("f: workload_api.socket: "), "{refused}");
    let tcp = System { endpoint: Some("tcp://127.0.0.1:1".into()), ..system() };
    let refused = Config::parse(LEAST, Path::new("f"), &tcp).unwrap_err();
    assert!(
        refused.to_string().starts_with("f: workload_api.socket: SPIFFE_ENDPOINT_SOCKET"),
        "{refused}"
    );
}

#[test]
fn trust_name_or_domain_used_twice_is_refused() {
    let second = LEAST.replace("\"acme\"", "\"other\"");
    assert_eq!(wrong(&format!("{LEAST}{second}")).0, "trust[1].trust_domain");
    let second = LEAST.replace("tuf-root", "other-root");
    assert_eq!(wrong(&format!("{LEAST}{second}")).0, "trust[1].name");
    let second = second.replace("\"acme\"", "\"other\"");
    assert_eq!(parse(&format!("{LEAST}{second}")).unwrap().trusts.len(), 2);
}

#[test]
fn not_toml_is_refused_by_its_line() {
    let refused = parse("[serve]\nsocket = \n").unwrap_err();
    assert!(matches!(refused, ConfigError::Syntax { line: 2, .. }), "{refused:?}");
    let refused = parse("[serve]\nmode = \"0660\"\nmode = \"0600\"\n").unwrap_err();
    assert!(
        refused.to_string().contains("mode") || refused.to_string().contains("line 3"),
        "{refused}"
    );
}

#[test]
fn written_values_are_read() {
    let text = format!(
        r#"
        [workload_api]
        socket = "unix:/run/agent.sock"
        allowed_uids = ["own", "spire", 7]
        withdraw_after = "0s"
        anchor_max_age = "never"
        [serve]
        allow_gids = ["tufd-clients", 5]
        mode = "666"
        [refresh]
        period = "1m 30s"
        {LEAST}
        anchor_pins = ["{}", "{}"]
        allow_http = true
        epoch = 3
        "#,
        "0a".repeat(32),
        "0b".repeat(32),
    );
    let text =
        text.replace("https://tuf.acme.example/metadata", "http://tuf.acme.example/metadata");
    let config = parse(&text).unwrap();
    assert_eq!(config.workload_api.socket, Path::new("/run/agent.sock"));
    assert_eq!(config.workload_api.allowed_uids, BTreeSet::from([7, 990, 991]));
    assert_eq!(config.workload_api.withdraw_after.limit(), Some(Duration::ZERO));
    assert_eq!(config.workload_api.anchor_max_age.limit(), None);
    assert_eq!(config.serve.allow_gids, BTreeSet::from([5, 1200]));
    assert_eq!(config.refresh_period, Duration::from_secs(90));
    let pins = ["0a", "0b"].map(|byte| byte.repeat(32).parse().unwrap());
    assert_eq!(config.trusts[0].anchor_pins, Some(BTreeSet::from(pins)));
    assert_eq!(config.trusts[0].epoch.get(), 3);
    let warned = |key: &str| config.warnings.iter().any(|warning| warning.starts_with(key));
    assert!(warned("workload_api.anchor_max_age") && warned("serve.mode") && warned("policy"));
    assert!(!warned("trust"));
}

#[test]
fn threshold_of_one_is_warned_about() {
    let config = parse(&with("trust", "threshold = 1")).unwrap();
    assert!(config.warnings[0].starts_with("trust[0].threshold"), "{:?}", config.warnings);
}

#[test]
fn metrics_for_other_machines_are_warned_about() {
    for (listen, warned) in
        [("127.0.0.1:9464", false), ("[::1]:0", false), ("0.0.0.0:9464", true), ("[::]:9464", true)]
    {
        let config = parse(&with("metrics", &format!("listen = {listen:?}"))).unwrap();
        let about = |warning: &String| warning.starts_with("metrics.listen");
        assert_eq!(config.warnings.iter().any(about), warned, "{listen}");
    }
}

#[test]
fn default_user_that_is_not_here_is_passed_over() {
    let bare = System { users: Names::default(), ..system() };
    let config = Config::parse(LEAST, Path::new("f"), &bare).unwrap();
    assert_eq!(config.workload_api.allowed_uids, BTreeSet::from([0, 990]));
}

#[test]
fn file_is_read_and_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tufd.toml");
    assert!(
        matches!(Config::load(&file), Err(ConfigError::Read { file: named, .. }) if named == file)
    );
    std::fs::write(&file, format!("{REFERENCE}\n{}", "#".repeat(2 << 20))).unwrap();
    assert!(matches!(Config::load(&file), Err(ConfigError::Read { .. })));
    std::fs::write(&file, REFERENCE).unwrap();
    assert_eq!(Config::load(&file).unwrap().trusts[0].name, "acme");
}
