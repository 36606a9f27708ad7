//! That nothing in this folder lacks its row.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{constants, structs};

/// Structs that are only pointed to, and so have no members to compare.
const OPAQUE: &[&str] = &["CompatPortAttr"];

/// What the sources of `sys/ffi` declare.
#[derive(Default)]
struct Declared {
    structs: BTreeSet<String>,
    constants: BTreeSet<String>,
    /// Types of functions, which are checked where a struct has one.
    functions: BTreeSet<String>,
    /// Types that occur in structs.
    used: String,
}

fn declared() -> Declared {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sys/ffi");
    let mut declared = Declared::default();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            declared.read(&fs::read_to_string(path).unwrap());
        }
    }
    declared
}

impl Declared {
    fn read(&mut self, text: &str) {
        let mut module = String::new();
        for line in text.lines() {
            let name = |rest: &str| -> String {
                rest.chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect()
            };
            // Only what stands at the margin, or in a module there: not what belongs to a type.
            if let Some(rest) = line.strip_prefix("pub(crate) mod ") {
                module = name(rest) + "::";
            } else if line.starts_with('}') {
                module.clear();
            } else if let Some(rest) = line.strip_prefix("pub(crate) struct ") {
                self.structs.insert(name(rest));
            } else if let Some(rest) = line.strip_prefix("pub(crate) const ") {
                self.constants.insert(name(rest));
            } else if let Some(rest) = line.strip_prefix("    pub(crate) const ") {
                if !module.is_empty() {
                    self.constants.insert(module.clone() + &name(rest));
                }
            } else if let Some(rest) = line.strip_prefix("pub(crate) type ") {
                self.functions.insert(name(rest));
            } else if line.starts_with("    pub(crate) ") {
                self.used += line;
            }
        }
    }
}

fn rows(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| name.replace(' ', "")).collect()
}

#[test]
fn every_struct_of_the_layout_has_a_row() {
    let declared = declared().structs;
    assert_eq!(declared, &rows(structs::NAMES) | &rows(OPAQUE));
}

#[test]
fn every_constant_of_the_layout_has_a_row() {
    assert_eq!(declared().constants, rows(constants::NAMES));
}

/// The enums and flags that `driver_enum!` and `driver_flags!` declare, in this folder and those in it.
fn enums(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            enums(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            for (macro_name, kind) in [
                ("driver_enum", "pub enum "),
                ("driver_flags", "pub struct "),
            ] {
                let start = format!("crate::raw::{macro_name}! {{\n");
                for declaration in text.split(&start).skip(1) {
                    let (_, rest) = declaration.split_once(kind).unwrap();
                    names.insert(rest.split(' ').next().unwrap().to_owned());
                }
            }
        }
    }
}

#[test]
fn every_enum_of_the_drivers_numbers_has_a_row() {
    let mut names = BTreeSet::new();
    enums(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut names,
    );
    assert_eq!(names, rows(&constants::enums()));
}

#[test]
fn every_type_of_function_of_the_layout_is_that_of_a_field() {
    let Declared {
        functions, used, ..
    } = declared();
    assert!(functions.len() > 5, "{functions:?}");
    for function in functions {
        assert!(used.contains(&format!("Option<{function}>")), "{function}");
    }
}

#[test]
fn what_lacks_a_row_is_noticed() {
    let mut one = Declared::default();
    one.read(
        "pub(crate) struct More<T> {\n    pub(crate) member: Option<Act>,\n}\nimpl More {\n    \
         pub(crate) const NONE: More = More;\n}\npub(crate) mod mask {\n    pub(crate) const BIT: u32 = 1;\n}\n\
         pub(crate) const ONE: u32 = 1;\npub(crate) type Act = fn();\n",
    );
    assert_eq!(one.structs, rows(&["More"]));
    assert_eq!(one.constants, rows(&["mask::BIT", "ONE"]));
    assert_eq!(one.functions, rows(&["Act"]));
    assert!(one.used.contains("Option<Act>"));
}
