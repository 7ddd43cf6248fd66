//! Variables in compose files, by compose's own rules.
//! <https://docs.docker.com/reference/compose-file/interpolation/>
//!
//! One difference on purpose: where compose takes a variable that is not set for blank, with a warning, this is an error.
//! Whoever deploys may have it set, and a guess would name another image.

/// What a variable is: set to something, or not set; or it cannot be said.
pub(crate) type Lookup<'a> = dyn Fn(&str) -> Result<Option<String>, String> + 'a;

/// The deepest nesting of defaults.
const MAX_DEPTH: usize = 16;

/// `text` with every variable in place.
pub(crate) fn interpolate(text: &str, lookup: &Lookup<'_>) -> Result<String, String> {
    within(text, lookup, MAX_DEPTH)
}

fn within(text: &str, lookup: &Lookup<'_>, depth: usize) -> Result<String, String> {
    let Some(depth) = depth.checked_sub(1) else { return Err("defaults are nested too deeply".to_owned()) };
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            after
        } else if let Some(after) = after.strip_prefix('{') {
            let end = closing(after).ok_or_else(|| format!("{text:?} opens a ${{ that nothing closes"))?;
            out.push_str(&braced(&after[..end], lookup, depth)?);
            &after[end + 1..]
        } else {
            let name = &after[..name_length(after)];
            if name.is_empty() {
                return Err(format!("{text:?} has a $ that begins no variable; a plain one is written $$"));
            }
            out.push_str(&required(name, lookup)?);
            &after[name.len()..]
        };
    }
    out.push_str(rest);
    Ok(out)
}

/// What stands between braces: a name, and perhaps what to do when it is not set.
fn braced(inside: &str, lookup: &Lookup<'_>, depth: usize) -> Result<String, String> {
    let (name, operation) = inside.split_at(name_length(inside));
    if name.is_empty() {
        return Err(format!("${{{inside}}} names no variable"));
    }
    if operation.is_empty() {
        return required(name, lookup);
    }
    let (blank_is_unset, operation) = match operation.strip_prefix(':') {
        Some(operation) => (true, operation),
        None => (false, operation),
    };
    let value = lookup(name)?.filter(|value| !blank_is_unset || !value.is_empty());
    let mut letters = operation.chars();
    match (letters.next(), value) {
        (Some('-' | '?'), Some(value)) => Ok(value),
        (Some('-'), None) | (Some('+'), Some(_)) => within(letters.as_str(), lookup, depth),
        (Some('+'), None) => Ok(String::new()),
        (Some('?'), None) => {
            let why = within(letters.as_str(), lookup, depth)?;
            Err(format!("{name} must be set{}{why}", if why.is_empty() { "" } else { ": " }))
        }
        (_, _) => Err(format!("${{{inside}}} is no form that compose knows")),
    }
}

fn required(name: &str, lookup: &Lookup<'_>) -> Result<String, String> {
    lookup(name)?.ok_or_else(|| format!("the variable {name} is not set"))
}

/// The length of the name that a text begins with.
fn name_length(text: &str) -> usize {
    let is_part = |(at, letter): &(usize, char)| {
        letter.is_ascii_alphabetic() || *letter == '_' || (*at > 0 && letter.is_ascii_digit())
    };
    text.char_indices().take_while(is_part).count()
}

/// Where the brace is that closes the one before the text. Braces of nested references are passed over.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut previous = ' ';
    for (at, letter) in text.char_indices() {
        match letter {
            '{' if previous == '$' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
        previous = letter;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `TAG` is `v1`, `BLANK` is set to nothing, all others are not set.
    fn resolved(text: &str) -> Result<String, String> {
        let lookup = |name: &str| {
            Ok(match name {
                "TAG" => Some("v1".to_owned()),
                "BLANK" => Some(String::new()),
                _ => None,
            })
        };
        interpolate(text, &lookup)
    }

    #[test]
    fn every_form_of_compose_is_known() {
        let cases = [
            ("app:1", "app:1"),
            ("app:$TAG", "app:v1"),
            ("app:$TAG-slim", "app:v1-slim"),
            ("app:${TAG}", "app:v1"),
            ("app:$$TAG", "app:$TAG"),
            ("app:${NONE:-v0}", "app:v0"),
            ("app:${BLANK:-v0}", "app:v0"),
            ("app:${BLANK-v0}", "app:"),
            ("app:${TAG:-v0}", "app:v1"),
            ("app:${TAG:?say which}", "app:v1"),
            ("app${TAG:+:special}", "app:special"),
            ("app${NONE:+:special}", "app"),
            ("app${BLANK:+:special}", "app"),
            ("app${BLANK+:special}", "app:special"),
            ("app:${NONE:-${OTHER:-${TAG}}}-x", "app:v1-x"),
            ("${NONE-}app", "app"),
        ];
        for (text, expected) in cases {
            assert_eq!(resolved(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_set_or_not_a_form_is_an_error() {
        let cases = [
            ("app:$NONE", "NONE is not set"),
            ("app:${NONE}", "NONE is not set"),
            ("app:${NONE?}", "NONE must be set"),
            ("app:${NONE:?say which}", "NONE must be set: say which"),
            ("app:${BLANK:?say which}", "BLANK must be set"),
            ("app:${TAG", "nothing closes"),
            ("app:$", "begins no variable"),
            ("app:$1", "begins no variable"),
            ("app:${}", "names no variable"),
            ("app:${TAG/v/w}", "no form that compose knows"),
            ("app:${TAG:=v}", "no form that compose knows"),
        ];
        for (text, expected) in cases {
            let error = resolved(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn defaults_within_defaults_come_to_an_end() {
        let text = format!("{}x{}", "${A:-".repeat(100), "}".repeat(100));
        assert!(resolved(&text).unwrap_err().contains("too deeply"));
    }
}
