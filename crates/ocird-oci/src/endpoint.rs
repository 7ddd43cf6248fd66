//! The base address of a service, checked once: https, or plain http to this very host.
//!
//! Requests are signed, and a signature is worth a token for five minutes; so it never travels in clear text.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use reqwest::Url;

/// The link-local addresses of the metadata service, the only other hosts that are spoken to in plain http.
/// <https://docs.oracle.com/en-us/iaas/Content/Compute/Tasks/gettingmetadata.htm>
pub(crate) const METADATA_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe);

/// The base address of a service: scheme, host, port and perhaps a path, without a trailing slash.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The address, ready to have a path appended.
    base: String,
    /// Whether requests must bypass any proxy: this host and the metadata service are not beyond one.
    is_near: bool,
}

/// Why a text is not the base address of a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseEndpointError {
    /// Not an absolute URL.
    #[error("not a URL such as https://host")]
    NotUrl,
    /// Neither http nor https.
    #[error("only https and, to this host, http are spoken: {scheme:?}")]
    Scheme {
        /// The scheme that was given.
        scheme: String,
    },
    /// Plain http to a host that is not this one.
    #[error("plain http is allowed to a loopback address only, not to {host:?}")]
    PlainHttp {
        /// The host that was given.
        host: String,
    },
    /// A user name, password, query or fragment, which a base address has not.
    #[error("a base address has no user, query or fragment")]
    TooMuch,
}

impl Endpoint {
    /// Reads the base address of the metadata service, including its path (`/opc/v2`). Beside what any endpoint may
    /// be, the two link-local addresses of the service itself are allowed in plain http.
    pub fn metadata(text: &str) -> Result<Self, ParseEndpointError> {
        Self::parse(text, |ip| ip.is_loopback() || ip == METADATA_V4 || ip == METADATA_V6)
    }

    /// The metadata service at its own addresses, in the order in which they are tried: as Oracle's Python SDK does it,
    /// by IPv4 alone where there is a way to it, else by IPv6 first.
    pub(crate) fn metadata_defaults(has_ipv4: bool) -> Vec<Self> {
        let own = |base| Self { base, is_near: true };
        let v4 = own(format!("http://{METADATA_V4}/opc/v2"));
        if has_ipv4 { vec![v4] } else { vec![own(format!("http://[{METADATA_V6}]/opc/v2")), v4] }
    }

    /// The base address, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.base
    }

    /// The host with the port, if one is written.
    pub(crate) fn authority(&self) -> Option<&str> {
        let (_, rest) = self.base.split_once("://")?;
        rest.split('/').next()
    }

    /// True when requests must bypass any proxy.
    pub(crate) const fn is_near(&self) -> bool {
        self.is_near
    }

    fn parse(text: &str, is_near: fn(IpAddr) -> bool) -> Result<Self, ParseEndpointError> {
        let url = Url::parse(text.trim()).map_err(|_| ParseEndpointError::NotUrl)?;
        let host = url.host_str().ok_or(ParseEndpointError::NotUrl)?;
        let ip: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let is_near = host == "localhost" || ip.is_some_and(is_near);
        match url.scheme() {
            "https" => {}
            "http" if is_near => {}
            "http" => {
                return Err(ParseEndpointError::PlainHttp { host: host.to_owned() });
            }
            scheme => {
                return Err(ParseEndpointError::Scheme { scheme: scheme.to_owned() });
            }
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(ParseEndpointError::TooMuch);
        }
        Ok(Self { base: url.as_str().trim_end_matches('/').to_owned(), is_near })
    }
}

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, |ip| ip.is_loopback())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.base)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.base, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_goes_anywhere_and_plain_http_only_to_this_host() {
        for good in [
            "https://auth.eu-milan-1.oraclecloud.com",
            "https://10.0.0.1:8443/prefix/",
            "http://127.0.0.1:9000",
            "http://127.8.8.8",
            "http://[::1]:9000",
            "http://localhost:9000/",
        ] {
            let endpoint: Endpoint = good.parse().unwrap();
            assert_eq!(endpoint.as_str(), good.trim_end_matches('/'));
        }
    }

    #[test]
    fn what_would_leak_a_signature_is_refused() {
        for (bad, why) in [
            ("http://artifacts.example", "plain http"),
            ("http://127.0.0.1.example", "plain http"),
            ("http://localhost.example", "plain http"),
            ("http://169.254.169.254/opc/v2", "plain http"),
            ("http://10.0.0.1", "plain http"),
            ("ftp://127.0.0.1", "only https"),
            ("https://user:secret@host", "no user"),
            ("https://host/?a=b", "no user, query"),
            ("host.example", "not a URL"),
            ("", "not a URL"),
        ] {
            let error = bad.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn the_metadata_service_is_reached_at_its_own_addresses_in_plain_http() {
        for endpoint in Endpoint::metadata_defaults(false) {
            assert_eq!(Endpoint::metadata(endpoint.as_str()).unwrap(), endpoint);
            assert!(endpoint.is_near());
        }
        assert!(Endpoint::metadata("http://169.254.169.253/opc/v2").is_err());
    }

    #[test]
    fn ipv6_is_for_hosts_without_a_way_to_the_ipv4_address() {
        let bases = |has_ipv4| Endpoint::metadata_defaults(has_ipv4).iter().map(|e| e.base.clone()).collect();
        let (with, without): (Vec<String>, Vec<String>) = (bases(true), bases(false));
        assert_eq!(with, ["http://169.254.169.254/opc/v2"]);
        assert_eq!(without, ["http://[fd00:c1::a9fe:a9fe]/opc/v2", "http://169.254.169.254/opc/v2"]);
    }
}
