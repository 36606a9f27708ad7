//! How large the pages of memory are.

use std::fmt;
use std::fs;
use std::num::NonZeroUsize;

use crate::error::{Error, Result};
use crate::sys::{Errno, PageKind, Pages};

/// Huge pages, of which a device needs fewer entries of its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HugePage {
    /// Of 2 MiB.
    Size2M,
    /// Of 1 GiB. Not every processor has them.
    Size1G,
}

impl HugePage {
    /// Its size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        1 << self.bits()
    }

    const fn bits(self) -> u8 {
        match self {
            HugePage::Size2M => 21,
            HugePage::Size1G => 30,
        }
    }

    /// How many of them somebody could have now; `None` where the kernel has none of this size.
    fn available(self) -> Option<u64> {
        let folder = format!("{}/hugepages-{}kB", FOLDER, self.bytes() >> 10);
        let number = |name| {
            let text = fs::read_to_string(format!("{folder}/{name}")).ok()?;
            text.trim().parse::<u64>().ok()
        };
        Some(number("free_hugepages")?.saturating_sub(number("resv_hugepages")?))
    }
}

const FOLDER: &str = "/sys/kernel/mm/hugepages";

impl fmt::Display for HugePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HugePage::Size2M => "2 MiB",
            HugePage::Size1G => "1 GiB",
        })
    }
}

/// Which pages memory shall have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PagePlan {
    /// The system's own. The kernel may put huge ones in their place by itself.
    #[default]
    Normal,
    /// Huge ones of this size, or else of the smaller, or else the system's own; [`Pages::huge`] says which
    /// came of it.
    Prefer(HugePage),
    /// Huge ones of this size or none.
    Require(HugePage),
}

impl Pages {
    /// Maps `len` bytes, all zero. With huge pages it takes whole ones, of those the administrator has
    /// reserved.
    ///
    /// # Errors
    ///
    /// - [`Error::OutOfRange`]: no bytes.
    /// - [`Error::NoHugePages`]: too few of those required are left.
    /// - [`Error::Verb`]; ENOMEM: more than there is.
    #[doc(alias = "MAP_HUGETLB")]
    pub fn map(len: usize, plan: PagePlan) -> Result<Pages> {
        let len = NonZeroUsize::new(len).ok_or(Error::OutOfRange {
            what: "memory of",
            value: 0,
            rule: "1 byte or more",
        })?;
        let preferred: &[HugePage] = match plan {
            PagePlan::Normal => &[],
            PagePlan::Prefer(HugePage::Size1G) => &[HugePage::Size1G, HugePage::Size2M],
            PagePlan::Prefer(HugePage::Size2M) => &[HugePage::Size2M],
            PagePlan::Require(page) => {
                let pages = Pages::new(len, PageKind::Huge(page.bits()));
                return pages.map_err(|errno| no_huge_pages(len, page, errno));
            }
        };
        let huge = preferred
            .iter()
            .find_map(|page| Pages::new(len, PageKind::Huge(page.bits())).ok());
        match huge {
            Some(pages) => Ok(pages),
            None => Pages::new(len, PageKind::Normal).map_err(|errno| not_mapped(len, errno)),
        }
    }

    /// Which huge pages it has; `None`: the system's own.
    #[must_use]
    pub fn huge(&self) -> Option<HugePage> {
        let is_of = |page: &HugePage| self.kind() == PageKind::Huge(page.bits());
        [HugePage::Size2M, HugePage::Size1G].into_iter().find(is_of)
    }
}

pub(super) fn not_mapped(len: NonZeroUsize, errno: Errno) -> Error {
    Error::Verb {
        operation: "mmap",
        object: format!("of {len} bytes"),
        source: errno.into_io(),
        hint: String::new(),
    }
}

fn no_huge_pages(len: NonZeroUsize, page: HugePage, errno: Errno) -> Error {
    let bytes = u64::try_from(len.get()).unwrap_or(u64::MAX);
    Error::NoHugePages {
        wanted: bytes.div_ceil(page.bytes()),
        page,
        available: page.available(),
        source: errno.into_io(),
    }
}

/// What to do about huge pages that are not there.
pub(crate) fn advice(page: HugePage, wanted: u64, available: Option<u64>) -> String {
    let kb = page.bytes() >> 10;
    match available {
        Some(available) => format!(
            "{available} are to be had; reserve {} more by adding that to \
             {FOLDER}/hugepages-{kb}kB/nr_hugepages (sysctl vm.nr_hugepages, where that is the default \
             size), best right after boot",
            wanted.saturating_sub(available).max(1)
        ),
        None => String::from("this kernel or processor has none of that size"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_prefers_huge_pages_maps_without_them() {
        for page in [HugePage::Size2M, HugePage::Size1G] {
            let mut pages = Pages::map(5000, PagePlan::Prefer(page)).unwrap();
            assert_eq!(pages.len(), 5000);
            pages[4999] = 1;
            if page.available() == Some(0) && HugePage::Size2M.available() == Some(0) {
                assert_eq!(pages.huge(), None);
            }
        }
        assert!(Pages::map(0, PagePlan::Normal).is_err());
    }

    #[test]
    fn a_refusal_says_how_many_there_are_and_where_to_reserve_more() {
        let text = advice(HugePage::Size2M, 5, Some(2));
        assert!(
            text.contains("2 are to be had; reserve 3 more")
                && text.contains("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"),
            "{text}"
        );
        let error = no_huge_pages(
            NonZeroUsize::MAX,
            HugePage::Size1G,
            Errno::new(libc::ENOMEM),
        );
        let text = error.to_string();
        assert!(text.contains("17179869184 huge pages of 1 GiB"), "{text}");
    }
}
