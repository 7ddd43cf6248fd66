//! `ocird credential`, also called as `docker-credential-ocir`: a container engine's command line asks for the login of
//! a registry and gets a token of an hour, so that no password of a registry is stored anywhere.
//!
//! The way of a request: `protocol` reads it, `host` says whether the server is a registry of ours, `cache` may have a
//! token still, and only then is there a runtime, a client and a sign-in. What is usual is over in milliseconds.
//!
//! `pull_secret` makes the same token into pull secrets for Kubernetes, and keeps those fresh.
//!
//! Of the configuration it reads how to reach the cloud and nothing else, and it works without any. It opens no store,
//! asks no daemon, and never says that a registry of ours has no credentials: a client takes that for leave to try
//! without, and fails with a riddle.

mod cache;
mod host;
mod protocol;
pub(crate) mod pull_secret;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use ocird_model::{Clock, ErrorChain};
use ocird_oci::RegistryLogin;
use secrecy::{ExposeSecret as _, SecretString};

use self::cache::{Cache, CacheError, Remembered, SignInRight, Slot};
use self::host::RegistryHost;
use self::protocol::Refusal;
pub(crate) use self::protocol::{PROGRAM, Verb, usage};
use crate::cli::{DEFAULT_CONFIG, Exit, deliver, say};
use crate::clock::SystemClock;
use crate::cloud;
use crate::config::{self, AuthConfig, OciConfig, Problems, ProfileConfig};

/// The most bytes of standard input that are read. What is longer is no credential and no server.
const MAX_INPUT: u64 = 64 * 1024;

/// How long a sign-in may take when nothing can stand in for it.
const PATIENCE: Duration = Duration::from_secs(45);

/// How long it may take while an older token is still good: a pull should not wait for what it does not need.
const PATIENCE_WITH_OLD: Duration = Duration::from_secs(5);

/// How long another run's sign-in is waited for: as long as it may take, and a little.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(50);

/// Answers one verb of the protocol: its answer or the reason on standard output, explanations on standard error.
pub(crate) fn answer(verb: Verb, config: Option<&Path>) -> ExitCode {
    ended(match verb {
        Verb::Get => get(config),
        Verb::Store => store(),
        Verb::Erase => erase(config),
        Verb::List => list(config),
        Verb::Version => Ok(protocol::version()),
    })
}

/// Prints the password of a registry, the region's own unless one is named, for `docker login --password-stdin`.
pub(crate) fn login(host: Option<&str>, config: Option<&Path>) -> ExitCode {
    let logged_in = reach(config).and_then(|config| {
        let helper = Helper::new(config);
        let host = match host {
            Some(asked) => helper.host(asked)?,
            None => helper.default_host()?,
        };
        let password = helper.password(&host)?;
        let hint = format!("login -u {} --password-stdin {}", RegistryLogin::USER, host.name);
        say(&format!("For: docker {hint}"), Exit::Ok);
        Ok(format!("{}\n", password.expose_secret()))
    });
    match logged_in {
        Ok(password) => deliver(&password),
        // Here standard output is somebody's password file: it gets a password or nothing.
        Err(Refusal { reason, explanation }) => {
            let what = explanation.unwrap_or_else(|| reason.to_string());
            say(&format!("ocird: {what}"), Exit::Failed)
        }
    }
}

fn ended(answer: Result<String, Refusal>) -> ExitCode {
    match answer {
        Ok(text) => deliver(&text),
        Err(Refusal { reason, explanation }) => {
            if let Some(explanation) = explanation {
                say(&format!("{PROGRAM}: {explanation}"), Exit::Failed);
            }
            deliver(&format!("{reason}\n"));
            Exit::Failed.into()
        }
    }
}

fn get(config: Option<&Path>) -> Result<String, Refusal> {
    let input = input()?;
    let server = protocol::server(&input)?;
    let helper = Helper::new(reach(config)?);
    let host = helper.host(server)?;
    Ok(protocol::credential(server, &helper.password(&host)?))
}

/// There is nothing to store: a token is got when it is needed.
fn store() -> Result<String, Refusal> {
    protocol::check_stored(&input()?)?;
    if config::ignores_stored_credentials() {
        return Ok(String::new());
    }
    Err(Refusal::failed(
        "ocird stores no credentials",
        "it gets a token when one is needed, so no login is; OCIRD_IGNORE_CREDS_STORAGE=true makes `store` do nothing",
    ))
}

fn erase(config: Option<&Path>) -> Result<String, Refusal> {
    let input = input()?;
    let server = protocol::server(&input)?;
    let helper = Helper::new(reach(config)?);
    let host = helper.host(server)?;
    if let Some(slot) = helper.slot(&host) {
        slot.forget().map_err(|error| cache_failed(&error))?;
    }
    Ok(String::new())
}

/// What is remembered. Nobody is signed in for it: a list of servers needs no token.
fn list(config: Option<&Path>) -> Result<String, Refusal> {
    let helper = Helper::new(reach(config)?);
    let hosts = match &helper.cache {
        Some(cache) => cache.hosts(&helper.identity(), helper.clock.now()),
        None => Ok(Vec::new()),
    };
    let hosts = hosts.map_err(|error| cache_failed(&error))?;
    Ok(protocol::servers(hosts.iter().map(String::as_str)))
}

fn input() -> Result<Vec<u8>, Refusal> {
    let mut input = Vec::new();
    io::stdin()
        .lock()
        .take(MAX_INPUT)
        .read_to_end(&mut input)
        .map_err(|error| Refusal::failed("standard input cannot be read", error.to_string()))?;
    Ok(input)
}

fn cache_failed(error: &CacheError) -> Refusal {
    Refusal::failed("the cache cannot be used", ErrorChain(error).to_string())
}

fn reach(named: Option<&Path>) -> Result<OciConfig, Refusal> {
    load_reach(named)
        .map_err(|problems| Refusal::failed("the configuration of ocird is wrong", problems.to_string()))
}

/// How the cloud is reached, by the file that was named. The usual file may be missing, and may be closed to who pulls an
/// image; then it is the instance principal. A file that is there to be read and wrong is an error.
pub(crate) fn load_reach(named: Option<&Path>) -> Result<OciConfig, Problems> {
    let usual = Path::new(DEFAULT_CONFIG);
    let file: Option<PathBuf> = match named.map(Path::to_owned).or_else(config::config_file) {
        Some(named) => Some(named),
        None => File::open(usual).is_ok().then(|| usual.to_owned()),
    };
    config::load_reach(file.as_deref())
}

/// Everything one request needs.
struct Helper {
    config: OciConfig,
    cache: Option<Cache>,
    clock: SystemClock,
}

impl Helper {
    /// A cache that cannot be used is said and done without.
    fn new(config: OciConfig) -> Self {
        let opened = config::credential_cache().map(|directory| Cache::open(&directory)).transpose();
        let cache = opened.unwrap_or_else(|error| {
            warn(&error);
            None
        });
        Self { config, cache, clock: SystemClock::new() }
    }

    fn host(&self, server: &str) -> Result<RegistryHost, Refusal> {
        RegistryHost::find(server, &self.config).ok_or_else(|| {
            let shown = crate::plain::plain(server, 100);
            Refusal::not_found(format!(
                "{shown} is no host of Oracle's registry, nor the one of [oci.endpoints] registry"
            ))
        })
    }

    /// The registry that is configured, else that of the region worked in.
    fn default_host(&self) -> Result<RegistryHost, Refusal> {
        if let Some(configured) = RegistryHost::configured(&self.config) {
            return Ok(configured);
        }
        let region =
            self.in_the_cloud(PATIENCE, async |oci| oci.region().await.map_err(|error| chain(&error)));
        region.map(|region| RegistryHost::of_region(&region)).map_err(|why| {
            Refusal::failed("the region is not known", format!("{why}; name a host, such as fra.ocir.io"))
        })
    }

    fn slot(&self, host: &RegistryHost) -> Option<Slot> {
        Some(self.cache.as_ref()?.slot(&self.identity(), &host.name))
    }

    /// As whom tokens are asked for, so that those of one are never given out for another.
    fn identity(&self) -> String {
        let kind = self.config.auth.as_str();
        match &self.config.auth {
            AuthConfig::InstancePrincipal => {
                format!("{kind} {}", self.config.endpoints.metadata.as_deref().unwrap_or_default())
            }
            AuthConfig::Profile(ProfileConfig { kind: _, name, file, home: _ }) => {
                format!("{kind} {name} {}", file.display())
            }
        }
    }

    /// The password of a registry: a remembered one while it is fresh, else a new one; and when there is no getting one,
    /// or another run is about it, the remembered one for as long as the registry takes it.
    fn password(&self, host: &RegistryHost) -> Result<SecretString, Refusal> {
        let Some(slot) = self.slot(host) else {
            return Ok(self.sign_in(host, PATIENCE)?.password);
        };
        let now = self.clock.now();
        let old = slot.read().filter(|old| old.is_valid(now));
        if let Some(fresh) = old.as_ref().filter(|old| old.is_fresh(now)) {
            return Ok(fresh.password.clone());
        }
        let right = match (slot.try_right(), old.as_ref()) {
            (Ok(None), Some(old)) => return Ok(old.password.clone()),
            (Ok(None), None) => slot.right_within(PATIENCE_WITH_OTHERS),
            (Ok(Some(right)), _) => Ok(right),
            (Err(error), _) => Err(error),
        };
        match right {
            Ok(right) => self.renewed(host, &slot, &right, old),
            Err(error @ CacheError::Busy { waited: _ }) => Err(cache_failed(&error)),
            Err(error) => {
                warn(&error);
                Ok(self.sign_in(host, PATIENCE)?.password)
            }
        }
    }

    /// Signs in, unless whoever had the right before has got what is wanted.
    fn renewed(
        &self,
        host: &RegistryHost,
        slot: &Slot,
        right: &SignInRight,
        old: Option<Remembered>,
    ) -> Result<SecretString, Refusal> {
        if let Some(fresh) = slot.read().filter(|got| got.is_fresh(self.clock.now())) {
            return Ok(fresh.password);
        }
        let patience = if old.is_some() { PATIENCE_WITH_OLD } else { PATIENCE };
        match (self.sign_in(host, patience), old) {
            (Ok(new), _) => {
                if let Err(error) = slot.write(&new, right) {
                    warn(&error);
                }
                Ok(new.password)
            }
            (Err(refusal), Some(old)) => {
                let why = refusal.explanation.unwrap_or_default();
                say(&format!("{PROGRAM}: {why}; the token got before is still good"), Exit::Ok);
                Ok(old.password)
            }
            (Err(refusal), None) => Err(refusal),
        }
    }

    fn sign_in(&self, host: &RegistryHost, patience: Duration) -> Result<Remembered, Refusal> {
        let requested_at = self.clock.now();
        let endpoint = &host.endpoint;
        let login = self.in_the_cloud(patience, async |oci| {
            oci.registry_login(endpoint).await.map_err(|error| chain(&error))
        });
        let RegistryLogin { password, expires_at } =
            login.map_err(|why| Refusal::failed(format!("ocird got no token of {}", host.name), why))?;
        Ok(Remembered { password, requested_at, expires_at })
    }

    /// Does something with the cloud's client, in a runtime that lives as long as that takes.
    fn in_the_cloud<T>(
        &self,
        patience: Duration,
        ask: impl AsyncFnOnce(ocird_oci::Oci<SystemClock>) -> Result<T, String>,
    ) -> Result<T, String> {
        let oci = cloud::client(&self.config, self.clock).map_err(|error| chain(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("the runtime cannot start: {error}"))?;
        runtime.block_on(async {
            let asked = tokio::time::timeout(patience, ask(oci)).await;
            asked.unwrap_or_else(|_| Err(format!("no answer within {} s", patience.as_secs())))
        })
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    ErrorChain(error).to_string()
}

fn warn(error: &CacheError) {
    say(&format!("{PROGRAM}: {}", ErrorChain(error)), Exit::Ok);
}
