//! Which `Host` a request may name. A web page can make a browser send requests to a loopback address under the
//! page's own name (DNS rebinding); loopback is no proof of friendship, so the name must be one of ours.
//! <https://www.sjoerdlangkemper.nl/2017/09/13/attacks-on-host-header/>

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

/// The names under which the server answers, beside loopback and the address a connection came in on. Ports are not
/// compared: a tunnel may give any.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts(BTreeSet<String>);

/// What a request's host is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostCheck {
    /// It is one of ours.
    Ours,
    /// It is somebody else's name.
    Foreign,
    /// There is none, or more than one, or it is no host.
    Malformed,
}

impl AllowedHosts {
    /// Allows these names or addresses, without ports.
    pub fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self(names.into_iter().map(|name| folded(name.as_ref())).collect())
    }

    /// Judges the host of a request that came in on `local`.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap, local: IpAddr) -> HostCheck {
        let mut named = headers.get_all(header::HOST).iter();
        let (Some(value), None) = (named.next(), named.next()) else {
            return HostCheck::Malformed;
        };
        let authority = value.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
        let Some(authority) = authority.filter(|authority| !authority.as_str().contains('@')) else {
            return HostCheck::Malformed;
        };
        let target = uri.host().unwrap_or(authority.host());
        if self.allows(authority.host(), local) && self.allows(target, local) {
            HostCheck::Ours
        } else {
            HostCheck::Foreign
        }
    }

    fn allows(&self, host: &str, local: IpAddr) -> bool {
        let host = folded(host);
        match host.parse::<IpAddr>() {
            Ok(address) => {
                let address = address.to_canonical();
                address.is_loopback() || address == local.to_canonical() || self.0.contains(&host)
            }
            Err(_) => host == "localhost" || self.0.contains(&host),
        }
    }
}

/// A host as it is compared: lower case, without the brackets of IPv6 and the dot that ends a full name.
fn folded(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hosts: &[&str], uri: &str) -> HostCheck {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        let allowed = AllowedHosts::new(["Registry-Keeper.internal", "192.0.2.7"]);
        allowed.check(&uri.parse().unwrap(), &headers, "10.0.0.5".parse().unwrap())
    }

    #[test]
    fn loopback_the_listening_address_and_configured_names_are_ours() {
        for host in [
            "localhost",
            "LOCALHOST.:9500",
            "127.0.0.1:80",
            "127.8.9.1",
            "[::1]:9500",
            "[::ffff:127.0.0.1]",
            "10.0.0.5:1",
            "registry-keeper.INTERNAL",
            "192.0.2.7:8080",
        ] {
            assert_eq!(check(&[host], "/status"), HostCheck::Ours, "{host}");
        }
    }

    #[test]
    fn every_other_name_is_foreign() {
        for host in [
            "rebound.example",
            "localhost.rebound.example",
            "127.0.0.1.nip.example",
            "10.0.0.6",
            "0.0.0.0",
            "xregistry-keeper.internal",
        ] {
            assert_eq!(check(&[host], "/status"), HostCheck::Foreign, "{host}");
        }
    }

    #[test]
    fn the_name_in_the_request_line_must_be_ours_too() {
        assert_eq!(check(&["localhost"], "http://localhost/status"), HostCheck::Ours);
        assert_eq!(check(&["localhost"], "http://rebound.example/"), HostCheck::Foreign);
    }

    #[test]
    fn no_host_two_hosts_and_credentials_are_malformed() {
        assert_eq!(check(&[], "/"), HostCheck::Malformed);
        assert_eq!(check(&["localhost", "localhost"], "/"), HostCheck::Malformed);
        assert_eq!(check(&["user@localhost"], "/"), HostCheck::Malformed);
        assert_eq!(check(&[""], "/"), HostCheck::Malformed);
    }
}
