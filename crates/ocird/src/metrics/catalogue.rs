//! Every family of samples: its name, kind and meaning. What is not here is not exported.

/// A family of samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

/// Whether it only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

macro_rules! catalogue {
    ($($constant:ident $kind:ident $name:literal $help:literal)+) => {
        $(pub(super) const $constant: Family = Family { name: $name, kind: Kind::$kind, help: $help };)+

        /// Every family that is made at a scrape, and the server's own counter.
        pub(super) const ALL: &[Family] = &[$($constant),+];
    };
}

catalogue! {
    BUILD_INFO Gauge "ocird_build_info" "Always 1; what this binary is."
    INSTANCE_INFO Gauge "ocird_instance_info" "Always 1; the region it looks at, empty while unknown."

    ARMED Gauge "ocird_armed" "1 when it may delete what the rules select."
    MODE Gauge "ocird_mode" "1 for the present mode (report, armed, disarmed), 0 for the others."
    REFUSING Gauge "ocird_refusing" "1 while this cause keeps some or all deletions back."
    REFUSALS Counter "ocird_refusals_total" "Passes in which this cause kept some or all deletions back."
    BREAKER_TRIPPED Gauge "ocird_breaker_tripped" "1 while the circuit breaker stops every deletion until a reset."
    FROZEN Gauge "ocird_frozen" "1 while deletion is frozen until a reset, because something that ocird deleted was needed."
    UNEXPECTED_ANSWERS Gauge "ocird_unexpected_answers" "Unexpected answers in a row while acting; three trip the breaker."
    PROVED_BATCHES Gauge "ocird_proved_batches" "Batches of deletions proved clean since this store or a reset began; the ramp rests on them."
    REFUSED_FAMILIES Gauge "ocird_refused_families" "Families of a plan that is too large and waits for an approval; 0 when none does."
    APPROVED_FAMILIES Gauge "ocird_approved_families" "Families on the approved list; 0 when no approval stands."
    APPROVAL_ENDS Gauge "ocird_approval_end_timestamp_seconds" "When the approval ends, whatever of it is left; 0 when none stands."
    FINDINGS Gauge "ocird_findings" "Findings that stand, by kind and severity."
    CHECK_FAILED Gauge "ocird_check_failed" "1 while this part is known not to work."

    PASSES Counter "ocird_passes_total" "Passes begun."
    PASS_FAILURES Counter "ocird_pass_failures_total" "Passes that could not look at all, by where they failed."
    PASS_RUNNING Gauge "ocird_pass_running" "1 while a pass runs."
    LAST_PASS_START Gauge "ocird_last_pass_start_timestamp_seconds" "When the last ended pass began; 0 before the first."
    LAST_PASS_END Gauge "ocird_last_pass_end_timestamp_seconds" "When the last ended pass ended; 0 before the first."
    LAST_COMPLETE_PASS Gauge "ocird_last_complete_pass_timestamp_seconds" "When a pass last read every repository whole; 0 before the first."
    COMPLETE_PASS_DUE Gauge "ocird_complete_pass_due_timestamp_seconds" "When the third scheduled pass after the last complete one, or after the start, is due."
    LAST_PASS_DURATION Gauge "ocird_last_pass_duration_seconds" "How long the last ended pass took; 0 before the first."
    NEXT_OBSERVE Gauge "ocird_next_observe_timestamp_seconds" "When the next observing pass is due; 0 when none is."
    NEXT_ENFORCE Gauge "ocird_next_enforce_timestamp_seconds" "When the next acting pass is due; 0 when none is."

    REPOSITORIES Gauge "ocird_repositories" "Repositories in the last pass that saw any."
    UNREADABLE_REPOSITORIES Gauge "ocird_unreadable_repositories" "Repositories that the last pass could not read whole, by reason."
    IMAGES Gauge "ocird_images" "Images over all repositories, by verdict and its reason."
    SIZE Gauge "ocird_size_bytes" "ocird's own account of all repositories; absent while a layer is not known."
    BUDGET Gauge "ocird_budget_bytes" "Usage that is a problem, as configured; absent when nothing is."
    BUDGET_WARNING Gauge "ocird_budget_warning_bytes" "Usage that is warned of, as configured; absent when nothing is."
    REPORTED_SIZE Gauge "ocird_reported_size_bytes" "The service's own account of all repositories, which lags by hours."

    REPOSITORY_IMAGES Gauge "ocird_repository_images" "Images in the repository."
    REPOSITORY_TAGS Gauge "ocird_repository_tags" "Tags in the repository."
    REPOSITORY_SIZE Gauge "ocird_repository_size_bytes" "ocird's own account of the repository; absent while a layer is not known."
    REPOSITORY_REPORTED_SIZE Gauge "ocird_repository_reported_size_bytes" "The service's own account of the repository, which lags by hours."
    REPOSITORY_FREEABLE Gauge "ocird_repository_freeable_bytes" "What the images that may go would free; absent while a layer is not known."
    REPOSITORY_NEWEST_PUSH Gauge "ocird_repository_newest_push_timestamp_seconds" "The newest push; absent in an empty repository."
    REPOSITORY_COMPLETE Gauge "ocird_repository_complete_timestamp_seconds" "When the repository was last read whole; 0 when never."
    REPOSITORY_UNREADABLE Gauge "ocird_repository_unreadable" "1 when the last pass could not read the repository whole."
    DROPPED_SERIES Gauge "ocird_metrics_dropped_series" "Series left out because there are more repositories than the cap."

    PENDING_FAMILIES Gauge "ocird_pending_families" "Families that rules have selected and that have not gone yet."
    PROOFS_OPEN Gauge "ocird_proofs_open" "Proofs after deletions that are still to be made: an hour and a day later."
    PROOF_MADE Gauge "ocird_proof_made_timestamp_seconds" "When the last proof of this kind was made; 0 when none was."
    PROOF_MISSED Gauge "ocird_proof_missed" "1 when the last proof of this kind missed something that is needed."
    HOLDS Gauge "ocird_holds" "Holds in force, placed by hand or by a restore."
    OUTCOMES Counter "ocird_outcomes_total" "Deletions that were settled, by what came of them."
    POLICY_RELOADS Counter "ocird_policy_reloads_total" "Reloads of the policies, by result (ok, refused)."
    POLICIES_LOADED Gauge "ocird_policies_loaded_timestamp_seconds" "When the present policies were loaded; 0 when not known."

    IN_USE_WRITTEN Gauge "ocird_in_use_written_timestamp_seconds" "The time that the writer of this source put inside; 0 when there is none."
    IN_USE_REFERENCES Gauge "ocird_in_use_references" "References of this source into the registry."
    IN_USE_DOUBTFUL Gauge "ocird_in_use_doubtful" "1 while this source of what is in use cannot be believed."

    BACKUP_MADE Gauge "ocird_backup_made_timestamp_seconds" "When the newest copy of the store was made and proved; 0 when there is none."
    BACKUP_FAILED Gauge "ocird_backup_failed" "1 while the last copy of the store could not be made."
    STORE_UP Gauge "ocird_store_up" "1 while the store can be written."
    DISK_FREE Gauge "ocird_disk_free_bytes" "Room on the disk of the state directory at the last pass; absent when it is not known."
    DISK_FLOOR Gauge "ocird_disk_floor_bytes" "Room on the disk of the state directory under which nothing is deleted."
    OCI_REQUESTS Counter "ocird_oci_requests_total" "Calls to the cloud, by operation and code: ok, or the kind of failure."
    OCI_RETRIES Counter "ocird_oci_retries_total" "Calls to the cloud that were made again."
    OCI_THROTTLED Counter "ocird_oci_throttled_total" "Answers of the cloud that asked to slow down."
    OCI_CONCURRENCY_LIMIT Gauge "ocird_oci_concurrency_limit" "Calls to the cloud that may be under way at once; less while it asks to slow down."
    TOKEN_REFRESHES Counter "ocird_oci_token_refreshes_total" "Session tokens asked for."
    TOKEN_REFRESH_FAILURES Counter "ocird_oci_token_refresh_failures_total" "Session tokens asked for and not given."
    TOKEN_EXPIRY Gauge "ocird_oci_token_expiry_timestamp_seconds" "When the session token ends; absent when there is none."
    CLOCK_SKEW Gauge "ocird_clock_skew_seconds" "How far the cloud's clock is ahead of ours; absent before the first answer."

    HTTP_REQUESTS Counter "ocird_http_requests_total" "Requests answered, by path and code."

    PROCESS_CPU Counter "process_cpu_seconds_total" "User and system time, in seconds."
    PROCESS_START Gauge "process_start_time_seconds" "When the process started, in seconds since 1970."
    PROCESS_MEMORY Gauge "process_resident_memory_bytes" "Resident memory, in bytes."
    PROCESS_THREADS Gauge "process_threads" "Threads of the process."
    PROCESS_FDS Gauge "process_open_fds" "Open file descriptors."
    PROCESS_MAX_FDS Gauge "process_max_fds" "The most file descriptors that may be open."
}
