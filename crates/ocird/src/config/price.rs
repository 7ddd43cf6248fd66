//! What storage costs (`[price]`), for people: without it no money is told. There is no default, because what is billed is
//! between an operator and Oracle.

use std::str::FromStr;

use ocird_model::Bytes;
use serde::Deserialize;
use toml::Spanned;

use super::raw::{Given, SizeText};
use super::source::Check;
use crate::forecast::Price;

/// The most that is free: beyond a petabyte it is a slip of the hand.
const FREE_BOUNDS: (Bytes, Bytes) = (Bytes(1_000_000), Bytes(1_000_000_000_000_000));

/// `[price]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPrice {
    per_gb_month: Given<String>,
    free: Given<SizeText>,
}

/// An amount of money as people write it: `0.026 USD`.
#[derive(Debug, Clone, PartialEq)]
struct Amount {
    number: f64,
    currency: String,
}

/// Why a text is not a price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a price as a number and the three letters of its currency, such as \"0.026 USD\"")]
struct ParseAmountError;

impl FromStr for Amount {
    type Err = ParseAmountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, currency) = text.split_once(' ').ok_or(ParseAmountError)?;
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let is_currency = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
        let number: f64 = number.parse().map_err(|_| ParseAmountError)?;
        // Nobody is billed a million for a gigabyte.
        if is_plain && is_currency && number > 0.0 && number < 1e6 {
            Ok(Self { number, currency: currency.to_owned() })
        } else {
            Err(ParseAmountError)
        }
    }
}

/// Reads `[price]`.
pub(super) fn price(raw: Option<&Spanned<RawPrice>>, check: &mut Check<'_>) -> Option<Price> {
    let RawPrice { per_gb_month, free } = raw?.get_ref();
    let free = check.size(free.as_ref(), "price.free", FREE_BOUNDS).unwrap_or(Bytes::ZERO);
    let Some(given) = per_gb_month else {
        check.missing(raw.map(Spanned::span).as_ref(), "[price] needs per_gb_month, such as \"0.026 USD\"");
        return None;
    };
    match given.get_ref().parse::<Amount>() {
        Ok(Amount { number, currency }) => Some(Price { per_gb_month: number, currency, free }),
        Err(error) => {
            check.problem(&given.span(), format!("price.per_gb_month: {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_a_number_and_a_currency() {
        let amount = "0.026 USD".parse::<Amount>().unwrap();
        assert_eq!(amount, Amount { number: 0.026, currency: "USD".to_owned() });
        for text in [
            "", "0.026", "USD", "0.026USD", "0 USD", "-1 USD", "1e3 USD", "inf USD", "1 usd", "1 EURO",
            "1  USD",
        ] {
            assert_eq!(text.parse::<Amount>(), Err(ParseAmountError), "{text:?}");
        }
    }
}
