//! JSON with the place of every value. Strict JSON, as Amazon takes it: no comments, no trailing commas, no key twice.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::ops::Range;

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::Check;

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The document, or what is wrong with its form and where.
pub(super) fn parse(text: &str) -> Result<Value<'_>, (Range<usize>, String)> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT).map_err(|error| {
        let range = error.range();
        (range.start..range.end, format!("this is not JSON: {}", error.kind()))
    })?;
    parsed.value.ok_or_else(|| (0..text.len(), "the file is empty; a lifecycle document is JSON".to_owned()))
}

/// A value with the name that problems call it by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'v, 't> {
    name: &'v str,
    value: &'v Value<'t>,
}

/// An object of which only known keys are left, each once.
#[derive(Debug)]
pub(super) struct Object<'v, 't> {
    span: Range<usize>,
    entries: Vec<Node<'v, 't>>,
}

/// A list.
#[derive(Debug)]
pub(super) struct List<'v, 't> {
    pub(super) span: Range<usize>,
    pub(super) items: Vec<Node<'v, 't>>,
}

impl<'v, 't> Node<'v, 't> {
    pub(super) const fn new(name: &'v str, value: &'v Value<'t>) -> Self {
        Self { name, value }
    }

    pub(super) fn span(&self) -> Range<usize> {
        let range = self.value.range();
        range.start..range.end
    }

    fn wanted(&self, what: &str, check: &mut Check<'_>) {
        check.problem(&self.span(), format!("{} is {what}", self.name));
    }

    /// The object, if it is one. Keys that are not `known`, or come twice, are problems.
    pub(super) fn object(&self, known: &[&str], check: &mut Check<'_>) -> Option<Object<'v, 't>> {
        let Some(object) = self.value.as_object() else {
            self.wanted("an object in braces", check);
            return None;
        };
        let mut seen = BTreeSet::new();
        for entry in &object.properties {
            let name = entry.name.as_str();
            let span = entry.range.start..entry.value.range().start;
            if !known.contains(&name) {
                check.problem(&span, format!("unknown key {name:?}; known here: {}", known.join(", ")));
            }
            if !seen.insert(name) {
                check.problem(&span, format!("{name:?} is said twice"));
            }
        }
        let entries = object.properties.iter().map(|entry| Node::new(entry.name.as_str(), &entry.value));
        Some(Object { span: self.span(), entries: entries.collect() })
    }

    pub(super) fn list(&self, check: &mut Check<'_>) -> Option<List<'v, 't>> {
        let Some(list) = self.value.as_array() else {
            self.wanted("a list in brackets", check);
            return None;
        };
        let items = list.elements.iter().map(|item| Node::new(self.name, item)).collect();
        Some(List { span: self.span(), items })
    }

    pub(super) fn text(&self, check: &mut Check<'_>) -> Option<&'v str> {
        let text = self.value.as_string_lit().map(|text| text.value.as_ref());
        if text.is_none() {
            self.wanted("a text in quotes", check);
        }
        text
    }

    pub(super) fn positive(&self, check: &mut Check<'_>) -> Option<NonZeroU32> {
        let number = self.value.as_number_lit().and_then(|number| number.value.parse().ok());
        if number.is_none() {
            self.wanted("a whole number from 1", check);
        }
        number
    }
}

impl<'v, 't> Object<'v, 't> {
    pub(super) fn get(&self, key: &str) -> Option<Node<'v, 't>> {
        self.entries.iter().find(|entry| entry.name == key).copied()
    }

    pub(super) fn needed(&self, key: &str, check: &mut Check<'_>) -> Option<Node<'v, 't>> {
        let found = self.get(key);
        if found.is_none() {
            check.problem(&self.span, format!("{key} is missing"));
        }
        found
    }
}
