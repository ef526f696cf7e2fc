//! The operators' documents match the program: manual, guide, dashboard.

use serde_json::Value;

use crate::harness::matou;
use crate::stage::{Stage, get};

#[test]
fn completions_and_manual_come_from_the_binary() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = matou(folder.path()).args(["completions", shell]).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("check-config"), "{shell}");
    }
    let pages = folder.path().join("man1");
    let output = matou(folder.path()).arg("manual").arg(&pages).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = std::fs::read_to_string(pages.join("matou-bin-server.1")).unwrap();
    assert!(page.contains("\\-\\-listen"), "{page}");
    for section in ["SETTINGS", "ENVIRONMENT", "FILES", "EXAMPLES", "EXIT STATUS"] {
        assert!(page.contains(section), "{section} is not in {page}");
    }
    let output = matou(folder.path()).arg("manual").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with(".ie"), "{output:?}");
}

/// The shipped settings as `section.key` and value.
fn shipped() -> Vec<(String, String)> {
    let text = include_str!("../../config/server.toml");
    let mut section = "";
    let mut keys = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((key, value)) = line.split_once(" = ") {
            keys.push((format!("{section}.{key}"), value.to_owned()));
        }
    }
    keys
}

#[test]
fn the_guide_has_every_setting_with_its_default() {
    let guide = include_str!("../../docs/OPERATING.md");
    let shipped = shipped();
    assert!(shipped.len() > 20);
    for (key, value) in shipped {
        let row = format!("| `{key}` | `{value}` |");
        assert!(guide.contains(&row), "{row} is not in docs/OPERATING.md");
    }
}

#[test]
fn the_dashboard_and_the_guide_name_metrics_that_exist() {
    let stage = Stage::with("[metrics]\nlisten = \"127.0.0.1:0\"", &[]);
    stage.join("alice", &[]).expect_nothing();
    let line = stage.server.log.seen.iter().find(|line| line.contains("\"metrics\"")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let (_, metrics) = get(line["address"].as_str().unwrap().parse().unwrap(), "/metrics");
    let part = |c: char| c.is_ascii_lowercase() || c == '_';
    let named =
        |text: &'static str| text.split(move |c| !part(c)).filter(|w| w.starts_with("matou_"));
    let dashboard: Vec<_> = named(include_str!("../../ops/grafana.json")).collect();
    assert!(dashboard.len() > 15);
    for metric in dashboard.into_iter().chain(named(include_str!("../../docs/OPERATING.md"))) {
        // There are those of a cluster only in one.
        let described = include_str!("../../matou-bin/src/server/metrics.rs");
        let is_described = || described.contains(&format!("\"{metric}\""));
        let exists =
            metrics.contains(metric) || (metric.starts_with("matou_cluster_") && is_described());
        assert!(exists, "{metric} is not in\n{metrics}");
    }
}
