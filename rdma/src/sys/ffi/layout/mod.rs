//! Whether what is written down in this folder is what `verbs.h` says: as a C program that does not
//! compile with headers of another mind. It is made from the very types and functions, and `cargo xtask
//! check` compiles it with the headers of the oldest and the newest rdma-core of Debian's releases.
//!
//! A new struct wants a row in `structs.rs`, a new constant one in `constants.rs`; one that has none
//! fails a test (`sources.rs`). A function is checked because it is in the list of `functions.rs`.

mod constants;
mod in_c;
mod row;
mod sources;
mod structs;

pub(in crate::sys) use in_c::InC;

/// The head of the program: what its lines are made of.
const HEAD: &str = r#"/* Written by `NETPRIMS_TABLE=overwrite cargo test -p netprims-rdma --lib layout`, from the types of `sys/ffi` and the
   list in `sys/functions.rs`. `cargo xtask check` compiles it with the headers of rdma-core. */
#include <infiniband/verbs.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define WHOLE(of, size, alignment) \
	_Static_assert(sizeof(of) == (size) && _Alignof(of) == (alignment), #of)
#define BEGINS(of, size) _Static_assert(sizeof(of) >= (size), #of)
#define FIELD(of, member, at, size) \
	_Static_assert(offsetof(of, member) == (at) && sizeof(((of *)0)->member) == (size), #of "." #member)
#define SPAN(of, first, last, at, size) \
	_Static_assert(offsetof(of, first) == (at) && \
		       offsetof(of, last) + sizeof(((of *)0)->last) == (at) + (size), #of "." #first)
#define SIGNED(of, member) _Static_assert((__typeof__(((of *)0)->member))-1 < 0, #of "." #member)
#define UNSIGNED(of, member) _Static_assert((__typeof__(((of *)0)->member))-1 > 0, #of "." #member)
#define TYPE(of, member, type) \
	_Static_assert(__builtin_types_compatible_p(__typeof__(((of *)0)->member), type), #of "." #member)
#define FUNCTION(name, type) \
	_Static_assert(__builtin_types_compatible_p(__typeof__(&name), type), #name)
#define CONSTANT(name, number) _Static_assert((name) == (number), #name)
#if RDMA_CORE >= 45
#define SINCE_45(line) line
#else
#define SINCE_45(line) _Static_assert(1, #line)
#endif
"#;

fn program() -> String {
    let mut lines = vec![String::from(HEAD)];
    lines.extend(structs::lines());
    lines.push(String::new());
    lines.extend(constants::lines());
    lines.push(String::new());
    let functions = super::super::functions::signatures();
    let newer = super::super::functions::newer_signatures();
    let functions = functions.into_iter().chain(newer);
    lines.extend(functions.map(|(name, version, signature)| {
        format!("FUNCTION({name}, {signature}); /* {version} */")
    }));
    lines.push(String::new());
    lines.join("\n")
}

/// The numbers are those of 64-bit Linux with glibc, x86-64.
#[test]
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
fn layout_and_signatures_are_what_the_c_program_says() {
    let program = program();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sys/ffi/layout/layout.c");
    if std::env::var_os("NETPRIMS_TABLE").is_some_and(|what| what == "overwrite") {
        std::fs::write(path, &program).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(
        kept == program,
        "layout.c is not what the types are; write it anew, as its head says, and look at the difference"
    );
}
