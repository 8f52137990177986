use std::io::Write as _;

use super::*;

fn file(ending: &str, content: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(ending).tempfile().unwrap();
    file.write_all(content).unwrap();
    file
}

fn rows(source: &DataSource) -> Vec<(String, String, u64)> {
    source.read().unwrap().into_iter().map(|row| (row.text, row.label, row.at.line)).collect()
}

fn row(text: &str, label: &str, line: u64) -> (String, String, u64) {
    (text.to_owned(), label.to_owned(), line)
}

fn refusal(source: &DataSource) -> String {
    let message = source.read().unwrap_err().to_string();
    assert!(message.contains(&source.path.display().to_string()), "{message} does not name the file");
    message
}

#[test]
fn csv_knows_quotes_line_breaks_and_its_lines() {
    let file = file(".csv", "\u{feff}id,label,text\n1,up,\"a, \"\"b\"\"\nc\"\n2,down,d\n".as_bytes());
    assert_eq!(rows(&DataSource::new(file.path())), [row("a, \"b\"\nc", "up", 2), row("d", "down", 4)]);
}

#[test]
fn lines_of_spreadsheets_are_counted_alike() {
    let file = file(".csv", b"text,label\r\na,up\r\n\"b\r\nc\",down\r\nd,up\r\n");
    assert_eq!(rows(&DataSource::new(file.path())), [row("a", "up", 2), row("b\nc", "down", 3), row("d", "up", 5)]);
}

#[test]
fn a_wrong_header_lists_the_columns_there_are() {
    let file = file(".csv", b"headline,sentiment\na,up\n");
    let message = refusal(&DataSource::new(file.path()));
    assert!(message.contains("\"text\"") && message.contains("\"headline\", \"sentiment\""), "{message}");
}

#[test]
fn a_short_row_names_file_line_and_field() {
    let file = file(".csv", b"text,label\na,up\nb\n");
    let message = refusal(&DataSource::new(file.path()));
    assert!(message.contains(":3: label: "), "{message}");
}

#[test]
fn tsv_has_no_quoting_and_may_have_no_header() {
    let file = file(".tsv", b"up\t\"quoted\" text\ndown\tother\n");
    let source =
        DataSource { header: false, text: Some("2".into()), label: Some("1".into()), ..DataSource::new(file.path()) };
    assert_eq!(rows(&source), [row("\"quoted\" text", "up", 1), row("other", "down", 2)]);
}

#[test]
fn ndjson_takes_keys_and_pointers() {
    let file =
        file(".ndjson", b"{\"body\":{\"text\":\"a\"},\"label\":3}\n\n{\"body\":{\"text\":\"b\"},\"label\":\"x\"}\n");
    let source = DataSource { text: Some("/body/text".into()), ..DataSource::new(file.path()) };
    assert_eq!(rows(&source), [row("a", "3", 1), row("b", "x", 3)]);
}

#[test]
fn further_columns_come_with_the_rows() {
    let further = |source: &DataSource, extra: &[&str]| -> Vec<Vec<String>> {
        let extra: Vec<String> = extra.iter().map(|name| (*name).to_owned()).collect();
        source.read_with(&extra).unwrap().into_iter().map(|row| row.extra).collect()
    };
    let csv = file(".csv", b"text,label,topic,desk\na,up,oil,\nb,down,gold,2\n");
    let source = DataSource::new(csv.path());
    assert_eq!(further(&source, &["desk", "topic", "label"]), [["", "oil", "up"], ["2", "gold", "down"]]);
    let message = source.read_with(&["dessk".to_owned()]).unwrap_err().to_string();
    assert!(message.contains("\"dessk\"") && message.contains("\"topic\", \"desk\""), "{message}");

    let ndjson = file(".ndjson", b"{\"text\":\"a\",\"label\":\"x\",\"in\":{\"desk\":null}}\n");
    let source = DataSource::new(ndjson.path());
    assert_eq!(further(&source, &["/in/desk", "label"]), [["", "x"]]);
    assert!(source.read_with(&["desk".to_owned()]).unwrap_err().to_string().contains(":1: desk: is missing"));

    let separated = file(".txt", b"good@up\n");
    let source = DataSource { format: Some(Format::Separated), ..DataSource::new(separated.path()) };
    assert!(source.read_with(&["desk".to_owned()]).unwrap_err().to_string().contains("no column \"desk\""));
}

#[test]
fn ndjson_errors_name_the_line_and_the_key() {
    let missing = file(".ndjson", b"{\"text\":\"a\",\"label\":\"x\"}\n{\"text\":\"a\",\"lable\":\"x\"}\n");
    let message = refusal(&DataSource::new(missing.path()));
    assert!(message.contains(":2: label: ") && message.contains("lable"), "{message}");
    let broken = file(".ndjson", b"{\"text\":\"a\",\"label\":\"x\"\n");
    assert!(refusal(&DataSource::new(broken.path())).contains(":1: row: not JSON"));
}

#[test]
fn separated_splits_at_the_last_separator_in_latin_1() {
    let file = file(".txt", b"write to a@b.example , \xe4nderung@neutral\r\n");
    let source =
        DataSource { format: Some(Format::Separated), encoding: Encoding::Latin1, ..DataSource::new(file.path()) };
    assert_eq!(rows(&source), [row("write to a@b.example , änderung", "neutral", 1)]);
}

#[test]
fn separated_names_a_line_without_separator() {
    let file = file(".txt", b"good@up\nbad\n");
    let source = DataSource { format: Some(Format::Separated), ..DataSource::new(file.path()) };
    assert!(refusal(&source).contains(":2: label: "));
}

#[test]
fn conll_joins_words_and_tags_of_a_text() {
    let content =
        b"-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n\nPeter\tNNP B-NP B-PER\r\n\x01 . O O\n\
        -DOCSTART- -X- O O\nBrussels NNP B-NP I-LOC";
    let file = file(".conll", content);
    let expected = [row("EU rejects", "B-ORG O", 3), row("Peter \u{fffd}", "B-PER O", 7), row("Brussels", "I-LOC", 10)];
    let source = DataSource::new(file.path());
    assert_eq!(rows(&source), expected);
    let source = DataSource { text: Some("2".into()), label: Some("3".into()), ..source };
    assert_eq!(rows(&source)[0], row("NNP VBZ", "B-NP B-VP", 3));
    // For the texts alone, whatever stands in other columns.
    let source = DataSource::new(file.path());
    assert_eq!(source.read_texts().unwrap(), ["EU rejects", "Peter \u{fffd}", "Brussels"]);
}

#[test]
fn conll_joins_texts_of_a_document_up_to_so_many_words() {
    let content = "a O\n\nb B-X\nc I-X\n\nd O\n\ne O\nf O\ng O\nh O\n\n-DOCSTART- O\n\ni O\n\nj B-X\n";
    let file = file(".conll", content.as_bytes());
    let joined = |words| rows(&DataSource { document_words: Some(words), ..DataSource::new(file.path()) });
    assert_eq!(
        joined(3),
        [row("a b c", "O B-X I-X", 1), row("d", "O", 6), row("e f g h", "O O O O", 8), row("i j", "O B-X", 15)]
    );
    assert_eq!(joined(100).len(), 2);
    assert_eq!(joined(1), rows(&DataSource::new(file.path())));
    let csv = DataSource { document_words: Some(3), ..DataSource::new("rows.csv") };
    assert!(csv.fault().unwrap().contains("document_words"));
}

#[test]
fn conll_names_the_line_of_what_is_wrong() {
    let check = |content: &str, expected: &str| {
        let file = file(".conll", content.as_bytes());
        let message = refusal(&DataSource::new(file.path()));
        assert!(message.contains(expected), "{message}");
    };
    check("EU B-ORG\nrejects\n", ":2: row: the line has 1 columns, the file's first one has 2");
    check("EU B-ORG\n\nrejects VBZ O\n", ":3: row: ");
    check("EU B-ORG\nPeter X-PER\n", ":2: tag: \"X-PER\" is none");
    check("EU B-ORG\n. .\n", ":2: tag: ");
    let file = file(".bio", b"EU NNP O\n");
    let message = refusal(&DataSource { label: Some("ner".into()), ..DataSource::new(file.path()) });
    assert!(message.contains("no column \"ner\"; the columns are \"1\", \"2\", \"3\""), "{message}");
    assert!(DataSource::new(file.path()).read_with(&["2".to_owned()]).is_err());
}

#[test]
fn broken_utf_8_names_the_line() {
    let file = file(".csv", b"text,label\na,up\n\xff\xfe,up\n");
    let message = refusal(&DataSource::new(file.path()));
    assert!(message.contains(":3: encoding: ") && message.contains("latin-1"), "{message}");
}

#[test]
fn an_unknown_ending_asks_for_the_format() {
    let file = file(".data", b"");
    assert!(refusal(&DataSource::new(file.path())).contains("set `format`"));
}

#[test]
fn parquet_is_read_by_column() {
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    let file = file(".parquet", b"");
    let schema =
        parse_message_type("message rows { required int64 id; required binary text (UTF8); required int64 label; }");
    let target = std::fs::File::create(file.path()).unwrap();
    let mut writer = SerializedFileWriter::new(target, Arc::new(schema.unwrap()), Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for column in 0..3 {
        let mut next = group.next_column().unwrap().unwrap();
        if column == 1 {
            let texts = [ByteArray::from("a"), ByteArray::from("b")];
            next.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
        } else {
            next.typed::<Int64Type>().write_batch(&[7, 8], None, None).unwrap();
        }
        next.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();

    assert_eq!(rows(&DataSource::new(file.path())), [row("a", "7", 1), row("b", "8", 2)]);
    let further = DataSource::new(file.path()).read_with(&["id".to_owned(), "label".to_owned()]).unwrap();
    assert_eq!(further[1].extra, ["8", "8"]);
    let source = DataSource { label: Some("class".into()), ..DataSource::new(file.path()) };
    assert!(refusal(&source).contains("\"id\", \"text\", \"label\""));
}
