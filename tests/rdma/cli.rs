//! The command `netprims rdma`.

use std::thread;
use std::time::{Duration, Instant};

use lab_tests::{Lab, Rxe, gate};
use rstest::rstest;
use serde_json::Value;

use super::PATIENCE;
use super::program::{Program, Running};

fn netprims(lab: &Lab, words: &str) -> Program {
    Program::new(lab.program("netprims")).words(words)
}

/// A server, once it waits for clients.
fn server(lab: &Lab, rxe: &Rxe, words: &str) -> Running {
    let words = format!("rdma {words} --device {}", rxe.device());
    let mut server = netprims(lab, &words).start();
    server.says("waiting on TCP port");
    server
}

fn client(lab: &Lab, rxe: &Rxe, task: &str, words: &str) -> Running {
    let (device, address) = (rxe.device(), rxe.address());
    let words = format!("rdma {task} client {address} --device {device} {words}");
    netprims(lab, &words).start()
}

/// Waits until both sides have a queue pair that sends.
fn wait_until_connected(lab: &Lab) {
    let start = Instant::now();
    let of_programs = |line: &&str| line.contains("type RC") && line.contains("state RTS");
    while lab
        .sh("rdma resource show qp")
        .lines()
        .filter(of_programs)
        .count()
        < 2
    {
        assert!(start.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(20));
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn devices_are_listed_for_people_and_for_programs() {
    gate(|lab| {
        let rxe = lab.rxe();
        let said = netprims(lab, "rdma list").start().succeeds();
        let of_device: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("labrxe"))
            .collect();
        let [device, addresses @ ..] = &of_device[..] else {
            panic!("{said}")
        };
        assert!(device.contains("InfiniBand"), "{said}");
        let default = addresses.iter().find(|line| line.ends_with("default"));
        let default = default.expect(&said);
        let wanted = format!("::ffff:{}", rxe.address());
        assert!(
            default.contains(&wanted) && default.contains(rxe.netdev()),
            "{said}"
        );

        let said = json(&netprims(lab, "rdma list --json").start().succeeds());
        assert_eq!(
            (&said["schema"], &said["version"]),
            (&"netprims.rdma.list".into(), &1.into())
        );
        let devices = said["devices"].as_array().unwrap();
        let device = devices
            .iter()
            .find(|row| row["name"] == rxe.device())
            .unwrap();
        assert!(device["limits"]["max_qp"].as_u64().unwrap() > 0, "{device}");
        assert!(
            device["error"].is_null() && device["uverbs"].as_str().unwrap().starts_with("uverbs"),
            "{device}"
        );
        let port = &device["ports"][0];
        assert_eq!(
            (&port["port"], &port["active_mtu"]),
            (&1.into(), &1024.into())
        );
        assert_eq!(
            (&port["state"], &port["link_layer"]),
            (&"active".into(), &"Ethernet".into())
        );
        let gid = &port["gids"][1];
        assert_eq!((&gid["index"], &gid["gid"]), (&1.into(), &wanted.into()));
        assert_eq!(
            (&gid["netdev"], &gid["is_default"]),
            (&rxe.netdev().into(), &true.into())
        );
        assert_eq!(gid["type"], "RoCE v2");
    });
}

#[rstest]
#[case::polling("")]
#[case::sleeping("--events")]
fn round_trips_are_measured_on_each_type(#[case] manner: &str) {
    gate(|lab| {
        let rxe = lab.rxe();
        for kind in ["rc", "uc", "ud"] {
            let iters = lab.volume(60, 2000);
            let server = server(lab, &rxe, &format!("ping server {manner}"));
            let words =
                format!("--type {kind} --size 1000 --iters {iters} --check --json {manner}");
            let said = json(&client(lab, &rxe, "ping", &words).succeeds());
            assert_eq!(
                (&said["schema"], &said["version"]),
                (&"netprims.rdma.ping".into(), &1.into())
            );
            for (field, value) in [
                ("type", Value::from(kind)),
                ("size", 1000.into()),
                ("sent", iters.into()),
                ("received", iters.into()),
                ("round_trips", iters.into()),
                ("interrupted", false.into()),
            ] {
                assert_eq!(said[field], value, "{said}");
            }
            assert_eq!(said["checked"]["bytes"], 1000 * iters, "{said}");
            let times = &said["round_trip_usec"];
            let all =
                ["min", "p50", "p90", "p99", "p99_9", "max"].map(|at| times[at].as_f64().unwrap());
            assert!(all.is_sorted() && all[0] > 0.0, "{said}");
            let served = server.succeeds();
            assert!(
                served.contains(&format!("{iters} messages checked")),
                "{served}"
            );
        }
    });
}

#[test]
fn a_server_that_was_told_otherwise_refuses_and_both_sides_say_why() {
    gate(|lab| {
        let rxe = lab.rxe();
        let first = server(lab, &rxe, "ping server --type uc");
        let said = client(lab, &rxe, "ping", "--type ud").fails(1);
        assert!(
            said.contains("the other side: this server was told another --type"),
            "{said}"
        );
        first.fails(1);
        // A measurement of another kind.
        let second = server(lab, &rxe, "ping server");
        let said = client(lab, &rxe, "bw", "").fails(1);
        assert!(
            said.contains("the other side: this server measures ping, not bw"),
            "{said}"
        );
        second.fails(1);
    });
}

#[rstest]
#[case::one_way(false)]
#[case::both_ways(true)]
fn messages_are_moved_by_each_operation(#[case] both: bool) {
    gate(|lab| {
        let rxe = lab.rxe();
        for operation in ["write", "read", "send"] {
            let server = server(lab, &rxe, "bw server");
            let both_words = if both { "--both" } else { "" };
            let words =
                format!("--op {operation} --size 5000 --depth 8 --duration 1 --json {both_words}");
            let said = json(&client(lab, &rxe, "bw", &words).succeeds());
            assert_eq!(
                (&said["schema"], &said["version"]),
                (&"netprims.rdma.bw".into(), &1.into())
            );
            assert_eq!(
                (&said["operation"], &said["depth"]),
                (&operation.into(), &8.into())
            );
            for (side, moves) in [("own", true), ("theirs", both)] {
                let rate = &said[side];
                let messages = rate["messages"].as_u64().unwrap();
                assert_eq!(messages > 0, moves, "{said}");
                assert_eq!(rate["bytes"], messages * 5000, "{said}");
                assert_eq!(
                    rate["megabytes_per_second"].as_f64().unwrap() > 0.0,
                    moves,
                    "{said}"
                );
            }
            let served = server.succeeds();
            assert!(served.contains("MB/s"), "{served}");
            assert!(served.contains("by 10.77.0.1"), "{served}");
        }
    });
}

#[test]
fn interrupting_either_side_ends_both_and_what_was_measured_is_told() {
    gate(|lab| {
        let rxe = lab.rxe();
        let first = server(lab, &rxe, "bw server");
        let running = client(lab, &rxe, "bw", "--size 100 --depth 4 --duration 60");
        let start = Instant::now();
        wait_until_connected(lab);
        running.interrupt();
        let said = running.fails(130);
        assert!(
            said.contains("MB/s") && said.contains("interrupted"),
            "{said}"
        );
        first.succeeds();

        let second = server(lab, &rxe, "bw server");
        let running = client(lab, &rxe, "bw", "--size 100 --depth 4 --duration 60");
        wait_until_connected(lab);
        second.interrupt();
        second.fails(130);
        let said = running.fails(1);
        assert!(said.contains("the other side: interrupted"), "{said}");

        let waiting = server(lab, &rxe, "ping server");
        waiting.interrupt();
        waiting.fails(130);

        let third = server(lab, &rxe, "ping server --patience 3");
        let running = client(lab, &rxe, "ping", "--iters 10000000");
        wait_until_connected(lab);
        running.interrupt();
        let said = running.fails(130);
        assert!(said.contains("round trips of 64 bytes"), "{said}");
        third.fails(1);
        assert!(start.elapsed() < Duration::from_secs(60));
    });
}

#[test]
fn a_peer_that_is_killed_ends_the_measurement() {
    gate(|lab| {
        let rxe = lab.rxe();
        let mut first = server(lab, &rxe, "bw server");
        let words = "--op send --size 100 --depth 4 --duration 60 --patience 2";
        let running = client(lab, &rxe, "bw", words);
        wait_until_connected(lab);
        first.kill();
        let said = running.fails(1);
        assert!(said.contains("the other side has gone"), "{said}");
    });
}

/// What is wrong, how the command ends, and what it says.
const MISTAKES: [(&str, i32, &str); 12] = [
    (
        "bw client 127.0.0.1 --patience 1",
        1,
        "is `netprims rdma … server` running",
    ),
    (
        "ping client 127.0.0.1 --device nonesuch",
        1,
        "no RDMA device named nonesuch",
    ),
    ("ping client 127.0.0.1 --ib-port 9", 1, "of labrxe port 9"),
    (
        "ping client 127.0.0.1 --type ud --size 1025",
        1,
        "the MTU of port 1 is 1024",
    ),
    (
        "bw client 127.0.0.1 --size 8388608 --depth 4096",
        1,
        "use a smaller --depth",
    ),
    (
        "bw client 127.0.0.1 --size 4294967295 --depth 1",
        1,
        "can move in one message",
    ),
    (
        "bw client 127.0.0.1 --mtu 4096",
        1,
        "the MTU of port 1 is 1024",
    ),
    ("bw client 127.0.0.1 --depth 9000", 2, "1..=8192"),
    ("ping client 127.0.0.1 --size 0", 2, "--size"),
    (
        "ping client 127.0.0.1 --type xrc",
        2,
        "[possible values: rc, uc, ud]",
    ),
    (
        "bw client 127.0.0.1 --mtu 1500",
        2,
        "path MTU (256, 512, 1024, 2048 or 4096)",
    ),
    ("ping", 2, "client"),
];

#[test]
fn bad_input_is_refused_in_words() {
    gate(|lab| {
        let rxe = lab.rxe();
        for (words, code, text) in MISTAKES {
            // The guest has other devices, too.
            let device = match code == 1 && !words.contains("--device") {
                true => format!(" --device {}", rxe.device()),
                false => String::new(),
            };
            let said = netprims(lab, &format!("rdma {words}{device}"))
                .start()
                .fails(code);
            assert!(said.contains(text), "{words}: {said}");
        }
    });
}
