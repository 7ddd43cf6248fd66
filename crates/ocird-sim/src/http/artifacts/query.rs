//! The query strings of the Artifacts API's lists, read strictly: what is missing or has an impossible value is a 400,
//! as in the cloud. Parameters that the API does not know are let through, as in the cloud too.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use ocird_model::{CompartmentId, Lifecycle};
use serde::Deserialize;

use crate::http::refusal::Refusal;
use crate::view::{Cursor, Depth, ImageQuery, Order, RepositoryQuery, SignatureQuery};

/// Every parameter of every list; each list takes those it knows.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Parameters {
    compartment_id: Option<String>,
    compartment_id_in_subtree: Option<bool>,
    repository_id: Option<String>,
    repository_name: Option<String>,
    image_id: Option<String>,
    image_digest: Option<String>,
    display_name: Option<String>,
    version: Option<String>,
    is_versioned: Option<bool>,
    is_public: Option<bool>,
    lifecycle_state: Option<String>,
    limit: Option<usize>,
    page: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(parameters)) => Ok(parameters),
            Err(rejection) => Err(Refusal::invalid_parameter(rejection.body_text())),
        }
    }
}

impl Parameters {
    /// The compartment, which every list and the configuration want.
    pub(super) fn compartment(&self) -> Result<CompartmentId, Refusal> {
        parsed("compartmentId", self.compartment_id.as_deref())?
            .ok_or_else(|| Refusal::missing_parameter("compartmentId"))
    }

    /// Only public repositories, or only private ones: the one filter that the tenancy leaves to its face.
    pub(super) const fn is_public(&self) -> Option<bool> {
        self.is_public
    }

    /// For `ListContainerRepositories`.
    pub(super) fn repositories(&self, max_page_size: Option<usize>) -> Result<RepositoryQuery, Refusal> {
        Ok(RepositoryQuery {
            depth: self.depth(),
            repository: parsed("repositoryId", self.repository_id.as_deref())?,
            name: self.display_name.clone(),
            lifecycle: self.lifecycle()?,
            order: self.order()?,
            cursor: self.cursor(max_page_size)?,
            ..RepositoryQuery::in_compartment(self.compartment()?)
        })
    }

    /// For `ListContainerImages`.
    pub(super) fn images(&self, max_page_size: Option<usize>) -> Result<ImageQuery, Refusal> {
        Ok(ImageQuery {
            depth: self.depth(),
            repository: parsed("repositoryId", self.repository_id.as_deref())?,
            repository_name: self.repository_name.clone(),
            image: parsed("imageId", self.image_id.as_deref())?,
            digest: parsed("imageDigest", self.image_digest.as_deref())?,
            display_name: self.display_name.clone(),
            tag: self.version.clone(),
            is_versioned: self.is_versioned,
            lifecycle: self.lifecycle()?,
            order: self.order()?,
            cursor: self.cursor(max_page_size)?,
            ..ImageQuery::in_compartment(self.compartment()?)
        })
    }

    /// For `ListContainerImageSignatures`.
    pub(super) fn signatures(&self, max_page_size: Option<usize>) -> Result<SignatureQuery, Refusal> {
        Ok(SignatureQuery {
            compartment: self.compartment()?,
            depth: self.depth(),
            image: parsed("imageId", self.image_id.as_deref())?,
            repository: parsed("repositoryId", self.repository_id.as_deref())?,
            repository_name: self.repository_name.clone(),
            digest: parsed("imageDigest", self.image_digest.as_deref())?,
            cursor: self.cursor(max_page_size)?,
        })
    }

    fn depth(&self) -> Depth {
        if self.compartment_id_in_subtree == Some(true) { Depth::Subtree } else { Depth::Compartment }
    }

    fn lifecycle(&self) -> Result<Option<Lifecycle>, Refusal> {
        match self.lifecycle_state.as_deref() {
            None => Ok(None),
            Some("AVAILABLE") => Ok(Some(Lifecycle::Available)),
            Some("DELETING") => Ok(Some(Lifecycle::Deleting)),
            Some("DELETED") => Ok(Some(Lifecycle::Deleted)),
            Some(other) => Err(invalid("lifecycleState", other)),
        }
    }

    /// Newest first by time unless told otherwise, A to Z by name.
    fn order(&self) -> Result<Order, Refusal> {
        match (self.sort_by.as_deref(), self.sort_order.as_deref()) {
            (None | Some("TIMECREATED"), None | Some("DESC")) => Ok(Order::NewestFirst),
            (None | Some("TIMECREATED"), Some("ASC")) => Ok(Order::OldestFirst),
            (Some("DISPLAYNAME"), None | Some("ASC")) => Ok(Order::NameAscending),
            (Some("DISPLAYNAME"), Some("DESC")) => Ok(Order::NameDescending),
            (by, order) => Err(invalid("sortBy or sortOrder", format!("{by:?} {order:?}"))),
        }
    }

    fn cursor(&self, max_page_size: Option<usize>) -> Result<Cursor, Refusal> {
        if self.limit == Some(0) {
            return Err(invalid("limit", 0));
        }
        let limit = match (self.limit, max_page_size) {
            (Some(limit), Some(most)) => Some(limit.min(most)),
            (limit, most) => limit.or(most),
        };
        Ok(Cursor { limit, page: self.page.clone() })
    }
}

fn parsed<T: FromStr>(name: &str, text: Option<&str>) -> Result<Option<T>, Refusal> {
    text.map(|text| text.parse().map_err(|_| invalid(name, text))).transpose()
}

fn invalid(name: &str, value: impl Display) -> Refusal {
    Refusal::invalid_parameter(format!("The value of {name} is invalid: {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPARTMENT: &str = "ocid1.compartment.oc1..c";

    fn parameters(query: &str) -> Parameters {
        let uri = format!("/images?compartmentId={COMPARTMENT}&{query}").parse().unwrap();
        Query::try_from_uri(&uri).unwrap().0
    }

    #[test]
    fn every_filter_of_the_image_list_is_read() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let query = format!(
            "compartmentIdInSubtree=true&repositoryName=mgh-*&version=v1&isVersioned=true\
             &imageDigest={digest}&lifecycleState=AVAILABLE&sortBy=DISPLAYNAME&limit=7&page=p%2F1"
        );
        let asked = parameters(&query).images(None).unwrap();
        let expected = ImageQuery {
            depth: Depth::Subtree,
            repository_name: Some("mgh-*".to_owned()),
            tag: Some("v1".to_owned()),
            is_versioned: Some(true),
            digest: Some(digest.parse().unwrap()),
            lifecycle: Some(Lifecycle::Available),
            order: Order::NameAscending,
            cursor: Cursor { limit: Some(7), page: Some("p/1".to_owned()) },
            ..ImageQuery::in_compartment(COMPARTMENT.parse().unwrap())
        };
        assert_eq!(asked, expected);
    }

    #[test]
    fn the_server_may_give_less_than_the_caller_asks_for_and_never_more() {
        let limit = |query: &str, most| parameters(query).images(most).unwrap().cursor.limit;
        assert_eq!(limit("limit=1000", Some(3)), Some(3));
        assert_eq!(limit("limit=2", Some(3)), Some(2));
        assert_eq!(limit("", Some(3)), Some(3));
        assert_eq!(limit("", None), None);
    }

    #[test]
    fn impossible_values_are_refused() {
        for query in ["lifecycleState=GONE", "limit=0", "sortBy=SIZE", "imageDigest=md5:0", "repositoryId=x"]
        {
            assert!(parameters(query).images(None).is_err(), "{query}");
        }
        let none = Parameters::default().compartment().unwrap_err();
        assert_eq!(none, Refusal::missing_parameter("compartmentId"));
    }
}
