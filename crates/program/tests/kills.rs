//! Which process is killed when is told by a number, for as long as a failure is to be had again.

use longrun_program::kills::{Victim, kills};

#[test]
fn a_number_is_the_same_kills_for_ever() {
    let text = |number| {
        let of = kills(number).into_iter().map(|kill| {
            let recovery = if kill.during_recovery { " early" } else { "" };
            format!("{:?} {}{recovery}", kill.victim, kill.after_ms)
        });
        of.collect::<Vec<_>>().join(", ")
    };
    insta::assert_snapshot!((0..8).map(text).collect::<Vec<_>>().join("\n"), @r"
    Node 1233, Node 2262, Service 812
    Node 1056, Service 529 early, Node 1947, Node 2659, Service 2519
    Service 219 early, Node 1117
    Service 1345 early, Node 3556 early
    Node 1550 early, Service 3266, Node 226, Service 986, Service 2402 early
    Node 847, Service 2162
    Service 611, Service 95, Node 2743
    Node 1450, Service 3301
    ");
}

#[test]
fn both_victims_are_among_any_kills_and_the_first_comes_soon() {
    for number in 0..10_000 {
        let kills = kills(number);
        assert!((2..=5).contains(&kills.len()), "{number}");
        for victim in [Victim::Node, Victim::Service] {
            assert!(kills.iter().any(|kill| kill.victim == victim), "{number}");
        }
        assert!(kills[0].after_ms <= 2_000, "{number}");
    }
}

#[test]
fn kills_of_different_numbers_differ() {
    let all: Vec<_> = (0..1_000).map(kills).collect();
    for (number, one) in all.iter().enumerate() {
        assert!(!all[..number].contains(one), "{number}");
    }
}
