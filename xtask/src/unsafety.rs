//! Where `unsafe` may stand: in `sys` modules, and nowhere else.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Fails with the list of places where the lint is lifted outside a `sys` module. The lint itself
/// (`unsafe_code = "deny"`) then sees to the rest.
pub(crate) fn check(checkout: &Path) -> Result<()> {
    let mut places = Vec::new();
    for file in sources(checkout)? {
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file
            .strip_prefix(checkout)
            .unwrap_or(&file)
            .display()
            .to_string();
        places.extend(lifted(&name, &text));
    }
    if !places.is_empty() {
        bail!(
            "the lint on unsafe_code is lifted outside a sys module: {}",
            places.join(", ")
        );
    }
    Ok(())
}

/// The lines of a file that lift the lint for anything but a `mod sys`.
fn lifted(name: &str, text: &str) -> Vec<String> {
    if name
        .split('/')
        .any(|part| part == "sys" || part == "sys.rs")
    {
        return Vec::new();
    }
    let lines: Vec<&str> = text.lines().collect();
    let lifts = |line: &&str| {
        let attribute = line.trim_start();
        let lint = concat!("unsafe", "_code");
        attribute.starts_with('#') && attribute.contains(lint)
            || attribute.starts_with(&format!("{lint},"))
    };
    let mut places = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        if !lifts(line) {
            continue;
        }
        let next = lines[number + 1..]
            .iter()
            .map(|line| line.trim())
            .find(|line| {
                let ends = [
                    "mod ",
                    "pub mod ",
                    "pub(crate) mod ",
                    "fn ",
                    "impl ",
                    "struct ",
                    "#!",
                    "use ",
                ];
                ends.iter().any(|start| line.starts_with(start))
            });
        let sys =
            next.is_some_and(|line| line.ends_with("mod sys;") || line.ends_with("mod sys {"));
        if !sys {
            places.push(format!("{name}:{}", number + 1));
        }
    }
    places
}

/// Every Rust file of the checkout that is not built output.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        let path = entry.context("cannot list a folder")?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(sources(&path)?);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_module_called_sys_may_lift_the_lint() {
        let lint = concat!("unsafe", "_code");
        let good = format!("#[expect({lint}, reason = \"edge\")]\nmod sys;\n");
        assert!(lifted("a/src/lib.rs", &good).is_empty());
        let bad = format!("#[expect({lint}, reason = \"edge\")]\nmod other;\n");
        assert_eq!(lifted("a/src/lib.rs", &bad), ["a/src/lib.rs:1"]);
        let inner = format!("#![allow({lint})]\nfn f() {{}}\n");
        assert_eq!(lifted("a/src/b.rs", &inner), ["a/src/b.rs:1"]);
        assert!(lifted("a/src/sys/b.rs", &inner).is_empty());
    }
}
