//! The sticky key of a request.

use http::header;
use http::request::Parts;
use lockgate_model::agent::StickyKey;

/// Longer keys are ignored: a key is a user's id, not a document.
const KEY_LEN_MAX: usize = 512;

/// The key, if it is there, not empty, and text of a sensible length.
pub(crate) fn key(sticky: &StickyKey, parts: &Parts) -> Option<String> {
    let key = match sticky {
        StickyKey::Header(name) => parts.headers.get(name.as_str())?.to_str().ok()?.trim(),
        StickyKey::Cookie(name) => cookie(parts, name)?,
        StickyKey::Query(name) => query(parts.uri.query()?, name)?,
    };
    (!key.is_empty() && key.len() <= KEY_LEN_MAX).then(|| key.to_owned())
}

fn cookie<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let lines = parts.headers.get_all(header::COOKIE).iter();
    let pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches('"'))
}

fn query<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn found(sticky: &StickyKey) -> Option<String> {
        let request = Request::builder()
            .uri("/x?a=1&user=query-7&empty=")
            .header("x-user", " header-7 ")
            .header("cookie", "a=b; sid=\"cookie-7\"")
            .header("cookie", "other=1")
            .body(())
            .unwrap();
        key(sticky, &request.into_parts().0)
    }

    #[test]
    fn keys_are_found_where_they_should_be() {
        let key = |text: &str| Some(text.to_owned());
        assert_eq!(found(&StickyKey::Header("x-user".into())), key("header-7"));
        assert_eq!(found(&StickyKey::Cookie("sid".into())), key("cookie-7"));
        assert_eq!(found(&StickyKey::Query("user".into())), key("query-7"));
    }

    #[test]
    fn missing_and_empty_keys_are_none() {
        for sticky in [
            StickyKey::Header("x-none".into()),
            StickyKey::Cookie("si".into()),
            StickyKey::Query("empty".into()),
            StickyKey::Query("use".into()),
        ] {
            assert_eq!(found(&sticky), None, "{sticky:?}");
        }
    }
}
