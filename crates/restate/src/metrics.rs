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

/// How many partitions there are, and how many of them this node leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Leaders {
    /// `restate_num_partitions`.
    pub partitions: u32,
    /// `restate_num_active_partition_leaders`.
    pub leaders: u32,
}

impl Leaders {
    /// Whether every partition has a leader: only then does any key make progress.
    #[must_use]
    pub fn complete(self) -> bool {
        self.partitions > 0 && self.leaders >= self.partitions
    }
}

impl Node {
    /// A client whose requests each take at most this time; connects only when asked to.
    #[must_use]
    pub fn new(origin: Origin, within: Duration) -> Self {
        Self { origin, within }
    }

    /// Leaders of partitions, for a cluster of one node. SQL has no table for this in Restate
    /// 1.7, and every health endpoint answers 200 up to 20 s before the last leader is there.
    ///
    /// # Errors
    /// When the node cannot be asked. A metric that is not there yet counts as 0.
    pub async fn leaders(&self) -> Result<Leaders, Error> {
        let answer = Call::get(&self.origin, "/metrics", self.within)
            .send()
            .await?;
        let text = String::from_utf8_lossy(&answer.body);
        Ok(Leaders {
            partitions: gauge(&text, "restate_num_partitions"),
            leaders: gauge(&text, "restate_num_active_partition_leaders"),
        })
    }
}

/// The value of a metric without labels that matter; 0 when it is absent.
fn gauge(text: &str, name: &str) -> u32 {
    text.lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with([' ', '{']))
        .find_map(|rest| rest.rsplit_once(' ')?.1.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Leaders, gauge};

    #[test]
    fn a_gauge_is_found_by_its_whole_name() {
        let text = "# TYPE restate_num_partitions gauge\n\
                    restate_num_partitions_wanted{node_name=\"db\"} 9\n\
                    restate_num_partitions{cluster_name=\"test\",node_name=\"db\"} 4\n";
        assert_eq!(gauge(text, "restate_num_partitions"), 4);
        assert_eq!(gauge(text, "restate_num_active_partition_leaders"), 0);
    }

    #[test]
    fn a_node_without_partitions_is_not_complete() {
        assert!(
            !Leaders {
                partitions: 0,
                leaders: 0
            }
            .complete()
        );
        assert!(
            !Leaders {
                partitions: 4,
                leaders: 3
            }
            .complete()
        );
        assert!(
            Leaders {
                partitions: 4,
                leaders: 4
            }
            .complete()
        );
    }
}
