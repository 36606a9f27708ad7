//! `cargo xtask demo`: sets everything up, does the project's main job in the lab, and ends in a
//! table. Everything the table says happened inside the guest.

use crate::lab::{Done, Lab, target_folder};
use crate::run;
use crate::ui;
use crate::vm::Output;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::time::{Duration, Instant};

const KERNEL: &str = "6.12";
const ITERATIONS: u32 = 1000;
const SIZE: u32 = 4096;
const DEADLINE: Duration = Duration::from_secs(240);

/// What the guest's script reported.
#[derive(Debug, Default)]
struct Results {
    pingpongs: Vec<Vec<String>>,
    vfs: Vec<Vec<String>>,
    sends: Vec<Vec<String>>,
    failures: Vec<String>,
}

/// Runs the demo.
pub(crate) fn run(checkout: &Path) -> Result<i32> {
    let began = Instant::now();
    let lab = Lab::provide(checkout, KERNEL)?;
    let set_up = began.elapsed();
    ui::step("build our programs", || {
        let mut cargo = run::cargo(checkout);
        cargo.args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "netprims-examples",
        ]);
        run::shown(&mut cargo)
    })?;
    let programs = target_folder(checkout)?.join("release");
    let script = checkout.join("lab/demo.sh");
    let argv = [
        "bash".to_owned(),
        script.display().to_string(),
        programs.display().to_string(),
        ITERATIONS.to_string(),
        SIZE.to_string(),
    ];
    let Done { code, output, .. } = ui::step("run the main job in the guest", || {
        lab.command(&argv, DEADLINE, Output::Kept)
    })?;
    let mut results = Results::default();
    for line in output.lines().filter_map(|line| line.strip_prefix('@')) {
        if let Err(error) = take(&mut results, line) {
            results.failures.push(format!("{error:#}"));
        }
    }
    show(&lab, &results);
    let total = began.elapsed().as_secs_f64();
    println!(
        "\n{total:.0} s in all, {:.0} s of them to set up",
        set_up.as_secs_f64()
    );
    let complete =
        results.pingpongs.len() == 4 && results.vfs.len() == 7 && results.sends.len() == 2;
    if code != 0 || !complete || !results.failures.is_empty() {
        eprintln!("{output}");
        if results.failures.is_empty() {
            results
                .failures
                .push("not every result came; the output above says more".to_owned());
        }
        bail!(
            "the main job failed in the guest (exit {code}): {}",
            results.failures.join("; ")
        );
    }
    Ok(0)
}

fn take(results: &mut Results, line: &str) -> Result<()> {
    let fields: Vec<&str> = line.split('|').collect();
    match fields[..] {
        ["pingpong", name, usec, verified] => {
            let words = [name, usec, verified];
            results.pingpongs.push(words.map(str::to_owned).to_vec());
        }
        ["vfs", name, netdev, count, mac, vlan, ref json @ ..] => {
            take_vfs(results, &json.join("|"), &[name, netdev, count, mac, vlan])?;
        }
        ["zc", path, said] => take_sends(results, path, said)?,
        ["failed", ref what @ ..] => results.failures.push(what.join("|")),
        _ => bail!("the guest said {line:?}"),
    }
    Ok(())
}

/// Compares what iproute2 sees with what was asked for.
fn take_vfs(results: &mut Results, json: &str, asked: &[&str; 5]) -> Result<()> {
    let [name, netdev, count, mac, vlan] = asked;
    let seen: serde_json::Value = serde_json::from_str(json).context("ip printed no JSON")?;
    let empty = Vec::new();
    let vfs = seen[0]["vfinfo_list"].as_array().unwrap_or(&empty);
    if vfs.len().to_string() != *count {
        results
            .failures
            .push(format!("{name}: {} VFs instead of {count}", vfs.len()));
    }
    let base_vlan: usize = vlan.parse().context("a VLAN id")?;
    let (stem, last) = mac.rsplit_once(':').context("a MAC address")?;
    let base_mac = usize::from_str_radix(last, 16).context("a MAC address")?;
    for (index, vf) in vfs.iter().enumerate() {
        let seen_mac = vf["address"].as_str().unwrap_or("-");
        let seen_vlan = vf["vlan_list"][0]["vlan"].as_u64().or(vf["vlan"].as_u64());
        let seen_vlan = seen_vlan.map_or("-".to_owned(), |vlan| vlan.to_string());
        let right = seen_mac == format!("{stem}:{:02x}", base_mac + index)
            && seen_vlan == (base_vlan + index).to_string();
        if !right {
            results.failures.push(format!(
                "{name} VF {index} has {seen_mac} and VLAN {seen_vlan}"
            ));
        }
        let word = if right { "as asked" } else { "WRONG" };
        let cells = [
            *name,
            *netdev,
            &index.to_string(),
            seen_mac,
            &seen_vlan,
            word,
        ];
        results.vfs.push(cells.map(str::to_owned).to_vec());
    }
    Ok(())
}

/// Takes what zc_send says of its sends; a netdev that takes zero-copy must have taken all.
fn take_sends(results: &mut Results, path: &str, said: &str) -> Result<()> {
    let number = |key: &str| {
        let found = said
            .split_whitespace()
            .find_map(|word| word.strip_prefix(key));
        found
            .with_context(|| format!("zc_send says no {key}: {said:?}"))
            .map(str::to_owned)
    };
    let (bytes, zero_copied, copied) = (
        number("bytes=")?,
        number("zero_copied=")?,
        number("copied=")?,
    );
    let taken = if path == "UDP over dummy" {
        &zero_copied
    } else {
        &copied
    };
    if bytes == "0" || *taken != bytes {
        results.failures.push(format!("{path}: {said}"));
    }
    results.sends.push(vec![
        path.to_owned(),
        number("sends=")?,
        bytes,
        zero_copied,
        copied,
    ]);
    Ok(())
}

fn show(lab: &Lab, results: &Results) {
    let head = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let print = |title: &str, columns: &[&str], rows: &[Vec<String>]| {
        println!("\n{title}");
        ui::table(&[&[head(columns)], rows].concat());
    };
    println!("\nguest: Linux {}", lab.kernel.resolved.release);
    let title = format!("RoCE ping-pong, {ITERATIONS} x {SIZE} bytes, soft-RoCE");
    print(
        &title,
        &["pair", "usec/iteration", "payload"],
        &results.pingpongs,
    );
    println!("  -c on both sides: ours checks every byte of each message, C its pages at the end");
    let columns = ["device", "PF", "VF", "MAC", "VLAN", ""];
    print(
        "VFs, as `ip -json -d link` sees them",
        &columns,
        &results.vfs,
    );
    let columns = ["path", "sends", "bytes", "zero-copied", "copied"];
    print(
        "io_uring zero-copy sends, in bytes",
        &columns,
        &results.sends,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_mac_and_a_missing_vf_are_failures() {
        let json = r#"[{"vfinfo_list":[{"address":"02:00:00:00:10:00","vlan_list":[{"vlan":100}]},
                        {"address":"02:00:00:00:10:09","vlan_list":[{"vlan":101}]}]}]"#;
        let mut results = Results::default();
        take_vfs(
            &mut results,
            json,
            &["sim", "eth0", "3", "02:00:00:00:10:00", "100"],
        )
        .unwrap();
        assert_eq!(results.vfs[0][5], "as asked");
        assert_eq!(results.vfs[1][5], "WRONG");
        assert_eq!(results.failures.len(), 2);
    }
}
