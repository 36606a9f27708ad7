//! Sends, remote writes and reads of connected queue pairs, to the bytes.

use super::*;

/// Sends and remote writes, with and without immediate data, to the bytes.
fn connected_cells<T: Connected>(rxe: &Rxe, create: impl Fn(&Parts) -> Qp<T, Reset>) -> usize {
    let mut cells = 0;
    for manner in manners() {
        let (mut a, mut b) = sides(rxe, manner, &create);
        for (round, &len) in (1_u8..).zip(lens(manner)) {
            for opcode in [WcOpcode::Send, WcOpcode::RdmaWrite] {
                for imm in [None, Some(0x0102_0304)] {
                    let cell = (manner, len, opcode, imm);
                    one_connected(&mut a, &mut b, manner, len, opcode, imm, round ^ 0x40);
                    assert_eq!(a.qp.in_flight(Queue::Send), 0, "{cell:?}");
                    cells += 1;
                }
            }
        }
    }
    cells
}

fn one_connected<T: Connected>(
    a: &mut Side<T>,
    b: &mut Side<T>,
    manner: Manner,
    len: usize,
    opcode: WcOpcode,
    imm: Option<u32>,
    seed: u8,
) {
    let cell = (manner, len, opcode, imm);
    let there = b.exposed.remote().slice(0..len as u64).unwrap();
    let receives = opcode == WcOpcode::Send || imm.is_some();
    if receives {
        let bufs: BufList = (0..2).map(|_| b.memory.take().unwrap()).collect();
        b.post_recv(bufs, 7);
    }
    // The one behind it is an empty message.
    b.post_recv(b.memory.take().unwrap(), 8);
    let inline: Vec<u8> = pattern(seed).take(len).collect();
    let exposed = a.exposed.clone();
    exposed.copy_in(0, &inline).unwrap();
    let wr = match manner.local {
        LocalSide::Inline => match (opcode, imm) {
            (WcOpcode::Send, None) => Wr::send_inline(&inline),
            (WcOpcode::Send, Some(imm)) => Wr::send_inline_imm(&inline, imm),
            (_, None) => Wr::write_inline(&inline, there),
            // Bytes in the request and a word for the peer: there is no such constructor; as two.
            (_, Some(imm)) => {
                a.qp.post(Wr::write_inline(&inline, there).unsignalled(), 0)
                    .unwrap();
                Wr::write_imm(Bufs::None, there, imm)
            }
        },
        LocalSide::One => request(a.filled(len, seed).into(), opcode, imm, there),
        LocalSide::Several => request(cut(a, len, seed).into(), opcode, imm, there),
        LocalSide::Exposed => {
            let part = exposed.part(0..len).unwrap();
            match (opcode, imm) {
                (WcOpcode::Send, None) => Wr::send(part),
                (WcOpcode::Send, Some(imm)) => Wr::send_imm(part, imm),
                (_, None) => Wr::write(part, there),
                (_, Some(imm)) => Wr::write_imm(part, there, imm),
            }
        }
    };
    let before = usize::try_from(a.qp.in_flight(Queue::Send)).unwrap();
    post(a, manner, wr, Wr::send(Bufs::None));
    well(&a.wait(before + 2), cell);
    let received = b.wait(1 + usize::from(receives));
    well(&received, cell);
    if opcode == WcOpcode::RdmaWrite {
        let mut bytes = vec![0; len];
        b.exposed.copy_out(0, &mut bytes).unwrap();
        assert!(is_pattern(&bytes, seed), "{cell:?}");
    }
    if !receives {
        return;
    }
    let first = &received[0];
    assert_eq!((first.token, first.imm()), (7, imm), "{cell:?}");
    if opcode == WcOpcode::Send {
        let bytes: Vec<u8> = first
            .bufs
            .as_slice()
            .iter()
            .flat_map(|buf| buf.to_vec())
            .collect();
        assert_eq!(
            (first.opcode, bytes.len()),
            (WcOpcode::Recv, len),
            "{cell:?}"
        );
        assert!(is_pattern(&bytes, seed), "{cell:?}");
    } else {
        assert_eq!(first.opcode, WcOpcode::RecvRdmaWithImm, "{cell:?}");
    }
}

fn request<T: Connected>(
    bufs: Bufs,
    opcode: WcOpcode,
    imm: Option<u32>,
    there: RemoteSlice,
) -> Wr<'static, T> {
    match (opcode, imm) {
        (WcOpcode::Send, None) => Wr::send(bufs),
        (WcOpcode::Send, Some(imm)) => Wr::send_imm(bufs, imm),
        (_, None) => Wr::write(bufs, there),
        (_, Some(imm)) => Wr::write_imm(bufs, there, imm),
    }
}

#[test]
fn connected_queue_pairs_send_and_write_in_every_manner() {
    gate(|lab| {
        let rxe = lab.rxe();
        let cells = connected_cells(&rxe, reliable);
        println!("RC: {cells} cells");
        let cells = connected_cells(&rxe, unreliable);
        println!("UC: {cells} cells");
    });
}

#[test]
fn reliable_queue_pairs_read_in_every_manner() {
    gate(|lab| {
        let rxe = lab.rxe();
        let mut cells = 0;
        let manners = manners().into_iter();
        for manner in manners.filter(|manner| manner.local != LocalSide::Inline) {
            let (mut a, mut b) = sides(&rxe, manner, reliable);
            for (seed, &len) in (1_u8..).zip(lens(manner)) {
                let bytes: Vec<u8> = pattern(seed).take(len).collect();
                b.exposed.copy_in(0, &bytes).unwrap();
                let there = b.exposed.remote().slice(0..len as u64).unwrap();
                b.post_recv(b.memory.take().unwrap(), 8);
                let exposed = a.exposed.clone();
                let wr = match manner.local {
                    LocalSide::Several => Wr::read(cut(&a, len, 0xff), there),
                    LocalSide::Exposed => Wr::read(exposed.part(0..len).unwrap(), there),
                    LocalSide::One | LocalSide::Inline => Wr::read(a.filled(len, 0xff), there),
                };
                post(&mut a, manner, wr, Wr::send(Bufs::None).fenced());
                let done = a.wait(2);
                well(&done, (manner, len));
                well(&b.wait(1), (manner, len));
                let read: Vec<u8> = match manner.local {
                    LocalSide::Exposed => {
                        let mut read = vec![0; len];
                        exposed.copy_out(0, &mut read).unwrap();
                        read
                    }
                    _ => done[0]
                        .bufs
                        .as_slice()
                        .iter()
                        .flat_map(|buf| buf.to_vec())
                        .collect(),
                };
                assert!(
                    read.len() == len && is_pattern(&read, seed),
                    "{manner:?} {len}"
                );
                cells += 1;
            }
        }
        println!("READ: {cells} cells");
    });
}
