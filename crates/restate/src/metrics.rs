//! The node's own metrics (port 5122), of which one fact is needed: do all partitions have a leader?

use crate::error::Error;
use crate::http::Call;
use crate::origin::Origin;
use serde::Serialize;
use std::time::Duration;

/// A client of a node's own port, which serves metrics.
#[derive(Clone, Debug)]
pub struct Node {
    origin: Origin,
    within: Duration,
}

/// How many partitions there are, and how many of them have a leader. What the node does not say is not known, and
/// not 0: it says neither while it starts, and which metrics it has changes with its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Leaders {
    /// `restate_num_partitions`.
    pub partitions: Option<u32>,
    /// `restate_num_active_partition_leaders`, as in Restate 1.7.12; where that is absent, the sum of
    /// `restate_partition_is_effective_leader`, which 1.6 has for each partition.
    pub leaders: Option<u32>,
}

impl Leaders {
    /// What the metrics of a cluster of one node say.
    fn of(metrics: &str) -> Self {
        let one = |name| samples(metrics, name).next()?.parse().ok();
        Self {
            partitions: one("restate_num_partitions"),
            leaders: one("restate_num_active_partition_leaders").or_else(|| led(metrics)),
        }
    }

    /// Whether every partition has a leader: only then does any key make progress.
    #[must_use]
    pub fn complete(self) -> bool {
        match (self.partitions, self.leaders) {
            (Some(partitions), Some(leaders)) => partitions > 0 && leaders >= partitions,
            (None, _) | (_, None) => false,
        }
    }
}

impl Node {
    /// A client whose requests each take at most this time; connects only when asked to.
    #[must_use]
    pub fn new(origin: Origin, within: Duration) -> Self {
        Self { origin, within }
    }

    /// Leaders of partitions, for a cluster of one node. SQL has no table for this, and every health endpoint answers
    /// 200 up to 20 s before the last leader is there.
    ///
    /// # Errors
    /// When the node cannot be asked.
    pub async fn leaders(&self) -> Result<Leaders, Error> {
        let answer = Call::get(&self.origin, "/metrics", self.within)
            .send()
            .await?;
        Ok(Leaders::of(&String::from_utf8_lossy(&answer.body)))
    }
}

/// How many partitions say that they have a leader; `None` when none says anything.
fn led(metrics: &str) -> Option<u32> {
    let each: Vec<u32> = samples(metrics, "restate_partition_is_effective_leader")
        .map(|value| value.parse().ok())
        .collect::<Option<_>>()?;
    (!each.is_empty()).then(|| each.iter().sum())
}

/// The values of a metric, whatever its labels.
fn samples<'a>(metrics: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    metrics
        .lines()
        .filter_map(move |line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with([' ', '{']))
        .filter_map(|rest| Some(rest.rsplit_once(' ')?.1))
}

#[cfg(test)]
mod tests {
    use super::Leaders;

    fn leaders(partitions: Option<u32>, leaders: Option<u32>) -> Leaders {
        Leaders {
            partitions,
            leaders,
        }
    }

    /// What servers answered, as far as it is about partitions: a second after they were started, and when they ran.
    #[test]
    fn leaders_are_read_from_what_each_version_says() {
        for (recorded, expected) in [
            (
                include_str!("../tests/metrics/1.6.1-starting.txt"),
                leaders(Some(4), None),
            ),
            (
                include_str!("../tests/metrics/1.6.1.txt"),
                leaders(Some(4), Some(4)),
            ),
            (
                include_str!("../tests/metrics/1.7.12-starting.txt"),
                leaders(Some(4), None),
            ),
            (
                include_str!("../tests/metrics/1.7.12.txt"),
                leaders(Some(4), Some(4)),
            ),
        ] {
            assert_eq!(Leaders::of(recorded), expected, "{recorded}");
        }
        assert_eq!(Leaders::of(""), leaders(None, None));
    }

    #[test]
    fn a_partition_without_leader_is_not_counted_and_one_that_says_something_else_makes_all_unknown()
     {
        let recorded = include_str!("../tests/metrics/1.6.1.txt");
        let of_one = |value: &str| {
            let changed = recorded.replace(
                "partition=\"2\"} 1\n",
                &format!("partition=\"2\"}} {value}\n"),
            );
            Leaders::of(&changed).leaders
        };
        assert_eq!(of_one("0"), Some(3));
        assert_eq!(of_one("NaN"), None);
    }

    #[test]
    fn a_gauge_is_found_by_its_whole_name() {
        let text = "# TYPE restate_num_partitions gauge\n\
                    restate_num_partitions_wanted{node_name=\"db\"} 9\n\
                    restate_num_partitions{cluster_name=\"test\",node_name=\"db\"} 4\n";
        assert_eq!(Leaders::of(text), leaders(Some(4), None));
    }

    #[test]
    fn complete_is_known_and_all_of_them() {
        for (partitions, led, expected) in [
            (Some(4), Some(4), true),
            (Some(4), Some(3), false),
            (Some(0), Some(0), false),
            (Some(4), None, false),
            (None, Some(4), false),
            (None, None, false),
        ] {
            assert_eq!(leaders(partitions, led).complete(), expected);
        }
    }
}
