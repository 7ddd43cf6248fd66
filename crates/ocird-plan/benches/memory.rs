//! What planning takes in memory: the peak of a process that holds the inventory and plans, for one repository of
//! growing size. Linux only, where the kernel keeps the peak.

mod world;

use std::fs;

use ocird_plan::{check, plan};

use self::world::{World, now, world};

/// The peak of this process in KiB; `None` where there is no such file.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[expect(clippy::print_stdout, reason = "a bench tells its figures")]
fn main() {
    println!("{:>9}  {:>13}  {:>13}", "images", "inventory", "and planned");
    for n_images in [1_000, 10_000, 100_000] {
        let World { inventory, policies, in_use } = world(1, n_images, None);
        let held = peak_kib().unwrap_or_default();
        let plan = plan(&inventory, &policies, &in_use, now());
        let checked = check(plan, &inventory, &policies, &in_use, now()).expect("the plan is right");
        let planned = peak_kib().unwrap_or_default();
        println!("{n_images:>9}  {held:>9} KiB  {planned:>9} KiB");
        drop((inventory, checked));
    }
}
