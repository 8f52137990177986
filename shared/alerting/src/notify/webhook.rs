//! Alerts over HTTP, in Alertmanager's webhook form, version 4.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use foundation::backoff::Backoff;
use foundation::time::duration_text;
use foundation::{EventTime, Secret};
use serde::{Deserialize, Serialize};

use super::Notifier;
use crate::error::AlertingError;
use crate::transition::{State, Transition};

/// Where alerts are sent, and how patiently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookConfig {
    /// `http://` or `https://`.
    pub url: String,
    /// Sent as `Authorization: Bearer …` if set.
    pub bearer_token: Secret,
    /// The receiver's name in the payload.
    pub receiver: String,
    /// Where this Pulsewire can be seen, for the payload.
    pub external_url: String,
    /// One attempt takes no longer.
    #[serde(with = "duration_text")]
    pub timeout: Duration,
    /// Attempts for each notification; between them the wait doubles.
    pub attempts: u32,
    /// The wait after the first attempt.
    #[serde(with = "duration_text")]
    pub first_delay: Duration,
    /// The longest wait.
    #[serde(with = "duration_text")]
    pub longest_delay: Duration,
    /// Alerts in one notification at most; the rest is counted in `truncatedAlerts`. 0 for no limit.
    pub max_alerts: usize,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            bearer_token: Secret::default(),
            receiver: "pulsewire".into(),
            external_url: String::new(),
            timeout: Duration::from_secs(10),
            attempts: 6,
            first_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(30),
            max_alerts: 0,
        }
    }
}

/// Alertmanager's webhook payload, version 4.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// `4`.
    pub version: String,
    /// Identity of the group.
    pub group_key: String,
    /// Alerts left out by `max_alerts`.
    pub truncated_alerts: u64,
    /// `firing` if any alert is, else `resolved`.
    pub status: State,
    /// The receiver's name.
    pub receiver: String,
    /// The labels by which the alerts are put together.
    pub group_labels: BTreeMap<String, String>,
    /// Labels that all alerts share.
    pub common_labels: BTreeMap<String, String>,
    /// Annotations that all alerts share.
    pub common_annotations: BTreeMap<String, String>,
    /// Where this Pulsewire can be seen.
    #[serde(rename = "externalURL")]
    pub external_url: String,
    /// The alerts.
    pub alerts: Vec<PayloadAlert>,
}

/// One alert of a [`Payload`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayloadAlert {
    /// Whether it starts or ends.
    pub status: State,
    /// What identifies it to people and routes.
    pub labels: BTreeMap<String, String>,
    /// Summary, numbers and headlines.
    pub annotations: BTreeMap<String, String>,
    /// Event time of its start.
    pub starts_at: EventTime,
    /// Event time of its end; year 1 while it fires, as Alertmanager has it.
    pub ends_at: String,
    /// Where its rule can be seen.
    #[serde(rename = "generatorURL")]
    pub generator_url: String,
    /// The alert's identity.
    pub fingerprint: String,
}

/// Posts one payload for each group of alerts; repeats on connection errors, 429 and 5xx.
pub struct WebhookNotifier {
    config: WebhookConfig,
    agent: ureq::Agent,
    /// Nothing is ever sent on it: waiting for a message that does not come is how this thread waits.
    wait: (Sender<()>, Receiver<()>),
}

impl WebhookNotifier {
    /// Checks the configuration; nothing is sent yet.
    pub fn new(config: WebhookConfig) -> Result<Self, AlertingError> {
        let wrong = |message: &str| Err(AlertingError::WebhookConfig(message.to_owned()));
        if !config.url.starts_with("http://") && !config.url.starts_with("https://") {
            return wrong("url must start with http:// or https://");
        }
        if config.attempts == 0 || config.timeout.is_zero() {
            return wrong("attempts and timeout must be more than 0");
        }
        if config.first_delay.is_zero() || config.longest_delay < config.first_delay {
            return wrong("first_delay must be more than 0 and at most longest_delay");
        }
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(config.timeout))
            .max_redirects(0)
            .user_agent(concat!("pulsewire/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { config, agent, wait: channel() })
    }

    /// The payloads that these transitions make: one for each group, in the order of their first alerts.
    pub fn payloads(&self, transitions: &[Transition]) -> Vec<Payload> {
        let mut groups: Vec<(&BTreeMap<String, String>, Vec<&Transition>)> = Vec::new();
        for transition in transitions {
            match groups.iter_mut().find(|(group, _)| **group == transition.group) {
                Some((_, members)) => members.push(transition),
                None => groups.push((&transition.group, vec![transition])),
            }
        }
        groups.into_iter().map(|(group, members)| self.payload(group, &members)).collect()
    }

    fn payload(&self, group: &BTreeMap<String, String>, members: &[&Transition]) -> Payload {
        let most = if self.config.max_alerts == 0 { members.len() } else { self.config.max_alerts };
        let alerts: Vec<PayloadAlert> = members.iter().take(most).map(|transition| self.alert(transition)).collect();
        let firing = alerts.iter().any(|alert| alert.status == State::Firing);
        Payload {
            version: "4".into(),
            group_key: group_key(group),
            truncated_alerts: members.len().saturating_sub(most) as u64,
            status: if firing { State::Firing } else { State::Resolved },
            receiver: self.config.receiver.clone(),
            group_labels: group.clone(),
            common_labels: common(alerts.iter().map(|alert| &alert.labels)),
            common_annotations: common(alerts.iter().map(|alert| &alert.annotations)),
            external_url: self.config.external_url.clone(),
            alerts,
        }
    }

    fn alert(&self, transition: &Transition) -> PayloadAlert {
        PayloadAlert {
            status: transition.state,
            labels: transition.labels.clone(),
            annotations: annotations(transition),
            starts_at: transition.started_at,
            ends_at: match transition.state {
                State::Firing => "0001-01-01T00:00:00Z".to_owned(),
                State::Resolved => transition.at.to_string(),
            },
            generator_url: self.config.external_url.clone(),
            fingerprint: transition.alert_id.chars().take(16).collect(),
        }
    }

    fn post(&self, payload: &Payload) -> Result<(), AlertingError> {
        let body = serde_json::to_vec(payload).map_err(AlertingError::Encode)?;
        let mut backoff = Backoff::new(self.config.first_delay, self.config.longest_delay);
        loop {
            let Err(error) = self.attempt(&body) else { return Ok(()) };
            let attempts = backoff.attempts() + 1;
            let url = without_secrets(&self.config.url);
            if !worth_repeating(&error) {
                return Err(AlertingError::WebhookRefused { url, source: Box::new(error) });
            }
            if attempts >= self.config.attempts {
                return Err(AlertingError::WebhookUnavailable { url, attempts, source: Box::new(error) });
            }
            let delay = backoff.next_delay();
            tracing::warn!(%url, %error, attempts, delay = %duration_text::format(delay), "webhook not reached, trying again");
            match self.wait.1.recv_timeout(delay) {
                Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    fn attempt(&self, body: &[u8]) -> Result<(), ureq::Error> {
        let mut request = self.agent.post(&self.config.url).content_type("application/json");
        if !self.config.bearer_token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.config.bearer_token.expose()));
        }
        request.send(body).map(|_| ())
    }
}

impl Notifier for WebhookNotifier {
    fn name(&self) -> &str {
        "webhook"
    }

    fn notify(&mut self, transitions: &[Transition]) -> Result<(), AlertingError> {
        // Each group is tried, whatever becomes of the others; the first failure is told.
        let results: Vec<_> = self.payloads(transitions).iter().map(|payload| self.post(payload)).collect();
        results.into_iter().collect()
    }
}

/// Headlines in one annotation, so that a receiver without templates for lists can show them.
fn annotations(transition: &Transition) -> BTreeMap<String, String> {
    let headlines: Vec<String> = transition
        .evidence
        .iter()
        .map(|evidence| format!("{:+.2} {} {}", evidence.score, evidence.time, evidence.text))
        .collect();
    let mut annotations = BTreeMap::from([
        ("summary".to_owned(), format!("{}: {} ({})", transition.entity, transition.rule, transition.messages)),
        ("value".to_owned(), format!("{:.4}", transition.value)),
        ("threshold".to_owned(), format!("{:.4}", transition.threshold)),
        ("window_start".to_owned(), transition.window_start.to_string()),
        ("window_end".to_owned(), transition.window_end.to_string()),
        ("evidence".to_owned(), headlines.join("\n")),
        ("alert_id".to_owned(), transition.alert_id.clone()),
    ]);
    if let Some(expected) = transition.expected {
        annotations.insert("expected".to_owned(), format!("{expected:.4}"));
    }
    annotations
}

fn group_key(group: &BTreeMap<String, String>) -> String {
    let labels: Vec<String> = group.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{}}:{{{}}}", labels.join(", "))
}

fn common<'a>(mut maps: impl Iterator<Item = &'a BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let mut common = maps.next().cloned().unwrap_or_default();
    for map in maps {
        common.retain(|name, value| map.get(name) == Some(value));
    }
    common
}

fn worth_repeating(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::StatusCode(status) => *status == 429 || *status >= 500,
        ureq::Error::Io(_)
        | ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Protocol(_) => true,
        _ => false,
    }
}

/// The address without user, password and query.
fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
            format!("{scheme}://{}{path}", host.rsplit('@').next().unwrap_or_default())
        }
        None => url.to_owned(),
    }
}
