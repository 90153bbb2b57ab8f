//! Snapshots, and operations on the database, as people read them.

use std::{fmt::Write as _, time::Duration};

use comfy_table::{Table, presets::NOTHING};
use jiff::Timestamp;
use longrun_core::{
    journal::{Checklist, Item, Mark},
    operations::snapshot::{Choice, Fate, Listed, Orphan, Outcome, Verification},
    plan::Target,
};

use crate::terminal::seconds;

/// The steps of an operation, with times.
pub(crate) fn checklist(list: &Checklist) -> String {
    let began = list.began.map_or_else(String::new, |began| {
        format!(", begun on {}, times in UTC", began.strftime("%Y-%m-%d"))
    });
    let mut text = format!(
        "{} of {} {} (plan {}){began}\n",
        list.operation, list.target, list.state, list.digest
    );
    for (index, item) in list.items.iter().enumerate() {
        text.push_str(&line(index, item));
    }
    if let Some(kept) = &list.kept {
        let _ = writeln!(text, "{kept}");
    }
    if let Some(stopped) = &list.stopped {
        let _ = writeln!(text, "stopped:      {stopped}");
    }
    if let Some(next) = &list.next {
        let _ = writeln!(text, "next:         {next}");
    }
    let ways = list.state.ways_on(&list.target.flags(), list.kept.as_ref());
    ways.iter()
        .for_each(|way| text.push_str(&format!("{way}\n")));
    text
}

fn line(index: usize, item: &Item) -> String {
    let sign = match item.mark {
        Mark::Open => " ",
        Mark::Begun | Mark::Waits => "▸",
        Mark::Done => "✓",
        Mark::TakenBack => "↺",
        Mark::Failed => "✗",
    };
    let began = item
        .began
        .map_or_else(String::new, |began| began.strftime("%H:%M:%S").to_string());
    let took = item
        .began
        .zip(item.ended)
        .map_or_else(String::new, |(began, ended)| between(began, ended));
    let note = match (item.mark, &item.note) {
        (_, Some(note)) => format!("  ({note})"),
        (Mark::Begun, _) => "  (its outcome is unknown)".to_owned(),
        (Mark::Waits, _) => "  (done; what it waits for is not seen yet)".to_owned(),
        (Mark::TakenBack, _) => "  (taken back)".to_owned(),
        _ => String::new(),
    };
    format!(
        "{sign} {:>2} {began:8} {took:>12}  {}{note}\n",
        index + 1,
        item.step
    )
}

/// The snapshots of an environment.
pub(crate) fn snapshots(listed: &[Listed], target: &Target, now: Timestamp) -> String {
    if listed.is_empty() {
        return format!(
            "{target} has no snapshots; take one: cargo xtask snapshot {}",
            target.flags()
        );
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header([
        "NAME",
        "AGE",
        "SIZE",
        "STATE",
        "CONSISTENCY",
        "PURPOSE",
        "OF THE CLAIM",
        "DELETED",
        "STORED AS",
    ]);
    for one in listed {
        let age = one
            .created
            .map_or_else(|| "?".to_owned(), |created| between(created, now));
        let purpose = one.purpose.map_or("not ours", |purpose| purpose.word());
        let kept = if one.kept { ", kept" } else { "" };
        table.add_row([
            one.name.clone(),
            age,
            one.size.clone().unwrap_or_else(|| "?".to_owned()),
            state(one),
            one.consistency
                .map_or("?", |consistency| consistency.word())
                .to_owned(),
            format!("{purpose}{kept}"),
            source(one).to_owned(),
            match one.policy {
                Some(policy) => format!("storage: {}", policy.word().to_lowercase()),
                None => "?".to_owned(),
            },
            one.handle.clone().unwrap_or_else(|| "?".to_owned()),
        ]);
    }
    format!("{target}\n{}", table.trim_fmt())
}

/// Stored snapshots whose `VolumeSnapshot` is gone, by cluster; nothing when there are none.
pub(crate) fn orphans(orphans: &[(String, Orphan)], now: Timestamp) -> Option<String> {
    if orphans.is_empty() {
        return None;
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["WAS", "AGE", "SIZE", "STATE", "CONTENT", "STORED AS"]);
    for (cluster, one) in orphans {
        let ready = if one.ready { "" } else { ", not ready" };
        table.add_row([
            format!("{cluster}/{}/{}", one.namespace, one.name),
            one.created
                .map_or_else(|| "?".to_owned(), |created| between(created, now)),
            one.bytes
                .map_or_else(|| "?".to_owned(), |bytes| format!("{}Mi", bytes >> 20)),
            format!("ORPHANED{ready}"),
            one.content.clone(),
            one.handle.clone(),
        ]);
    }
    Some(format!(
        "stored, but no VolumeSnapshot is bound to it; to use one again: cargo xtask snapshot adopt CONTENT -n ENVIRONMENT\n{}",
        table.trim_fmt()
    ))
}

fn state(one: &Listed) -> String {
    let used = one
        .used_by
        .as_ref()
        .map_or_else(String::new, |by| format!("; {by}"));
    let state = match (one.going, one.ready, &one.error) {
        (true, _, _) => "being deleted".to_owned(),
        (_, true, _) => "ready".to_owned(),
        (_, _, Some(error)) => format!("not ready: {error}"),
        (_, _, None) => "not ready yet".to_owned(),
    };
    let known = match one.verification {
        Verification::Verified => ", verified",
        Verification::Unverified => ", UNVERIFIED",
        Verification::Empty => ", EMPTY",
        Verification::Unread => "",
    };
    format!("{state}{known}{used}")
}

fn source(one: &Listed) -> &'static str {
    match (&one.source_uid, one.source_exists) {
        (None, _) => "unknown",
        (_, true) => "present one",
        (_, false) => "deleted one",
    }
}

/// What becomes of each snapshot, and why.
pub(crate) fn choice(target: &Target, choice: &Choice) -> String {
    if choice.0.is_empty() {
        return format!("{target} has no snapshots");
    }
    let each = choice.0.iter().map(|(name, fate)| {
        let sign = if *fate == Fate::Goes { "-" } else { " " };
        format!("\n  {sign} {name}: {}", why(fate))
    });
    format!("{target}{}", each.collect::<String>())
}

fn why(fate: &Fate) -> String {
    match fate {
        Fate::Goes => "goes".to_owned(),
        Fate::Going => "is already being deleted".to_owned(),
        Fate::InUse { by } => format!("stays: {by}"),
        Fate::Kept => "kept: marked to be kept".to_owned(),
        Fate::Guards { purpose } => {
            format!("kept until deleted by name: {}", purpose.word())
        }
        Fate::NotOurs => "kept: not created by longrun, or its source is unknown".to_owned(),
        Fate::NotReady => "kept: not finished".to_owned(),
        Fate::Newest => "kept: one of the newest of its claim".to_owned(),
        Fate::Young => "kept: not old enough".to_owned(),
    }
}

pub(crate) fn pruned<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> String {
    let lines = outcomes.flat_map(|outcome| {
        let gone = outcome.gone.iter().map(|name| format!("gone: {name}"));
        let failed = outcome.failed.iter();
        gone.chain(failed.map(|(name, cause)| format!("still there: {name}: {cause}")))
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return "nothing to prune".to_owned();
    }
    lines.join("\n")
}

/// The time between two moments: `40 s`, `3 h 20 min`, `12 d`.
pub(super) fn between(from: Timestamp, to: Timestamp) -> String {
    let passed = to.duration_since(from);
    let passed = Duration::try_from(passed).unwrap_or_default();
    let hours = passed.as_secs() / 3600;
    match hours {
        0 => seconds(passed),
        1..48 => format!("{hours} h {:02} min", passed.as_secs() / 60 % 60),
        _ => format!("{} d", hours / 24),
    }
}
