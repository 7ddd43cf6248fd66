//! No core dump: a dying process must not leave its keys and tokens in a file. The unit says the same (`LimitCORE=0`);
//! this is for whoever runs the program without it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Forbids core dumps for this process and everything that it starts, for good.
pub(crate) fn forbid() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // Lowering one's own limits is allowed to everybody. Where a sandbox refuses even that, it has set them: the unit's
    // filter of system calls may, and its LimitCORE holds already.
    if setrlimit(Resource::Core, none).is_err() && getrlimit(Resource::Core).current != Some(0) {
        crate::cli::say("ocird: core dumps could not be switched off", crate::cli::Exit::Ok);
    }
}
