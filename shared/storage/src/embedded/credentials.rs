//! Who may ask: one user with one password, on every request.

use std::hint::black_box;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use foundation::{Secret, digest};

use super::exception::{Exception, codes};

/// The user and the password that requests must bring.
pub(super) struct Credentials {
    user: String,
    password: Secret,
}

impl Credentials {
    pub(super) fn new(user: &str, password: &Secret) -> Self {
        Self { user: user.to_owned(), password: password.clone() }
    }

    /// Accepts ClickHouse's headers, HTTP basic authentication and the URL's `user` and `password`.
    pub(super) fn check(&self, headers: &HeaderMap, url: &[(String, String)]) -> Result<(), Exception> {
        let (user, password) = presented(headers, url).unwrap_or_default();
        // Both comparisons are made always, so that time tells neither which was wrong nor how much of it was right.
        if equal(&user, &self.user) & equal(&password, self.password.expose()) {
            return Ok(());
        }
        let message = "Authentication failed: password is incorrect, or there is no user with such name";
        Err(Exception::new(codes::AUTHENTICATION_FAILED, message))
    }
}

fn presented(headers: &HeaderMap, url: &[(String, String)]) -> Option<(String, String)> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let field = |name: &str| url.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    if let Some(user) = header("x-clickhouse-user") {
        return Some((user, header("x-clickhouse-key").unwrap_or_default()));
    }
    if let Some(value) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) {
        let decoded = String::from_utf8(decode_base64(value.strip_prefix("Basic ")?)?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        return Some((user.to_owned(), password.to_owned()));
    }
    Some((field("user")?, field("password").unwrap_or_default()))
}

/// Compares digests byte by byte to the end, so that the time taken depends on no byte of the secret.
fn equal(given: &str, expected: &str) -> bool {
    let (given, expected) = (digest::sha256(given.as_bytes()), digest::sha256(expected.as_bytes()));
    let difference = given.bytes().zip(expected.bytes()).fold(0, |all, (a, b)| black_box(all | (a ^ b)));
    difference == 0
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xFF) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)], url: &[(&str, &str)], accepted: bool) {
        let credentials = Credentials::new("pulsewire", &Secret::new("open sesame"));
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let url: Vec<_> = url.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(credentials.check(&headers, &url).is_ok(), accepted, "{headers:?} {url:?}");
    }

    #[test]
    fn every_way_in_needs_the_password() {
        check(&[("x-clickhouse-user", "pulsewire"), ("x-clickhouse-key", "open sesame")], &[], true);
        check(&[("x-clickhouse-user", "pulsewire"), ("x-clickhouse-key", "open")], &[], false);
        check(&[("x-clickhouse-user", "pulsewire")], &[], false);
        check(&[("x-clickhouse-user", "root"), ("x-clickhouse-key", "open sesame")], &[], false);
        check(&[("authorization", "Basic cHVsc2V3aXJlOm9wZW4gc2VzYW1l")], &[], true);
        check(&[("authorization", "Basic cHVsc2V3aXJlOm9wZW4=")], &[], false);
        check(&[("authorization", "Basic !!!")], &[], false);
        check(&[], &[("user", "pulsewire"), ("password", "open sesame")], true);
        check(&[], &[("user", "pulsewire")], false);
        check(&[], &[], false);
    }
}
