//! Dead letters, alert history and alert progress.

use bytes::Bytes;
use foundation::EventTime;
use storage::alert_progress::AlertProgress;
use storage::alert_transitions::{AlertTransition, TransitionFilter};
use storage::dead_letters::{DeadLetter, DeadLetterFilter};

use crate::support::{own_store, runtime};

fn time(millis: i64) -> EventTime {
    EventTime::from_millis(millis).unwrap()
}

fn letter(partition: i32, offset: i64) -> DeadLetter {
    DeadLetter {
        topic: "feed".into(),
        partition,
        offset,
        event_time: None,
        record_time: Some(time(1000 + offset)),
        stage: if offset % 2 == 0 { "decode" } else { "score" }.into(),
        error: format!("row {offset}: what's this? 100 %"),
        payload: Bytes::from_static(b"\xff\0\n\n'\\"),
        key: (offset % 3 == 0).then(|| Bytes::from_static(b"\xfe")),
        headers: vec![("trace".into(), Bytes::from_static(b"\x01\xff"))],
        inserted_at: time(5000 + offset),
    }
}

#[test]
fn dead_letters_keep_their_bytes_and_are_found() {
    runtime().block_on(async {
        let store = own_store().await;
        let letters: Vec<DeadLetter> = (0..6).map(|offset| letter(0, offset)).chain([letter(1, 9)]).collect();
        store.insert_dead_letters(&letters, "a").await.unwrap();
        // The same records set aside again by a replay, in another block.
        store.insert_dead_letters(&letters[2..4], "b").await.unwrap();
        assert_eq!(store.dead_letters(&DeadLetterFilter::default()).await.unwrap(), letters);
        let filter = DeadLetterFilter {
            topic: Some("feed".into()),
            partition: Some(0),
            after_offset: Some(1),
            stage: Some("decode".into()),
            error_contains: Some("WHAT'S this?".into()),
            since: Some(time(5003)),
            limit: Some(10),
        };
        assert_eq!(store.dead_letters(&filter).await.unwrap(), [letter(0, 4)]);
        let none = DeadLetterFilter { topic: Some("other".into()), ..DeadLetterFilter::default() };
        assert_eq!(store.dead_letters(&none).await.unwrap(), []);
        assert_eq!(store.dead_offsets_after("feed", 0, 2).await.unwrap(), [3, 4, 5]);
        let counts = store.count_dead_letters().await.unwrap();
        let counts: Vec<_> = counts.iter().map(|kind| (kind.stage.as_str(), kind.count)).collect();
        assert_eq!(counts, [("decode", 3), ("score", 4)]);
    });
}

fn transition(alert: &str, state: &str, at: i64) -> AlertTransition {
    AlertTransition {
        alert_id: alert.into(),
        state: state.into(),
        rule: "bad news".into(),
        scope: "entity".into(),
        entity: "Northern Rock".into(),
        severity: "critical".into(),
        at: time(at),
        window_start: time(at - 10),
        window_end: time(at),
        value: 0.75,
        threshold: 0.5,
        expected: (state == "firing").then_some(0.1),
        evidence: r#"[{"text":"run on the bank"}]"#.into(),
        inserted_at: time(99_000),
    }
}

#[test]
fn alert_history_holds_each_transition_once() {
    runtime().block_on(async {
        let store = own_store().await;
        let history =
            [transition("a", "firing", 1000), transition("a", "resolved", 2000), transition("b", "firing", 3000)];
        store.insert_alert_transitions(&history, "one").await.unwrap();
        store.insert_alert_transitions(&history[1..], "two").await.unwrap();
        assert_eq!(store.alert_transitions(&TransitionFilter::default()).await.unwrap(), history);
        let filter = TransitionFilter {
            rule: Some("bad news".into()),
            entity: Some("Northern Rock".into()),
            state: Some("firing".into()),
            from: Some(time(1001)),
            until: Some(time(3001)),
            limit: Some(5),
        };
        assert_eq!(store.alert_transitions(&filter).await.unwrap(), history[2..]);
        let latest = TransitionFilter { limit: Some(1), ..TransitionFilter::default() };
        assert_eq!(store.alert_transitions(&latest).await.unwrap(), history[2..]);
    });
}

#[test]
fn the_latest_progress_wins_and_older_ones_are_pruned() {
    runtime().block_on(async {
        let store = own_store().await;
        assert_eq!(store.alert_progress("monitor").await.unwrap(), None);
        let state = |evaluator: &str, sequence| AlertProgress {
            evaluator: evaluator.into(),
            sequence,
            watermark: time(1000),
            snapshot: Bytes::from(vec![0xFF; 1000]),
            inserted_at: time(2000),
        };
        for sequence in 1..=5 {
            store.save_alert_progress(&state("monitor", sequence)).await.unwrap();
        }
        store.save_alert_progress(&state("other", 1)).await.unwrap();
        assert_eq!(store.alert_progress("monitor").await.unwrap(), Some(state("monitor", 5)));
        store.execute("OPTIMIZE TABLE alert_progress FINAL").await.unwrap();
        assert_eq!(store.fetch_one::<u64>(store.query("SELECT count() FROM alert_progress")).await.unwrap(), 2);
        assert_eq!(store.alert_progress("monitor").await.unwrap(), Some(state("monitor", 5)));
    });
}
