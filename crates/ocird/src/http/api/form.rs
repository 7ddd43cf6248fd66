//! JSON or comma-separated values: what the query says, else what the header `Accept` would rather have.

use std::str::FromStr;

use axum::http::{HeaderMap, header};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// JSON, which everything can be.
    Json,
    /// Comma-separated values.
    Csv,
}

impl Form {
    /// The form that the headers ask for: comma-separated values only where the client would rather have them than JSON.
    /// Whoever accepts neither gets JSON, as RFC 9110 allows. <https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1>
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let (mut json, mut csv) = (Wish::default(), Wish::default());
        for range in accept.flat_map(|value| value.split(',')) {
            let (media, weight) = weighted(range);
            match media.as_str() {
                "text/csv" => csv.hear(weight, 2),
                "text/*" => csv.hear(weight, 1),
                "application/json" => json.hear(weight, 2),
                "application/*" => json.hear(weight, 1),
                "*/*" => json.hear(weight, 0),
                _ => {}
            }
        }
        if csv.weight > 0 && csv > json { Self::Csv } else { Self::Json }
    }
}

/// Why a text is not a form.
#[derive(Debug, thiserror::Error)]
#[error("write json or csv")]
pub(super) struct ParseFormError;

impl FromStr for Form {
    type Err = ParseFormError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            _ => Err(ParseFormError),
        }
    }
}

/// How much a form is wished for: by weight, then by how precisely it is named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    weight: u32,
    precision: u8,
}

impl Wish {
    /// A range that names the form more precisely overrules one that names it less so.
    const fn hear(&mut self, weight: u32, precision: u8) {
        if precision >= self.precision {
            *self = Self { weight, precision };
        }
    }
}

/// A media range and its weight in thousandths; one that cannot be read weighs nothing.
fn weighted(range: &str) -> (String, u32) {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let weight = parts.find_map(|parameter| parameter.strip_prefix("q=").or(parameter.strip_prefix("Q=")));
    let weight = weight.map_or(Some(1.0), |weight| weight.parse::<f64>().ok());
    let weight = weight.filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1,000")]
    let thousandths = (weight * 1000.0) as u32;
    (media, thousandths)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn form(accept: &str) -> Form {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        Form::wanted(&headers)
    }

    #[test]
    fn csv_goes_out_only_where_it_is_wished_for_more_than_json() {
        for csv in [
            "text/csv",
            "text/csv, */*;q=0.1",
            "text/*",
            "TEXT/CSV;q=0.5, application/json;q=0.4",
            "text/csv, */*",
        ] {
            assert_eq!(form(csv), Form::Csv, "{csv}");
        }
        for json in [
            "*/*",
            "application/json",
            "text/csv, application/json",
            "text/csv;q=0",
            "text/csv;q=0.1, */*",
            "image/png",
            "text/csv;q=x",
        ] {
            assert_eq!(form(json), Form::Json, "{json}");
        }
        assert_eq!(Form::wanted(&HeaderMap::new()), Form::Json);
    }
}
