//! No circle of `use` imports between the files of a crate.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A path of modules, from the root of the crate.
type Module = Vec<String>;

/// The modules of a crate that have their own file, without those of tests.
#[derive(Default)]
struct Crate {
    modules: BTreeMap<Module, File>,
}

#[derive(Default)]
struct File {
    /// Imported paths, and whether each is a re-export.
    imports: Vec<(Vec<String>, bool)>,
}

impl Crate {
    fn read(source: &Path) -> Self {
        let mut this = Self::default();
        this.read_folder(source, &[]);
        this
    }

    fn read_folder(&mut self, folder: &Path, parent: &[String]) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if name == "tests" || name == "main" {
                continue;
            }
            let module = match name.as_str() {
                "lib" | "mod" => parent.to_vec(),
                _ => [parent, &[name]].concat(),
            };
            if path.is_dir() {
                self.read_folder(&path, &module);
            } else {
                let imports = imports(&fs::read_to_string(&path).unwrap());
                self.modules.insert(module, File { imports });
            }
        }
    }

    /// The module whose file defines what `path` means inside `module`; `None` for other crates.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<Module> {
        let (mut at, mut rest): (Module, _) = match path.first()?.as_str() {
            "crate" => (Module::new(), path.get(1..)?),
            "self" | "super" => (module.to_vec(), path),
            child if self.modules.contains_key(&[module, &[child.to_owned()]].concat()) => {
                (module.to_vec(), path)
            }
            _ => return None,
        };
        while let Some((name, behind)) = rest.split_first() {
            let child = [&at[..], std::slice::from_ref(name)].concat();
            match name.as_str() {
                "self" => {}
                "super" => drop(at.pop()?),
                _ if self.modules.contains_key(&child) => at = child,
                _ => return self.definition(&at, name, depth).or(Some(at)),
            }
            rest = behind;
        }
        Some(at)
    }

    /// The module from which `module` re-exports `name`.
    fn definition(&self, module: &Module, name: &str, depth: usize) -> Option<Module> {
        let imports = &self.modules.get(module)?.imports;
        let (path, _) = imports
            .iter()
            .find(|(path, public)| *public && path.last().is_some_and(|last| last == name))?;
        self.resolve(module, path, depth.checked_sub(1)?)
    }

    /// The modules that each module imports from.
    fn edges(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let targets = |(module, file): (&Module, &File)| {
            let resolved = file.imports.iter();
            let resolved = resolved.filter_map(|(path, _)| self.resolve(module, path, 8));
            resolved.filter(|target| target != module).collect()
        };
        self.modules.iter().map(|entry| (entry.0, targets(entry))).collect()
    }

    /// The modules that lie on a circle, with those of the same circle that they import from.
    fn circles(&self) -> Vec<String> {
        let edges = self.edges();
        let reachable = |from: &Module| {
            let mut seen = BTreeSet::new();
            let mut next = vec![from];
            while let Some(module) = next.pop() {
                next.extend(edges[module].iter().filter(|target| seen.insert((*target).clone())));
            }
            seen
        };
        let reachable: BTreeMap<_, _> = edges.keys().map(|from| (*from, reachable(from))).collect();
        let mut circles = Vec::new();
        for (module, targets) in &edges {
            for target in targets.iter().filter(|target| reachable[target].contains(*module)) {
                circles.push(format!("{} -> {}", module.join("::"), target.join("::")));
            }
        }
        circles
    }
}

/// The paths that the `use` declarations of `text` import, outside of its test module.
fn imports(text: &str) -> Vec<(Vec<String>, bool)> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: Vec<_> =
        code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let mut imports = Vec::new();
    let code = code.join("\n");
    let mut rest = code.as_str();
    while let Some((before, behind)) = rest.split_once("use ") {
        let start = before.rsplit('\n').next().unwrap_or_default().trim();
        let (declaration, remainder) = behind.split_once(';').unwrap_or((behind, ""));
        let public = start.starts_with("pub");
        if start.is_empty() || (public && !start.contains(' ')) {
            let flat: String = declaration.split_whitespace().collect::<Vec<_>>().join(" ");
            expand(&[], &flat, &mut |path| imports.push((path, public)));
            rest = remainder;
        } else {
            rest = behind;
        }
    }
    imports
}

/// Calls `found` with each path of `tree`, such as `a::{b, c::d}`.
fn expand(prefix: &[String], tree: &str, found: &mut impl FnMut(Vec<String>)) {
    let tree = tree.trim();
    if let Some((head, group)) = tree.split_once('{') {
        let head = head.split("::").map(str::trim).filter(|name| !name.is_empty());
        let prefix: Vec<_> = prefix.iter().cloned().chain(head.map(str::to_owned)).collect();
        let group = group.rsplit_once('}').map_or(group, |(group, _)| group);
        let (mut depth, mut start) = (0, 0);
        for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    let part = &group[start..at];
                    if !part.trim().is_empty() {
                        expand(&prefix, part, found);
                    }
                    start = at + 1;
                }
                _ => {}
            }
        }
    } else {
        let path = tree.split(" as ").next().unwrap_or_default();
        let names = path.split("::").map(str::trim).filter(|name| !matches!(*name, "" | "*"));
        found(prefix.iter().cloned().chain(names.map(str::to_owned)).collect());
    }
}

fn assert_no_circles(name: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let circles = Crate::read(&root.join(name).join("src")).circles();
    assert!(circles.is_empty(), "imports in a circle in {name}:\n{}", circles.join("\n"));
}

#[test]
fn no_files_of_matou_bin_import_each_other_in_a_circle() {
    assert_no_circles("matou-bin");
}

#[test]
fn no_files_of_matou_actors_import_each_other_in_a_circle() {
    assert_no_circles("matou-actors");
}

#[test]
fn a_circle_is_found_through_re_exports() {
    let file = |text: &str| File { imports: imports(text) };
    let module = |path: &str| path.split("::").map(str::to_owned).collect::<Module>();
    let tree = Crate {
        modules: BTreeMap::from([
            (Module::new(), file("mod a;\nmod b;\npub(crate) use a::{One, x::Two as Three};")),
            (module("a"), file("mod x;\nuse std::io;\nuse crate::b::Four;")),
            (module("a::x"), file("struct Two;")),
            (module("b"), file("use super::One;\n#[cfg(test)]\nmod tests {\nuse super::*;\n}")),
        ]),
    };
    assert_eq!(tree.circles(), ["a -> b", "b -> a"]);
}
