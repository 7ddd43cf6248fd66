//! Which hosts get a signed request. This is the security boundary of the helper: whoever receives the signature can
//! have a token for it, so a host is one of the cloud's table, letter by letter, or the one that the operator wrote into
//! the configuration. Nothing is decoded, folded or looked up in DNS; what is not equal is another host.

use ocird_oci::{Endpoint, Region, registry_hosts};

use crate::config::OciConfig;

/// A registry that may be signed in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegistryHost {
    /// The host, and the port if one is meant, as it stands in an image's name.
    pub(crate) name: String,
    /// Where its requests go.
    pub(crate) endpoint: Endpoint,
}

impl RegistryHost {
    /// The registry that `server` names, as clients do: a host, perhaps after a scheme, perhaps before a path. `None` for
    /// every host that is neither in the cloud's table nor in `[oci.endpoints] registry`.
    pub(crate) fn find(server: &str, config: &OciConfig) -> Option<Self> {
        let (scheme, rest) = match server.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, server),
        };
        let host = rest.split('/').next()?;
        if let Some(own) = Self::configured(config)
            && own.name == host
            && scheme.is_none_or(|scheme| {
                scheme == "https"
                    || own.endpoint.as_str().split_once("://").is_some_and(|(own, _)| own == scheme)
            })
        {
            return Some(own);
        }
        // A password for the cloud is not handed out for a way in clear text.
        let is_secure = scheme.is_none_or(|scheme| scheme == "https");
        let is_new = config.region_metadata.as_ref().is_some_and(|region| is_of(region, host));
        (is_secure && (is_new || is_of_the_cloud(host))).then(|| Self::of_the_cloud(host.to_owned()))
    }

    /// The registry that `[oci.endpoints] registry` names, if it names one.
    pub(crate) fn configured(config: &OciConfig) -> Option<Self> {
        let url: reqwest::Url = config.endpoints.registry.as_deref()?.parse().ok()?;
        let host = url.host_str()?;
        let name = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Some(Self { name, endpoint: url.as_str().parse().ok()? })
    }

    /// The registry of a region, by the name that Oracle recommends.
    pub(crate) fn of_region(region: &Region) -> Self {
        let name = registry_hosts(region).into_iter().next().expect("every region has a registry");
        Self::of_the_cloud(name)
    }

    /// Every name under which this registry is pulled from: all spellings of its region's, and its own.
    pub(crate) fn spellings(&self, config: &OciConfig) -> Vec<String> {
        let is_new = config.region_metadata.as_ref().filter(|region| is_of(region, &self.name));
        let region = is_new.or_else(|| region_of(&self.name));
        region.map_or_else(|| vec![self.name.clone()], registry_hosts)
    }

    fn of_the_cloud(name: String) -> Self {
        let endpoint = format!("https://{name}").parse().expect("a host of the table is an endpoint");
        Self { name, endpoint }
    }
}

/// True for each spelling of the registry of each region of the table.
fn is_of_the_cloud(host: &str) -> bool {
    region_of(host).is_some()
}

/// The region of the table whose registry is called so. The label that should name the region only says which line to look at;
/// what counts is that the whole host stands there.
fn region_of(host: &str) -> Option<&'static Region> {
    let label = host.strip_suffix(".ocir.io").or_else(|| host.strip_prefix("ocir.")?.split('.').next());
    label.and_then(Region::find).filter(|region| is_of(region, host))
}

fn is_of(region: &Region, host: &str) -> bool {
    registry_hosts(region).iter().any(|known| known == host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AuthConfig, Endpoints};

    /// What is not the host of a registry, however much it looks like one.
    const LOOK_ALIKES: &[&str] = &[
        // Before and after.
        "ocir.io",
        ".ocir.io",
        "fra.ocir.io.evil.example",
        "evil-fra.ocir.io",
        "evil.fra.ocir.io",
        "fra.ocir.io.",
        "fra.ocir.iox",
        "xfra.ocir.io",
        "fra-ocir.io",
        "fraXocirXio",
        "zzz.ocir.io",
        "ocir.eu-frankfurt-1.oci.oraclecloud.com.evil.example",
        "ocir.eu-frankfurt-1.oci.evil.example",
        "ocir.eu-frankfurt-1.oraclecloud.com",
        "eu-frankfurt-1.oci.oraclecloud.com",
        "ocir.fra.oci.oraclecloud.com",
        "artifacts.eu-frankfurt-1.oci.oraclecloud.com",
        // A region of one realm under the domain of another.
        "ocir.eu-frankfurt-2.oci.oraclecloud.com",
        "ocir.eu-frankfurt-1.oci.oraclecloud.eu",
        "eu-frankfurt-2.ocir.io",
        // Users, ports, addresses.
        "fra.ocir.io@evil.example",
        "user@fra.ocir.io",
        "evil.example@fra.ocir.io",
        "fra.ocir.io:443",
        "fra.ocir.io:8443",
        "fra.ocir.io:",
        "[::1]",
        "[fra.ocir.io]",
        "127.0.0.1",
        "169.254.169.254",
        "https://fra.ocir.io@evil.example/",
        "https://evil.example/fra.ocir.io",
        "https://user:pw@fra.ocir.io/",
        "evil.example#fra.ocir.io",
        "evil.example?fra.ocir.io",
        "fra.ocir.io#x",
        "fra.ocir.io?x=/",
        "fra.ocir.io\\@evil.example",
        "fra.ocir.io;evil.example",
        "/fra.ocir.io",
        "//fra.ocir.io",
        "https:///fra.ocir.io",
        "../fra.ocir.io",
        "https:fra.ocir.io",
        // Letters.
        "FRA.ocir.io",
        "fra.OCIR.io",
        "fra.oc\u{131}r.io",
        "fr\u{430}.ocir.io",
        "fra\u{3002}ocir.io",
        "\u{ff46}ra.ocir.io",
        "fra.ocir.io\u{200b}",
        "fra%2eocir.io",
        "%66ra.ocir.io",
        "fra.ocir.io%00",
        "fra.ocir.io\0",
        "fra .ocir.io",
        " fra.ocir.io",
        "fra.ocir.io\n",
        "fra.ocir.io\nevil.example",
        // Ways.
        "http://fra.ocir.io",
        "ftp://fra.ocir.io",
        "HTTPS://fra.ocir.io",
        "https://https://fra.ocir.io",
        "docker.io",
        "https://index.docker.io/v1/",
        "",
    ];

    fn config(registry: Option<&str>) -> OciConfig {
        OciConfig {
            auth: AuthConfig::InstancePrincipal,
            compartments: Vec::new(),
            region: None,
            region_metadata: None,
            ca_file: None,
            endpoints: Endpoints { registry: registry.map(str::to_owned), ..Endpoints::default() },
            page_size: 1,
        }
    }

    fn found(server: &str) -> Option<String> {
        RegistryHost::find(server, &config(None)).map(|host| host.endpoint.to_string())
    }

    #[test]
    fn every_spelling_of_every_region_is_found_and_leads_to_itself() {
        let table = include_str!("../../../ocird-oci/src/regions.csv");
        let mut n_hosts = 0;
        for row in table.lines().skip(1) {
            let region = Region::find(row.split(',').next().unwrap()).unwrap();
            for host in registry_hosts(region) {
                assert_eq!(found(&host), Some(format!("https://{host}")), "{host}");
                n_hosts += 1;
            }
        }
        let n_commercial = table.lines().filter(|row| row.split(',').nth(2) == Some("oc1")).count();
        assert_eq!(n_hosts, 85 + 2 * n_commercial);
    }

    #[test]
    fn a_registry_is_pulled_from_by_every_spelling_of_its_host() {
        let spellings =
            |server: &str, config: &OciConfig| RegistryHost::find(server, config).unwrap().spellings(config);
        let frankfurt = ["ocir.eu-frankfurt-1.oci.oraclecloud.com", "fra.ocir.io", "eu-frankfurt-1.ocir.io"];
        for server in frankfurt {
            assert_eq!(spellings(server, &config(None)), frankfurt, "{server}");
        }
        let jovanovac = "ocir.eu-jovanovac-1.oci.oraclecloud20.com";
        assert_eq!(spellings(jovanovac, &config(None)), [jovanovac]);
        assert_eq!(spellings("127.0.0.1:5000", &config(Some("http://127.0.0.1:5000"))), ["127.0.0.1:5000"]);
    }

    #[test]
    fn a_scheme_and_a_path_change_nothing() {
        for server in ["fra.ocir.io", "https://fra.ocir.io", "https://fra.ocir.io/", "fra.ocir.io/v2/ns/../x"]
        {
            assert_eq!(found(server).as_deref(), Some("https://fra.ocir.io"), "{server}");
        }
    }

    #[test]
    fn what_looks_like_a_registry_is_none() {
        for server in LOOK_ALIKES {
            assert_eq!(found(server), None, "{server:?}");
        }
        assert_eq!(found(&"fra.ocir.io".repeat(1000)), None);
    }

    #[test]
    fn a_registry_of_the_configuration_is_found_by_its_very_host_and_port() {
        let config = config(Some("http://127.0.0.1:5000/prefix"));
        let find = |server| RegistryHost::find(server, &config).map(|host| host.endpoint.to_string());
        for server in ["127.0.0.1:5000", "http://127.0.0.1:5000/v2/", "https://127.0.0.1:5000"] {
            assert_eq!(find(server).as_deref(), Some("http://127.0.0.1:5000/prefix"), "{server}");
        }
        for server in
            ["127.0.0.1", "127.0.0.1:5001", "127.0.0.1:05000", "localhost:5000", "ftp://127.0.0.1:5000"]
        {
            assert_eq!(find(server), None, "{server}");
        }
        assert_eq!(find("fra.ocir.io").as_deref(), Some("https://fra.ocir.io"));
    }
}
