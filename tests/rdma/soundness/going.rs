//! Guards go in orders drawn by a fixed seed, while the device works and a peer goes on.

use super::*;
use std::any::Any;
use std::thread;
use std::time::Duration;

/// How many ways to go are played, of those drawn.
const REDUCED: u32 = 24;
const FULL: u32 = 600;

/// What a program holds, but for the memory: that is what is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    Qp,
    Cq,
    Exposed,
    Pd,
    Context,
    Buf,
}

const GUARDS: [Guard; 6] = [
    Guard::Qp,
    Guard::Cq,
    Guard::Exposed,
    Guard::Pd,
    Guard::Context,
    Guard::Buf,
];

/// Posts work at the first side; the second one is its peer.
type Post = fn(&mut Side, &Side);

/// What is in flight.
const WORKS: [(&str, Post); 8] = [
    ("receives", |a, _| {
        for token in 0..4 {
            a.qp.post_recv(a.filled(1), token).unwrap();
        }
    }),
    ("receives of lists", |a, _| {
        for token in 0..2 {
            let list = BufList::from_iter([a.filled(1), a.filled(2)]);
            a.qp.post_recv(list, token).unwrap();
        }
    }),
    ("sends that nobody takes", |a, _| {
        for token in 0..4 {
            a.qp.post_send(a.filled(3), token).unwrap();
        }
    }),
    ("reads", |a, b| {
        for token in 0..4 {
            let there = b.exposed.remote();
            a.qp.post(Wr::read(a.filled(4), there), token).unwrap();
        }
    }),
    ("writes, of which one asks for a completion", |a, b| {
        for token in 0..4 {
            let wr = Wr::write(a.filled(5), b.exposed.remote());
            let wr = if token < 3 { wr.unsignalled() } else { wr };
            a.qp.post(wr, token).unwrap();
        }
    }),
    ("reads into exposed memory", |a, b| {
        let part = a.exposed.part(0..256).unwrap();
        a.qp.post(Wr::read(part, b.exposed.remote()), 1).unwrap();
    }),
    ("atomics", |a, b| {
        for token in 0..4 {
            let mut old = a.filled(6);
            old.set_len(8);
            let there = b.exposed.remote().word(0).unwrap();
            a.qp.post(Wr::fetch_add(old, there, 1), token).unwrap();
        }
    }),
    ("a batch, and receives", |a, b| {
        a.qp.post_recv(a.filled(1), 9).unwrap();
        let there = b.exposed.remote();
        let (first, second) = (a.filled(7), a.filled(8));
        let mut batch = a.qp.batch();
        batch
            .push(Wr::write(first, there).unsignalled(), 1)
            .unwrap();
        batch.push(Wr::read(second, there), 2).unwrap();
        batch.post().unwrap();
    }),
];

/// Numbers that look drawn, and are the same every time.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

#[test]
fn whoever_goes_while_the_device_works_its_memory_is_its_own() {
    gate(|lab| {
        let rxe = lab.rxe();
        let mut drawn = Drawn(0x9e37_79b9_7f4a_7c15);
        let cells = lab.volume(REDUCED, FULL);
        for cell in 0..cells {
            let (name, post) = WORKS[usize::try_from(cell).unwrap() % WORKS.len()];
            let mut order = GUARDS;
            for at in (1..order.len()).rev() {
                order.swap(at, drawn.below(at + 1));
            }
            // One in three keeps a guard as if it were forgotten.
            let kept = (drawn.below(3) == 0).then(|| GUARDS[drawn.below(GUARDS.len())]);
            let pause = Duration::from_millis([0, 0, 2, 20][drawn.below(4)]);
            play(&rxe, post, &order, kept, pause)
                .unwrap_or_else(|wrong| panic!("{cell}: {name}, {order:?}, {kept:?}: {wrong}"));
        }
        println!("{cells} cells");
    });
}

fn play(
    rxe: &Rxe,
    post: Post,
    order: &[Guard],
    kept: Option<Guard>,
    pause: Duration,
) -> Result<(), String> {
    let (mut a, mut b) = sides(rxe);
    let key = a.exposed.remote();
    let watched = Watched::new(&a.memory);
    let held = a.filled(0x33);
    let held_at = held.as_ptr().addr() as u64;
    post(&mut a, &b);
    let mut peer = Peer { key, is_well: true };
    let Side {
        context,
        pd,
        cq,
        // It stays, to be looked at.
        memory: local,
        exposed,
        qp,
    } = a;
    let mut guards: Vec<(Guard, Box<dyn Any>)> = vec![
        (Guard::Qp, Box::new(qp)),
        (Guard::Cq, Box::new(cq)),
        (Guard::Exposed, Box::new(exposed)),
        (Guard::Pd, Box::new(pd)),
        (Guard::Context, Box::new(context)),
        (Guard::Buf, Box::new(held)),
    ];
    let mut forgotten = Vec::new();
    for guard in order {
        peer.goes_on(&mut b);
        thread::sleep(pause);
        let free = watched.overwrite_free(&local);
        let index = guards.iter().position(|(other, _)| other == guard);
        let (_, going) = guards.remove(index.unwrap());
        if kept == Some(*guard) {
            forgotten.push(going);
        } else {
            drop(going);
        }
        let changed = watched.changed(&free);
        if !changed.is_empty() {
            return Err(format!("after {guard:?}, of {free:x?}: {changed:x?}"));
        }
        // What has come back by that as well.
        let more = watched.overwrite_free(&local);
        peer.goes_on(&mut b);
        thread::sleep(pause);
        let changed = watched.changed(&more);
        if !changed.is_empty() {
            return Err(format!("late after {guard:?}, of {more:x?}: {changed:x?}"));
        }
        for (_, guard) in &guards {
            if let Some(held) = guard.downcast_ref::<Buf>() {
                let is_same = held.iter().all(|byte| *byte == 0x33);
                if !is_same {
                    return Err(format!("the buffer at {held_at:x} was written to"));
                }
            }
        }
    }
    drop(forgotten);
    let free = watched.overwrite_free(&local);
    if free.len() != 16 {
        return Err(format!("{} slots came back", free.len()));
    }
    Ok(())
}

/// Who talks to a side that goes away.
struct Peer {
    key: RemoteSlice,
    is_well: bool,
}

impl Peer {
    /// Sends, and writes by the key it knows, until something is refused.
    fn goes_on(&mut self, b: &mut Side) {
        for mut completion in b.cq.poll().unwrap() {
            while let Ok(Some(done)) = b.qp.complete(&mut completion) {
                self.is_well &= done.status == WcStatus::Success;
            }
        }
        if !self.is_well || b.qp.in_flight(Queue::Send) > 4 {
            return;
        }
        let (message, bytes) = (b.memory.take(), b.memory.take());
        if let (Some(message), Some(mut bytes)) = (message, bytes) {
            bytes.fill(0x5a);
            let _ = b.qp.post(Wr::write(bytes, self.key), 1);
            let _ = b.qp.post_send(message, 2);
        }
    }
}
