//! E-mail addresses.

use std::ops::Range;

/// The longest local part, in bytes (RFC 5321, section 4.5.3.1.1).
const LONGEST_LOCAL: usize = 64;
/// The longest label of a domain, in bytes (RFC 1035, section 2.3.4).
const LONGEST_LABEL: usize = 63;

/// Where addresses stand, in bytes. Letters of every script count, as in RFC 6531.
pub(super) fn addresses(text: &str) -> Vec<Range<usize>> {
    let address = |(at, _): (usize, &str)| {
        let local = local_length(&text[..at])?;
        let domain = domain_length(&text[at + 1..])?;
        Some(at - local..at + 1 + domain)
    };
    text.match_indices('@').filter_map(address).collect()
}

/// The bytes before the sign that are a local part.
fn local_length(before: &str) -> Option<usize> {
    let is_local = |c: char| c.is_alphanumeric() || "._%+-'".contains(c);
    let local = before.rsplit(|c| !is_local(c)).next()?;
    let local = local.trim_start_matches(['.', '\'', '-', '%', '+']);
    let sound = !local.is_empty() && local.len() <= LONGEST_LOCAL && !local.ends_with('.') && !local.contains("..");
    sound.then_some(local.len())
}

/// The bytes after the sign that are a domain of at least two labels, the last of which is no number.
fn domain_length(after: &str) -> Option<usize> {
    let run = after.split(|c: char| !c.is_alphanumeric() && !"-.".contains(c)).next()?.trim_end_matches(['-', '.']);
    let (mut length, mut labels) = (None, 0);
    let mut end = 0;
    for label in run.split('.') {
        let sound =
            !label.is_empty() && label.len() <= LONGEST_LABEL && !label.starts_with('-') && !label.ends_with('-');
        if !sound {
            break;
        }
        labels += 1;
        end += label.len();
        if labels > 1 && is_top_level(label) {
            length = Some(end);
        }
        end += 1;
    }
    length
}

fn is_top_level(label: &str) -> bool {
    label.starts_with("xn--") || (label.chars().count() >= 2 && label.chars().all(char::is_alphabetic))
}

/// `j***@***.org`.
pub(super) fn mask(address: &str) -> String {
    let first = address.chars().next().unwrap_or('*');
    let top = address.rsplit('.').next().unwrap_or_default();
    format!("{first}***@***.{top}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = addresses(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn addresses_are_found_without_the_sentence_around_them() {
        check("write to jane.doe+news@mail.example.org.", &["jane.doe+news@mail.example.org"]);
        check("<a@b.co>,'c_d@e-f.info'", &["a@b.co", "c_d@e-f.info"]);
        check("änne@münchen.example und 李@例子.公司!", &["änne@münchen.example", "李@例子.公司"]);
        check("x@y.example-", &["x@y.example"]);
        check("a@xn--bcher-kva.xn--p1ai", &["a@xn--bcher-kva.xn--p1ai"]);
    }

    #[test]
    fn handles_prices_and_fragments_are_not_addresses() {
        check("@CNBCPro says $TSLA @ 2.30, 5@2.30, a@b, a@.com, .@x.org", &[]);
        check("a..b@x.org", &[]);
        check(&format!("{}@x.org", "a".repeat(65)), &[]);
    }

    #[test]
    fn a_mask_keeps_the_first_letter_and_the_top_level() {
        assert_eq!(mask("jane.doe@mail.example.org"), "j***@***.org");
    }
}
