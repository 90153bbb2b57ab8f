//! `snapshot prune`: what a policy lets go, approved like any loss.

use crate::{database::deployed, house::House};

/// Whatever is older than a second goes, but for the newest of its claim.
const POLICY: [&str; 5] = ["prune", "--keep-last", "1", "--older-than", "1s"];

fn prune<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["snapshot"], &POLICY[..], more].concat()
}

fn names(house: &House) -> Vec<String> {
    let mut names: Vec<String> = house
        .snapshots()
        .iter()
        .filter(|one| one["going"] == false)
        .map(|one| one["name"].as_str().expect("a name").to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_old_goes_and_what_is_precious_or_the_newest_stays() {
    let house = deployed("retention");
    // The only environment that there is needs no name.
    house
        .run(&prune(&["--yes"]))
        .exits(0)
        .prints(&["nothing to prune"]);
    for (name, more) in [
        ("a", &[][..]),
        ("b", &["--keep"]),
        ("c", &["--fence"]),
        ("d", &["--no-wait"]),
    ] {
        let taken = [&["--name", name, "--yes"], more].concat();
        house.data("snapshot", &taken).exits(0);
    }
    let taken = house.snapshots();
    let fenced = taken.iter().find(|one| one["consistency"] == "fenced");
    assert_eq!(
        fenced.map(|one| &one["name"]),
        Some(&"c".into()),
        "{taken:?}"
    );
    house.until("the last one is ready", || {
        let dry = house.run(&prune(&["--dry-run"])).exits(0);
        dry.stderr.contains("- c: goes")
    });
    let dry = house.run(&prune(&["--dry-run"])).exits(0).says(&[
        "- a: goes",
        "  b: kept: marked to be kept",
        "- c: goes",
        "  d: kept: one of the newest of its claim",
    ]);
    assert_eq!(
        names(&house),
        ["a", "b", "c", "d"],
        "a dry run changes nothing"
    );

    // No plain yes, and no digest of another plan.
    for no in [&["--yes"][..], &["--approve", "0000000000"]] {
        house
            .run(&prune(no))
            .exits(2)
            .says(&["nothing was changed"]);
    }
    let digest = dry.stdout.trim().rsplit(' ').next().expect("a digest");
    let approved = prune(&["--approve", digest, "--output", "json"]);
    let document = house.run(&approved).exits(0).document();
    let pruned = &document[0];
    assert_eq!(pruned["environment"], house.name.as_str(), "{document}");
    let mut gone: Vec<&str> = pruned["outcome"]["gone"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|name| name.as_str())
        .collect();
    gone.sort_unstable();
    assert_eq!(gone, ["a", "c"], "{document}");
    assert_eq!(names(&house), ["b", "d"]);
}
