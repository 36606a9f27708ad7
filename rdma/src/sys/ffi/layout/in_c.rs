//! What a Rust type is called in C.

use std::ffi::{c_char, c_void};

/// A type that C has too.
pub(in crate::sys) trait InC {
    /// Its name in C, with which a pointer to it can be formed by appending `*`.
    fn name() -> String;

    /// The line that says that a member of a struct is of this type; `None` where its size says all
    /// that Rust does.
    fn check(of: &str, member: &str) -> Option<String> {
        Some(format!("TYPE({of}, {member}, {});", Self::name()))
    }
}

/// An enum in C may be of any integer type, and a 64-bit integer of two: of a field, only sign and size
/// are compared.
macro_rules! integers {
    ($($type:ty = $name:literal $sign:literal),+ $(,)?) => {$(
        impl InC for $type {
            fn name() -> String {
                String::from($name)
            }

            fn check(of: &str, member: &str) -> Option<String> {
                Some(format!("{}({of}, {member});", $sign))
            }
        }
    )+};
}

integers! {
    u8 = "uint8_t" "UNSIGNED",
    u16 = "uint16_t" "UNSIGNED",
    u32 = "unsigned int" "UNSIGNED",
    i32 = "int" "SIGNED",
    u64 = "uint64_t" "UNSIGNED",
    usize = "size_t" "UNSIGNED",
    isize = "ssize_t" "SIGNED",
}

impl InC for c_void {
    fn name() -> String {
        String::from("void")
    }
}

impl InC for libc::timespec {
    fn name() -> String {
        String::from("struct timespec")
    }
}

impl InC for libc::pthread_mutex_t {
    fn name() -> String {
        String::from("pthread_mutex_t")
    }
}

impl InC for libc::pthread_cond_t {
    fn name() -> String {
        String::from("pthread_cond_t")
    }
}

/// The type that a pointer to `T` is, or nothing for one that only keeps a place.
fn check_pointer(of: &str, member: &str, name: &str) -> Option<String> {
    (!name.ends_with("void *")).then(|| format!("TYPE({of}, {member}, {name});"))
}

impl<T: InC> InC for *mut T {
    fn name() -> String {
        format!("{} *", T::name())
    }

    fn check(of: &str, member: &str) -> Option<String> {
        check_pointer(of, member, &Self::name())
    }
}

impl<T: InC> InC for *const T {
    fn name() -> String {
        format!("const {} *", T::name())
    }

    fn check(of: &str, member: &str) -> Option<String> {
        check_pointer(of, member, &Self::name())
    }
}

impl<const LEN: usize> InC for [c_char; LEN] {
    fn name() -> String {
        format!("char[{LEN}]")
    }
}

/// Arrays that keep the place of something else.
macro_rules! places {
    ($($type:ty),+) => {$(
        impl<const LEN: usize> InC for [$type; LEN] {
            fn name() -> String {
                format!("char[{}]", size_of::<Self>())
            }

            fn check(_: &str, _: &str) -> Option<String> {
                None
            }
        }
    )+};
}

places!(u8, u64, *mut c_void);

/// What a function returns: nothing has no size, but a name.
pub(in crate::sys) trait Returned {
    fn returned() -> String;
}

impl Returned for () {
    fn returned() -> String {
        String::from("void")
    }
}

impl<T: InC> Returned for T {
    fn returned() -> String {
        T::name()
    }
}

macro_rules! functions {
    ($($($argument:ident)*;)+) => {$(
        impl<Result: Returned, $($argument: InC),*> InC for unsafe extern "C" fn($($argument),*) -> Result {
            fn name() -> String {
                let arguments: &[String] = &[$($argument::name()),*];
                let arguments = match arguments {
                    [] => String::from("void"),
                    some => some.join(", "),
                };
                format!("{} (*)({arguments})", Result::returned())
            }
        }
    )+};
}

functions! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}

impl<F: InC> InC for Option<F> {
    fn name() -> String {
        F::name()
    }
}

#[test]
fn a_function_pointer_is_written_as_in_c() {
    type Function = unsafe extern "C" fn(*mut i32, *const u32, usize) -> *mut c_void;
    assert_eq!(
        <Option<Function> as InC>::name(),
        "void * (*)(int *, const unsigned int *, size_t)"
    );
}
