use std::collections::BTreeSet;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::MANIFEST;

fn name() -> ModelName {
    "sentiment".parse().unwrap()
}

fn version(number: u32) -> Version {
    number.to_string().parse().unwrap()
}

fn registry() -> (TempDir, Registry) {
    let root = tempfile::tempdir().unwrap();
    let registry = Registry::open(root.path().join("models"));
    (root, registry)
}

/// A staging directory of two files, one in a folder.
fn stage(root: &TempDir, content: &str) -> PathBuf {
    let staging = tempfile::tempdir_in(root.path()).unwrap().keep();
    fs::create_dir(staging.join("onnx")).unwrap();
    fs::write(staging.join("config.json"), content).unwrap();
    fs::write(staging.join("onnx/model.onnx"), content.repeat(100)).unwrap();
    staging
}

fn publish(root: &TempDir, registry: &Registry, content: &str) -> Version {
    let draft = ManifestDraft { base: "tiny".to_owned(), ..ManifestDraft::default() };
    registry.publish(&name(), &stage(root, content), draft).unwrap()
}

#[test]
fn a_published_model_is_found_again() {
    let (root, registry) = registry();
    assert_eq!(registry.list().unwrap(), []);
    let staging = stage(&root, "one");
    let draft = ManifestDraft {
        base: "all-MiniLM-L6-v2".to_owned(),
        data_digest: "00ff".to_owned(),
        parameters: serde_json::json!({"epochs": 3}).as_object().unwrap().clone(),
        metrics: serde_json::json!({"macro_f1": 0.81}).as_object().unwrap().clone(),
        parents: vec!["sentiment@7".to_owned()],
    };
    assert_eq!(registry.publish(&name(), &staging, draft.clone()).unwrap(), version(1));
    assert!(!staging.exists());
    let found = registry.resolve("sentiment@1").unwrap();
    assert_eq!(found.manifest.draft, draft);
    assert_eq!(found.manifest.files.keys().collect::<Vec<_>>(), ["config.json", "onnx/model.onnx"]);
    assert_eq!(fs::read_to_string(found.path.join("config.json")).unwrap(), "one");
    assert_eq!(publish(&root, &registry, "two"), version(2));
    let summary = ModelSummary { model: name(), versions: vec![version(1), version(2)], aliases: BTreeMap::new() };
    assert_eq!(registry.list().unwrap(), [summary]);
}

#[test]
fn what_is_not_there_is_named_with_its_mend() {
    #[track_caller]
    fn check(error: RegistryError, parts: &[&str]) {
        let error = error.to_string();
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }
    let (root, registry) = registry();
    check(registry.resolve("sentiment").unwrap_err(), &["no model sentiment", "pulsewire model list"]);
    check(registry.rollback(&name(), Alias::Champion).unwrap_err(), &["no model sentiment"]);
    publish(&root, &registry, "one");
    check(registry.resolve("sentiment").unwrap_err(), &["no champion", "pulsewire model promote sentiment@VERSION"]);
    check(registry.resolve("sentiment@2").unwrap_err(), &["no version 2"]);
    check(registry.promote(&name(), version(2), Alias::Champion).unwrap_err(), &["no version 2"]);
    check(registry.rollback(&name(), Alias::Champion).unwrap_err(), &["no champion"]);
    registry.promote(&name(), version(1), Alias::Champion).unwrap();
    check(registry.rollback(&name(), Alias::Champion).unwrap_err(), &["nothing to roll back to", "version 1"]);
    let empty = tempfile::tempdir().unwrap();
    check(registry.publish(&name(), empty.path(), ManifestDraft::default()).unwrap_err(), &["no files"]);
    let nowhere = empty.path().join("nowhere");
    check(registry.publish(&name(), &nowhere, ManifestDraft::default()).unwrap_err(), &["no directory"]);
}

#[test]
fn a_damaged_file_is_named() {
    #[track_caller]
    fn check(damage: impl FnOnce(&Path), parts: &[&str]) {
        let (root, registry) = registry();
        publish(&root, &registry, "one");
        let folder = registry.resolve("sentiment@1").unwrap().path;
        damage(&folder);
        for error in [
            registry.resolve("sentiment@1").unwrap_err(),
            registry.promote(&name(), version(1), Alias::Champion).unwrap_err(),
        ] {
            let error = error.to_string();
            for part in parts {
                assert!(error.contains(part), "{part:?} is not in: {error}");
            }
        }
    }
    check(|folder| fs::write(folder.join("config.json"), "two").unwrap(), &["config.json is damaged", "sha256"]);
    check(|folder| fs::write(folder.join("config.json"), "on").unwrap(), &["config.json is damaged", "2 bytes"]);
    check(|folder| fs::remove_file(folder.join("onnx/model.onnx")).unwrap(), &["onnx/model.onnx", "missing"]);
    check(|folder| fs::write(folder.join("extra"), "").unwrap(), &["extra", "not published"]);
    check(|folder| fs::write(folder.join(MANIFEST), "{").unwrap(), &[MANIFEST, "not a manifest"]);
    check(|folder| fs::write(folder.join(MANIFEST), "{\"format\": 2}").unwrap(), &[MANIFEST, "update pulsewire"]);
    let renamed = |folder: &Path| {
        let text = fs::read_to_string(folder.join(MANIFEST)).unwrap();
        fs::write(folder.join(MANIFEST), text.replace("\"version\": 1", "\"version\": 9")).unwrap();
    };
    check(renamed, &[MANIFEST, "belongs to sentiment@9"]);
}

#[cfg(unix)]
#[test]
fn a_link_is_not_published() {
    let (root, registry) = registry();
    let staging = stage(&root, "one");
    std::os::unix::fs::symlink("/etc/passwd", staging.join("link")).unwrap();
    let error = registry.publish(&name(), &staging, ManifestDraft::default()).unwrap_err().to_string();
    assert!(error.contains("link") && error.contains("plain files"), "{error}");
    assert_eq!(registry.list().unwrap(), []);
}

#[test]
fn what_a_crash_leaves_is_no_version() {
    let (root, registry) = registry();
    publish(&root, &registry, "one");
    let folder = registry.root().join("sentiment");
    fs::create_dir(folder.join(".incoming-x")).unwrap();
    fs::write(folder.join(".incoming-x/config.json"), "half").unwrap();
    assert_eq!(registry.list().unwrap()[0].versions, [version(1)]);
    // A manifest that an earlier try has left does not become part of the model.
    let staging = stage(&root, "two");
    fs::write(staging.join(MANIFEST), "stale").unwrap();
    assert_eq!(registry.publish(&name(), &staging, ManifestDraft::default()).unwrap(), version(2));
    registry.resolve("sentiment@2").unwrap();
}

#[test]
fn publishers_and_promoters_do_not_collide() {
    let (root, registry) = registry();
    let published: Vec<Version> = std::thread::scope(|scope| {
        let publishers: Vec<_> = (0..8)
            .map(|own| {
                let (root, registry) = (&root, &registry);
                scope.spawn(move || {
                    let publish_one = |round: u32| {
                        let version = publish(root, registry, &format!("{own}-{round}"));
                        registry.promote(&name(), version, Alias::Champion).unwrap();
                        version
                    };
                    (0..5).map(publish_one).collect::<Vec<_>>()
                })
            })
            .collect();
        publishers.into_iter().flat_map(|publisher| publisher.join().unwrap()).collect()
    });
    let distinct: BTreeSet<Version> = published.iter().copied().collect();
    assert_eq!(distinct, (1..=40).map(version).collect());
    for number in 1..=40 {
        registry.resolve(&format!("sentiment@{number}")).unwrap();
    }
    let changes = registry.history(&name(), Alias::Champion).unwrap();
    assert_eq!(changes.len(), 40, "no promotion was lost");
}

#[derive(Debug, Clone)]
enum Step {
    Promote(u32, Alias),
    Rollback(Alias),
}

fn step() -> impl Strategy<Value = Step> {
    let alias = prop_oneof![Just(Alias::Champion), Just(Alias::Challenger)];
    prop_oneof![
        (1u32..5, alias.clone()).prop_map(|(number, alias)| Step::Promote(number, alias)),
        alias.prop_map(Step::Rollback),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Against a stack of promotions for each alias.
    #[test]
    fn aliases_behave_like_stacks(steps in prop::collection::vec(step(), 0..24)) {
        let (root, registry) = registry();
        for content in ["one", "two", "three", "four"] {
            publish(&root, &registry, content);
        }
        let mut model: BTreeMap<Alias, Vec<u32>> = BTreeMap::new();
        let mut recorded = 0;
        for step in steps {
            match step {
                Step::Promote(number, alias) => {
                    registry.promote(&name(), version(number), alias).unwrap();
                    let stack = model.entry(alias).or_default();
                    if stack.last() != Some(&number) {
                        stack.push(number);
                        recorded += 1;
                    }
                }
                Step::Rollback(alias) => {
                    let stack = model.entry(alias).or_default();
                    let result = registry.rollback(&name(), alias);
                    if stack.len() < 2 {
                        prop_assert!(result.is_err());
                    } else {
                        stack.pop();
                        recorded += 1;
                        prop_assert_eq!(result.unwrap(), version(stack[stack.len() - 1]));
                    }
                }
            }
            for alias in Alias::ALL {
                let expected = model.get(&alias).and_then(|stack| stack.last()).copied().map(version);
                prop_assert_eq!(registry.current(&name(), alias).unwrap(), expected);
                let resolved = registry.show(&format!("sentiment@{alias}")).ok().map(|found| found.manifest.version);
                prop_assert_eq!(resolved, expected);
            }
        }
        let histories = Alias::ALL.map(|alias| registry.history(&name(), alias).unwrap().len());
        prop_assert_eq!(histories.iter().sum::<usize>(), recorded);
    }
}
