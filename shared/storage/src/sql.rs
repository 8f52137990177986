//! Just enough of ClickHouse's lexical grammar to tell statements, formats and inline data apart.

/// One word, literal or punctuation mark of a statement; comments and white space are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Token<'a> {
    text: &'a str,
    end: usize,
    start: usize,
    /// How many brackets are open around it.
    depth: u32,
    bare_word: bool,
}

struct Tokens<'a> {
    text: &'a str,
    position: usize,
    depth: u32,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, position: 0, depth: 0 }
    }

    fn skip_blank(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.position) {
            let rest = &bytes[self.position..];
            if byte.is_ascii_whitespace() {
                self.position += 1;
            } else if rest.starts_with(b"--") || rest.starts_with(b"# ") || rest.starts_with(b"#!") {
                self.position += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
            } else if rest.starts_with(b"/*") {
                self.position += find(rest, b"*/").map_or(rest.len(), |at| at + 2);
            } else {
                return;
            }
        }
    }

    fn quoted_end(&self, quote: u8) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = self.position + 1;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'\\' => at += 2,
                _ if byte == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
                _ if byte == quote => return at + 1,
                _ => at += 1,
            }
        }
        bytes.len()
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blank();
        let bytes = self.text.as_bytes();
        let start = self.position;
        let first = *bytes.get(start)?;
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        let mut depth = self.depth;
        let end = match first {
            b'\'' | b'"' | b'`' => self.quoted_end(first),
            b'(' | b'[' | b'{' => {
                self.depth += 1;
                start + 1
            }
            b')' | b']' | b'}' => {
                self.depth = self.depth.saturating_sub(1);
                depth = self.depth;
                start + 1
            }
            _ if word(&first) => bytes[start..].iter().position(|b| !word(b)).map_or(bytes.len(), |at| start + at),
            _ => start + 1,
        };
        // An escape at the very end may point beyond it.
        let end = end.min(bytes.len());
        self.position = end;
        Some(Token { text: self.text.get(start..end)?, start, end, depth, bare_word: word(&first) })
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The statements of a text, without their semicolons; empty ones are left out.
pub(crate) fn statements(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = None;
    for token in Tokens::new(text) {
        if token.text == ";" && token.depth == 0 {
            found.extend(start.take().map(|from| text[from..token.start].trim_end()));
        } else {
            start.get_or_insert(token.start);
        }
    }
    found.extend(start.map(|from| text[from..].trim_end()));
    found
}

/// The statement's first word, in upper case: `SELECT`, `INSERT`, `WITH`.
pub(crate) fn verb(statement: &str) -> String {
    Tokens::new(statement)
        .find(|token| token.text != "(")
        .map_or_else(String::new, |token| token.text.to_ascii_uppercase())
}

/// The output format that a query names itself: `… FORMAT JSONEachRow`.
pub(crate) fn output_format(query: &str) -> Option<&str> {
    let mut tokens = Tokens::new(query).filter(|token| token.depth == 0).peekable();
    while let Some(token) = tokens.next() {
        let name = tokens.peek().filter(|next| next.bare_word);
        if is(&token, "FORMAT")
            && let Some(name) = name
        {
            return Some(name.text);
        }
    }
    None
}

/// Whether the query's result would go into a file beside the engine: `… INTO OUTFILE 'x'`.
pub(crate) fn writes_a_file(query: &str) -> bool {
    let words: Vec<_> = Tokens::new(query).filter(|token| token.depth == 0).collect();
    words.windows(2).any(|pair| is(&pair[0], "INTO") && is(&pair[1], "OUTFILE"))
}

/// An INSERT whose rows come as data in a format, and not from a SELECT or a VALUES list in its text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DataInsert<'a> {
    /// The statement without its FORMAT clause.
    pub(crate) statement: &'a str,
    /// The format's name.
    pub(crate) format: &'a str,
    /// Where in the text the data begins.
    pub(crate) data: usize,
}

/// Reads `text` as an INSERT with data; `None` where it is anything else.
///
/// The data follows the format's name after blanks and at most one line break, as on the real server.
pub(crate) fn data_insert(text: &str) -> Option<DataInsert<'_>> {
    let mut tokens = Tokens::new(text);
    if !is(&tokens.next()?, "INSERT") {
        return None;
    }
    while let Some(token) = tokens.next() {
        if token.depth > 0 || !token.bare_word {
            continue;
        }
        if is(&token, "SELECT") || is(&token, "WITH") || is(&token, "FROM") {
            return None;
        }
        if is(&token, "VALUES") {
            let statement = text[..token.start].trim_end();
            return Some(DataInsert { statement, format: "Values", data: token.end });
        }
        if is(&token, "FORMAT") {
            let name = tokens.next().filter(|name| name.bare_word)?;
            let statement = text[..token.start].trim_end();
            return Some(DataInsert { statement, format: name.text, data: data_start(text.as_bytes(), name.end) });
        }
    }
    None
}

fn data_start(text: &[u8], from: usize) -> usize {
    let blanks = text[from..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
    let at = from + blanks;
    match text.get(at) {
        Some(b'\n') => at + 1,
        Some(b';') if text[at + 1..].iter().all(u8::is_ascii_whitespace) => text.len(),
        _ => at,
    }
}

fn is(token: &Token<'_>, keyword: &str) -> bool {
    token.bare_word && token.text.eq_ignore_ascii_case(keyword)
}

/// A string literal.
pub(crate) fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A quoted identifier.
pub(crate) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn statements_end_at_semicolons_outside_of_literals() {
        let text = "CREATE TABLE a (s String DEFAULT ';') -- one; two\n;\n/* ; */ ; SELECT '\\';' ; ";
        assert_eq!(statements(text), ["CREATE TABLE a (s String DEFAULT ';') -- one; two", "SELECT '\\';'"]);
        assert_eq!(statements(" ;; "), Vec::<&str>::new());
    }

    #[test]
    fn formats_are_words_and_not_columns_in_brackets_or_quotes() {
        assert_eq!(output_format("SELECT 1 FORMAT JSON"), Some("JSON"));
        assert_eq!(output_format("select 'FORMAT x', `FORMAT` from (select 1 format y) format  Tsv;"), Some("Tsv"));
        assert_eq!(output_format("SELECT 1 -- FORMAT JSON"), None);
        assert!(writes_a_file("SELECT 1 into  outfile 'x'"));
        assert!(!writes_a_file("SELECT 'INTO OUTFILE', `into` outfile"));
        assert_eq!(verb(" -- hello\n (select 1)"), "SELECT");
    }

    fn insert(text: &str) -> Option<(&str, &str, &str)> {
        data_insert(text).map(|found| (found.statement, found.format, &text[found.data..]))
    }

    #[test]
    fn inserts_with_data_are_split() {
        assert_eq!(
            insert("INSERT INTO t(`FORMAT`) SETTINGS a=1 FORMAT RowBinary"),
            Some(("INSERT INTO t(`FORMAT`) SETTINGS a=1", "RowBinary", ""))
        );
        assert_eq!(insert("insert into t format CSV\n1,2\n\n3"), Some(("insert into t", "CSV", "1,2\n\n3")));
        assert_eq!(insert("INSERT INTO t FORMAT TSV 1\t2"), Some(("INSERT INTO t", "TSV", "1\t2")));
        assert_eq!(insert("INSERT INTO t VALUES (1)"), Some(("INSERT INTO t", "Values", " (1)")));
        assert_eq!(insert("INSERT INTO t SELECT 1 FORMAT CSV"), None);
        assert_eq!(insert("SELECT 1 FORMAT CSV"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_fault(text in ".{0,80}") {
            statements(&text);
            output_format(&text);
            data_insert(&text);
            verb(&text);
        }

        #[test]
        fn a_literal_is_one_token(value in ".{0,40}") {
            let quoted = literal(&value);
            prop_assert_eq!(Tokens::new(&quoted).map(|token| token.text).collect::<Vec<_>>(), [quoted.as_str()]);
            let named = identifier(&value);
            prop_assert_eq!(Tokens::new(&named).count(), 1);
        }
    }
}
