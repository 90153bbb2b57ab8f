//! Invocations that have not completed, as the node's table `sys_invocation` has them.

use crate::admin::Admin;
use crate::error::Error;
use crate::sql::quote;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an invocation is doing (`sys_invocation.status` of Restate 1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Waits for the lock of its key.
    Pending,
    /// Waits for its time.
    Scheduled,
    /// Could run, and will as soon as there is room.
    Ready,
    /// Runs in a service.
    Running,
    /// Failed, and is tried again later.
    BackingOff,
    /// Waits for something without being in a service.
    Suspended,
    /// Was given up after its last retry, and keeps the lock of its key until somebody acts.
    Paused,
    /// Has ended; kept for a while.
    Completed,
    /// A status that this version of Restate was not known to have.
    #[serde(other)]
    Unknown,
}

impl Status {
    /// Every status of an invocation that has not ended.
    pub const OPEN: [Self; 8] = [
        Self::Pending,
        Self::Scheduled,
        Self::Ready,
        Self::Running,
        Self::BackingOff,
        Self::Suspended,
        Self::Paused,
        Self::Unknown,
    ];

    /// The name that Restate has for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Scheduled => "scheduled",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::BackingOff => "backing-off",
            Self::Suspended => "suspended",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many invocations of a service have a status, by how long ago they were created.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Count {
    /// Name of the service.
    pub service: String,
    /// Their status.
    pub status: Status,
    /// How many.
    pub count: u64,
    /// Of these, how many were created more than a minute ago.
    pub over_1m: u64,
    /// Of these, how many were created more than ten minutes ago.
    pub over_10m: u64,
    /// Of these, how many were created more than an hour ago.
    pub over_1h: u64,
    /// Age of the oldest, in seconds since it was created.
    pub oldest_seconds: f64,
}

/// An invocation that has not completed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Open {
    /// Its id, `inv_…`.
    pub id: String,
    /// Service, key and handler: `interpreter/117-v1-s300-all-test-1/run`.
    pub target: String,
    /// What it is doing.
    pub status: Status,
    /// Seconds since it was created.
    pub age_seconds: f64,
    /// How often it was tried again.
    #[serde(default)]
    pub retry_count: u64,
    /// Why its last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
}

const AGE: &str = "(date_part('epoch', now()) - date_part('epoch', created_at))";

impl Admin {
    /// Counts the open invocations of every service, by status and age.
    ///
    /// # Errors
    /// When the node cannot be asked; for instance a partition has no leader.
    pub async fn open_counts(&self) -> Result<Vec<Count>, Error> {
        let over = |seconds: u32| format!("sum(case when {AGE} > {seconds} then 1 else 0 end)");
        let [minute, ten, hour] = [60, 600, 3_600].map(over);
        let sql = format!(
            "select target_service_name as service, status, count(*) as count, \
             {minute} as over_1m, {ten} as over_10m, {hour} as over_1h, \
             max({AGE}) as oldest_seconds \
             from sys_invocation where status != 'completed' \
             group by target_service_name, status order by service, status"
        );
        self.query(&sql).await
    }

    /// The oldest open invocations whose key is this, or ends with a `-` and this; at most
    /// `limit`.
    ///
    /// # Errors
    /// When the node cannot be asked.
    pub async fn open_invocations(&self, key: &str, limit: u32) -> Result<Vec<Open>, Error> {
        self.query(&open_invocations(key, limit)).await
    }

    /// How many open invocations have this key, or one that ends with a `-` and this.
    ///
    /// # Errors
    /// When the node cannot be asked.
    pub async fn count_open(&self, key: &str) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Row {
            open: u64,
        }
        let sql = format!(
            "select count(*) as open from sys_invocation where {}",
            open_for(key)
        );
        let rows: Vec<Row> = self.query(&sql).await?;
        Ok(rows.first().map_or(0, |row| row.open))
    }
}

/// How many open invocations of one program are asked for, at most: more tell whoever looks no more.
pub const OPEN_AT_MOST: u32 = 1_000;

/// The query of [`Admin::open_invocations`], whose rows are [`Open`], for whoever reaches the node by another way.
#[must_use]
pub fn open_invocations(key: &str, limit: u32) -> String {
    format!(
        "select id, target, status, {AGE} as age_seconds, retry_count, last_failure \
         from sys_invocation where {} order by created_at limit {limit}",
        open_for(key)
    )
}

/// Keys are compared by their last characters, not by `like`, in which `_` is a wildcard.
fn open_for(key: &str) -> String {
    let suffix = format!("-{key}");
    format!(
        "status != 'completed' and (target_service_key = {} or right(target_service_key, {}) = {})",
        quote(key),
        suffix.chars().count(),
        quote(&suffix)
    )
}
