//! Sends one request and reads its answer, both bounded in time and size. No retry, no redirect, no decoding.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::clean;
use crate::target::Target;
use crate::{BuildError, Endpoint, OciError, Refusal, Settings, certificates};

/// The most bytes read of an answer that reports an error.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// How long an idle connection is kept. Short, because a server that closes one at the very moment of a delete leaves
/// the outcome unknown.
const POOL_IDLE: Duration = Duration::from_secs(15);

/// How ocird introduces itself.
const USER_AGENT: &str = concat!("ocird/", env!("CARGO_PKG_VERSION"));

/// The connections to the cloud.
pub(crate) struct Transport {
    /// For the cloud; through the proxy of the environment, if it names one.
    far: Client,
    /// For this host and the metadata service; never through a proxy.
    near: Client,
}

/// A request that is ready to be sent.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) address: Address,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The most bytes to read of a successful answer.
    pub(crate) max_body: usize,
}

/// Where a request goes: an endpoint with a target appended.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    url: Url,
    is_near: bool,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Body {
    /// All of it.
    Whole(Vec<u8>),
    /// Larger than the bound, which is given; thrown away.
    TooLarge(usize),
}

impl Transport {
    /// Opens nothing yet; reads the CA file and sets up TLS.
    pub(crate) fn new(settings: &Settings) -> Result<Self, BuildError> {
        let builder = || {
            Client::builder()
                .user_agent(USER_AGENT)
                .redirect(Policy::none())
                // Whether to send again is decided by `retry`, where a delete is known from a read.
                .retry(reqwest::retry::never())
                .pool_idle_timeout(POOL_IDLE)
                .connect_timeout(settings.connect_timeout)
                .timeout(settings.call_timeout)
        };
        let build = |builder: ClientBuilder| builder.build().map_err(|source| BuildError::Tls { source });
        let authorities = settings.ca_file.as_deref().map(certificates::read).transpose()?;
        // What is near trusts the CA file only, so that a host without CA certificates still reads its metadata.
        let trusted = authorities.clone().unwrap_or_default();
        let near = build(builder().no_proxy().tls_certs_only(trusted))?;
        let far = match authorities {
            _ if settings.is_all_near() => near.clone(),
            Some(authorities) => build(builder().tls_certs_only(authorities))?,
            None => build(builder())?,
        };
        Ok(Self { far, near })
    }

    /// Sends `outgoing` once. Any complete answer is an `Ok`, whatever its status.
    pub(crate) async fn send(&self, outgoing: Outgoing) -> Result<Answer, OciError> {
        let Outgoing { method, address, headers, body, max_body } = outgoing;
        let client = if address.is_near { &self.near } else { &self.far };
        let failed = |source: reqwest::Error| network_error(address.host(), source);
        let request = client.request(method, address.url.clone()).headers(headers).body(body);
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let bound = if status.is_success() { max_body } else { MAX_ERROR_BODY };
        let headers = std::mem::take(response.headers_mut());
        let body = read_bounded(response, bound).await.map_err(failed)?;
        Ok(Answer { status, headers, body })
    }
}

impl Address {
    /// The address of `target` at `endpoint`. An error when the URL parser would send other bytes than are signed:
    /// a name such as `a/../b` may come from the registry, and must not lead elsewhere.
    pub(crate) fn new(endpoint: &Endpoint, target: &Target) -> Result<Self, OciError> {
        let text = format!("{}{}", endpoint.as_str(), target.as_str());
        match Url::parse(&text) {
            Ok(url) if url.as_str() == text && url.fragment().is_none() => {
                Ok(Self { url, is_near: endpoint.is_near() })
            }
            _ => Err(OciError::malformed("the path of a request", target.as_str())),
        }
    }

    /// Path and query as they stand in the request line.
    pub(crate) fn target(&self) -> &str {
        let length = self.url.path().len() + self.url.query().map_or(0, |query| query.len() + 1);
        &self.url.as_str()[self.url.as_str().len() - length..]
    }

    /// The host with its port unless that is the scheme's own: the `host` header.
    pub(crate) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The `host` header itself, sent as it was signed and not as the HTTP client would write it.
    pub(crate) fn host_header(&self) -> HeaderValue {
        HeaderValue::try_from(self.host()).expect("the host of a parsed URL is printable ASCII")
    }
}

impl Answer {
    /// The answer if its status is 2xx, otherwise what the service says is wrong.
    pub(crate) fn success(self) -> Result<Self, OciError> {
        if self.status.is_success() { Ok(self) } else { Err(OciError::Refused(Box::new(self.refusal()))) }
    }

    /// The status, for people.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// True for a 200: other statuses of success may leave something out, such as 206.
    pub(crate) fn is_whole(&self) -> bool {
        self.status == StatusCode::OK
    }

    /// The first header of this name, if it is printable.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// True when the header is there, printable or not.
    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// When the server wrote the answer, by its own clock and to the second.
    pub(crate) fn date(&self) -> Option<DateTime<Utc>> {
        http_time(self.header(DATE.as_str())?)
    }

    /// The body.
    pub(crate) fn into_body(self) -> Body {
        self.body
    }

    /// The whole body.
    pub(crate) fn bytes(&self) -> Result<&[u8], OciError> {
        match &self.body {
            Body::Whole(bytes) => Ok(bytes),
            Body::TooLarge(bound) => Err(OciError::TooLarge { bound: *bound }),
        }
    }

    /// The body decoded; an error says `what` could not be understood, and why.
    pub(crate) fn json<T: DeserializeOwned>(&self, what: &'static str) -> Result<T, OciError> {
        serde_json::from_slice(self.bytes()?).map_err(|error| OciError::malformed(what, error))
    }

    /// The body decoded, where it carries a secret: the error says only where it stopped making sense, for the
    /// decoder's own words repeat what they stumbled over.
    pub(crate) fn secret_json<T: DeserializeOwned>(&self, what: &'static str) -> Result<T, OciError> {
        serde_json::from_slice(self.bytes()?).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            OciError::malformed(what, format_args!("line {line}, column {column}"))
        })
    }

    fn refusal(&self) -> Refusal {
        let Told { code, message } = self.bytes().map(told).unwrap_or_default();
        Refusal {
            status: self.status.as_u16(),
            code: code.unwrap_or_else(|| "Unexplained".to_owned()),
            message: message.unwrap_or_else(|| "the answer gives no reason".to_owned()),
            request_id: self.header("opc-request-id").map(clean),
            retry_after: self.header(RETRY_AFTER.as_str()).and_then(|text| asked_pause(text, self.date())),
        }
    }
}

/// The body of an error, as far as it is one of Oracle's. Both texts are bounded and without control characters.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Told {
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
}

/// What the body of an error tells; nothing when it is of another kind.
pub(crate) fn told(body: &[u8]) -> Told {
    let Told { code, message } = serde_json::from_slice(body).unwrap_or_default();
    Told { code: code.as_deref().map(clean), message: message.as_deref().map(clean) }
}

/// How long the service asks to be left alone: seconds, or a date by the clock that also wrote `Date`.
pub(crate) fn asked_pause(text: &str, written_at: Option<DateTime<Utc>>) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    (http_time(text)? - written_at?).to_std().ok()
}

/// Reads a date of HTTP's preferred form.
fn http_time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).ok().map(Into::into)
}

/// Reads the body, but stops and throws it away when it is larger than `bound`.
async fn read_bounded(mut response: reqwest::Response, bound: usize) -> reqwest::Result<Body> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > bound {
            return Ok(Body::TooLarge(bound));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Body::Whole(bytes))
}

fn network_error(host: String, source: reqwest::Error) -> OciError {
    let source = source.without_url();
    if source.is_timeout() {
        OciError::Timeout { host, source }
    } else {
        OciError::Unreachable { host, source }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::fuzz::{self, Reading};

    fn address(endpoint: &str, target: &str) -> Result<Address, OciError> {
        Address::new(&endpoint.parse().unwrap(), &Target::new(target))
    }

    fn asking_for(retry_after: &str) -> Option<Duration> {
        asked_pause(retry_after, http_time("Sun, 05 Jan 2014 21:31:40 GMT"))
    }

    #[test]
    fn what_is_signed_is_what_the_request_line_will_say() {
        let address = address("https://127.0.0.1:8443/prefix", "/a?b=%2F%20").unwrap();
        assert_eq!((address.target(), address.host().as_str()), ("/prefix/a?b=%2F%20", "127.0.0.1:8443"));
    }

    #[test]
    fn the_schemes_own_port_is_not_part_of_the_host() {
        let address = address("https://auth.eu-milan-1.oraclecloud.com:443", "/v1/x509").unwrap();
        assert_eq!(address.host(), "auth.eu-milan-1.oraclecloud.com");
    }

    #[test]
    fn a_target_that_the_url_parser_would_rewrite_is_refused() {
        for target in ["/a/../b", "/a/./b", "/a b", "/a/%2e%2e/b", "/a#b", "/a\nb", "/\u{e9}"] {
            assert!(address("https://host", target).is_err(), "{target}");
        }
    }

    #[test]
    fn a_wish_to_be_left_alone_is_read_in_both_its_forms() {
        assert_eq!(asking_for("7"), Some(Duration::from_secs(7)));
        assert_eq!(asking_for("Sun, 05 Jan 2014 21:32:00 GMT"), Some(Duration::from_secs(20)));
        for nonsense in
            ["", "soon", "-1", "1.5", "1e3", "18446744073709551616", "Sun, 05 Jan 2014 21:00:00 GMT"]
        {
            assert_eq!(asking_for(nonsense), None, "{nonsense}");
        }
        assert_eq!(asked_pause("Sun, 05 Jan 2014 21:32:00 GMT", None), None, "no clock to compare with");
    }

    #[test]
    fn any_error_body_tells_its_own_words_cleaned_or_nothing() {
        fuzz::any_input("error body", "error", |body| {
            let told = told(body);
            for text in [&told.code, &told.message].into_iter().flatten() {
                prop_assert!(text.chars().count() <= 300 && !text.chars().any(char::is_control));
            }
            if let Ok(Value::Object(own)) = serde_json::from_slice(body)
                && told != Told::default()
            {
                prop_assert_eq!(told.code, own.get("code").and_then(Value::as_str).map(clean));
                prop_assert_eq!(told.message, own.get("message").and_then(Value::as_str).map(clean));
                return Ok(Reading::Read);
            }
            Ok(Reading::Refused)
        });
    }

    #[test]
    fn any_retry_after_is_a_number_a_later_date_or_nothing() {
        let written_at = http_time("Sun, 05 Jan 2014 21:31:40 GMT");
        fuzz::any_input("Retry-After", "retry_after", |text| {
            let Ok(text) = std::str::from_utf8(text) else { return Ok(Reading::Refused) };
            let pause = asked_pause(text, written_at);
            if let Ok(seconds) = text.parse::<u64>() {
                prop_assert_eq!(pause, Some(Duration::from_secs(seconds)));
            } else if let Some(pause) = pause {
                let until = written_at.unwrap() + TimeDelta::from_std(pause).unwrap();
                let own = DateTime::parse_from_rfc2822(text).unwrap();
                // A leap second is the end of the second before it, or the beginning of the one after.
                prop_assert!((own.timestamp() - until.timestamp()).abs() <= 1, "{} and {}", own, until);
            }
            Ok(if pause.is_some() { Reading::Read } else { Reading::Refused })
        });
    }
}
