//! What was probably meant.

use alloc::{format, string::String, vec::Vec};
use core::mem;

/// `did you mean …? Allowed: …`, without the question when nothing is near.
pub(crate) fn among<'a>(given: &str, allowed: impl Iterator<Item = &'a str>) -> String {
    let allowed: Vec<&str> = allowed.collect();
    if allowed.is_empty() {
        return String::from("there are none");
    }
    let list = format!("allowed: {}", allowed.join(", "));
    let nearest = allowed
        .iter()
        .map(|candidate| (distance(given, candidate), *candidate))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        // Further than a third of the word is another word.
        Some((distance, nearest)) if distance <= given.chars().count().div_ceil(3) => {
            format!("did you mean `{nearest}`? {list}")
        }
        _ => list,
    }
}

/// How many characters must be inserted, deleted or replaced (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, character) in from.to_lowercase().chars().enumerate() {
        let mut diagonal = mem::replace(&mut row[0], index + 1);
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(character != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        for (from, to, expected) in [
            ("", "", 0),
            ("replica", "replicas", 1),
            ("imgae", "image", 2),
            ("Size", "size", 0),
            ("a", "schedule", 8),
        ] {
            assert_eq!(distance(from, to), expected, "{from} → {to}");
        }
    }
}
