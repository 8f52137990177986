use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const SENT: i64 = 1_700_000_000_000;

fn record(payload: &[u8]) -> Record {
    Record {
        topic: "news".into(),
        partition: 3,
        offset: 42,
        timestamp: Some(SENT),
        key: None,
        payload: Bytes::copy_from_slice(payload),
        headers: Vec::new(),
    }
}

fn decode_with(mapping: FieldMapping, payload: &[u8]) -> Result<Message, DecodeError> {
    Decoder::new(mapping).unwrap().decode(&record(payload))
}

fn decode(payload: &str) -> Result<Message, DecodeError> {
    decode_with(FieldMapping::default(), payload.as_bytes())
}

fn message(id: &str, time: &str, title: Option<&str>, text: &str, source: Option<&str>) -> Message {
    Message {
        id: id.into(),
        time: EventTime::parse(time).unwrap(),
        title: title.map(Into::into),
        text: text.into(),
        source: source.map(Into::into),
        truncated: false,
    }
}

#[test]
fn the_defaults_fit_the_usual_feeds() {
    let time = "2006-10-20T20:25:00Z";
    let check = |payload: &str, expected: Message| assert_eq!(decode(payload), Ok(expected), "{payload}");
    check(
        r#"{"id":"a1","time":"2006-10-20T20:25:00Z","title":"Bank falls","text":"It fell.","source":"wire"}"#,
        message("a1", time, Some("Bank falls"), "It fell.", Some("wire")),
    );
    check(
        r#"{"published_utc":"2006-10-20 20:25:00","headline":"Bank falls","rics":"","url":"/x","chars":"10"}"#,
        message("/x", time, None, "Bank falls", None),
    );
    check(
        r#"{"created_at":1161375900,"tweet_id":77,"text":"Bank \u00fcber \"falls\"","extra":{"text":["deep"]}}"#,
        message("77", time, None, "Bank über \"falls\"", None),
    );
    check(
        r#"{"id":null,"time":null,"text":"","title":"Only a title","source":null}"#,
        message("news/3/42", "1700000000000", None, "Only a title", None),
    );
    check(
        "\u{feff}{\"text\":\" NUL\\u0000s and blanks \\u0000\"}",
        message("news/3/42", "1700000000000", None, "NULs and blanks", None),
    );
}

#[test]
fn pointers_lead_anywhere() {
    let mapping = FieldMapping {
        text: "/article/parts/1/body".into(),
        title: "/article/head~1line".into(),
        time: Pointers::new(["/meta/none", "/meta/at"]),
        ..FieldMapping::default()
    };
    let payload = r#"{"meta":{"at":"2006-10-20T20:25:00Z"},"article":{"head/line":"H","parts":[{"body":"no"},{"body":"yes","x":[[]]},1]}}"#;
    let found = decode_with(mapping, payload.as_bytes()).unwrap();
    assert_eq!(found, message("news/3/42", "2006-10-20T20:25:00Z", Some("H"), "yes", None));
}

#[test]
fn plain_text_is_its_own_message() {
    let mapping = || FieldMapping { format: RecordFormat::Text, ..FieldMapping::default() };
    let found = decode_with(mapping(), b" Bank\0 falls\r\n").unwrap();
    assert_eq!(found, message("news/3/42", "1700000000000", None, "Bank falls", None));
    assert_eq!(decode_with(mapping(), b"\0 \n").unwrap_err().stage, DecodeStage::Text);
}

#[test]
fn what_is_no_message_says_why() {
    let check = |payload: &[u8], stage: DecodeStage, reason: &str| {
        let error = decode_with(FieldMapping::default(), payload).unwrap_err();
        assert!(error.stage == stage && error.reason.contains(reason), "{error}");
    };
    check(b"", DecodeStage::Size, "empty");
    check(&vec![b' '; (1 << 20) + 1], DecodeStage::Size, "1048577 bytes are more than max_payload_bytes (1048576)");
    check(b"{\"text\":\"caf\xe9\"}", DecodeStage::Encoding, "from byte 12 on");
    check(b"{\"text\":\"a\"", DecodeStage::Json, "EOF");
    check(b"{\"text\":\"a\"} x", DecodeStage::Json, "trailing");
    check(b"{\"text\":\"a\0b\"}", DecodeStage::Json, "control character");
    check(b"Bank falls", DecodeStage::Json, "expected value");
    check(b"[{\"text\":\"a\"}]", DecodeStage::Shape, "not a JSON object");
    check(b"\"text\"", DecodeStage::Shape, "not a JSON object");
    check(b"{\"body_text\":\"a\"}", DecodeStage::Shape, "no text at /text or /body");
    check(b"{\"text\":7}", DecodeStage::Shape, "text must be a string, and is a number");
    check(b"{\"text\":\"a\",\"id\":{}}", DecodeStage::Shape, "id must be a string or a number, and is an object");
    check(b"{\"text\":\" \\u0000\\n\"}", DecodeStage::Text, "empty");
    check(b"{\"text\":\"a\",\"time\":\"0001-01-01T00:00:00Z\"}", DecodeStage::Time, "outside 1970");
    check(b"{\"text\":\"a\",\"time\":\"9999-12-31T23:59:59Z\"}", DecodeStage::Time, "outside 1970");
    check(b"{\"text\":\"a\",\"time\":\"yesterday\"}", DecodeStage::Time, "yesterday");
    check(b"{\"text\":\"a\",\"time\":18446744073709551615}", DecodeStage::Time, "");
    check(b"{\"text\":\"a\",\"time\":[1]}", DecodeStage::Shape, "time must be a string or a number, and is an array");
}

#[test]
fn a_record_without_any_time_is_refused() {
    let decoder = Decoder::new(FieldMapping::default()).unwrap();
    let without = Record { timestamp: None, ..record(br#"{"text":"a"}"#) };
    assert_eq!(decoder.decode(&without).unwrap_err().stage, DecodeStage::Time);
    let absurd = Record { timestamp: Some(-1), ..without };
    assert_eq!(decoder.decode(&absurd).unwrap_err().stage, DecodeStage::Time);
}

#[test]
fn a_long_text_is_cut_between_characters_and_says_so() {
    let mapping = FieldMapping { max_text_chars: 5.try_into().unwrap(), ..FieldMapping::default() };
    let cut = |text: &str| {
        let message = decode_with(mapping.clone(), format!("{{\"text\":\"{text}\"}}").as_bytes()).unwrap();
        (message.text, message.truncated)
    };
    assert_eq!(cut("éééééé"), ("ééééé".into(), true));
    assert_eq!(cut("ééééé"), ("ééééé".into(), false));
    assert_eq!(cut("abcdef"), ("abcde".into(), true));
}

#[test]
fn a_mapping_reads_from_a_configuration() {
    let read = |text: &str| foundation::configuration::parse_toml::<FieldMapping>(text, std::path::Path::new("x.toml"));
    let mapping = read("text = \"headline\"\ntime = [\"/a/b\", \"c\"]\n").unwrap();
    assert_eq!((mapping.text.to_string(), mapping.time.to_string()), ("/headline".into(), "/a/b or /c".into()));
    assert!(read("txt = \"headline\"").unwrap_err().to_string().contains("txt"));
    for wrong in ["/", "/a~2b", "/a~"] {
        assert!(Decoder::new(FieldMapping { id: wrong.into(), ..FieldMapping::default() }).is_err(), "{wrong}");
    }
    assert!(Decoder::new(FieldMapping { text: Pointers::default(), ..FieldMapping::default() }).is_err());
}

#[test]
fn a_files_columns_are_checked() {
    let path = std::path::Path::new("feed.csv");
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mapping = FieldMapping { text: "headline".into(), time: "published_utc".into(), ..FieldMapping::default() };
    mapping.require_columns(path, &columns(&["published_utc", "headline"])).unwrap();
    let error = mapping.require_columns(path, &columns(&["published", "title"])).unwrap_err().to_string();
    assert_eq!(error, "feed.csv: no column /headline; the columns are published, title");
}

/// What the pointers find in a tree built by serde_json: slower, and the truth.
fn by_tree(payload: &str) -> Option<serde_json::Value> {
    serde_json::from_str(payload).ok()
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[a-z \\u{0}é]{0,8}".prop_map(Into::into),
    ];
    let name =
        prop_oneof![Just("text".to_owned()), Just("time".into()), Just("id".into()), Just("a".into()), "[a-c/~]{0,2}"];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((name.clone(), inner), 0..5)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(payload in prop::collection::vec(any::<u8>(), 0..400)) {
        let _refused_or_not = decode_with(FieldMapping::default(), &payload);
        let text = FieldMapping { format: RecordFormat::Text, ..FieldMapping::default() };
        let _refused_or_not = decode_with(text, &payload);
    }

    #[test]
    fn broken_json_does_not_make_it_panic(value in json(), cut in any::<prop::sample::Index>(), noise in any::<u8>()) {
        let mut bytes = value.to_string().into_bytes();
        let at = cut.index(bytes.len());
        bytes[at] = noise;
        let _refused_or_not = decode_with(FieldMapping::default(), &bytes);
        let _refused_or_not = decode_with(FieldMapping::default(), &bytes[..at]);
    }

    #[test]
    fn the_fast_reader_finds_what_the_tree_holds(value in json(), pointer in "(/(text|a|b|0|1)){1,3}") {
        let payload = value.to_string();
        let mapping = FieldMapping { text: pointer.as_str().into(), time: "nowhere".into(), id: "nowhere".into(), ..FieldMapping::default() };
        let found = decode_with(mapping, payload.as_bytes());
        let expected = by_tree(&payload).filter(serde_json::Value::is_object);
        let expected = expected.as_ref().and_then(|tree| tree.pointer(&pointer)).and_then(serde_json::Value::as_str);
        match expected.map(clean).filter(|text| !text.is_empty()) {
            Some(text) => prop_assert!(found.as_ref().is_ok_and(|message| message.text == text), "{found:?} {text:?} {payload}"),
            None => prop_assert!(found.is_err(), "{found:?} {payload}"),
        }
    }
}
