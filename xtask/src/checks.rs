//! `cargo xtask check`: what can be said of a change without running it.

use crate::features;
use crate::headers;
use crate::linking;
use crate::msrv;
use crate::run;
use crate::ui;
use crate::unsafety;
use crate::verbs;
use anyhow::Result;
use std::path::Path;

/// Formatting, lints, documentation, the kernel's structs, those of libibverbs, the oldest compiler, and where `unsafe` may stand.
pub(crate) fn run(checkout: &Path) -> Result<()> {
    ui::step("where unsafe stands", || unsafety::check(checkout))?;
    ui::step("formatting", || {
        run::shown(run::cargo(checkout).args(["fmt", "--all", "--check"]))
    })?;
    let clippy = [
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    ui::step("lints", || run::shown(run::cargo(checkout).args(clippy)))?;
    for features in [
        &["--no-default-features"][..],
        &["--no-default-features", "--features", "serde"],
        &["--all-features"],
    ] {
        let what = format!("lints of netprims {}", features.join(" "));
        let args = [
            "clippy",
            "--quiet",
            "--package",
            "netprims",
            "--all-targets",
        ];
        ui::step(&what, || {
            run::shown(
                run::cargo(checkout)
                    .args(args)
                    .args(features)
                    .args(["--", "-D", "warnings"]),
            )
        })?;
    }
    linking::check(checkout)?;
    let doc = ["doc", "--quiet", "--workspace", "--no-deps"];
    ui::step("documentation", || {
        run::shown(
            run::cargo(checkout)
                .args(doc)
                .args(features::ALL)
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    })?;
    headers::check(checkout)?;
    verbs::check(checkout)?;
    msrv::check(checkout)
}
