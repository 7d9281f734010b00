//! Reads the sources and checks that no arrow between the modules goes back (ARCHITECTURE.md).

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What the files of a module must not name.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("store", &["crate::node", "crate::http", "crate::net", "crate::tasks", "crate::miner", "axum", "reqwest"]),
    ("node", &["crate::http", "crate::net", "crate::tasks", "axum", "reqwest", "utoipa"]),
    ("net", &["crate::http", "crate::tasks", "crate::miner", "crate::store", "axum", "reqwest", "sqlx"]),
    ("miner", &["crate::http", "crate::net", "crate::tasks", "crate::store", "axum", "reqwest", "sqlx"]),
    ("tasks", &["crate::http", "axum", "reqwest", "utoipa"]),
    ("http", &["crate::net", "crate::tasks", "reqwest"]),
];

fn sources(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            sources(&entry.unwrap().path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        found.push(path.to_owned());
    }
}

/// A module's code without its comments and tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn no_arrow_between_modules_goes_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut looked_at = 0;
    for (module, forbidden) in FORBIDDEN {
        let mut files = Vec::new();
        sources(&root.join(format!("{module}.rs")), &mut files);
        sources(&root.join(module), &mut files);
        files.retain(|file| file.file_name().is_none_or(|name| name != "tests.rs"));
        for file in files {
            let code = code(&file);
            for name in *forbidden {
                assert!(!code.contains(name), "{} names {name}, which {module} must not", file.display());
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 20, "the sources were not found: {looked_at} files");
}
