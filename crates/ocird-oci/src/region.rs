//! Regions, realms and the host names made of them.
//!
//! The table is the one of Oracle's SDKs (85 regions in 20 realms). A realm cannot be told from a region's name, so
//! nothing here guesses: what is not in the table comes from the metadata service or is refused.

use std::sync::LazyLock;

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

impl Region {
    /// The region of the table with this identifier (`eu-milan-1`) or three-letter key (`lin`), in any case.
    pub fn find(text: &str) -> Option<&'static Self> {
        let wanted = text.trim().to_ascii_lowercase();
        REGIONS.iter().find(|region| region.identifier == wanted || region.key == wanted)
    }

    /// A region as the metadata service describes it; `None` when a part could not stand in a host name.
    pub(crate) fn described(identifier: &str, key: &str, realm: &str, domain: &str) -> Option<Self> {
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

/// True for what may stand in a host name without changing where the name ends.
fn is_host_part(text: &str) -> bool {
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
    use std::collections::BTreeSet;

    use super::*;

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
    fn each_service_has_its_own_form_of_host() {
        let milan = Region::find("eu-milan-1").unwrap();
        assert_eq!(milan.artifacts_url(), "https://artifacts.eu-milan-1.oci.oraclecloud.com");
        assert_eq!(milan.auth_url(), "https://auth.eu-milan-1.oraclecloud.com");
        assert_eq!(milan.identity_url(), "https://identity.eu-milan-1.oci.oraclecloud.com");
        assert_eq!(milan.registry_url(), "https://ocir.eu-milan-1.oci.oraclecloud.com");
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
}
