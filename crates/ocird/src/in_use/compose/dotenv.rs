//! The file `.env` beside a compose file, by compose's own rules.
//! <https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/>

use std::collections::BTreeMap;

use super::interpolate::{Lookup, interpolate};

/// Every variable of the file. One that cannot be resolved is a failure of whoever asks for it, with its line.
pub(super) type Variables = BTreeMap<String, Result<String, (usize, String)>>;

/// Reads a whole file. `outer` is what goes before it: the process's own environment.
pub(super) fn read(text: &str, outer: &Lookup<'_>) -> Result<Variables, (usize, String)> {
    let mut variables = Variables::new();
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        let (statement, after) = statement(rest).map_err(|what| (line, what))?;
        if let Some((name, value)) = statement.map_err(|what| (line, what))? {
            let value = resolve(&value, &variables, outer).map_err(|what| (line, what));
            variables.insert(name, value);
        }
        line += rest[..rest.len() - after.len()].matches('\n').count();
        rest = after;
    }
    Ok(variables)
}

/// What stands behind an equals sign.
#[derive(Debug)]
enum Value {
    /// As it stands.
    Literal(String),
    /// With variables in it.
    Text(String),
}

type Assignment = Result<Option<(String, Value)>, String>;

fn resolve(value: &Value, known: &Variables, outer: &Lookup<'_>) -> Result<String, String> {
    let lookup = |name: &str| match outer(name)? {
        Some(value) => Ok(Some(value)),
        None => known.get(name).cloned().transpose().map_err(|(_, what)| what),
    };
    match value {
        Value::Literal(text) => Ok(text.clone()),
        Value::Text(text) => interpolate(text, &lookup),
    }
}

/// The first statement of a text, and what follows it.
fn statement(text: &str) -> Result<(Assignment, &str), String> {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    let trimmed = line.trim();
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return Ok((Ok(None), after));
    }
    let trimmed = trimmed.strip_prefix("export ").map_or(trimmed, str::trim_start);
    // A name alone is taken from the process's own environment, which goes first anyway.
    let Some(at) = trimmed.find(['=', ':']) else { return Ok((Ok(None), after)) };
    let name = trimmed[..at].trim();
    let is_name = |name: &str| {
        name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-'))
    };
    if name.is_empty() || !is_name(name) {
        return Err(format!("{name:?} is not the name of a variable"));
    }
    let begin =
        text.len() - text.trim_start().len() + text.trim_start().find(['=', ':']).unwrap_or_default() + 1;
    let value = text[begin..].trim_start_matches([' ', '\t']);
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let (value, after) = quoted(&value[1..], quote)?;
            Ok((Ok(Some((name.to_owned(), value))), after))
        }
        _ => Ok((Ok(Some((name.to_owned(), Value::Text(bare(value))))), after)),
    }
}

/// What stands without quotes, up to the end of the line or a comment.
fn bare(value: &str) -> String {
    let line = value.lines().next().unwrap_or_default();
    let end = line.find(" #").unwrap_or(line.len());
    if line.starts_with('#') { String::new() } else { line[..end].trim().to_owned() }
}

/// What stands in quotes, perhaps over several lines, and what follows its last line.
fn quoted(text: &str, quote: char) -> Result<(Value, &str), String> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            letter if letter == quote => {
                let after = text[at + 1..].split_once('\n').map_or("", |(_, after)| after);
                let value = if quote == '"' { Value::Text(value) } else { Value::Literal(value) };
                return Ok((value, after));
            }
            '\\' if quote == '"' => match letters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, 't')) => value.push('\t'),
                Some((_, '$')) => value.push_str("$$"),
                Some((_, letter @ ('"' | '\\'))) => value.push(letter),
                Some((_, letter)) => value.extend(['\\', letter]),
                None => value.push('\\'),
            },
            letter => value.push(letter),
        }
    }
    Err("a quote is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> Result<String, (usize, String)> {
        let outer = |name: &str| Ok((name == "OUTER").then(|| "outer".to_owned()));
        read(text, &outer).unwrap()[name].clone()
    }

    #[test]
    fn every_form_of_a_line_is_known() {
        let cases = [
            ("TAG=v1", "v1"),
            ("export TAG=v1", "v1"),
            ("  TAG = v1  ", "v1"),
            ("TAG=v1 # the newest", "v1"),
            ("TAG=v1#2", "v1#2"),
            ("TAG: v1", "v1"),
            ("TAG='v1 # no comment $X'", "v1 # no comment $X"),
            ("TAG=\"v1\\n\" # comment", "v1\n"),
            ("TAG=\"a\\$b\"", "a$b"),
            ("TAG=", ""),
            ("# comment\n\nA=1\nTAG=${A}-2", "1-2"),
            ("TAG=$OUTER", "outer"),
            ("TAG=${NONE:-d}", "d"),
            ("A=1\r\nTAG=2\r\n", "2"),
            ("TAG=http://x:1/y", "http://x:1/y"),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text, "TAG").as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn quotes_may_run_over_lines_and_lines_are_counted() {
        let text = "A=\"1\n2\"\nB='x\ny'\nTAG=${NONE}\n";
        assert_eq!(value(text, "A").as_deref(), Ok("1\n2"));
        assert_eq!(value(text, "B").as_deref(), Ok("x\ny"));
        assert_eq!(value(text, "TAG"), Err((5, "the variable NONE is not set".to_owned())));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_with_its_line() {
        let outer = |_: &str| Ok(None);
        assert_eq!(read("A=1\nB='x\n", &outer).unwrap_err(), (2, "a quote is not closed".to_owned()));
        assert_eq!(read("A=1\n\nB C=1", &outer).unwrap_err().0, 3);
    }
}
