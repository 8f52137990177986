//! ClickHouse's HTTP interface: what a stranger's client may send, and what it gets.

use std::io::Write as _;

use cityhash_rs::cityhash_102_128;
use foundation::{Failure as _, FailureKind};
use lz4_flex::frame::FrameDecoder;
use storage::{ConnectionFile, Store};
use tokio_util::sync::CancellationToken;

use crate::support::{RawAnswer, exchange, own_database, own_store, post, runtime, shared, with_password};

fn send(target: &str, body: &[u8]) -> RawAnswer {
    post(shared(), target, &[], body, body.len()).unwrap()
}

fn run(sql: &str) -> String {
    let answer = send("/", sql.as_bytes());
    assert_eq!(answer.status, 200, "{sql}: {}", answer.text());
    answer.text()
}

/// A table of one UInt64 column, and its name.
fn table(name: &str) -> String {
    run(&format!("CREATE TABLE {name} (id UInt64) ENGINE = MergeTree ORDER BY id"));
    name.to_owned()
}

fn rows(ids: std::ops::Range<u64>) -> Vec<u8> {
    ids.flat_map(u64::to_le_bytes).collect()
}

/// A compressed frame as the client library makes it, here by hand.
fn native_frame(content: &[u8]) -> Vec<u8> {
    let packed = lz4_flex::block::compress(content);
    let mut body = vec![0x82];
    body.write_all(&(packed.len() as u32 + 9).to_le_bytes()).unwrap();
    body.write_all(&(content.len() as u32).to_le_bytes()).unwrap();
    body.extend_from_slice(&packed);
    [cityhash_102_128(&body).rotate_right(64).to_le_bytes().as_slice(), &body].concat()
}

#[test]
fn nobody_gets_in_without_the_password() {
    let connection = shared();
    let bare = |head: &str| exchange(connection, head, b"", false).unwrap();
    let ping = bare("GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!((ping.status, ping.text().as_str()), (200, "Ok.\n"));
    for target in ["/?query=SELECT+1", "/?query=SELECT+1&user=pulsewire&password=wrong", "/anything"] {
        let answer = bare(&format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        assert_eq!(answer.status, 403, "{target}");
        assert_eq!(answer.header("x-clickhouse-exception-code").as_deref(), Some("516"));
    }
    let right = format!("/?query=SELECT+1&user=pulsewire&password={}", connection.password.expose());
    let answer = bare(&format!("GET {right} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "1\n"));
    runtime().block_on(async {
        let config = with_password(&own_database(), "wrong");
        let error = Store::connect_when_up(&config, CancellationToken::new()).await.unwrap_err();
        assert_eq!(error.kind(), FailureKind::Configuration, "{error:?}");
    });
}

#[test]
fn a_get_reads_only() {
    let key = shared().password.expose();
    let target = format!("/?query=CREATE+TABLE+x+(id+UInt8)+ENGINE+Memory&user=pulsewire&password={key}");
    let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let answer = exchange(shared(), &head, b"", false).unwrap();
    assert_eq!(answer.header("x-clickhouse-exception-code").as_deref(), Some("164"), "{}", answer.text());
}

#[test]
fn a_body_that_breaks_off_inserts_nothing() {
    let table = table("broken_off");
    let target = format!("/?query=INSERT+INTO+{table}+FORMAT+RowBinary");
    let whole = rows(0..50_000);
    // Cut at a row's end, so that what arrived would make whole rows.
    let cut = post(shared(), &target, &[], &whole[..200_000], whole.len());
    assert!(cut.is_none_or(|answer| answer.status != 200));
    let malformed = send(&target, &whole[..whole.len() - 3]);
    assert_eq!(malformed.status, 400, "{}", malformed.text());
    assert_eq!(run(&format!("SELECT count() FROM {table}")), "0\n");
    assert_eq!(send(&target, &whole).status, 200);
    assert_eq!(run(&format!("SELECT count(), sum(id) FROM {table}")), "50000\t1249975000\n");
}

#[test]
fn corrupted_frames_are_refused_and_insert_nothing() {
    let table = table("frames");
    let target = format!("/?query=INSERT+INTO+{table}+FORMAT+RowBinary&decompress=1");
    let good = [native_frame(&rows(0..1000)), native_frame(&rows(1000..2000))].concat();
    let mut bad = good.clone();
    let last = bad.len() - 5;
    bad[last] ^= 1;
    let answer = send(&target, &bad);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("x-clickhouse-exception-code").as_deref(), Some("40"), "{}", answer.text());
    assert_eq!(send(&target, &good[..good.len() - 5]).status, 400);
    assert_eq!(run(&format!("SELECT count() FROM {table}")), "0\n");
    let answer = send(&target, &good);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.header("x-clickhouse-summary").unwrap().contains(r#""written_rows":"2000""#));
    assert_eq!(run(&format!("SELECT count() FROM {table}")), "2000\n");
}

#[test]
fn inserts_come_in_every_shape() {
    let table = table("shapes");
    send(&format!("/?query=INSERT+INTO+{table}+FORMAT+CSV"), b"1\n2\n");
    run(&format!("INSERT INTO {table} FORMAT JSONEachRow\n{{\"id\":3}}\n\n{{\"id\":4}}"));
    run(&format!("INSERT INTO {table} VALUES (5), (3 + 3);"));
    run(&format!("INSERT INTO {table} SELECT 7"));
    send(&format!("/?query=INSERT+INTO+{table}"), b"FORMAT TSV\n8\n");
    assert_eq!(run(&format!("SELECT groupArray(id) FROM (SELECT id FROM {table} ORDER BY id)")), "[1,2,3,4,5,6,7,8]\n");
    let none = send("/?query=INSERT+INTO+nowhere+FORMAT+CSV", b"1\n");
    assert_eq!((none.status, none.header("x-clickhouse-exception-code").as_deref()), (404, Some("60")));
}

#[test]
fn errors_read_as_the_real_servers() {
    for (sql, status, code) in [
        ("SELEKT 1", 400, "62"),
        ("SELECT * FROM nowhere", 404, "60"),
        ("SELECT 1; SELECT 2", 400, "62"),
        ("", 400, "62"),
    ] {
        let answer = send("/", sql.as_bytes());
        assert_eq!(answer.status, status, "{sql}: {}", answer.text());
        assert_eq!(answer.header("x-clickhouse-exception-code").as_deref(), Some(code), "{sql}");
        assert!(answer.text().starts_with(&format!("Code: {code}. DB::Exception: ")), "{}", answer.text());
    }
    let answer = send("/?no_such_setting=1", b"SELECT 1");
    assert_eq!(answer.header("x-clickhouse-exception-code").as_deref(), Some("115"), "{}", answer.text());
    let answer = send("/?database=no_such_database", b"SELECT 1");
    assert_eq!(answer.header("x-clickhouse-exception-code").as_deref(), Some("81"), "{}", answer.text());
}

#[test]
fn settings_end_with_their_request() {
    assert_eq!(send("/?max_block_size=17", b"SELECT getSetting('max_block_size')").text(), "17\n");
    assert_ne!(run("SELECT getSetting('max_block_size')"), "17\n");
    assert_eq!(run("SELECT getSetting('max_execution_time')"), "300\n");
    let quoted = send("/?log_comment=it%27s%5C", b"SELECT getSetting('log_comment')");
    assert_eq!(quoted.text(), "it\\'s\\\\\n");
}

#[test]
fn a_session_keeps_its_temporary_tables() {
    assert_eq!(send("/?session_id=one", b"CREATE TEMPORARY TABLE mine (id UInt8)").status, 200);
    assert_eq!(send("/?session_id=one&max_block_size=5", b"INSERT INTO mine VALUES (1)").status, 200);
    let set = send("/?session_id=one", b"SELECT id, getSetting('max_block_size') = 5 FROM mine");
    assert_eq!(set.text(), "1\t0\n", "a URL's setting outlived its request");
    assert_eq!(send("/?session_id=two", b"SELECT * FROM mine").status, 404);
    assert_eq!(run("EXISTS TEMPORARY TABLE mine"), "0\n");
    let unknown = send("/?session_id=three&session_check=1", b"SELECT 1");
    assert_eq!(unknown.header("x-clickhouse-exception-code").as_deref(), Some("372"));
}

#[test]
fn parameters_are_bound_and_never_read_as_sql() {
    runtime().block_on(async {
        let store = own_store().await;
        for text in ["plain", "it's \"quoted\" `x`", "tab\t newline\n back\\slash", "'; DROP TABLE x; --", ""] {
            let query = store
                .query("SELECT {text:String}")
                .with_setting("param_text", text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n"));
            assert_eq!(store.fetch_one::<String>(query).await.unwrap(), text);
            let bound = store.query("SELECT ?").bind(text);
            assert_eq!(store.fetch_one::<String>(bound).await.unwrap(), text);
        }
        let query = store
            .client()
            .query("SELECT {ids:Array(UInt32)}, {limit:UInt8}")
            .param("ids", vec![1u32, 2])
            .param("limit", 3);
        assert_eq!(query.fetch_one::<(Vec<u32>, u8)>().await.unwrap(), (vec![1, 2], 3));
    });
}

#[test]
fn large_answers_stream_in_every_coding() {
    let sql = b"SELECT number, toString(number) FROM numbers(300000) FORMAT TabSeparated";
    let plain = send("/", sql);
    assert_eq!(plain.text().lines().count(), 300_000);
    let framed = post(shared(), "/", &[("Accept-Encoding", "gzip, lz4")], sql, sql.len()).unwrap();
    assert_eq!(framed.header("content-encoding").as_deref(), Some("lz4"));
    assert!(framed.body.len() < plain.body.len());
    let mut unpacked = Vec::new();
    std::io::copy(&mut FrameDecoder::new(framed.body.as_slice()), &mut unpacked).unwrap();
    assert!(unpacked == plain.body);
    runtime().block_on(async {
        let store = own_store().await;
        let query = store.query("SELECT number, toString(number) FROM numbers(300000)");
        let all: Vec<(u64, String)> = store.fetch_all(query).await.unwrap();
        assert_eq!(all.len(), 300_000);
        assert!(all.iter().zip(0..).all(|(row, number)| row.0 == number && row.1 == number.to_string()));
        let text = store.sql("SELECT 1 AS a, 'x?' AS b", "JSONEachRow").unwrap().collect().await.unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "{\"a\":1,\"b\":\"x?\"}\n");
    });
}

#[test]
fn an_error_after_rows_is_seen_by_the_client() {
    runtime().block_on(async {
        let store = own_store().await;
        let sql = "SELECT throwIf(number = 250000, 'too far') FROM numbers(300000)";
        for format in ["JSONEachRow", "RowBinary"] {
            let error = store.sql(sql, format).unwrap().collect().await.unwrap_err();
            assert_eq!(error.code(), Some(395), "{error:?}");
        }
        let error = store.client().query(sql).fetch_all::<u8>().await.unwrap_err();
        assert!(error.to_string().contains("too far"), "{error}");
    });
}

#[test]
fn a_query_beyond_its_time_is_stopped() {
    let answer = send("/?max_execution_time=1", b"SELECT sum(number) FROM numbers_mt(100000000000000)");
    assert_eq!(answer.header("x-clickhouse-exception-code").as_deref(), Some("159"), "{}", answer.text());
}

#[test]
fn malformed_requests_are_refused() {
    let form = [("Content-Type", "multipart/form-data; boundary=x")];
    assert_eq!(post(shared(), "/", &form, b"--x\r\nnonsense", 13).unwrap().status, 400);
    assert_eq!(send("/?a%3D1%2Cb=2", b"SELECT 1").status, 400);
    let invalid: ConnectionFile = shared().clone();
    let put = format!(
        "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-ClickHouse-User: {}\r\nX-ClickHouse-Key: {}\r\n\r\n",
        invalid.user,
        invalid.password.expose()
    );
    assert_eq!(exchange(shared(), &put, b"", false).unwrap().status, 501);
}
