//! All runs of one sitting, as one JSON file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Outcome};
use crate::scenario::Figures;

/// What was measured, where, and with which versions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Where it ran.
    pub(crate) machine: Machine,
    /// When it began, in seconds since 1970.
    pub(crate) unix_time: u64,
    /// Each program's own words about its version.
    pub(crate) versions: BTreeMap<String, String>,
    /// What was left out, and why.
    pub(crate) skipped: BTreeMap<String, String>,
    /// Every run, in the order in which they were made.
    pub(crate) runs: Vec<Run>,
}

/// One scenario, once, against one subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The scenario's name on the command line.
    pub(crate) scenario: String,
    /// The server or the program that was measured.
    pub(crate) subject: String,
    /// Which repetition.
    pub(crate) round: usize,
    /// What came out.
    pub(crate) figures: Figures,
    /// Why nothing came out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

/// The machine, as far as it bears on the figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory: String,
    pub(crate) kernel: String,
    pub(crate) congestion_control: String,
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let cpuinfo = read("/proc/cpuinfo");
        Self {
            processor: field(&cpuinfo, "model name"),
            cores: cpuinfo.lines().filter(|line| line.starts_with("processor")).count(),
            memory: field(&read("/proc/meminfo"), "MemTotal"),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            congestion_control: read("/proc/sys/net/ipv4/tcp_congestion_control").trim().to_owned(),
        }
    }
}

impl Session {
    /// An empty one that begins now.
    pub(crate) fn begin() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { machine: Machine::here(), unix_time: since.as_secs(), ..Self::default() }
    }

    /// Takes over the runs of some scenarios from an earlier session.
    pub(crate) fn keep(&mut self, earlier: Self, wanted: impl Fn(&str) -> bool) {
        self.versions.extend(earlier.versions);
        self.skipped.extend(earlier.skipped);
        self.runs.extend(earlier.runs.into_iter().filter(|run| wanted(&run.scenario)));
    }

    /// Reads a session back.
    pub(crate) fn load(path: &Path) -> Outcome<Self> {
        let what = || format!("read {}", path.display());
        let text = fs::read_to_string(path).context(what())?;
        serde_json::from_str(&text).context(what())
    }

    /// Writes the session down.
    pub(crate) fn save(&self, path: &Path) -> Outcome<()> {
        let what = || format!("write {}", path.display());
        let text = serde_json::to_string_pretty(self).context(what())?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).context(what())?;
        }
        fs::write(path, text + "\n").context(what())
    }

    /// The runs of a scenario that came to their end.
    fn done<'a>(&'a self, scenario: &'a str, subject: &'a str) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |run| {
            run.failure.is_none() && run.scenario == scenario && run.subject == subject
        })
    }

    /// The subjects of a scenario in the order in which they first appear.
    pub(crate) fn subjects(&self, scenario: &str) -> Vec<&str> {
        let mut subjects: Vec<&str> = Vec::new();
        for run in self.runs.iter().filter(|run| run.scenario == scenario) {
            if !subjects.contains(&run.subject.as_str()) {
                subjects.push(&run.subject);
            }
        }
        subjects
    }

    /// Why the last run of a scenario failed, when none came to its end.
    pub(crate) fn failure(&self, scenario: &str, subject: &str) -> Option<&str> {
        if self.done(scenario, subject).next().is_some() {
            return None;
        }
        let mut runs = self.runs.iter().rev();
        runs.find(|run| run.scenario == scenario && run.subject == subject)?.failure.as_deref()
    }

    /// The median of a figure.
    pub(crate) fn median(&self, scenario: &str, subject: &str, figure: &str) -> Option<f64> {
        median(self.done(scenario, subject).filter_map(|run| run.figures.value(figure)).collect())
    }

    /// The median, over the rounds, of a figure's ratio to the same figure of another subject or
    /// scenario in the same round: what changes from round to round falls out of it.
    pub(crate) fn ratio(&self, of: (&str, &str), base: (&str, &str), figure: &str) -> Option<f64> {
        median(self.ratios(of, base, figure))
    }

    /// The lower quartile, the median and the upper quartile of those ratios.
    pub(crate) fn quartiles(
        &self,
        of: (&str, &str),
        base: (&str, &str),
        figure: &str,
    ) -> Option<[f64; 3]> {
        let mut ratios = self.ratios(of, base, figure);
        ratios.sort_by(f64::total_cmp);
        let at = |quarter: usize| ratios.get((ratios.len().checked_sub(1)? * quarter + 2) / 4);
        Some([*at(1)?, median(ratios.clone())?, *at(3)?])
    }

    fn ratios(
        &self,
        (scenario, subject): (&str, &str),
        (base_scenario, base): (&str, &str),
        figure: &str,
    ) -> Vec<f64> {
        let ratios = self.done(scenario, subject).filter_map(|run| {
            let base = self.done(base_scenario, base).find(|other| other.round == run.round)?;
            Some(run.figures.value(figure)? / base.figures.value(figure)?)
        });
        ratios.collect()
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (below, above) =
        (values.get(values.len().saturating_sub(1) / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*below, *above))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(subject: &str, round: usize, value: f64) -> Run {
        let mut figures = Figures::default();
        figures.set("x", value);
        Run { scenario: "s".into(), subject: subject.into(), round, figures, failure: None }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let runs = vec![
            run("a", 0, 1.0),
            run("b", 0, 2.0), // 2
            run("a", 1, 10.0),
            run("b", 1, 30.0), // 3
            run("a", 2, 2.0),
            run("b", 2, 2.0), // 1
        ];
        let session = Session { runs, ..Session::default() };
        assert_eq!(session.ratio(("s", "b"), ("s", "a"), "x"), Some(2.0));
        assert_eq!(session.median("s", "a", "x"), Some(2.0));
        assert_eq!(session.median("s", "c", "x"), None);
    }

    #[test]
    fn quartiles_enclose_half_of_the_ratios() {
        let runs = (0..9).flat_map(|round| [run("a", round, 1.0), run("b", round, round as f64)]);
        let session = Session { runs: runs.collect(), ..Session::default() };
        assert_eq!(session.quartiles(("s", "b"), ("s", "a"), "x"), Some([2.0, 4.0, 6.0]));
        assert_eq!(session.quartiles(("s", "c"), ("s", "a"), "x"), None);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}
