//! Characters that make a text mean something else than it seems to.

use std::borrow::Cow;

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{BidiControl, DefaultIgnorableCodePoint, GeneralCategory, Script};
use icu_properties::script::ScriptWithExtensions;
use icu_properties::{
    CodePointMapData, CodePointMapDataBorrowed, CodePointSetData, CodePointSetDataBorrowed,
};

const BIDI: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<BidiControl>();
const IGNORABLE: CodePointSetDataBorrowed<'static> =
    CodePointSetData::new::<DefaultIgnorableCodePoint>();
const CATEGORY: CodePointMapDataBorrowed<'static, GeneralCategory> = CodePointMapData::new();
const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();
const FOLD: CaseMapperBorrowed<'static> = CaseMapper::new();

/// Slashes, backslashes and dots that no normalisation maps, but converters to older character sets do, and eyes too.
const LOOKALIKE: [char; 9] = [
    '\u{2044}', '\u{2215}', '\u{29f8}', '\u{2216}', '\u{29f5}', '\u{29f9}', '\u{a5}', '\u{20a9}',
    '\u{2571}',
];

/// Controls direction of writing.
pub(super) fn is_bidi(c: char) -> bool {
    !c.is_ascii() && BIDI.contains(c)
}

/// Shown as nothing: zero-width characters, tags, variation selectors, fillers.
pub(super) fn is_invisible(c: char) -> bool {
    !c.is_ascii() && IGNORABLE.contains(c)
}

/// Why a name that a program resolves (a path, a host) cannot contain this character with one meaning.
///
/// ASCII is judged by those who ask, but for control characters.
pub(super) fn ambiguous(c: char) -> Option<&'static str> {
    if c.is_control() {
        return Some("control characters");
    }
    if c.is_ascii() {
        return None;
    }
    if IGNORABLE.contains(c) || BIDI.contains(c) {
        return Some("invisible characters");
    }
    if LOOKALIKE.contains(&c) {
        return Some("characters that look like others");
    }
    if has_no_one_meaning(CATEGORY.get(c)) {
        return Some("characters without one meaning");
    }
    let mut buffer = [0; 4];
    let compatible = NFKC.normalize(c.encode_utf8(&mut buffer));
    if compatible.bytes().any(|byte| byte.is_ascii()) {
        // full-width and other forms, which some systems turn into the ASCII character
        return Some("characters that become others");
    }
    None
}

fn has_no_one_meaning(category: GeneralCategory) -> bool {
    matches!(
        category,
        GeneralCategory::Unassigned
            | GeneralCategory::PrivateUse
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::SpaceSeparator
    )
}

/// The canonical composition, NFC.
pub(super) fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { Cow::Borrowed(text) } else { NFC.normalize(text) }
}

/// Case-folded, where every system that folds case does it alike.
pub(super) fn folded(text: &str) -> Result<String, &'static str> {
    if text.is_ascii() {
        return Ok(text.to_ascii_lowercase());
    }
    let full = FOLD.fold_string(text);
    let simple: String = text.chars().map(|c| FOLD.simple_fold(c)).collect();
    if full != simple {
        return Err("its case folds differently on different systems");
    }
    Ok(composed(&full).into_owned())
}

/// The text as the loosest comparison reads it: compatible forms, case and invisible characters are no difference.
pub(super) fn loosest(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let visible: String =
        NFKC.normalize(text).chars().filter(|c| !is_invisible(*c)).collect::<String>();
    let once = NFKC.normalize(&FOLD.fold_string(&visible)).into_owned();
    // folding can need composition, and the composed be folded again
    NFKC.normalize(&FOLD.fold_string(&once)).into_owned()
}

/// Whether some word mixes scripts that no language writes together.
///
/// Words are runs of letters, marks and digits. Sets of scripts are joined as in UTS #39, section 5.1.
pub(super) fn mixes_scripts(text: &str) -> bool {
    !text.is_ascii()
        && text
            .split(|c: char| !(c.is_alphanumeric() || is_mark(c) || is_invisible(c)))
            .any(word_mixes_scripts)
}

fn is_mark(c: char) -> bool {
    !c.is_ascii()
        && matches!(
            CATEGORY.get(c),
            GeneralCategory::NonspacingMark
                | GeneralCategory::SpacingMark
                | GeneralCategory::EnclosingMark
        )
}

fn word_mixes_scripts(word: &str) -> bool {
    if word.is_ascii() {
        return false;
    }
    let mut shared: Option<Vec<Writing>> = None;
    for c in word.chars() {
        let of = writings(c);
        if of.is_empty() {
            continue;
        }
        let left = match shared {
            None => of,
            Some(before) => before.into_iter().filter(|one| of.contains(one)).collect(),
        };
        if left.is_empty() {
            return true;
        }
        shared = Some(left);
    }
    false
}

/// A way of writing: one script, or the scripts that a language of East Asia writes together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writing {
    One(Script),
    Japanese,
    Korean,
    Bopomofo,
}

/// The ways of writing that use this character; none for those that all use.
fn writings(c: char) -> Vec<Writing> {
    let mut found = Vec::with_capacity(2);
    for script in ScriptWithExtensions::new().get_script_extensions_val(c).iter() {
        match script {
            Script::Common | Script::Inherited => return Vec::new(),
            Script::Han => found.extend([Writing::Japanese, Writing::Korean, Writing::Bopomofo]),
            Script::Hiragana | Script::Katakana => found.push(Writing::Japanese),
            Script::Hangul => found.push(Writing::Korean),
            Script::Bopomofo => found.push(Writing::Bopomofo),
            _ => {}
        }
        found.push(Writing::One(script));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_one_language_do_not_mix() {
        for text in
            ["password", "пароль", "東京タワーへ", "한국漢字", "été 2026 год", "Ελλάδα x", "नमस्ते"]
        {
            assert!(!mixes_scripts(text), "{text}");
        }
        for text in ["pаssword", "аdmin", "Ρaypal", "ѕсоре1a", "a\u{200b}б"] {
            assert!(mixes_scripts(text), "{text}");
        }
    }

    #[test]
    fn what_becomes_ascii_is_ambiguous() {
        for c in [
            '／', '．', '․', 'Ａ', '\u{212a}', 'ﬁ', '\u{a0}', '\u{37e}', '\u{1fef}', '\u{3000}',
            'ſ', '℀',
        ] {
            assert!(ambiguous(c).is_some(), "{c:?}");
        }
        for c in ['é', 'ß', 'я', '東', '한', 'ñ', 'İ'] {
            assert_eq!(ambiguous(c), None, "{c:?}");
        }
    }

    #[test]
    fn folding_that_systems_do_differently_is_not_decided() {
        assert_eq!(folded("ÉCOLE").as_deref(), Ok("école"));
        assert!(folded("straße").is_err());
        assert_eq!(loosest("Ｓtraße\u{200d}"), "strasse");
    }
}
