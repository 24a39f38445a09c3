//! The arrows of ARCHITECTURE.md: a module uses only what stands above it in the table.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules with all that each may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("wire", &["error", "fields"]),
    ("simd", &[]),
    ("tensor", &["error"]),
    ("graph", &["error", "tensor"]),
    ("ops", &["error", "tensor", "graph", "simd"]),
    ("autograd", &["error", "tensor", "graph", "ops"]),
    ("plan", &["error", "tensor", "graph", "ops"]),
    ("backend", &["error", "tensor", "graph", "ops", "simd", "plan"]),
    ("fields", &["error"]),
    ("optim", &["error", "fields", "tensor", "graph", "ops"]),
    ("scratch", &["error", "wire", "fields", "tensor", "graph", "ops", "autograd", "optim"]),
    ("nn", &["error", "wire", "fields", "tensor", "graph", "ops", "optim"]),
    ("data", &["error", "wire", "fields", "tensor"]),
    ("trace", &["error", "wire", "fields", "tensor", "graph", "ops", "plan", "backend"]),
    (
        "train",
        &["error", "wire", "fields", "tensor", "graph", "ops", "autograd", "plan", "backend", "trace", "scratch", "nn", "optim", "data"],
    ),
    ("selftest", &["error", "tensor", "graph", "ops", "autograd", "plan", "backend"]),
    (
        "web",
        &[
            "error", "wire", "fields", "simd", "tensor", "graph", "ops", "autograd", "plan", "backend", "trace", "scratch", "nn", "optim",
            "data", "train", "selftest",
        ],
    ),
];

/// The only places that may touch the browser.
const BROWSER: &[&str] = &["src/web/", "src/backend/webgpu/"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder of sources").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Names after `crate::` in a line of code.
fn used(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or_default();
    let name = |rest: &str| rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    code.match_indices("crate::").map(|(at, mark)| &code[at + mark.len()..]).map(|rest| &rest[..name(rest)]).collect()
}

#[test]
fn modules_use_only_what_stands_above_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    assert!(files.len() > 40, "only {} source files found", files.len());
    let mut wrong = Vec::new();
    for file in &files {
        let relative = file.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
        let module = relative.trim_start_matches("src/").split(['/', '.']).next().unwrap_or_default();
        if module == "lib" {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{relative}: the module {module} is not in the table"));
            continue;
        };
        let text = fs::read_to_string(file).expect("a readable source");
        for (number, line) in text.lines().enumerate() {
            for name in used(line).into_iter().filter(|name| *name != module && !name.is_empty()) {
                if !allowed.contains(&name) && MAY_USE.iter().any(|(known, _)| *known == name) {
                    wrong.push(format!("{relative}:{}: {module} uses {name}", number + 1));
                }
            }
            let touches = ["js_sys::", "web_sys::", "wasm_bindgen::"].iter().any(|name| line.contains(name));
            if touches && !BROWSER.iter().any(|place| relative.starts_with(place)) {
                wrong.push(format!("{relative}:{}: the browser is touched", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
