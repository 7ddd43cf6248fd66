//! Regions, realms and the host names made of them.
//!
//! The table is the one of Oracle's SDKs (85 regions in 20 realms). A realm cannot be told from a region's name, so
//! nothing here guesses a realm: what is not in the table is described by the metadata service or the operator, in the
//! one form that Oracle has for it, or is refused.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::Deserialize;

/// The table: region identifier, three-letter key, realm, second-level domain. The first line names the columns.
const TABLE: &str = include_str!("regions.csv");

static REGIONS: LazyLock<Vec<Region>> = LazyLock::new(|| TABLE.lines().skip(1).filter_map(row).collect());

/// One region and the realm it belongs to. All parts are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    identifier: String,
    key: String,
    realm: String,
    domain: String,
}

/// A region as the metadata service's `regionInfo`, the variable `OCI_REGION_METADATA` and `~/.oci/regions-config.json`
/// describe it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    region_identifier: String,
    region_key: String,
    realm_key: String,
    realm_domain_component: String,
}

/// Why a description gives no region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// Not the JSON that was wanted, or without one of its four texts.
    #[error(
        "not JSON with the texts regionIdentifier, regionKey, realmKey and realmDomainComponent for each region"
    )]
    Json,
    /// A part that would make something else of the host names that it goes into.
    #[error("a part could not stand in a host name")]
    HostPart,
}

impl Region {
    /// The region that a JSON object describes, in the form of `OCI_REGION_METADATA`.
    /// <https://docs.oracle.com/en-us/iaas/Content/API/Concepts/sdk_adding_new_region_endpoints.htm>
    pub fn from_metadata(json: &str) -> Result<Self, RegionError> {
        let description = serde_json::from_str(json).map_err(|_| RegionError::Json)?;
        Self::described_by(&description)
    }

    /// The regions that a JSON array describes, in the form of `~/.oci/regions-config.json`. One that is wrong makes
    /// all wrong.
    pub fn list_from_metadata(json: &str) -> Result<Vec<Self>, RegionError> {
        let descriptions: Vec<Description> = serde_json::from_str(json).map_err(|_| RegionError::Json)?;
        descriptions.iter().map(Self::described_by).collect()
    }

    /// The region of the table with this identifier (`eu-milan-1`) or three-letter key (`lin`), in any case.
    pub fn find(text: &str) -> Option<&'static Self> {
        REGIONS.iter().find(|region| region.is_called(text))
    }

    /// True when `text` is the identifier or the key, in any case.
    pub(crate) fn is_called(&self, text: &str) -> bool {
        let text = text.trim();
        [&self.identifier, &self.key].into_iter().any(|name| name.eq_ignore_ascii_case(text))
    }

    fn described_by(description: &Description) -> Result<Self, RegionError> {
        let Description { region_identifier, region_key, realm_key, realm_domain_component } = description;
        Self::described(region_identifier, region_key, realm_key, realm_domain_component)
            .ok_or(RegionError::HostPart)
    }

    /// A region of these parts; `None` when one could not stand in a host name.
    fn described(identifier: &str, key: &str, realm: &str, domain: &str) -> Option<Self> {
        let parts = [identifier, key, realm, domain].map(|part| part.trim().to_ascii_lowercase());
        let is_sound = parts.iter().all(|part| is_host_part(part));
        let [identifier, key, realm, domain] = parts;
        is_sound.then_some(Self { identifier, key, realm, domain })
    }

    /// The identifier, such as `eu-milan-1`.
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// The three-letter key, such as `lin`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The realm, such as `oc1`.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The realm's second-level domain, such as `oraclecloud.com`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The base of the Artifacts API: `https://artifacts.{region}.oci.{domain}`.
    pub fn artifacts_url(&self) -> String {
        format!("https://artifacts.{}.oci.{}", self.identifier, self.domain)
    }

    /// The base of the federation service: `https://auth.{region}.{domain}`. It has no `.oci.` label.
    pub fn auth_url(&self) -> String {
        format!("https://auth.{}.{}", self.identifier, self.domain)
    }

    /// The base of the identity service: `https://identity.{region}.oci.{domain}`.
    pub fn identity_url(&self) -> String {
        format!("https://identity.{}.oci.{}", self.identifier, self.domain)
    }

    /// The base of the registry: `https://ocir.{region}.oci.{domain}`, the one form that exists in every realm.
    pub fn registry_url(&self) -> String {
        format!("https://ocir.{}.oci.{}", self.identifier, self.domain)
    }
}

/// Every spelling of the registry's host in `region`, the recommended one first. An image reference may use any of
/// them. <https://docs.oracle.com/en-us/iaas/Content/Registry/Concepts/registryconcepts.htm>
pub fn registry_hosts(region: &Region) -> Vec<String> {
    let mut hosts = vec![format!("ocir.{}.oci.{}", region.identifier, region.domain)];
    if region.realm == "oc1" {
        hosts.push(format!("{}.ocir.io", region.key));
        hosts.push(format!("{}.ocir.io", region.identifier));
    }
    hosts
}

/// Every host that could be the registry of a region of which only the identifier or key is known. Too many names are
/// harmless: what runs under one of them is held, as all that runs is.
pub(crate) fn possible_registry_hosts(name: &str) -> Vec<String> {
    let domains: BTreeSet<&str> = REGIONS.iter().map(Region::domain).collect();
    let long = domains.into_iter().map(|domain| format!("ocir.{name}.oci.{domain}"));
    long.chain([format!("{name}.ocir.io")]).collect()
}

/// True for what may stand in a host name without changing where the name ends.
pub(crate) fn is_host_part(text: &str) -> bool {
    text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
}

/// One line of the table.
fn row(line: &str) -> Option<Region> {
    let mut cells = line.split(',');
    Region::described(cells.next()?, cells.next()?, cells.next()?, cells.next()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fuzz::{self, Reading};

    #[test]
    fn the_table_is_whole_and_every_name_is_unique() {
        let names: BTreeSet<&str> = REGIONS.iter().flat_map(|r| [r.identifier(), r.key()]).collect();
        let realms: BTreeSet<&str> = REGIONS.iter().map(Region::realm).collect();
        assert_eq!((REGIONS.len(), TABLE.lines().count(), names.len(), realms.len()), (85, 86, 170, 20));
    }

    #[test]
    fn a_region_is_found_by_identifier_and_by_key_in_any_case() {
        for text in ["eu-milan-1", "LIN", " lin "] {
            assert_eq!(Region::find(text).unwrap().identifier(), "eu-milan-1");
        }
        assert_eq!(Region::find("eu-atlantis-1"), None);
    }

    #[test]
    fn the_realm_follows_the_table_and_not_the_name() {
        assert_eq!(Region::find("eu-frankfurt-1").unwrap().domain(), "oraclecloud.com");
        assert_eq!(Region::find("eu-frankfurt-2").unwrap().domain(), "oraclecloud.eu");
        assert_eq!(Region::find("us-ashburn-2").unwrap().realm(), "oc42");
    }

    #[test]
    fn every_region_has_the_four_hosts_of_its_realm() {
        let mut n_regions = 0;
        for row in TABLE.lines().skip(1) {
            let [name, key, realm, domain] = row.split(',').collect::<Vec<_>>()[..] else { panic!("{row}") };
            for text in [name, key, &name.to_uppercase(), &key.to_uppercase()] {
                let region = Region::find(text).unwrap();
                assert_eq!((region.identifier(), region.realm()), (name, realm));
                assert_eq!(region.artifacts_url(), format!("https://artifacts.{name}.oci.{domain}"));
                assert_eq!(region.identity_url(), format!("https://identity.{name}.oci.{domain}"));
                assert_eq!(region.registry_url(), format!("https://ocir.{name}.oci.{domain}"));
                assert_eq!(region.auth_url(), format!("https://auth.{name}.{domain}"));
            }
            n_regions += 1;
        }
        assert_eq!(n_regions, 85);
    }

    #[test]
    fn every_realm_has_the_domain_that_oracle_gave_it() {
        let found: BTreeSet<(&str, &str)> = REGIONS.iter().map(|r| (r.realm(), r.domain())).collect();
        let numbered = [8, 9, 10, 14, 15, 20, 21, 23, 24, 26, 29, 35, 42, 51, 52];
        let numbered = numbered.map(|n| (format!("oc{n}"), format!("oraclecloud{n}.com")));
        let mut wanted: BTreeSet<(&str, &str)> =
            numbered.iter().map(|(realm, domain)| (realm.as_str(), domain.as_str())).collect();
        wanted.extend([
            ("oc1", "oraclecloud.com"),
            ("oc2", "oraclegovcloud.com"),
            ("oc3", "oraclegovcloud.com"),
        ]);
        wanted.extend([("oc4", "oraclegovcloud.uk"), ("oc19", "oraclecloud.eu")]);
        assert_eq!(found, wanted);
    }

    #[test]
    fn each_service_has_its_own_form_of_host() {
        let milan = Region::find("eu-milan-1").unwrap();
        assert_eq!(milan.artifacts_url(), "https://artifacts.eu-milan-1.oci.oraclecloud.com");
        assert_eq!(milan.auth_url(), "https://auth.eu-milan-1.oraclecloud.com");
        assert_eq!(milan.identity_url(), "https://identity.eu-milan-1.oci.oraclecloud.com");
        assert_eq!(milan.registry_url(), "https://ocir.eu-milan-1.oci.oraclecloud.com");
    }

    /// A description in the form that Oracle documents.
    const ATLANTIS: &str = r#"{"realmKey": "OC99", "realmDomainComponent": "oraclecloud99.com",
        "regionKey": "ATL", "regionIdentifier": "eu-atlantis-1", "more": 1}"#;

    #[test]
    fn a_region_is_described_by_one_object_and_several_by_an_array() {
        let one = Region::from_metadata(ATLANTIS).unwrap();
        assert_eq!((one.key(), one.realm()), ("atl", "oc99"));
        assert_eq!(one.auth_url(), "https://auth.eu-atlantis-1.oraclecloud99.com");
        assert_eq!(Region::list_from_metadata(&format!("[{ATLANTIS}]")), Ok(vec![one]));
    }

    #[test]
    fn a_description_that_is_not_whole_or_leads_elsewhere_is_refused() {
        for bad in ["", "[]", "{}", "eu-milan-1", &ATLANTIS.replace("realmKey", "realm")] {
            assert_eq!(Region::from_metadata(bad), Err(RegionError::Json), "{bad}");
        }
        let elsewhere = ATLANTIS.replace("oraclecloud99.com", "evil.example/");
        assert_eq!(Region::from_metadata(&elsewhere), Err(RegionError::HostPart));
        let list = format!("[{ATLANTIS},{elsewhere}]");
        assert_eq!(Region::list_from_metadata(&list), Err(RegionError::HostPart));
        assert_eq!(Region::list_from_metadata(ATLANTIS), Err(RegionError::Json));
    }

    #[test]
    fn an_unknown_regions_registry_may_be_in_any_realm() {
        let hosts = possible_registry_hosts("eu-atlantis-1");
        assert!(hosts.contains(&"ocir.eu-atlantis-1.oci.oraclecloud.eu".to_owned()));
        assert!(hosts.contains(&"eu-atlantis-1.ocir.io".to_owned()));
        // Two realms share a domain.
        assert_eq!(hosts.len(), 20);
    }

    #[test]
    fn the_short_registry_hosts_exist_in_the_commercial_realm_only() {
        assert_eq!(
            registry_hosts(Region::find("eu-milan-1").unwrap()),
            ["ocir.eu-milan-1.oci.oraclecloud.com", "lin.ocir.io", "eu-milan-1.ocir.io"]
        );
        assert_eq!(
            registry_hosts(Region::find("eu-frankfurt-2").unwrap()),
            ["ocir.eu-frankfurt-2.oci.oraclecloud.eu"]
        );
    }

    #[test]
    fn a_described_region_cannot_point_elsewhere() {
        assert!(Region::described("eu-new-1", "NEW", "oc1", "oraclecloud.com").is_some());
        for domain in ["evil.example/", "a@b", "", ".com", "x:80", "é.com"] {
            assert_eq!(Region::described("eu-new-1", "new", "oc1", domain), None, "{domain}");
        }
    }

    #[test]
    fn any_region_document_is_read_as_it_stands_or_refused() {
        fuzz::any_input("regionInfo", "region_info", |bytes| {
            let Ok(region) = Region::from_metadata(&String::from_utf8_lossy(bytes)) else {
                return Ok(Reading::Refused);
            };
            for url in
                [region.auth_url(), region.artifacts_url(), region.identity_url(), region.registry_url()]
            {
                let host = url.strip_prefix("https://").unwrap();
                prop_assert!(
                    host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'),
                    "{}",
                    url
                );
                prop_assert!(host.ends_with(&format!(".{}", region.domain())), "{}", url);
            }
            Ok(Reading::Read)
        });
    }
}
