use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use rstest::rstest;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixStream};

/// One control message, padded.
fn message(len: usize, level: c_int, kind: c_int, payload: &[u8]) -> Vec<u8> {
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend(level.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(WORD), 0);
    bytes
}

fn list(fds: &[RawFd]) -> Vec<u8> {
    fds.iter().flat_map(|fd| fd.to_ne_bytes()).collect()
}

fn rights(fds: &[RawFd]) -> Vec<u8> {
    let payload = list(fds);
    let len = HEADER + payload.len();
    message(len, libc::SOL_SOCKET, libc::SCM_RIGHTS, &payload)
}

fn numbers(parsed: &Parsed, control: &[u8]) -> Vec<RawFd> {
    parsed.numbers(control).map(|(_, number)| number).collect()
}

#[rstest]
#[case::header_cut(&rights(&[3])[..HEADER - 1], &[], false)]
#[case::header_only(&rights(&[3])[..HEADER], &[], true)]
#[case::number_cut(&rights(&[3, 4])[..HEADER + 7], &[3], true)]
#[case::no_numbers(&rights(&[]), &[], false)]
#[case::shorter_than_its_header(&message(HEADER - 1, 1, 1, &list(&[3])), &[], true)]
#[case::of_no_length(&message(0, 1, 1, &list(&[3])), &[], true)]
#[case::of_all_length(&message(usize::MAX, 1, 1, &list(&[3, 4])), &[3, 4], true)]
#[case::not_whole_numbers(&message(HEADER + 6, 1, 1, &list(&[3, 4])), &[3], true)]
#[case::of_another_level(&message(HEADER + 4, 41, 1, &list(&[3, 0])), &[], false)]
#[case::credentials(&message(HEADER + 12, 1, 2, &[0; 16]), &[], false)]
#[case::a_process(&message(HEADER + 4, 1, 4, &list(&[9])), &[9], false)]
fn a_control_length_that_is_wrong_is_noticed(
    #[case] control: &[u8],
    #[case] want: &[RawFd],
    #[case] malformed: bool,
) {
    let parsed = parse(control);
    assert_eq!(numbers(&parsed, control), want);
    assert_eq!(parsed.malformed, malformed);
}

/// What a control buffer can hold, with the numbers in it.
fn plausible() -> impl Strategy<Value = (Vec<u8>, Vec<RawFd>)> {
    let other = vec(any::<u8>(), 0..40)
        .prop_map(|payload| (message(HEADER + payload.len(), 1, 2, &payload), vec![]));
    let process =
        (0..RawFd::MAX).prop_map(|fd| (message(HEADER + 4, 1, SCM_PIDFD, &list(&[fd])), vec![fd]));
    let some = vec(0..RawFd::MAX, 0..20).prop_map(|fds| (rights(&fds), fds));
    let one = prop_oneof![other, process, some];
    vec(one, 0..4).prop_map(|all| {
        let (bytes, fds): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        (bytes.concat(), fds.concat())
    })
}

proptest! {
    #[test]
    fn every_number_is_found((control, fds) in plausible()) {
        let parsed = parse(&control);
        prop_assert!(!parsed.malformed);
        prop_assert_eq!(numbers(&parsed, &control), fds);
    }

    #[test]
    fn a_buffer_cut_anywhere_has_the_first_of_them((control, fds) in plausible(), cut: u16) {
        let cut = usize::from(cut) % (control.len() + 1);
        let control = &control[..cut];
        let found = numbers(&parse(control), control);
        prop_assert!(fds.starts_with(&found));
    }

    #[test]
    fn what_is_found_lies_within_and_once(control in vec(prop_oneof![3 => 0..32u8, 1 => any::<u8>()], 0..200)) {
        let parsed = parse(&control);
        let mut end = 0;
        for (_, range) in &parsed.descriptors {
            prop_assert!(range.start >= end + HEADER && range.end <= control.len());
            prop_assert_eq!(range.len() % 4, 0);
            end = range.end;
        }
        prop_assert_eq!(parsed.numbers(&control).count(), parsed.count());
    }

    #[test]
    fn what_is_written_is_what_libc_measures(count in 1..=MOST) {
        let file = std::fs::File::open("/dev/null").unwrap();
        let fds = vec![file.as_fd(); count];
        let mut control = Control::new();
        let len = control.write_rights(&fds).unwrap();
        // SAFETY: arithmetic on a number.
        let want = unsafe { libc::CMSG_LEN(u32::try_from(count * 4).unwrap()) };
        prop_assert_eq!(len, usize::try_from(want).unwrap());
        let control = control.bytes(len);
        prop_assert_eq!(numbers(&parse(&control), &control), vec![file.as_raw_fd(); count]);
    }
}

/// A pair whose end of stream shows that no copy of the second is left, by any number, in this process.
fn witness() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

#[rstest]
fn no_room_for_control_messages_leaks_a_descriptor(#[values(0, 1, 2, 3, 16)] count: usize) {
    for room in 0..=HEADER + count * 4 + 2 * WORD {
        let (mut end, writer) = witness();
        let (near, far) = UnixStream::pair().unwrap();
        let fds = vec![writer.as_fd(); count];
        assert_eq!(send(near.as_fd(), b"x", &fds).unwrap(), 1);
        drop(writer);
        let arrival = receive_within(far.as_fd(), &mut [0; 1], room).unwrap();
        // Padding is room for one that was not asked for: it is owned like the rest.
        let fit = room.saturating_sub(HEADER) / 4;
        assert_eq!(arrival.fds.len(), fit.min(count), "room for {room} bytes");
        assert_eq!(arrival.control_cut, fit < count, "room for {room} bytes");
        assert!(!arrival.malformed && arrival.bytes == 1);
        drop((near, far, arrival));
        assert_eq!(end.read(&mut [0; 1]).unwrap(), 0, "room for {room} bytes");
    }
}

#[test]
fn data_cut_keeps_the_descriptors_owned() {
    for room in 0..=5 {
        let (mut end, writer) = witness();
        let (near, far) = UnixDatagram::pair().unwrap();
        send(near.as_fd(), b"data", &[writer.as_fd(); 3]).unwrap();
        drop(writer);
        let arrival = receive(far.as_fd(), &mut vec![0; room]).unwrap();
        let told = (arrival.fds.len(), arrival.data_cut, arrival.control_cut);
        assert_eq!(told, (3, room < 4, false));
        drop(arrival);
        assert_eq!(end.read(&mut [0; 1]).unwrap(), 0);
    }
}

/// How many descriptors of this program are processes.
fn processes() -> usize {
    let all = std::fs::read_dir("/proc/self/fd").unwrap();
    let links = all.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let is_process = |link: &std::path::PathBuf| link.to_string_lossy().contains("pidfd");
    links.filter(is_process).count()
}

#[test]
fn the_peers_process_is_closed_and_not_handed_on() {
    /// `SO_PASSPIDFD`, Linux 6.5.
    const PASS_PIDFD: c_int = 76;
    let (mut end, writer) = witness();
    let (near, far) = UnixStream::pair().unwrap();
    let on: c_int = 1;
    // SAFETY: the kernel reads an int from the fourth argument during the call, a live local.
    let result = unsafe {
        libc::setsockopt(
            far.as_raw_fd(),
            libc::SOL_SOCKET,
            PASS_PIDFD,
            (&raw const on).cast(),
            4,
        )
    };
    if result != 0 {
        let error = io::Error::last_os_error();
        assert_eq!(error.raw_os_error(), Some(libc::ENOPROTOOPT), "{error}");
        return;
    }
    send(near.as_fd(), b"x", &[writer.as_fd()]).unwrap();
    drop(writer);
    let arrival = receive(far.as_fd(), &mut [0; 1]).unwrap();
    assert_eq!(arrival.fds.len(), 1);
    assert!(!arrival.control_cut && !arrival.malformed);
    let target = format!("/proc/self/fd/{}", arrival.fds[0].as_raw_fd());
    let target = std::fs::read_link(target).unwrap();
    assert!(
        target.to_string_lossy().starts_with("socket:"),
        "{target:?}"
    );
    drop(arrival);
    assert_eq!(processes(), 0, "no other test of this program opens one");
    assert_eq!(end.read(&mut [0; 1]).unwrap(), 0);
}
