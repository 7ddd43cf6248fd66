//! A YAML document as a tree in which every node knows its line. Only what compose files and kubeconfigs need: text, lists,
//! mappings, anchors and merge keys; tags are not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// The largest file in bytes.
const MAX_BYTES: u64 = 1024 * 1024;
/// The deepest nesting; nobody writes more by hand.
const MAX_DEPTH: usize = 64;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {what}", file.display())]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    /// Where it begins, from 1.
    pub(crate) line: usize,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Nothing,
    Text(String),
    List(Vec<Arc<Node>>),
    Map(Vec<(Arc<Node>, Arc<Node>)>),
}

impl Node {
    /// Reads the one document of a file.
    pub(crate) fn read(file: &Path) -> Result<Arc<Self>, Fault> {
        let fault = |line, what: String| Fault { file: file.to_owned(), line, what };
        let text = read_text(file).map_err(|what| fault(1, what))?;
        Self::parse(&text).map_err(|(line, what)| fault(line, what))
    }

    /// Reads the one document of a text. A failure comes with its line, and a second document is one: what it says would count.
    pub(crate) fn parse(text: &str) -> Result<Arc<Self>, (usize, String)> {
        let mut builder = Builder::default();
        let mut root = None;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| (error.marker().line(), error.to_string()))?;
            let line = span.start.line();
            if root.is_some() && matches!(event, Event::DocumentStart(_)) {
                return Err((line, "a second document in one file is not understood".to_owned()));
            }
            root = builder.take(event, line).map_err(|what| (line, what.to_owned()))?.or(root);
        }
        Ok(root.unwrap_or_else(|| Arc::new(Self { line: 1, value: Value::Nothing })))
    }

    /// The text of a scalar; `None` for null and for what is no scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Nothing | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The items of a list; a scalar is a list of itself.
    pub(crate) fn items(self: &Arc<Self>) -> Vec<Arc<Self>> {
        match &self.value {
            Value::List(items) => items.clone(),
            Value::Text(_) => vec![Arc::clone(self)],
            Value::Nothing | Value::Map(_) => Vec::new(),
        }
    }

    /// Whether it is a list.
    pub(crate) const fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    /// The value of a key, its own or, by `<<`, another mapping's.
    pub(crate) fn get(&self, key: &str) -> Option<Arc<Self>> {
        let own =
            |node: &Self| node.own().rev().find(|(name, _)| *name == key).map(|(_, value)| Arc::clone(value));
        own(self).or_else(|| self.merged().iter().find_map(|other| own(other)))
    }

    /// The keys of a mapping with their values, those by `<<` too. Its own go first.
    pub(crate) fn entries(&self) -> BTreeMap<String, Arc<Self>> {
        let merged = self.merged();
        let mut entries = BTreeMap::new();
        for node in merged.iter().rev().map(Arc::as_ref).chain([self]) {
            entries.extend(node.own().map(|(key, value)| (key.to_owned(), Arc::clone(value))));
        }
        entries.remove("<<");
        entries
    }

    /// Every mapping that is merged into this one, however far it leads, each once; the first goes before the later.
    fn merged(&self) -> Vec<Arc<Self>> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut waiting = self.bases();
        while let Some(node) = waiting.pop() {
            if seen.insert(Arc::as_ptr(&node)) {
                waiting.extend(node.bases());
                found.push(node);
            }
        }
        found
    }

    /// What stands behind `<<`, the last first.
    fn bases(&self) -> Vec<Arc<Self>> {
        let mut bases: Vec<_> = self.own().filter(|(key, _)| *key == "<<").map(|(_, value)| value).collect();
        bases.reverse();
        let each = bases.into_iter().flat_map(|value| match &value.value {
            Value::List(items) => items.iter().rev().cloned().collect(),
            Value::Map(_) | Value::Text(_) | Value::Nothing => vec![Arc::clone(value)],
        });
        each.collect()
    }

    /// The keys that stand in a mapping itself, with their values.
    fn own(&self) -> impl DoubleEndedIterator<Item = (&str, &Arc<Self>)> {
        let entries = match &self.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Nothing | Value::Text(_) | Value::List(_) => &[],
        };
        entries.iter().filter_map(|(key, value)| Some((key.text()?, value)))
    }
}

/// Reads a text file of reasonable size.
pub(crate) fn read_text(file: &Path) -> Result<String, String> {
    let size = std::fs::metadata(file).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > MAX_BYTES {
        return Err(format!("is larger than {MAX_BYTES} bytes"));
    }
    std::fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))
}

/// Builds the tree from the parser's events.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Arc<Node>>,
}

/// A list or mapping that is not at its end.
struct Open {
    line: usize,
    anchor: usize,
    is_map: bool,
    items: Vec<Arc<Node>>,
}

impl Builder {
    /// Takes one event; answers the root when it is whole.
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<Option<Arc<Node>>, &'static str> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let is_null =
                    style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if is_null { Value::Nothing } else { Value::Text(text.into_owned()) };
                Ok(self.put(Arc::new(Node { line, value }), anchor))
            }
            Event::SequenceStart(anchor, _) => self.begin(line, anchor, false),
            Event::MappingStart(anchor, _) => self.begin(line, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => {
                let Open { line, anchor, is_map, items } = self.open.pop().ok_or("ends what never began")?;
                let value = if is_map { Value::Map(pairs(items)) } else { Value::List(items) };
                Ok(self.put(Arc::new(Node { line, value }), anchor))
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).ok_or("an alias of something around it")?;
                let node = Arc::clone(node);
                Ok(self.put(node, 0))
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(None),
        }
    }

    fn begin(&mut self, line: usize, anchor: usize, is_map: bool) -> Result<Option<Arc<Node>>, &'static str> {
        if self.open.len() >= MAX_DEPTH {
            return Err("is nested too deeply");
        }
        self.open.push(Open { line, anchor, is_map, items: Vec::new() });
        Ok(None)
    }

    fn put(&mut self, node: Arc<Node>, anchor: usize) -> Option<Arc<Node>> {
        if anchor > 0 {
            self.anchors.insert(anchor, Arc::clone(&node));
        }
        match self.open.last_mut() {
            Some(open) => {
                open.items.push(node);
                None
            }
            None => Some(node),
        }
    }
}

/// Keys and values, which the parser tells one after the other.
fn pairs(items: Vec<Arc<Node>>) -> Vec<(Arc<Node>, Arc<Node>)> {
    let mut items = items.into_iter();
    std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn text_lists_and_mappings_know_their_lines() {
        let root = Node::parse("a: 1\nb:\n  - x\n  - 'null'\nc: null\n").unwrap();
        assert_eq!(root.get("a").unwrap().text(), Some("1"));
        let list = root.get("b").unwrap();
        assert_eq!(
            list.items().iter().map(|item| (item.line, item.text())).collect::<Vec<_>>(),
            [(3, Some("x")), (4, Some("null"))]
        );
        assert_eq!(root.get("c").unwrap().text(), None);
        assert!(root.get("d").is_none());
    }

    #[test]
    fn merge_keys_and_anchors_are_followed_and_own_keys_win() {
        let text = "base: &base {image: one, build: .}\nmore: &more {image: two}\n\
                    a: {<<: *base, build: x}\nb: {<<: [*more, *base]}\nc: *base\n";
        let root = Node::parse(text).unwrap();
        let at = |name: &str, key: &str| root.get(name).unwrap().get(key).unwrap().text().unwrap().to_owned();
        assert_eq!((at("a", "image"), at("a", "build")), ("one".to_owned(), "x".to_owned()));
        assert_eq!((at("b", "image"), at("b", "build")), ("two".to_owned(), ".".to_owned()));
        assert_eq!(at("c", "image"), "one");
        let entries = |name: &str| root.get(name).unwrap().entries();
        let texts = |name: &str| -> Vec<String> {
            entries(name).iter().map(|(key, value)| format!("{key}={}", value.text().unwrap())).collect()
        };
        assert_eq!(texts("a"), ["build=x", "image=one"]);
        assert_eq!(texts("b"), ["build=.", "image=two"]);
        assert!(root.get("b").unwrap().get("none").is_none());
    }

    #[test]
    fn a_second_document_is_refused_and_the_end_of_the_first_is_not() {
        assert_eq!(Node::parse("---\na: 1\n---\na: 2\n").unwrap_err().0, 3);
        assert_eq!(Node::parse("---\na: 1\n...\n").unwrap().get("a").unwrap().text(), Some("1"));
    }

    #[test]
    fn what_is_no_yaml_is_said_with_its_line() {
        assert_eq!(Node::parse("a: 1\nb: [1\nc: }").unwrap_err().0, 3);
        assert!(Node::parse(&"[".repeat(100)).unwrap_err().1.contains("too deeply"));
        assert_eq!(Node::parse("").unwrap().text(), None);
    }

    #[test]
    fn a_bomb_of_aliases_is_a_small_tree() {
        let mut text = "a0: &a0 [x, x]\n".to_owned();
        for n in 1..40 {
            writeln!(text, "a{n}: &a{n} [*a{0}, *a{0}]", n - 1).unwrap();
        }
        assert_eq!(Node::parse(&text).unwrap().get("a39").unwrap().items().len(), 2);
        let mut text = "a0: &a0 {x: y}\n".to_owned();
        for n in 1..40 {
            writeln!(text, "a{n}: &a{n} {{<<: [*a{0}, *a{0}]}}", n - 1).unwrap();
        }
        let last = Node::parse(&text).unwrap().get("a39").unwrap();
        assert!(last.get("z").is_none() && last.entries().len() == 1);
    }
}
