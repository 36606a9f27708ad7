//! What a row of `structs.rs` says in C.

use super::InC;

/// How much of C's struct is here.
#[derive(Clone, Copy)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// Its beginning: newer libraries have longer ones.
    Begins,
    /// As it is since rdma-core 45; older ones are shorter.
    Since45,
    /// Its end: it grows at the start.
    Ends,
}

pub(super) struct Struct {
    pub(super) name: &'static str,
    pub(super) extent: Extent,
    pub(super) size: usize,
}

impl Struct {
    pub(super) fn line(&self, alignment: usize) -> String {
        let Struct { name, extent, size } = self;
        match extent {
            Extent::Whole => format!("WHOLE({name}, {size}, {alignment});"),
            Extent::Begins | Extent::Ends => format!("BEGINS({name}, {size});"),
            Extent::Since45 => since_45(&format!("BEGINS({name}, {size});")),
        }
    }

    /// Where a field is, how large, and of which type: that of what `_pick` gives.
    pub(super) fn field<S, F: InC>(
        &self,
        member: &str,
        last: Option<&str>,
        offset: usize,
        _pick: fn(&S) -> &F,
    ) -> Vec<String> {
        let Struct { name, extent, size } = self;
        let at = match extent {
            Extent::Whole | Extent::Begins | Extent::Since45 => offset.to_string(),
            Extent::Ends => format!("sizeof({name}) - {}", size - offset),
        };
        let size = size_of::<F>();
        let mut lines = match last {
            Some(last) => vec![format!("SPAN({name}, {member}, {last}, {at}, {size});")],
            None => {
                let mut lines = vec![format!("FIELD({name}, {member}, {at}, {size});")];
                lines.extend(F::check(name, member));
                lines
            }
        };
        if let Extent::Since45 = extent {
            lines.iter_mut().for_each(|line| *line = since_45(line));
        }
        lines
    }
}

/// A line that only headers from rdma-core 45 on are asked.
pub(super) fn since_45(line: &str) -> String {
    format!("SINCE_45({})", line.trim_end_matches(';')) + ";"
}

/// A row each: the Rust type, the name of C's, `begins` or `ends` if it is no more than that, and for
/// each field the member, or the first and the last of those that it keeps the place of.
///
/// A field that has no row does not compile.
macro_rules! structs {
    ($(
        $type:ident = $name:literal $($extent:ident)? {
            $($field:ident = $member:literal $(to $last:literal)?),* $(,)?
        }
    )+) => {
        $(
            impl InC for $type {
                fn name() -> String {
                    String::from($name)
                }
            }
        )+

        pub(super) fn lines() -> Vec<String> {
            let mut lines = Vec::new();
            $({
                const fn _is_whole(value: &$type) {
                    let $type { $($field: _),* } = value;
                }
                let of = Struct {
                    name: $name,
                    extent: extent!($($extent)?),
                    size: size_of::<$type>(),
                };
                lines.push(of.line(align_of::<$type>()));
                $(
                    let last: Option<&str> = None$(.or(Some($last)))?;
                    lines.extend(of.field($member, last, offset_of!($type, $field), |value: &$type| &value.$field));
                )*
            })+
            lines
        }

        pub(super) const NAMES: &[&str] = &[$(stringify!($type)),+];
    };
}

macro_rules! extent {
    () => {
        Extent::Whole
    };
    (begins) => {
        Extent::Begins
    };
    (since_45) => {
        Extent::Since45
    };
    (ends) => {
        Extent::Ends
    };
}

pub(super) use {extent, structs};
