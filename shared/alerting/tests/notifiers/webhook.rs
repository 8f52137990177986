//! The webhook against a server that answers as each test says.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use alerting::AlertingError;
use alerting::notify::{Notifier as _, Payload, WebhookConfig, WebhookNotifier};
use foundation::Secret;

use crate::support::transitions;

struct Request {
    head: String,
    body: String,
}

/// Answers one connection after the other with these status lines, then ends; 0 hangs up without an answer.
fn serve(answers: &'static [u16]) -> (SocketAddr, JoinHandle<Vec<Request>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        answers.iter().map(|status| answer(listener.accept().unwrap().0, *status)).collect()
    });
    (address, thread)
}

fn answer(stream: TcpStream, status: u16) -> Request {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "the request ended in its head");
    }
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    if status != 0 {
        let answer = format!("HTTP/1.1 {status} Status\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        reader.get_mut().write_all(answer.as_bytes()).unwrap();
    }
    Request { head, body: String::from_utf8(body).unwrap() }
}

fn config(address: SocketAddr) -> WebhookConfig {
    WebhookConfig {
        url: format!("http://{address}/hook?key=hidden"),
        bearer_token: Secret::new("token-7"),
        external_url: "http://pulsewire.example:9300".into(),
        first_delay: Duration::from_millis(1),
        longest_delay: Duration::from_millis(4),
        attempts: 4,
        ..WebhookConfig::default()
    }
}

#[test]
fn payloads_are_alertmanagers_version_4() {
    let notifier = WebhookNotifier::new(config(([127, 0, 0, 1], 1).into())).unwrap();
    let payloads = serde_json::to_string_pretty(&notifier.payloads(&transitions())).unwrap();
    assert_eq!(payloads.trim(), include_str!("golden/webhook.json").trim());
}

#[test]
fn each_group_is_posted_once_with_its_token() {
    let (address, server) = serve(&[200, 204]);
    let mut notifier = WebhookNotifier::new(config(address)).unwrap();
    let groups = notifier.payloads(&transitions()).len();
    assert_eq!(groups, 2);
    notifier.notify(&transitions()).unwrap();
    let requests = server.join().unwrap();
    for (request, expected) in requests.iter().zip(notifier.payloads(&transitions())) {
        assert!(request.head.starts_with("post /hook?key=hidden http/1.1"), "{}", request.head);
        assert!(request.head.contains("authorization: bearer token-7"));
        assert!(request.head.contains("content-type: application/json"));
        assert_eq!(serde_json::from_str::<Payload>(&request.body).unwrap(), expected);
    }
}

#[test]
fn busy_failing_and_vanishing_servers_are_tried_again() {
    let (address, server) = serve(&[429, 503, 0, 200]);
    let mut notifier = WebhookNotifier::new(config(address)).unwrap();
    notifier.notify(&transitions()[..1]).unwrap();
    let requests = server.join().unwrap();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|request| request.body == requests[0].body));
}

#[test]
fn attempts_are_limited_and_the_error_hides_the_key() {
    let (address, server) = serve(&[500, 500, 500, 500]);
    let error = WebhookNotifier::new(config(address)).unwrap().notify(&transitions()[..1]).unwrap_err();
    server.join().unwrap();
    assert!(matches!(&error, AlertingError::WebhookUnavailable { attempts: 4, .. }), "{error:?}");
    assert!(!error.to_string().contains("hidden"), "{error}");
}

#[test]
fn a_refusal_is_not_repeated_and_the_other_groups_are_sent() {
    let (address, server) = serve(&[400, 200]);
    let error = WebhookNotifier::new(config(address)).unwrap().notify(&transitions()).unwrap_err();
    assert!(matches!(error, AlertingError::WebhookRefused { .. }), "{error:?}");
    assert_eq!(server.join().unwrap().len(), 2);
}

#[test]
fn a_server_that_never_answers_costs_the_timeout_only() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config =
        WebhookConfig { timeout: Duration::from_millis(50), attempts: 2, ..config(listener.local_addr().unwrap()) };
    let error = WebhookNotifier::new(config).unwrap().notify(&transitions()[..1]).unwrap_err();
    assert!(matches!(error, AlertingError::WebhookUnavailable { attempts: 2, .. }), "{error:?}");
}

#[test]
fn too_many_alerts_are_counted_not_sent() {
    let config = WebhookConfig { max_alerts: 1, ..config(([127, 0, 0, 1], 1).into()) };
    let payloads = WebhookNotifier::new(config).unwrap().payloads(&transitions());
    assert_eq!(payloads.iter().map(|payload| payload.alerts.len()).max(), Some(1));
    let sent: usize = payloads.iter().map(|payload| payload.alerts.len() + payload.truncated_alerts as usize).sum();
    assert_eq!(sent, transitions().len());
}

#[test]
fn impossible_configurations_are_refused() {
    let good = config(([127, 0, 0, 1], 1).into());
    for wrong in [
        WebhookConfig { url: "ftp://host".into(), ..good.clone() },
        WebhookConfig { attempts: 0, ..good.clone() },
        WebhookConfig { timeout: Duration::ZERO, ..good.clone() },
        WebhookConfig { longest_delay: Duration::ZERO, ..good.clone() },
    ] {
        assert!(WebhookNotifier::new(wrong).is_err());
    }
}
