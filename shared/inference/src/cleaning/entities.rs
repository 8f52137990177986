//! The character references of HTML, numbers and the names of HTML 4.01, section 24.

/// The names of U+00A0 to U+00FF, in order.
const LATIN_1: &str = "\
    nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute \
    micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring \
    AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml \
    times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil \
    egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash \
    ugrave uacute ucirc uuml yacute thorn yuml";

/// The other names, and XML's `apos`.
const OTHERS: &str = "\
    quot=\" amp=& lt=< gt=> OElig=Œ oelig=œ Scaron=Š scaron=š Yuml=Ÿ fnof=ƒ circ=ˆ tilde=˜ Alpha=Α Beta=Β \
    Gamma=Γ Delta=Δ Epsilon=Ε Zeta=Ζ Eta=Η Theta=Θ Iota=Ι Kappa=Κ Lambda=Λ Mu=Μ Nu=Ν Xi=Ξ Omicron=Ο Pi=Π Rho=Ρ \
    Sigma=Σ Tau=Τ Upsilon=Υ Phi=Φ Chi=Χ Psi=Ψ Omega=Ω alpha=α beta=β gamma=γ delta=δ epsilon=ε zeta=ζ eta=η \
    theta=θ iota=ι kappa=κ lambda=λ mu=μ nu=ν xi=ξ omicron=ο pi=π rho=ρ sigmaf=ς sigma=σ tau=τ upsilon=υ phi=φ \
    chi=χ psi=ψ omega=ω thetasym=ϑ upsih=ϒ piv=ϖ ensp=\u{2002} emsp=\u{2003} thinsp=\u{2009} zwnj=\u{200c} \
    zwj=\u{200d} lrm=\u{200e} rlm=\u{200f} ndash=– mdash=— lsquo=‘ rsquo=’ sbquo=‚ ldquo=“ rdquo=” bdquo=„ \
    dagger=† Dagger=‡ bull=• hellip=… permil=‰ prime=′ Prime=″ lsaquo=‹ rsaquo=› oline=‾ frasl=⁄ euro=€ image=ℑ \
    weierp=℘ real=ℜ trade=™ alefsym=ℵ larr=← uarr=↑ rarr=→ darr=↓ harr=↔ crarr=↵ lArr=⇐ uArr=⇑ rArr=⇒ dArr=⇓ \
    hArr=⇔ forall=∀ part=∂ exist=∃ empty=∅ nabla=∇ isin=∈ notin=∉ ni=∋ prod=∏ sum=∑ minus=− lowast=∗ radic=√ \
    prop=∝ infin=∞ ang=∠ and=∧ or=∨ cap=∩ cup=∪ int=∫ there4=∴ sim=∼ cong=≅ asymp=≈ ne=≠ equiv=≡ le=≤ ge=≥ sub=⊂ \
    sup=⊃ nsub=⊄ sube=⊆ supe=⊇ oplus=⊕ otimes=⊗ perp=⊥ sdot=⋅ lceil=⌈ rceil=⌉ lfloor=⌊ rfloor=⌋ lang=〈 rang=〉 \
    loz=◊ spades=♠ clubs=♣ hearts=♥ diams=♦ apos='";

/// What older pages mean by the numbers 128 to 159: Windows-1252, as the HTML standard has it (section 13.2.5.80).
const WINDOWS_1252: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";

/// The longest name.
const LONGEST: usize = 8;

/// The text with every reference replaced; what is none, or has no semicolon, stays.
pub(super) fn decoded(text: &str) -> String {
    let (mut decoded, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.bytes().take(LONGEST + 1).position(|byte| byte == b';');
        match end.and_then(|end| Some((end, character(&rest[..end])?))) {
            Some((end, character)) => {
                decoded.push(character);
                rest = &rest[end + 1..];
            }
            None => decoded.push('&'),
        }
    }
    decoded + rest
}

fn character(reference: &str) -> Option<char> {
    match reference.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse::<u32>(),
            };
            let code = code.ok().filter(|_| !number.contains('+'))?;
            let of_windows = code.checked_sub(128).and_then(|place| WINDOWS_1252.chars().nth(place as usize));
            of_windows.or_else(|| char::from_u32(code).filter(|c| *c != '\0')).or(Some(char::REPLACEMENT_CHARACTER))
        }
        None => {
            let of_latin_1 = LATIN_1.split(' ').zip('\u{a0}'..).find(|(name, _)| *name == reference);
            let others = || OTHERS.split(' ').filter_map(|pair| pair.split_once('='));
            let of_others =
                || others().find(|(name, _)| *name == reference).and_then(|(_, value)| value.chars().next());
            of_latin_1.map(|(_, value)| value).or_else(of_others)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(decoded(text), expected, "{text}");
    }

    #[test]
    fn references_become_characters() {
        check("AT&amp;T &lt;b&gt; &quot;x&quot; &apos;", "AT&T <b> \"x\" '");
        check("&euro;5&nbsp;&Eacute;t&eacute; &yuml;&iexcl;", "€5\u{a0}Été ÿ¡");
        check("&#8364; &#x20AC; &#X20ac; &#39;", "€ € € '");
        check("&#128;&#146;s &#0;&#xD800;&#x110000;", "€’s \u{fffd}\u{fffd}\u{fffd}");
        check("&thetasym;&zwnj;&ensp;", "ϑ\u{200c}\u{2002}");
    }

    #[test]
    fn what_is_no_reference_stays() {
        for text in ["AT&T", "a & b; c", "&nosuch;", "&amp", "&", "&;", "&#;", "&#x;", "&#+5;", "&Amp;", "&é;é;é;é;é"]
        {
            check(text, text);
        }
    }

    #[test]
    fn every_name_has_its_character() {
        assert_eq!(LATIN_1.split(' ').count(), 96);
        assert_eq!(OTHERS.split(' ').count(), 157);
        for name in LATIN_1.split(' ').chain(OTHERS.split(' ').filter_map(|pair| Some(pair.split_once('=')?.0))) {
            assert!(name.len() <= LONGEST && character(name).is_some(), "{name}");
        }
    }
}
