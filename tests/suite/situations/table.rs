//! The situations with their expected results, by what they are of.

use std::fs::{self, File};
use std::process::{Command, Output};

use super::DAY;
use super::place::Place;
use crate::inject::Fault;

const EIO: i32 = 5;
const EACCES: i32 = 13;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// A situation and its expected result.
pub(super) struct Situation {
    pub(super) name: &'static str,
    pub(super) code: i32,
    /// Whether the day has a version afterwards.
    pub(super) published: bool,
    /// The operating system error that the message must state.
    pub(super) errno: Option<i32>,
    pub(super) meet: fn(&Place) -> Output,
}

const fn s(
    name: &'static str,
    (code, published, errno): (i32, bool, Option<i32>),
    meet: fn(&Place) -> Output,
) -> Situation {
    Situation {
        name,
        code,
        published,
        errno,
        meet,
    }
}

const WRONG: (i32, bool, Option<i32>) = (2, false, None);
const DATA: (i32, bool, Option<i32>) = (3, false, None);
const DONE: (i32, bool, Option<i32>) = (0, true, None);

const fn disk(errno: i32) -> (i32, bool, Option<i32>) {
    (4, false, Some(errno))
}

const fn later(errno: i32) -> (i32, bool, Option<i32>) {
    (6, true, Some(errno))
}

/// Situations of the arguments and the pipeline file.
pub(super) const OF_THE_FILE: &[Situation] = &[
    s("no pipeline file", (2, false, Some(2)), |place| {
        fs::remove_file(place.path("shop.toml")).unwrap();
        place.run(&[])
    }),
    s(
        "a pipeline file that the disk does not read",
        disk(EIO),
        |place| place.unreadable("shop.toml", EIO, true),
    ),
    s("a pipeline file that is no TOML", WRONG, |place| {
        place.edit("[features]", "[features").run(&[])
    }),
    s("a misspelled key", WRONG, |place| {
        place.edit("missing_key", "mising_key").run(&[])
    }),
    s("a column that no file has", WRONG, |place| {
        place
            .edit("time = \"ordered_at\"", "time = \"ordered_on\"")
            .run(&[])
    }),
    s("a variable without a value", WRONG, |place| {
        place.edit("name = \"shop\"", "name = \"${shop}\"").run(&[])
    }),
    s("a pattern of files that is none", WRONG, |place| {
        place.edit("/lake\"", "/lake/[\"").run(&[])
    }),
    s("an argument that does not exist", WRONG, |place| {
        place.run(&["--asof", DAY])
    }),
    s("a day that does not exist", WRONG, |place| {
        place.run(&["--as-of", "2026-02-30"])
    }),
    s("a day that has not come yet", WRONG, |place| {
        place.run(&["--as-of", "2999-01-01"])
    }),
    s("a limit of memory that is none", WRONG, |place| {
        place.run(&["--memory", "plenty"])
    }),
    s("a second pipeline for the same store", WRONG, |place| {
        let place = place.published(&["--as-of", "2026-09-30"]);
        place.edit("name = \"shop\"", "name = \"other\"").run(&[])
    }),
    s(
        "a version that does not exist is asked for",
        WRONG,
        |place| {
            place.published(&["--as-of", "2026-09-30"]);
            place.command(&["report", &place.text("shop.toml"), "--version", "7"])
        },
    ),
];

/// Situations of the data in the lake.
pub(super) const OF_THE_DATA: &[Situation] = &[
    s("no lake", DATA, |place| {
        fs::remove_dir_all(place.path("lake")).unwrap();
        place.run(&[])
    }),
    s("an empty lake", DATA, |place| {
        fs::remove_file(place.path("lake/orders.csv")).unwrap();
        place.run(&[])
    }),
    s("a Parquet file cut off", DATA, |place| {
        let path = place.parquet().path("lake/orders.parquet");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        place.run(&[])
    }),
    s("a Parquet file with a flipped byte", DATA, |place| {
        let path = place.parquet().path("lake/orders.parquet");
        let mut bytes = fs::read(&path).unwrap();
        bytes[40] ^= 0x55;
        fs::write(&path, bytes).unwrap();
        place.run(&[])
    }),
    s("a Parquet file without a byte", DATA, |place| {
        fs::write(place.parquet().path("lake/orders.parquet"), "").unwrap();
        place.run(&[])
    }),
    s("a text file whose compression is damaged", DATA, |place| {
        fs::write(place.path("lake/more.csv.gz"), b"\x1f\x8b\x08\0rubbish").unwrap();
        place.run(&[])
    }),
    s("a text file with an endless record", DATA, |place| {
        place
            .orders(&format!("a,2026-10-01,\"{}\"\n", "9".repeat(17 << 20)))
            .run(&[])
    }),
    s("a FIFO in the lake", DATA, |place| {
        let fifo = place.path("lake/late.csv");
        let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        place.run(&[])
    }),
    s("a Delta log that is broken", DATA, |place| {
        place.delta("{\"protocol\":").run(&[])
    }),
    s(
        "a column that is gone since the last version",
        DATA,
        |place| {
            place.published(&["--as-of", "2026-10-30"]);
            fs::write(
                place.path("lake/orders.csv"),
                "customer_id,ordered_at\na,2026-10-01\n",
            )
            .unwrap();
            place.run(&[])
        },
    ),
    s("files of several formats", WRONG, |place| {
        fs::write(place.path("lake/more.ndjson"), "{}\n").unwrap();
        place.run(&[])
    }),
    s("a table of a format that is not read", WRONG, |place| {
        fs::create_dir(place.path("lake/.hoodie")).unwrap();
        place.run(&[])
    }),
    s("a rule that fails the run", DATA, |place| {
        place
            .contract(
                "rules = [{ name = \"amount is positive\", check = \"amount > 5\", on_fail = \"fail\" }]",
            )
            .run(&[])
    }),
    s("more rejected rows than allowed", DATA, |place| {
        place
            .contract("max_rejected = \"10%\"")
            .orders("a,2026-10-01,1\nb,31.10.2026,2\n")
            .run(&[])
    }),
    s("data that is too old", DATA, |place| {
        place
            .edit(
                "time = \"ordered_at\"",
                "time = \"ordered_at\"\nfreshness = { warn = \"1d\", fail = \"2d\" }",
            )
            .run(&[])
    }),
    s("data that has not arrived yet", DATA, |place| {
        place
            .edit(
                "[customer]",
                "[run]\ndata_through = \"as_of\"\n\n[customer]",
            )
            .run(&[])
    }),
    s("two rows of a customer that differ", DATA, |place| {
        let accounts = place.path("accounts");
        fs::create_dir(&accounts).unwrap();
        fs::write(
            accounts.join("a.csv"),
            "customer_id,plan\na,pro\na,free\nb,pro\n",
        )
        .unwrap();
        let source = format!(
            "[sources.accounts]\nkind = \"attributes\"\npath = \"{}\"\nkey = \"customer_id\"\n\
             attributes = {{ plan = {{ base = \"firmographic\" }} }}\ncontract = {{ missing_key = \"drop\" }}\n\n[features]",
            accounts.display()
        );
        place.edit("[features]", &source).run(&[])
    }),
    s("no customer up to the day", DATA, |place| {
        place.run(&["--as-of", "2020-01-01"])
    }),
    s(
        "a file that changes twice while it is read",
        DATA,
        |place| {
            let change = "echo z,2026-10-02,9 >> $D/lake/orders.csv";
            place.changed("orders.csv", change, true)
        },
    ),
    s("a file that changes once while it is read", DONE, |place| {
        let change = "echo z,2026-10-02,9 >> $D/lake/orders.csv";
        place.changed("orders.csv", change, false)
    }),
];

/// Errors of the disk and the operating system with the lake and temporary files.
pub(super) const OF_THE_DISK: &[Situation] = &[
    s(
        "a text file that may not be opened",
        disk(EACCES),
        |place| place.unreadable("orders.csv", EACCES, false),
    ),
    s(
        "a text file that the disk does not read",
        disk(EIO),
        |place| place.unreadable("orders.csv", EIO, true),
    ),
    s(
        "a Parquet file that the disk does not read",
        disk(EIO),
        |place| place.parquet().unreadable("orders.parquet", EIO, true),
    ),
    s(
        "a Delta log that the disk does not read",
        disk(EIO),
        |place| {
            place
                .delta("{}")
                .unreadable("00000000000000000000.json", EIO, true)
        },
    ),
    s("a path that leads round in a circle", disk(40), |place| {
        fs::remove_dir_all(place.path("lake")).unwrap();
        std::os::unix::fs::symlink("lake", place.path("lake")).unwrap();
        place.run(&[])
    }),
    s("no folder for temporary files", disk(2), |place| {
        fs::remove_dir(place.path("work")).unwrap();
        place.run(&[])
    }),
    s(
        "a full folder for temporary files, reading text files",
        disk(ENOSPC),
        |place| place.at("work", "write */records-*", Fault::Errno(ENOSPC)),
    ),
    s(
        "a full folder for temporary files, between stages",
        disk(ENOSPC),
        |place| place.at("work", "write */0-orders.parquet", Fault::Errno(ENOSPC)),
    ),
    s(
        "a file of metrics in a folder that is not there",
        disk(2),
        |place| place.run(&["--metrics", &place.text("nowhere/shop.prom")]),
    ),
];

/// Situations of the store.
pub(super) const OF_THE_STORE: &[Situation] = &[
    s("a store that is a file", disk(20), |place| {
        fs::write(place.path("store"), "").unwrap();
        place.run(&[])
    }),
    s(
        "a store that holds something else",
        (4, false, None),
        |place| {
            fs::create_dir(place.path("store")).unwrap();
            fs::write(place.path("store/holiday.jpg"), "x").unwrap();
            place.run(&[])
        },
    ),
    s("a store of a later program", (4, false, None), |place| {
        place.published(&["--as-of", "2026-09-30"]);
        let format = fs::read_to_string(place.path("store/FORMAT"))
            .unwrap()
            .replace("tessera-store 1", "tessera-store 9");
        fs::write(place.path("store/FORMAT"), format).unwrap();
        place.run(&[])
    }),
    s(
        "a store that is only readable, at its founding",
        disk(EROFS),
        |place| place.at("store", "mkdir* *", Fault::Errno(EROFS)),
    ),
    s("a store that is only readable", disk(EROFS), |place| {
        place.published(&["--as-of", "2026-09-30"]);
        place.at("store", "mkdir* *", Fault::Errno(EROFS))
    }),
    s("a full store, writing a table", disk(ENOSPC), |place| {
        place.at("store", "write */customers.parquet", Fault::Errno(ENOSPC))
    }),
    s("a table that does not reach the disk", disk(EIO), |place| {
        place.at("store", "fsync */customers.parquet", Fault::Errno(EIO))
    }),
    s("a commit that cannot be written", disk(ENOSPC), |place| {
        place.at("store", "write */tmp/*.json", Fault::Errno(ENOSPC))
    }),
    s("a commit that cannot be named", disk(EIO), |place| {
        place.at("store", "linkat */commits/*", Fault::Errno(EIO))
    }),
    s("a lock that another run holds", (5, false, None), |place| {
        place.published(&["--as-of", "2026-09-30"]);
        let held = File::open(place.path("store/LOCK")).unwrap();
        held.lock().unwrap();
        place.run(&["--lock-wait", "1s"])
    }),
    s(
        "a commit whose content is damaged",
        (4, false, None),
        |place| {
            place.published(&["--as-of", "2026-09-30"]);
            let path = place.path(&format!("store/commits/{:020}.json", 1));
            let text = fs::read_to_string(&path).unwrap();
            let changed = text.replacen("customers.parquet", "customerz.parquet", 1);
            assert_ne!(text, changed);
            fs::write(path, changed).unwrap();
            place.run(&[])
        },
    ),
    s("a version that lost a table", DONE, |place| {
        place.published(&[]);
        fs::remove_file(place.path("store/latest/segments.parquet")).unwrap();
        place.run(&[])
    }),
    s("a version that was published already", DONE, |place| {
        place.published(&[]).run(&[])
    }),
    s("a damaged version is verified", (4, true, None), |place| {
        place.published(&[]);
        fs::remove_file(place.path("store/latest/segments.parquet")).unwrap();
        place.command(&["verify", &place.text("store"), "--quick"])
    }),
    s("no store where one is verified", disk(2), |place| {
        place.command(&["verify", &place.text("nowhere")])
    }),
];

/// Failures after the version exists, and interrupts before and after the commit.
pub(super) const OF_THE_COMMIT: &[Situation] = &[
    s(
        "a commit that may not survive a power loss",
        later(EIO),
        |place| {
            place.published(&["--as-of", "2026-09-30"]);
            place.at_number(2, "store", "fsync */commits", Fault::Errno(EIO))
        },
    ),
    s(
        "a pointer to the newest version that cannot be written",
        later(ENOSPC),
        |place| place.at("store", "write */tmp/LATEST-*", Fault::Errno(ENOSPC)),
    ),
    s("a full disk for the report", later(ENOSPC), |place| {
        place.at("store", "write */tmp/version-*", Fault::Errno(ENOSPC))
    }),
    s(
        "a folder of reports that is a link",
        (6, true, None),
        |place| {
            place.published(&["--as-of", "2026-09-30"]);
            fs::rename(place.path("store/reports"), place.path("elsewhere")).unwrap();
            std::os::unix::fs::symlink(place.path("elsewhere"), place.path("store/reports"))
                .unwrap();
            place.run(&[])
        },
    ),
    s("stdout is closed", DONE, |place| place.shell(">&-")),
    s("nobody reads stdout", DONE, |place| {
        place.shell("> >(exec <&-; sleep 2)")
    }),
    s("stdout is a full disk", later(ENOSPC), |place| {
        place.shell("> /dev/full")
    }),
    s(
        "an interrupt before the commit",
        (130, false, None),
        |place| place.at("store", "create */customers.parquet", Fault::Signal(SIGINT)),
    ),
    s(
        "a request to end before the commit",
        (130, false, None),
        |place| {
            place.at(
                "store",
                "create */customers.parquet",
                Fault::Signal(SIGTERM),
            )
        },
    ),
    s("an interrupt after the commit", DONE, |place| {
        place.at("store", "write */tmp/version-*", Fault::Signal(SIGINT))
    }),
    s(
        "two interrupts after the commit",
        (6, true, None),
        |place| place.at("store", "write */tmp/version-*", Fault::Twice(SIGINT)),
    ),
    s(
        "a run killed before its commit, and run again",
        DONE,
        |place| {
            let killed = place.at("store", "linkat */commits/*", Fault::Kill);
            assert_eq!(
                (killed.status.code(), place.versions().len()),
                (Some(137), 0)
            );
            place.run(&[])
        },
    ),
];
