use crate::*;

#[test]
fn is_a_file_with_a_length() {
    balanced(|| {
        let memory = MemFd::new("").unwrap();
        assert!(memory.is_empty().unwrap());
        memory.set_len(5).unwrap();
        let mut file = File::from(memory);
        file.write_all(b"he").unwrap();
        file.rewind().unwrap();
        let mut text = Vec::new();
        file.read_to_end(&mut text).unwrap();
        assert_eq!(text, b"he\0\0\0");
        let memory = MemFd::from(file);
        assert_eq!(memory.len().unwrap(), 5);
        assert!(is_invalid(memory.set_len(1 << 63)));
        assert_eq!(errno(memory.set_len((1 << 63) - 1)), None);
    });
}

#[test]
fn a_seal_holds() {
    balanced(|| {
        let memory = MemFdOptions::new("sealed").sealable(true).open().unwrap();
        assert_eq!(memory.seals().unwrap(), Seals::NONE);
        memory.set_len(4096).unwrap();
        memory.seal(Seals::SHRINK).unwrap();
        assert_eq!(errno(memory.set_len(0)), Some(1), "EPERM");
        memory.set_len(8192).unwrap();
        memory.seal(Seals::GROW.and(Seals::FUTURE_WRITE)).unwrap();
        assert_eq!(errno(memory.set_len(9000)), Some(1));
        memory.seal(Seals::SEAL).unwrap();
        assert_eq!(errno(memory.seal(Seals::WRITE)), Some(1));
        let seals = memory.seals().unwrap();
        assert!(seals.contains(Seals::SHRINK.and(Seals::SEAL)));
        assert!(!seals.contains(Seals::WRITE));
    });
}

#[test]
fn takes_no_seals_unless_asked() {
    balanced(|| {
        let memory = MemFd::new("unsealed").unwrap();
        assert_eq!(memory.seals().unwrap(), Seals::SEAL);
        assert_eq!(errno(memory.seal(Seals::SHRINK)), Some(1));
    });
}

#[test]
fn a_name_the_kernel_cannot_take_is_refused() {
    balanced(|| {
        assert!(is_invalid(MemFd::new(&"x".repeat(250))));
        assert!(is_invalid(MemFd::new("a\0b")));
        MemFd::new(&"x".repeat(249)).unwrap().close().unwrap();
    });
}
