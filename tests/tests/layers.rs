//! The code map of ARCHITECTURE.md, held against what cargo knows: dependencies run downward only.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

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

/// The workspace's packages by their folders, from `cargo metadata`. (A crate that parses this would ask `serde_json` for a feature
/// that nothing else asks for, and a build of the tests would compile a third of all crates again.)
fn packages() -> anyhow::Result<BTreeMap<String, Value>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo).args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let root = metadata["workspace_root"].as_str().context("no root")?;
    let named = |package: &Value| {
        let manifest = Path::new(package["manifest_path"].as_str().context("no manifest")?);
        let folder = manifest.strip_prefix(root)?.parent().context("no folder")?;
        Ok((folder.to_string_lossy().into_owned(), package.clone()))
    };
    metadata["packages"].as_array().context("no packages")?.iter().map(named).collect()
}

#[test]
fn dependencies_run_downward() {
    let packages = packages().unwrap();
    let folders: BTreeMap<&str, &str> =
        packages.iter().map(|(folder, package)| (package["name"].as_str().unwrap(), folder.as_str())).collect();
    let mut wrong = Vec::new();
    for (from, package) in &packages {
        let allowed = MAY_USE.iter().find(|(name, _)| Some(*name) == layer(from)).unwrap().1;
        for dependency in package["dependencies"].as_array().unwrap() {
            let Some(to) = folders.get(dependency["name"].as_str().unwrap()) else { continue };
            let of_tests = dependency["kind"] == "dev";
            if !of_tests && !layer(to).is_some_and(|layer| allowed.contains(&layer)) {
                wrong.push(format!("{from} uses {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(folders.len() >= 10, "{folders:?}");
}

#[test]
fn packages_are_named_after_their_folders() {
    for (folder, package) in packages().unwrap() {
        assert_eq!(folder.rsplit('/').next(), package["name"].as_str());
    }
}
