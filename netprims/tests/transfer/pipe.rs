use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use netprims::Error;
use netprims::fd::Epoll;
use netprims::sysctl::Sysctl;
use netprims::transfer::Pipe;
use rstest::rstest;

use crate::again::without_privilege;
use crate::descriptors::{balanced, is_close_on_exec};
use crate::{connected, errno, pattern};

const EAGAIN: Option<i32> = Some(11);
const EINVAL: Option<i32> = Some(22);

#[rstest]
#[case(1, 4096)]
#[case(4097, 8192)]
#[case(100_000, 131_072)]
fn its_capacity_is_what_the_kernel_made_of_it(#[case] asked: usize, #[case] want: usize) {
    balanced(|| {
        let pipe = Pipe::with_capacity(asked).unwrap();
        assert_eq!(pipe.capacity(), want);
        (&File::from(pipe.writer().try_clone_to_owned().unwrap()))
            .write_all(&vec![0; want])
            .unwrap();
        let mut writer = File::from(pipe.writer().try_clone_to_owned().unwrap());
        assert_eq!(
            writer.write(&[0]).unwrap_err().raw_os_error(),
            EAGAIN,
            "it is full"
        );
    });
}

#[test]
fn its_ends_are_close_on_exec_and_closed_with_it() {
    balanced(|| {
        let pipe = Pipe::new().unwrap();
        assert!(is_close_on_exec(&pipe.reader()) && is_close_on_exec(&pipe.writer()));
        assert!(pipe.capacity() >= 4096);
        let numbers = (pipe.reader().as_raw_fd(), pipe.writer().as_raw_fd());
        let (reader, writer) = pipe.into_ends();
        assert_eq!((reader.as_raw_fd(), writer.as_raw_fd()), numbers);
    });
}

#[rstest]
#[case(0)]
#[case((1 << 30) + 1)]
#[case(1 << 31)]
#[case(usize::MAX)]
fn a_capacity_no_pipe_has_is_refused(#[case] bytes: usize) {
    balanced(|| {
        let error = Pipe::with_capacity(bytes).unwrap_err();
        assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
        assert!(error.to_string().contains(&bytes.to_string()), "{error}");
    });
}

#[test]
fn past_the_limit_is_an_error_that_names_it() {
    let name = "pipe::past_the_limit_is_an_error_that_names_it";
    balanced(|| {
        without_privilege(name, || {
            let limit = Sysctl::new("fs.pipe-max-size").read().unwrap().unwrap();
            let limit: usize = limit.parse().unwrap();
            assert_eq!(Pipe::with_capacity(limit).unwrap().capacity(), limit);
            let error = Pipe::with_capacity(limit + 1).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(1), "{error}");
            let text = error.to_string();
            assert!(
                text.contains("fs.pipe-max-size") && text.contains("CAP_SYS_RESOURCE"),
                "{text}"
            );
        });
    });
}

#[test]
fn what_goes_in_comes_out_and_a_copy_stays() {
    balanced(|| {
        let (mut near, far) = connected();
        let bytes = pattern(0, 3000);
        near.write_all(&bytes).unwrap();
        let [pipe, other] = [(); 2].map(|()| Pipe::new().unwrap());
        let mut filled = 0;
        while filled < 3000 {
            filled += pipe.fill(&far, 3000 - filled).unwrap();
        }
        assert_eq!(pipe.copy(&other, 1 << 20).unwrap(), 3000);
        assert_eq!(pipe.drain(&far, 1000).unwrap(), 1000);
        assert_eq!(pipe.drain(&far, 5000).unwrap(), 2000);
        let mut back = vec![0; 3000];
        near.read_exact(&mut back).unwrap();
        assert!(back == bytes, "other bytes");
        let mut copy = vec![0; 5000];
        let len = other.read(&mut copy).unwrap();
        assert!(copy[..len] == bytes, "other bytes in the copy");
        assert_eq!(errno(other.read(&mut copy)), EAGAIN);
    });
}

#[test]
fn what_would_wait_is_again_and_zero_is_nothing() {
    balanced(|| {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let [pipe, other] = [(); 2].map(|()| Pipe::new().unwrap());
        assert_eq!(errno(pipe.fill(&near, 100)), EAGAIN, "nothing came");
        assert_eq!(errno(pipe.drain(&near, 100)), EAGAIN, "nothing is in it");
        assert_eq!(errno(pipe.copy(&other, 100)), EAGAIN);
        assert_eq!(pipe.fill(&near, 0).unwrap(), 0);
        assert_eq!(pipe.drain(&near, 0).unwrap(), 0);
        assert_eq!(pipe.copy(&other, 0).unwrap(), 0);
        drop(far);
        assert_eq!(pipe.fill(&near, 100).unwrap(), 0, "the end of the stream");
    });
}

#[test]
fn what_cannot_be_spliced_is_an_error_that_says_what_can() {
    balanced(|| {
        let pipe = Pipe::new().unwrap();
        (&File::from(pipe.writer().try_clone_to_owned().unwrap()))
            .write_all(b"held")
            .unwrap();
        let epoll = Epoll::new().unwrap();
        for error in [
            pipe.fill(&epoll, 1).unwrap_err(),
            pipe.drain(&epoll, 1).unwrap_err(),
            pipe.fill(&pipe.reader(), 1).unwrap_err(),
            pipe.drain(&pipe.writer(), 1).unwrap_err(),
        ] {
            assert_eq!(error.raw_os_error(), EINVAL, "{error}");
            assert!(error.to_string().contains("stream socket"), "{error}");
        }
        assert_eq!(errno(pipe.copy(&pipe, 1)), EINVAL);
        let read_only = File::open("/dev/null").unwrap();
        assert_eq!(errno(pipe.drain(&read_only, 1)), Some(9));
        let mut held = [0; 4];
        assert_eq!(pipe.read(&mut held).unwrap(), 4, "nothing was moved");
        assert_eq!(&held, b"held");
    });
}
