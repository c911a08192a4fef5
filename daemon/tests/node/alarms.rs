//! The alarms in `deploy/`: YAML as Prometheus reads it, over metrics that are served, each with a place to look.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::metrics::{scrape, watched};

const RULES: &str = include_str!("../../../deploy/tufd-alerts.yml");
const OPERATORS: &str = include_str!("../../../docs/operators.md");
const REASONS: &str = include_str!("../../../docs/reasons.md");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

/// An alerting rule of Prometheus.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    r#for: Option<String>,
    labels: Labels,
    annotations: Annotations,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    severity: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    summary: String,
    runbook: String,
}

fn rules() -> Vec<Rule> {
    let file: File = serde_norway::from_str(RULES).unwrap();
    assert!(file.groups.iter().all(|group| group.name.starts_with("tufd-")));
    file.groups.into_iter().flat_map(|group| group.rules).collect()
}

/// Words of a PromQL expression, its quoted strings apart: what may be a metric, and values of labels.
fn words(expr: &str) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let (outside, inside): (Vec<_>, Vec<_>) =
        expr.split('"').enumerate().partition(|(at, _)| at % 2 == 0);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let metrics = outside.into_iter().flat_map(move |(_, text)| text.split(move |c| !is_word(c)));
    let values = inside.into_iter().flat_map(|(_, text)| text.split('|'));
    (metrics.filter(|word| word.starts_with("tufd_")).collect(), values.collect())
}

#[tokio::test(start_paused = true)]
async fn alarms_watch_metrics_and_labels_that_are_served() {
    let (_node, address) = watched().await;
    let served = scrape(address).await;
    let mut watching = BTreeSet::new();
    for Rule { alert, expr, .. } in rules() {
        let (metrics, values) = words(&expr);
        assert!(metrics.iter().all(|metric| served.has_family(metric)), "{alert}: {expr}");
        // "tufd" is the job; a reason is a label only while it holds.
        let known = |value: &&str| {
            *value == "tufd"
                || served.has_label_value(value)
                || REASONS.contains(&format!("`{value}`"))
        };
        assert!(values.iter().all(known), "{alert}: {values:?}");
        watching.extend(metrics.into_iter().map(str::to_owned));
    }
    let states = ["not_covered", "fresh"];
    for state in served.label_values("state") {
        let watched = states.contains(&state) || RULES.contains(state);
        assert!(watched, "no alarm for the anchor being {state}");
    }
    assert!(watching.len() > 12, "{watching:?}");
}

/// The table of metrics names what is served, and all of it.
#[tokio::test(start_paused = true)]
async fn metrics_are_those_of_the_documents() {
    let (_node, address) = watched().await;
    let table = OPERATORS.split("## Metrics").nth(1).unwrap().split("\n## ").next().unwrap();
    let cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let told: BTreeSet<_> = cells
        .flat_map(|cell| cell.split('`'))
        .filter(|word| word.starts_with("tufd_"))
        .map(|name| name.trim_end_matches("_total").trim_end_matches("_info"))
        .collect();
    assert_eq!(told, scrape(address).await.families());
}

#[test]
fn alarms_say_what_is_wrong_and_where_to_look() {
    let mut names = BTreeSet::new();
    for rule in rules() {
        let Rule { alert, r#for, labels, annotations, .. } = rule;
        assert!(["critical", "warning"].contains(&labels.severity.as_str()), "{alert}");
        assert!(annotations.summary.contains("$labels.instance"), "{alert}");
        assert!(r#for.is_none_or(|time| time.ends_with(['s', 'm', 'h'])), "{alert}");
        let (document, place) = annotations.runbook.split_once(", ").unwrap();
        let found = match document {
            "docs/operators.md" => OPERATORS
                .lines()
                .any(|line| line.starts_with("##") && line.trim_start_matches(['#', ' ']) == place),
            "docs/reasons.md" => place == "the reason" || REASONS.contains(&format!("`{place}`")),
            _ => false,
        };
        assert!(found, "{alert}: {}", annotations.runbook);
        assert!(names.insert(alert), "one name twice");
    }
}
