//! Names, as Kubernetes, Restate and CSI want them.

use alloc::{format, string::String};

use super::text::text_type;

text_type! {
    /// A name that Kubernetes accepts everywhere: a DNS label (RFC 1123), for example of a namespace.
    Name, check: label, pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example: "restate"
}

text_type! {
    /// A CSI driver's name: a DNS name.
    Driver, check: domain, pattern: "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", example: "ebs.csi.aws.com"
}

text_type! {
    /// The value of a Kubernetes label.
    Label, check: label_value, pattern: "^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$", example: "prometheus"
}

text_type! {
    /// The UID of the namespace `kube-system`, which is the identity of a cluster.
    KubeSystemUid, check: uid, pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    example: "0b1f7e6c-0000-4000-8000-000000000000"
}

text_type! {
    /// A setting of Restate, as an environment variable; `__` stands for nesting.
    Setting, check: setting, pattern: "^RESTATE_[A-Z0-9_]+$", example: "RESTATE_WORKER__CLEANUP_INTERVAL"
}

fn label(text: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=63).contains(&text.len())
        && text.chars().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
    {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not a name\n1 to 63 lower-case letters, digits and `-`, with a letter or digit at both ends"
    ))
}

fn domain(text: &str) -> Result<(), String> {
    if text.len() <= 63 && text.split('.').all(|part| label(part).is_ok()) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not the name of a driver\na DNS name, for example ebs.csi.aws.com"
    ))
}

fn label_value(text: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if text.len() <= 63
        && text.chars().all(allowed)
        && edge(text.chars().next())
        && edge(text.chars().last())
    {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not the value of a label\n1 to 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends"
    ))
}

fn uid(text: &str) -> Result<(), String> {
    let parts = text.split('-').map(str::len);
    let digits = |c: char| matches!(c, '0'..='9' | 'a'..='f' | '-');
    if parts.eq([8, 4, 4, 4, 12]) && text.chars().all(digits) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not a UID\n`cargo xtask cluster trust` shows it and writes it"
    ))
}

/// The settings that a template gives, and the key of an environment that they come from.
const GIVEN: [(&str, &str); 8] = [
    ("RESTATE_ADMIN__QUERY_ENGINE__MEMORY_SIZE", "`queryMemory`"),
    (
        "RESTATE_BASE_DIR",
        "the template: it is the same everywhere",
    ),
    ("RESTATE_CLUSTER_NAME", "the environment's name"),
    ("RESTATE_DEFAULT_NUM_PARTITIONS", "`partitions`"),
    (
        "RESTATE_LOG_FORMAT",
        "the template: it is the same everywhere",
    ),
    (
        "RESTATE_NODE_NAME",
        "the template: it is the same everywhere",
    ),
    ("RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE", "`rocksdbMemory`"),
    ("RESTATE_SHUTDOWN_TIMEOUT", "`shutdownTimeout`"),
];

fn setting(text: &str) -> Result<(), String> {
    if let Some((_, from)) = GIVEN.iter().find(|(name, _)| *name == text) {
        return Err(format!("`{text}` would appear twice\nit comes from {from}"));
    }
    let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    match text.strip_prefix("RESTATE_") {
        Some(rest) if !rest.is_empty() && rest.chars().all(allowed) => Ok(()),
        _ => Err(format!(
            "`{text}` is not a setting of Restate\nits environment variable, for example RESTATE_WORKER__CLEANUP_INTERVAL"
        )),
    }
}
