//! Which pipelines publish into a store, and the names that they had.

use std::fs;

use tempfile::tempdir;

use super::{Run, assert_invariants, leftovers};
use crate::{Owner, Staging, Store, StoreError};

fn owner(name: &str, was: Option<&str>, shared: bool) -> Owner {
    Owner {
        name: name.to_owned(),
        shared,
        was: was.map(str::to_owned),
    }
}

/// The tables of a run, staged by a pipeline.
fn staged<'a>(store: &'a Store, run: Run, owner: &Owner) -> Staging<'a> {
    let mut identity = run.identity();
    identity.pipeline["name"] = owner.name.as_str().into();
    identity.pipeline["was"] = owner.was.clone().into();
    let mut staging = store.stage(identity).unwrap();
    for (name, batch) in run.tables() {
        let rows = std::iter::once(Ok(batch.clone()));
        staging.write(name, &batch.schema(), rows).unwrap();
    }
    staging.own(owner.clone());
    staging
}

#[test]
fn of_two_pipelines_that_begin_in_a_new_store_together_one_publishes() {
    for shared in [false, true] {
        let folder = tempdir().unwrap();
        let store = Store::open_or_create(folder.path()).unwrap();
        let (first, second) = (owner("a", None, shared), owner("b", None, shared));
        // Without a commit the store belongs to no pipeline, so both may begin.
        store.claim(&first).unwrap();
        store.claim(&second).unwrap();
        let (one, other) = (
            staged(&store, Run::new(1), &first),
            staged(&store, Run::new(2), &second),
        );
        one.publish(serde_json::json!([])).unwrap();
        let published = other.publish(serde_json::json!([]));
        match published {
            Err(StoreError::OtherPipeline { other, own, .. }) => {
                assert!(!shared);
                assert_eq!((other.as_str(), own.as_str()), ("a", "b"));
            }
            published => assert!(shared && !published.unwrap().already),
        }
        let versions = if shared { 2 } else { 1 };
        assert_eq!(assert_invariants(folder.path()), versions);
        assert_eq!(leftovers(folder.path()), Vec::<String>::new());
        store.admit(&first).unwrap();
        assert_eq!(store.admit(&second).is_ok(), shared);
    }
}

#[test]
fn a_pipeline_keeps_all_names_that_it_had() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let names = |name: &str| Vec::from_iter(store.names_of(name).unwrap());
    let mut seed = 0;
    let mut publish = |owner: &Owner| {
        seed += 1;
        store.claim(owner).unwrap();
        let run = staged(&store, Run::new(seed), owner);
        run.publish(serde_json::json!([])).unwrap();
    };
    publish(&owner("a", None, true));
    publish(&owner("x", None, true));
    publish(&owner("b", Some("a"), true));
    publish(&owner("c", Some("b"), true));
    publish(&owner("c", None, true));
    let record = folder.path().join("PIPELINES");
    let written = fs::read(&record).unwrap();
    let earlier = r#"{"pipelines":[{"name":"c","shared":true},{"name":"x","shared":true}]}"#;
    // As recorded; by the commits alone; beside a record of a program that knew no earlier names.
    for content in [Some(&written[..]), None, Some(earlier.as_bytes())] {
        fs::remove_file(&record).unwrap();
        if let Some(content) = content {
            fs::write(&record, content).unwrap();
        } else {
            store.admit(&owner("x", None, true)).unwrap();
            store.admit(&owner("y", None, false)).unwrap_err();
        }
        for name in ["a", "b", "c"] {
            assert_eq!(names(name), ["a", "b", "c"], "{name}");
        }
        assert_eq!(names("x"), ["x"]);
        store.claim(&owner("c", None, true)).unwrap();
        assert_eq!(fs::read(&record).unwrap(), written);
    }
    // A new pipeline takes a name that another one had: from now on it is its own.
    publish(&owner("a", None, true));
    assert_eq!(names("a"), ["a"]);
    assert_eq!(names("c"), ["b", "c"]);
}
