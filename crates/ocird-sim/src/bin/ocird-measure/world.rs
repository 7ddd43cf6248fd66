//! The tenancies that are measured: so many repositories with so many single images each, and a clock that follows the real
//! one, which the released binary goes by.
//!
//! Nothing runs anywhere in them and nothing is to go; the world of the comparison is in [`crate::compare`].

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use ocird_sim::{Build, NewRepository, Settings, Tenancy};
use tokio::task::JoinHandle;

/// How often the tenancy's clock is set to the real one.
const TICK: Duration = Duration::from_millis(100);

/// Rows on a page of any list, at most: what the cloud allows.
/// <https://docs.oracle.com/en-us/iaas/api/#/en/registry/20160918/ContainerImageSummary/ListContainerImages>
pub(crate) const PAGE_SIZE: usize = 1000;

/// How large a tenancy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub(crate) struct Size {
    /// Repositories in the tenancy.
    #[arg(long, default_value_t = 4)]
    pub(crate) repositories: u32,
    /// Images in each repository.
    #[arg(long, default_value_t = 20)]
    pub(crate) images: u32,
}

impl Size {
    /// Pages that a look at everything must list: the repositories, the images of each, and the signatures, whose one page
    /// is empty.
    pub(crate) fn n_pages(self) -> u64 {
        pages(self.repositories) + u64::from(self.repositories) * pages(self.images) + 1
    }

    /// Of these, the most that can only be asked for one after the other: the repositories, then the images of one.
    pub(crate) fn longest_chain(self) -> u64 {
        pages(self.repositories) + pages(self.images)
    }

    /// Images in all.
    pub(crate) fn n_images(self) -> u64 {
        u64::from(self.repositories) * u64::from(self.images)
    }
}

/// Pages of a list; an empty one has a page, too.
fn pages(n_rows: u32) -> u64 {
    u64::from(n_rows).div_ceil(PAGE_SIZE as u64).max(1)
}

/// A tenancy of this size whose images bear a tag each and have just been pushed.
pub(crate) fn furnished(size: Size) -> anyhow::Result<Tenancy> {
    let settings = Settings { start: real_time(), page_size: PAGE_SIZE, ..Settings::default() };
    let tenancy = Tenancy::new(settings);
    for repository in 0..size.repositories {
        let name = format!("mgh-{repository}").parse()?;
        tenancy.create_repository(NewRepository::private(Clone::clone(&name), tenancy.compartment()))?;
        for image in 0..size.images {
            let build = Build::small(&format!("r{repository}-{image}")).single();
            tenancy.push(&name, &build, &[format!("v{image}").parse()?], "ci")?;
        }
    }
    Ok(tenancy)
}

/// Keeps a tenancy's clock in step with the real one until it is dropped.
#[derive(Debug)]
pub(crate) struct RealTime(JoinHandle<()>);

impl RealTime {
    /// Sets the clock now, and from now on.
    pub(crate) fn keep(tenancy: &Tenancy) -> Self {
        let tenancy = Clone::clone(tenancy);
        tenancy.clock().advance_to(real_time());
        Self(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(TICK);
            loop {
                ticks.tick().await;
                tenancy.clock().advance_to(real_time());
            }
        }))
    }
}

impl Drop for RealTime {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tenancy follows the clock that the released binary goes by"
)]
pub(crate) fn real_time() -> DateTime<Utc> {
    SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_counts_every_page_and_an_empty_list_has_one() {
        let of = |repositories, images| {
            let size = Size { repositories, images };
            (size.n_pages(), size.longest_chain())
        };
        assert_eq!(of(4, 20), (6, 2));
        assert_eq!(of(1, 100_000), (102, 101));
        assert_eq!(of(1, 1001), (4, 3));
        assert_eq!(of(2, 0), (4, 2));
        assert_eq!(of(1001, 1), (1004, 3));
    }
}
