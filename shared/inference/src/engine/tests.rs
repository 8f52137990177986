use std::sync::Mutex;
use std::sync::mpsc as channel;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::constant::ConstantModel;

/// Scores a text by its length; records its batches; `fail` and `panic` in a batch make it do so.
struct Probe {
    heads: Vec<Head>,
    version: String,
    batches: Arc<Mutex<Vec<Vec<String>>>>,
    /// Each batch, once recorded, waits for a permit, where there is a gate.
    gate: Option<channel::Receiver<()>>,
}

impl Probe {
    fn new(version: &str) -> Self {
        let heads = vec![Head::new("length", ["bytes"])];
        Self { heads, version: version.to_owned(), batches: Arc::default(), gate: None }
    }

    fn gated(version: &str) -> (Self, channel::Sender<()>) {
        let (permits, gate) = channel::channel();
        (Self { gate: Some(gate), ..Self::new(version) }, permits)
    }
}

impl Model for Probe {
    fn heads(&self) -> &[Head] {
        &self.heads
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, InferenceError> {
        self.batches.lock().unwrap().push(texts.iter().map(|text| (*text).to_owned()).collect());
        if let Some(gate) = &self.gate {
            // A test that has dropped its permits leaves the gate open.
            gate.recv().unwrap_or_default();
        }
        if texts.contains(&"fail") {
            return Err(InferenceError::NotFinite { backend: "probe", row: 0 });
        }
        assert!(!texts.contains(&"panic"), "the probe was told to panic");
        Ok(texts.iter().map(|text| score_of(text)).collect())
    }
}

fn score_of(text: &str) -> Scores {
    Scores::new([Box::from([text.len() as f32])])
}

fn texts(texts: &[&str]) -> Vec<Arc<str>> {
    texts.iter().map(|text| Arc::from(*text)).collect()
}

fn config(max_rows: usize, max_age_ms: u64) -> BatchingConfig {
    BatchingConfig { max_tokens: 1_000_000, max_rows, max_age_ms, queue_blocks: 4, recent_texts: 0 }
}

#[tokio::test]
async fn scores_come_back_in_the_order_of_the_texts() {
    let engine = Engine::spawn(Box::new(Probe::new("1")), &config(3, 0)).unwrap();
    let own = texts(&["a", "four", "", "sixsix", "bb", "ccc", "four"]);
    let block = engine.score_block(own.clone()).await.unwrap();
    assert_eq!(block.scores, own.iter().map(|text| score_of(text)).collect::<Vec<_>>());
    assert_eq!((&*block.version, &*block.heads[0].name), ("1", "length"));
    assert_eq!(engine.score(Vec::new()).await.unwrap(), []);
}

#[tokio::test]
async fn equal_texts_are_scored_once() {
    let (probe, permits) = Probe::gated("1");
    let batches = probe.batches.clone();
    let engine = Engine::spawn(Box::new(probe), &config(8, 60_000)).unwrap();
    let calls = tokio::spawn({
        let engine = engine.clone();
        async move {
            tokio::join!(
                engine.score(texts(&["a", "b", "a", "a"])),
                engine.score(texts(&["b", "c", "a"])),
                engine.score(texts(&["d", "e", "f", "g", "h"])),
            )
        }
    });
    permits.send(()).unwrap();
    let (first, second, third) = calls.await.unwrap();
    assert_eq!((first.unwrap().len(), second.unwrap().len(), third.unwrap().len()), (4, 3, 5));
    let mut scored = batches.lock().unwrap().concat();
    scored.sort_unstable();
    assert_eq!(scored, ["a", "b", "c", "d", "e", "f", "g", "h"], "one batch of three callers");
    assert_eq!(batches.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_batch_that_is_not_full_closes_by_age() {
    let engine = Engine::spawn(Box::new(Probe::new("1")), &config(1000, 1)).unwrap();
    assert_eq!(engine.score(texts(&["alone"])).await.unwrap(), [score_of("alone")]);
}

#[tokio::test]
async fn an_error_reaches_the_callers_of_its_batch_only() {
    let engine = Engine::spawn(Box::new(Probe::new("1")), &config(1, 0)).unwrap();
    let (failed, fine) = tokio::join!(engine.score(texts(&["fail"])), engine.score(texts(&["fine"])));
    let InferenceError::Batch(cause) = failed.unwrap_err() else { panic!("another error") };
    assert!(matches!(*cause, InferenceError::NotFinite { .. }));
    assert_eq!(fine.unwrap(), [score_of("fine")]);
    assert_eq!(engine.score(texts(&["again"])).await.unwrap(), [score_of("again")]);
}

#[tokio::test]
async fn a_panic_ends_all_callers_and_is_seen_by_the_owner() {
    let (probe, permits) = Probe::gated("1");
    let engine = Engine::spawn(Box::new(probe), &config(1, 0)).unwrap();
    let blocks = ["panic", "b", "c", "d", "e", "f", "g"];
    let callers: Vec<_> = blocks
        .iter()
        .map(|text| {
            let (engine, block) = (engine.clone(), texts(&[text]));
            tokio::spawn(async move { engine.score(block).await })
        })
        .collect();
    drop(permits);
    let owner = engine.stopped().await.to_string();
    assert!(owner.contains("the probe was told to panic"), "{owner}");
    let mut failures = 0;
    for caller in callers {
        if let Err(error) = caller.await.unwrap() {
            assert!(matches!(error, InferenceError::Stopped { .. }), "{error}");
            failures += 1;
        }
    }
    assert!(failures >= 1);
    let late = engine.score(texts(&["late"])).await.unwrap_err();
    assert!(late.to_string().contains("told to panic"), "{late}");
    assert!(engine.swap(Box::new(ConstantModel::new([], "2"))).await.is_err());
}

#[tokio::test]
async fn a_swap_stands_in_line() {
    let (probe, permits) = Probe::gated("1");
    let engine = Engine::spawn(Box::new(probe), &config(4, 60_000)).unwrap();
    let before = tokio::spawn({
        let engine = engine.clone();
        async move { engine.score_block(texts(&["before"])).await }
    });
    while engine.pending_texts() == 0 {
        tokio::task::yield_now().await;
    }
    let swap = tokio::spawn({
        let engine = engine.clone();
        async move { engine.swap(Box::new(Probe::new("2"))).await }
    });
    // The swap closes the batch that waits for company.
    permits.send(()).unwrap();
    swap.await.unwrap().unwrap();
    assert_eq!(&*engine.version(), "2");
    assert_eq!(&*before.await.unwrap().unwrap().version, "1");
    assert_eq!(&*engine.score_block(texts(&["a", "b", "c", "d"])).await.unwrap().version, "2");
}

#[tokio::test]
async fn a_caller_that_gave_up_costs_no_batch() {
    let (probe, permits) = Probe::gated("1");
    let batches = probe.batches.clone();
    let engine = Engine::spawn(Box::new(probe), &config(1, 0)).unwrap();
    let running = tokio::spawn({
        let engine = engine.clone();
        async move { engine.score(texts(&["running"])).await }
    });
    while batches.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let given_up = tokio::time::timeout(Duration::from_millis(5), engine.score(texts(&["given up"]))).await;
    assert!(given_up.is_err());
    drop(permits);
    running.await.unwrap().unwrap();
    engine.score(texts(&["after"])).await.unwrap();
    let scored = batches.lock().unwrap().concat();
    assert!(scored.contains(&"after".to_owned()) && !scored.contains(&"given up".to_owned()), "{scored:?}");
}

#[tokio::test]
async fn a_full_queue_holds_its_callers_back() {
    let (probe, permits) = Probe::gated("1");
    // One text runs, eight wait in the pool, one is held by the tokeniser thread, four blocks wait in the queue.
    let engine = Engine::spawn(Box::new(probe), &config(1, 0)).unwrap();
    let callers: Vec<_> = (0..100)
        .map(|text| {
            let (engine, block) = (engine.clone(), texts(&[&text.to_string()]));
            tokio::spawn(async move { engine.score(block).await })
        })
        .collect();
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(engine.pending_texts() <= 8);
    drop(permits);
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
}

/// A tokeniser thread that panics: its model has no tokenizer when it is asked.
struct Broken(Probe);

impl Model for Broken {
    fn heads(&self) -> &[Head] {
        self.0.heads()
    }

    fn version(&self) -> &str {
        self.0.version()
    }

    fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, InferenceError> {
        self.0.score(texts)
    }

    fn tokenizer(&self) -> Option<Arc<crate::TextTokenizer>> {
        panic!("no tokenizer")
    }
}

#[tokio::test]
async fn a_panic_of_the_tokeniser_thread_ends_the_engine() {
    let engine = Engine::spawn(Box::new(Probe::new("1")), &config(1, 0)).unwrap();
    let swap = engine.swap(Box::new(Broken(Probe::new("2")))).await.unwrap_err();
    assert!(swap.to_string().contains("no tokenizer"), "{swap}");
    assert!(engine.stopped().await.to_string().contains("inference-tokens"));
    assert!(engine.score(texts(&["late"])).await.is_err());
}

#[test]
fn limits_of_zero_are_refused() {
    for config in [
        BatchingConfig { max_tokens: 0, ..BatchingConfig::default() },
        BatchingConfig { max_rows: 0, ..BatchingConfig::default() },
        BatchingConfig { queue_blocks: 0, ..BatchingConfig::default() },
    ] {
        let error = Engine::spawn(Box::new(Probe::new("1")), &config).unwrap_err();
        assert!(error.to_string().starts_with("batching."), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_caller_gets_its_own_scores_and_no_batch_is_too_large(
        blocks in prop::collection::vec(prop::collection::vec("[a-d]{0,5}", 0..40), 1..12),
        max_rows in 1usize..20,
        max_age_ms in 0u64..2,
        queue_blocks in 1usize..4,
    ) {
        let probe = Probe::new("1");
        let batches = probe.batches.clone();
        let config = BatchingConfig { max_rows, max_age_ms, queue_blocks, max_tokens: 1000, recent_texts: 2 };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let engine = Engine::spawn(Box::new(probe), &config).unwrap();
            let calls = blocks.iter().map(|block| {
                let (engine, block) = (engine.clone(), block.iter().map(|text| Arc::from(text.as_str())).collect());
                tokio::spawn(async move { engine.score(block).await })
            });
            for (call, block) in calls.collect::<Vec<_>>().into_iter().zip(&blocks) {
                let expected: Vec<Scores> = block.iter().map(|text| score_of(text)).collect();
                assert_eq!(call.await.unwrap().unwrap(), expected);
            }
        });
        for batch in &*batches.lock().unwrap() {
            prop_assert!(batch.len() <= max_rows);
            let distinct: std::collections::HashSet<&String> = batch.iter().collect();
            prop_assert_eq!(distinct.len(), batch.len());
        }
    }
}
