//! From the oldest supported Restate to the newest, and each way back.

use crate::house::House;

/// The ends of what is supported, as in `crates/restate/src/process/install.rs`.
const OLDEST: &str = "1.6.1";
const VERSION: &str = "1.7.12";

impl House {
    /// Asks for this version of the node, with further lines about it.
    fn wants(&self, version: &str, more: &str) {
        self.environment(&format!(
            "verification: {{replicas: 1}}\ntest: {{size: 20}}\nrestate:\n  storage: 512Mi\n  image: restate:{version}\n{more}"
        ));
    }

    /// Who has opened the database, as it is noted, and who is to.
    fn nodes(&self) -> [String; 2] {
        let noted = self.field(
            "pvc/storage-restate-0",
            "/metadata/annotations/longrun~1opened-by",
        );
        let image = self.field(
            "statefulset/restate",
            "/spec/template/spec/containers/0/image",
        );
        let image = image.as_str().unwrap_or_default();
        let (_, tag) = image.rsplit_once(':').unwrap_or_default();
        let (version, _) = tag.rsplit_once('-').unwrap_or_default();
        [
            noted.as_str().unwrap_or_default().to_owned(),
            version.to_owned(),
        ]
    }

    /// The newest snapshot that was taken for this.
    #[track_caller]
    fn taken_for(&self, purpose: &str) -> String {
        let snapshots = self.snapshots();
        let taken = snapshots.iter().find(|one| one["purpose"] == purpose);
        let taken = taken.and_then(|one| one["name"].as_str());
        taken.expect("a snapshot").to_owned()
    }
}

#[test]
fn from_the_oldest_to_the_newest_restate_and_back() {
    let house = House::whole("upgrade");
    house.wants(OLDEST, "");
    house.deploy(&["--yes"]).exits(0);
    assert_eq!(house.nodes(), [OLDEST; 2]);
    house.increment();

    an_upgrade_that_cannot_start_is_gone_back_from_in_one_plan(&house);
    an_upgrade_keeps_what_there_is(&house);
    an_empty_database_is_for_the_older_node(&house);
}

/// The upgrade's snapshot with the older image is one plan, which the refused deployment names.
fn an_upgrade_that_cannot_start_is_gone_back_from_in_one_plan(house: &House) {
    house.wants(VERSION, "  settings: {RESTATE_ROLES: nonsense}\n");
    house.deploy(&["--yes"]).exits(3);
    let upgrade = house.taken_for("upgrade");

    house.wants(OLDEST, "");
    let way_back = format!("restore -n {} ", house.name);
    let snapshot = format!("-s {upgrade}");
    house.deploy(&["--yes"]).exits(2).says(&[
        &format!("Restate {VERSION} has opened PersistentVolumeClaim storage-restate-0"),
        &way_back,
        &snapshot,
    ]);
    house
        .restore(&upgrade)
        .exits(0)
        .says(&[
            "update StatefulSet restate",
            &format!("the copy is opened by Restate {OLDEST}"),
        ])
        .prints(&[&format!("opened by      Restate {OLDEST}")]);
    assert_eq!(house.nodes(), [OLDEST; 2]);
    assert_eq!(house.counter(), 1);
    house.is_tidy();
    house.deploy(&["--yes"]).exits(0).says(&["nothing to do"]);
}

fn an_upgrade_keeps_what_there_is(house: &House) {
    house.wants(VERSION, "");
    house
        .deploy(&["--yes"])
        .exits(0)
        .says(&["snapshot VolumeSnapshot"]);
    assert_eq!(house.nodes(), [VERSION; 2]);
    assert_eq!(house.counter(), 1);
    house.increment();
}

/// It is refused what the newer one has opened, by a snapshot too, and may have a database of its own.
fn an_empty_database_is_for_the_older_node(house: &House) {
    house.wants(OLDEST, "");
    house.deploy(&["--yes"]).exits(2).says(&["has opened"]);
    house
        .wipe()
        .exits(0)
        .prints(&[&format!("opened by      Restate {OLDEST}")]);
    assert_eq!(house.nodes(), [OLDEST; 2]);
    assert_eq!(house.counter(), 0);
    house.deploy(&["--yes"]).exits(0).says(&["nothing to do"]);

    let newer = house.kept();
    house
        .data("restore", &["-s", &newer, "--dry-run"])
        .exits(2)
        .says(&[&format!("of a database that Restate {VERSION} has opened")]);
    house.wants(VERSION, "");
    house.restore(&newer).exits(0);
    assert_eq!(house.nodes(), [VERSION; 2]);
    assert_eq!(house.counter(), 2);
    house.is_tidy();
}
