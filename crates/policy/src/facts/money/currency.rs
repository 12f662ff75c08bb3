//! Currencies of ISO 4217 that people pay with, by how many places their minor unit has.

const NO_PLACES: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";

const TWO_PLACES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF \
    CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG \
    HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN \
    MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD \
    SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG";

const THREE_PLACES: &str = "BHD IQD JOD KWD LYD OMR TND";

const FOUR_PLACES: &str = "CLF UYW";

/// The code in upper case, and the places of its minor unit.
pub(super) fn of(code: &str) -> Option<(String, u32)> {
    let plain = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
    let code = plain.then(|| code.to_ascii_uppercase())?;
    let tables = [(TWO_PLACES, 2), (NO_PLACES, 0), (THREE_PLACES, 3), (FOUR_PLACES, 4)];
    let (_, places) = tables.into_iter().find(|(table, _)| has(table, &code))?;
    Some((code, places))
}

/// Codes are three letters and a space.
fn has(table: &str, code: &str) -> bool {
    table.as_bytes().chunks(4).any(|entry| entry.starts_with(code.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_codes_with_one_space_between() {
        let mut all = Vec::new();
        for table in [NO_PLACES, TWO_PLACES, THREE_PLACES, FOUR_PLACES] {
            assert!(table.as_bytes().chunks(4).all(|entry| {
                entry[..3].iter().all(u8::is_ascii_uppercase)
                    && entry.get(3).is_none_or(|space| *space == b' ')
            }));
            all.extend(table.split(' '));
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn codes_have_their_places() {
        assert_eq!(of("jpy"), Some(("JPY".to_owned(), 0)));
        assert_eq!(of("EUR"), Some(("EUR".to_owned(), 2)));
        assert_eq!(of("KWD"), Some(("KWD".to_owned(), 3)));
        assert_eq!(of("CLF"), Some(("CLF".to_owned(), 4)));
        for code in ["XXX", "XAU", "EU", "EURO", "€", "BGN", "UR "] {
            assert_eq!(of(code), None, "{code}");
        }
    }
}
