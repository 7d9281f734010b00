//! The arrows between the modules, read from the sources.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Which modules of this crate each module may name.
const MAY_NAME: [(&str, &[&str]); 8] = [
    ("main", &[]),
    ("restore", &["run", "store"]),
    ("run", &["config", "http", "net", "node", "store", "tasks"]),
    ("config", &[]),
    ("http", &["node"]),
    ("node", &["store"]),
    ("net", &[]),
    ("tasks", &["net", "node", "store"]),
];

/// Which modules may name a library.
const ONLY_IN: [(&str, &[&str]); 5] =
    [("axum::", &["http"]), ("utoipa", &["http"]), ("sqlx", &["store"]), ("reqwest", &[]), ("spawn(", &["tasks"])];

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Every source with the name of its top-level module and its code, without comments.
fn modules() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let named = |path: PathBuf| {
        let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
        let name = first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        (name, path, code.join("\n"))
    };
    sources(&root).into_iter().map(named).filter(|(name, ..)| name != "lib").collect()
}

/// The modules that a source names behind `crate::`, also in a list in braces.
fn named_modules(code: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(list) = rest.strip_prefix('{') else {
            names.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut item = String::new();
        for c in list.chars() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => names.extend([word(std::mem::take(&mut item).trim())]),
                _ if depth == 0 => item.push(c),
                _ => {}
            }
        }
        names.insert(word(item.trim()));
    }
    names.remove("");
    names
}

#[test]
fn no_module_names_one_that_it_must_not_know() {
    for (module, path, code) in modules() {
        let allowed = MAY_NAME.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, allowed)| *allowed);
        for named in named_modules(&code) {
            let fine = named == module || allowed.contains(&named.as_str());
            assert!(fine, "{} names {named}, which {module} must not know", path.display());
        }
    }
}

#[test]
fn libraries_are_named_only_where_they_belong() {
    for (module, path, code) in modules() {
        for (library, allowed) in ONLY_IN {
            let fine = !code.contains(library) || allowed.contains(&module.as_str());
            assert!(fine, "{} names {library}, which belongs to {allowed:?}", path.display());
        }
    }
}

#[test]
fn lists_in_braces_are_read() {
    let code = "use crate::{\n    node::{Node, now},\n    store::Store,\n};\nuse crate::net::Net;";
    assert_eq!(named_modules(code), BTreeSet::from(["net", "node", "store"].map(str::to_owned)));
}
