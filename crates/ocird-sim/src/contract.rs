//! Holds answers against an `OpenAPI` document, more strictly than a client may: a member that the document does not name is a
//! fault here, so that nothing is told which is not described. Knows the part of JSON Schema that such documents of ours use
//! and reports what it does not know; patterns it leaves to tools that have regular expressions of that dialect.
//! <https://json-schema.org/draft/2020-12/json-schema-validation>

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Keywords that say nothing about what is valid, or that others look at.
const ANNOTATIONS: [&str; 4] = ["default", "description", "pattern", "title"];

/// An `OpenAPI` document.
#[derive(Debug, Clone)]
pub struct Contract(Value);

impl Contract {
    /// The contract that this document is.
    pub const fn new(document: Value) -> Self {
        Self(document)
    }

    /// Every path that it describes.
    pub fn paths(&self) -> BTreeSet<&str> {
        self.0["paths"].as_object().into_iter().flat_map(|paths| paths.keys().map(String::as_str)).collect()
    }

    /// The parameters of GET on a path that stand in this place (`query`, `path`, `header`).
    pub fn parameters(&self, path: &str, place: &str) -> BTreeSet<&str> {
        let parameters = self.0["paths"][path]["get"]["parameters"].as_array().into_iter().flatten();
        let parameters = parameters.map(|parameter| self.resolved(parameter));
        parameters.filter(|parameter| parameter["in"] == place).filter_map(|it| it["name"].as_str()).collect()
    }

    /// What is wrong with an answer to GET on a path; nothing when it is as described.
    pub fn faults(&self, path: &str, status: u16, media: &str, body: &Value) -> Vec<String> {
        let response = self.resolved(&self.0["paths"][path]["get"]["responses"][status.to_string()]);
        match response["content"][media].get("schema") {
            None => vec![format!("{path}: {status} as {media} is not described")],
            Some(schema) => self.faults_of(schema, body, path),
        }
    }

    /// What a reference leads to.
    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
            Some(pointer) => self.0.pointer(pointer).unwrap_or(&Value::Null),
            None => value,
        }
    }

    fn faults_of(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let Some(keywords) = self.resolved(schema).as_object() else {
            return vec![format!("{at}: no such schema: {schema}")];
        };
        keywords.iter().flat_map(|keyword| self.faults_by(keyword, keywords, value, at)).collect()
    }

    /// What one keyword finds wrong.
    fn faults_by(
        &self,
        (keyword, rule): (&String, &Value),
        all: &Map<String, Value>,
        value: &Value,
        at: &str,
    ) -> Vec<String> {
        let is_right = match keyword.as_str() {
            "properties" => return self.faults_of_members(rule, all, value, at),
            "items" => return self.faults_of_items(rule, value, at),
            "additionalProperties" => return self.faults_of_map(rule, value, at),
            "type" => names(rule).any(|kind| is_of_kind(value, kind)),
            "enum" => rule.as_array().is_some_and(|words| words.contains(value)),
            "minimum" => value.as_f64().zip(rule.as_f64()).is_none_or(|(value, least)| value >= least),
            "required" => !value.is_object() || names(rule).all(|name| value.get(name).is_some()),
            "format" => is_of_format(value, rule),
            "oneOf" => self.n_fitting(rule, value, at) == 1,
            "anyOf" => self.n_fitting(rule, value, at) > 0,
            known if ANNOTATIONS.contains(&known) => true,
            unknown => return vec![format!("{at}: the keyword {unknown} is not known here")],
        };
        if is_right { Vec::new() } else { vec![format!("{at}: {value} is not of {keyword} {rule}")] }
    }

    fn n_fitting(&self, schemas: &Value, value: &Value, at: &str) -> usize {
        let schemas = schemas.as_array().into_iter().flatten();
        schemas.filter(|schema| self.faults_of(schema, value, at).is_empty()).count()
    }

    fn faults_of_members(
        &self,
        described: &Value,
        all: &Map<String, Value>,
        value: &Value,
        at: &str,
    ) -> Vec<String> {
        let members = value.as_object().into_iter().flatten();
        let faults = members.flat_map(|(name, value)| match described.get(name) {
            Some(schema) => self.faults_of(schema, value, &format!("{at}.{name}")),
            None if all.contains_key("additionalProperties") => Vec::new(),
            None => vec![format!("{at}: the member {name} is not described")],
        });
        faults.collect()
    }

    fn faults_of_items(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let items = value.as_array().into_iter().flatten().enumerate();
        items.flat_map(|(i, item)| self.faults_of(schema, item, &format!("{at}[{i}]"))).collect()
    }

    fn faults_of_map(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let members = value.as_object().into_iter().flatten();
        members.flat_map(|(name, value)| self.faults_of(schema, value, &format!("{at}.{name}"))).collect()
    }
}

/// One name or several.
fn names(value: &Value) -> impl Iterator<Item = &str> {
    value.as_str().into_iter().chain(value.as_array().into_iter().flatten().filter_map(Value::as_str))
}

fn is_of_kind(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

/// A format is about texts alone.
fn is_of_format(value: &Value, format: &Value) -> bool {
    let Some(text) = value.as_str() else { return true };
    match format.as_str() {
        Some("date-time") => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        Some("date") => text.parse::<chrono::NaiveDate>().is_ok(),
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(schema: &Value, body: &Value) -> usize {
        let content = json!({"application/json": {"schema": schema}});
        let get = json!({"get": {"responses": {"200": {"content": content}}}});
        let components = json!({"schemas": {"Name": {"type": "string"}}});
        let contract = Contract::new(json!({"paths": {"/": get}, "components": components}));
        contract.faults("/", 200, "application/json", body).len()
    }

    #[test]
    fn what_is_not_described_or_otherwise_than_described_is_a_fault() {
        let name = json!({"$ref": "#/components/schemas/Name"});
        let schema = json!({"type": "object", "required": ["a"], "properties": {"a": name, "b": {"type": ["integer", "null"], "minimum": 0}}});
        for good in [json!({"a": "x"}), json!({"a": "x", "b": 1}), json!({"a": "x", "b": null})] {
            assert_eq!(faults(&schema, &good), 0, "{good}");
        }
        for bad in
            [json!([]), json!({}), json!({"a": 1}), json!({"a": "x", "b": -1}), json!({"a": "x", "c": 1})]
        {
            assert_ne!(faults(&schema, &bad), 0, "{bad}");
        }
    }

    #[test]
    fn alternatives_lists_and_maps_are_looked_into() {
        let moment = json!({"oneOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]});
        let list = json!({"type": "array", "items": moment});
        assert_eq!(faults(&list, &json!(["2026-11-21T12:00:00Z", null])), 0);
        assert_ne!(faults(&list, &json!(["yesterday"])), 0);
        let map = json!({"type": "object", "additionalProperties": {"enum": ["a", "b"]}});
        assert_eq!(faults(&map, &json!({"x": "a"})), 0);
        assert_ne!(faults(&map, &json!({"x": "c"})), 0);
    }

    #[test]
    fn a_document_that_leads_nowhere_is_a_fault_and_no_pass() {
        assert_ne!(faults(&json!({"$ref": "#/components/schemas/None"}), &json!(1)), 0);
        assert_ne!(faults(&json!({"multipleOf": 2}), &json!(2)), 0);
        let empty = Contract::new(json!({}));
        assert_ne!(empty.faults("/", 200, "application/json", &json!(1)).len(), 0);
    }
}
