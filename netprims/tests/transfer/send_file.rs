use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::net::UdpSocket;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixDatagram;

use netprims::Error;
use netprims::fd::{Epoll, MemFd};
use netprims::transfer::{Pipe, SendFile, SendFileTurn};
use nix::poll::PollFlags;
use rstest::rstest;

use crate::descriptors::balanced;
use crate::{connected, errno, pattern, slow_reader, wait_for};

/// A file without a name that holds the pattern.
fn file(len: usize) -> File {
    let mut file = File::from(std::os::fd::OwnedFd::from(MemFd::new("sent").unwrap()));
    file.write_all(&pattern(0, len)).unwrap();
    file
}

#[rstest]
#[case::whole(0, 3 << 20)]
#[case::part(12_345, 2_000_001)]
fn what_arrives_is_what_is_in_the_file(
    #[case] offset: usize,
    #[case] len: usize,
    #[values(true, false)] nonblocking: bool,
) {
    balanced(|| {
        let mut file = file(3 << 20);
        file.seek(SeekFrom::Start(77)).unwrap();
        let (near, far) = connected();
        near.set_nonblocking(nonblocking).unwrap();
        // Without blocking, nobody reads before the socket is full.
        let mut far = Some(far);
        let mut reader = None;
        let mut read = || far.take().map(slow_reader);
        if !nonblocking {
            reader = read();
        }
        let mut sending = SendFile::new(offset as u64, len as u64).unwrap();
        let mut moved = 0;
        loop {
            match sending.turn(&file, &near).unwrap() {
                SendFileTurn::Moved(count) => moved += count,
                SendFileTurn::WaitWrite => {
                    reader = reader.or_else(&mut read);
                    wait_for(&near, PollFlags::POLLOUT);
                }
                SendFileTurn::Done => break,
                SendFileTurn::FileEnded => panic!("after {moved} bytes"),
            }
            assert_eq!(sending.left(), (len - moved) as u64);
            assert_eq!(sending.offset(), (offset + moved) as u64);
        }
        assert_eq!((moved, sending.left()), (len, 0));
        assert_eq!(
            file.stream_position().unwrap(),
            77,
            "the file's own position"
        );
        drop(near);
        let came = reader.expect("it had to wait").join().unwrap();
        assert!(came == pattern(offset, len), "other bytes");
    });
}

/// A file of so many zeroes: the device that costs no memory, where the kernel sends from it (Linux 6.7).
fn zeroes(len: u64, null: &File) -> File {
    let device = File::open("/dev/zero").unwrap();
    if SendFile::new(0, 1).unwrap().turn(&device, null).is_ok() {
        return device;
    }
    let path = std::env::temp_dir().join(format!("netprims-sendfile-{}", std::process::id()));
    let mut options = File::options();
    let sparse = options
        .create_new(true)
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    sparse.set_len(len).unwrap();
    sparse
}

#[test]
fn more_than_one_call_moves_is_sent_to_the_byte() {
    balanced(|| {
        let len = (2 << 30) + 5_u64;
        let null = File::options().write(true).open("/dev/null").unwrap();
        let zeroes = zeroes(len, &null);
        let mut sending = SendFile::new(0, len).unwrap();
        let (mut turns, mut moved) = (0, 0);
        while let SendFileTurn::Moved(count) = sending.turn(&zeroes, &null).unwrap() {
            (turns, moved) = (turns + 1, moved + count as u64);
        }
        assert_eq!((moved, sending.left(), sending.offset()), (len, 0, len));
        assert!(turns > 1, "{turns}");
    });
}

#[test]
fn an_offset_beyond_32_bits_is_where_it_says() {
    balanced(|| {
        let file = File::from(std::os::fd::OwnedFd::from(MemFd::new("sparse").unwrap()));
        let offset = (5 << 30) + 3_u64;
        file.write_all_at(b"far out", offset).unwrap();
        let (near, far) = connected();
        let reader = slow_reader(far);
        let mut sending = SendFile::new(offset, 7).unwrap();
        assert_eq!(sending.turn(&file, &near).unwrap(), SendFileTurn::Moved(7));
        assert_eq!(sending.turn(&file, &near).unwrap(), SendFileTurn::Done);
        drop(near);
        assert_eq!(reader.join().unwrap(), b"far out");
    });
}

#[test]
fn a_file_that_is_cut_meanwhile_is_told_with_what_is_missing() {
    balanced(|| {
        let file = file(1 << 20);
        let (near, far) = connected();
        near.set_nonblocking(true).unwrap();
        let mut sending = SendFile::new(0, 64 << 20).unwrap();
        // As far as it goes with nobody reading; then the file is cut in the middle of what is left.
        while let SendFileTurn::Moved(_) = sending.turn(&file, &near).unwrap() {}
        let sent = sending.offset();
        let cut = sent + (file.metadata().unwrap().len() - sent) / 2;
        file.set_len(cut).unwrap();
        let reader = slow_reader(far);
        let end = loop {
            match sending.turn(&file, &near).unwrap() {
                SendFileTurn::Moved(_) => {}
                SendFileTurn::WaitWrite => wait_for(&near, PollFlags::POLLOUT),
                end => break end,
            }
        };
        assert_eq!(end, SendFileTurn::FileEnded);
        assert_eq!((sending.offset(), sending.left()), (cut, (64 << 20) - cut));
        drop(near);
        assert_eq!(reader.join().unwrap().len() as u64, cut);
    });
}

#[test]
fn nothing_to_send_asks_nobody() {
    balanced(|| {
        // Neither could be used.
        let epoll = Epoll::new().unwrap();
        let mut sending = SendFile::new(7, 0).unwrap();
        assert_eq!(sending.turn(&epoll, &epoll).unwrap(), SendFileTurn::Done);
    });
}

#[test]
fn a_peer_that_goes_is_an_error_and_what_was_sent_is_known() {
    balanced(|| {
        let file = file(1 << 20);
        let (near, far) = connected();
        let mut sending = SendFile::new(0, 1000).unwrap();
        assert_eq!(
            sending.turn(&file, &near).unwrap(),
            SendFileTurn::Moved(1000)
        );
        // Closed with bytes unread: reset.
        drop(far);
        let mut sending = SendFile::new(1000, 1 << 19).unwrap();
        let error = sending.turn(&file, &near).unwrap_err();
        assert!(matches!(error.raw_os_error(), Some(32 | 104)), "{error}");
        assert_eq!((sending.offset(), sending.left()), (1000, 1 << 19));
    });
}

#[test]
fn what_cannot_be_sent_from_or_to_is_an_error_that_names_both() {
    balanced(|| {
        let file = file(100);
        let (near, _far) = connected();
        let pipe = Pipe::new().unwrap();
        let [mut one, mut two, mut three] = [(); 3].map(|()| SendFile::new(0, 10).unwrap());
        assert_eq!(errno(one.turn(&pipe.reader(), &near)), Some(29), "ESPIPE");
        let error = two.turn(&near, &near).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(29), "ESPIPE");
        assert!(error.to_string().contains("that has offsets"), "{error}");
        let epoll = Epoll::new().unwrap();
        let error = three.turn(&file, &epoll).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("fd ") && text.contains(" to fd "), "{text}");
        assert_eq!([one.left(), two.left(), three.left()], [10; 3]);
    });
}

#[test]
fn messages_are_refused_before_one_is_made_of_a_file() {
    balanced(|| {
        let file = file(100_000);
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.connect(udp.local_addr().unwrap()).unwrap();
        let (unix, _peer) = UnixDatagram::pair().unwrap();
        let mut sending = SendFile::new(0, 100).unwrap();
        for error in [
            sending.turn(&file, &udp).unwrap_err(),
            sending.turn(&file, &unix).unwrap_err(),
        ] {
            assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
            assert!(error.to_string().contains("only streams"), "{error}");
        }
        udp.set_nonblocking(true).unwrap();
        assert_eq!(udp.recv(&mut [0; 9]).unwrap_err().raw_os_error(), Some(11));
        let (near, _far) = connected();
        let sent = sending.turn(&file, &near).unwrap();
        assert_eq!(sent, SendFileTurn::Moved(100), "nothing was sent before");
    });
}

#[test]
fn an_offset_that_no_file_reaches_is_an_error_that_says_so() {
    balanced(|| {
        // Of a file system whose files end at 2³¹−1: others have files as long as the kernel can count.
        let file = File::open("/proc/version").unwrap();
        let (near, _far) = connected();
        let mut sending = SendFile::new(1 << 40, 5).unwrap();
        let error = sending.turn(&file, &near).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(75), "EOVERFLOW");
        assert!(error.to_string().contains("longest file"), "{error}");
        assert_eq!(sending.left(), 5);
    });
}
