//! The code map of ARCHITECTURE.md, held against what cargo knows: dependencies run downward only.

use std::collections::BTreeMap;

/// Packages by the folder that they live in, and the folders that each may use (development dependencies aside).
const MAY_USE: [(&str, &[&str]); 7] = [
    ("apps/pulsewire", &["apps", "training", "shared", "shared/service", "shared/foundation"]),
    ("apps", &["shared", "shared/service", "shared/foundation"]),
    ("training", &["shared", "shared/foundation"]),
    ("shared", &["shared/foundation"]),
    ("shared/service", &["shared/foundation"]),
    ("shared/foundation", &[]),
    ("tests", &["shared", "shared/foundation"]),
];

/// The row of [`MAY_USE`] for a package's folder: the folder itself, else the one above it.
fn layer(folder: &str) -> Option<&'static str> {
    let known = |name: &str| MAY_USE.iter().map(|(layer, _)| *layer).find(|layer| *layer == name);
    known(folder).or_else(|| known(folder.split('/').next()?))
}

#[test]
fn dependencies_run_downward() {
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec().unwrap();
    let root = metadata.workspace_root.clone();
    let folders: BTreeMap<String, String> = metadata
        .workspace_packages()
        .iter()
        .map(|package| {
            let folder = package.manifest_path.parent().unwrap().strip_prefix(&root).unwrap().to_string();
            (package.name.to_string(), folder)
        })
        .collect();
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let from = &folders[package.name.as_str()];
        let allowed = MAY_USE.iter().find(|(name, _)| Some(*name) == layer(from)).unwrap().1;
        for dependency in &package.dependencies {
            let Some(to) = folders.get(&dependency.name) else { continue };
            let own_kind = dependency.kind == cargo_metadata::DependencyKind::Normal;
            if own_kind && !layer(to).is_some_and(|layer| allowed.contains(&layer)) {
                wrong.push(format!("{from} uses {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(folders.len() >= 10, "{folders:?}");
}

#[test]
fn packages_are_named_after_their_folders() {
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec().unwrap();
    for package in metadata.workspace_packages() {
        let folder = package.manifest_path.parent().unwrap().file_name().unwrap();
        assert_eq!(package.name.as_str(), folder);
    }
}
