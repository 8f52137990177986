//! Records in, score rows out: the same stage for Kafka and for files.
//!
//! One block: decode → entities, novelty → the engine, all texts at once → rows. What cannot be decoded or scored
//! becomes a dead letter of the block.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use foundation::EventTime;
use foundation::similarity::{NoveltyConfig, NoveltyIndex};
use inference::{Engine, Head, InferenceError, Scores};
use streaming::dead_letter::DeadLetter;
use streaming::{Decoder, Message, PartitionProcessor, Record, TopicPartition};

use crate::entities::{CompanyDictionary, Mention};
use crate::error::MonitorError;
use crate::metrics::MonitorMetrics;
use crate::row::ScoreRow;
use crate::sentiment::OutputMap;
use crate::sink::Sink;

/// Scores the blocks of all partitions and hands them to a sink.
pub struct Scorer<S> {
    decoder: Decoder,
    dictionary: Arc<CompanyDictionary>,
    engine: Engine,
    model: Arc<str>,
    outputs: RwLock<Outputs>,
    metrics: MonitorMetrics,
    sink: S,
}

/// How the outputs of the model in use are read.
struct Outputs {
    heads: Arc<[Head]>,
    map: Arc<OutputMap>,
}

/// What is known of an assigned partition.
pub struct PartitionState {
    partition: TopicPartition,
    novelty: NoveltyIndex,
    /// Dead letters beyond the resume offset, which an earlier owner has dealt with.
    dealt_with: HashSet<i64>,
}

/// A block ready to be stored: what became of one contiguous range of offsets.
#[derive(Debug)]
pub struct ScoredRange {
    /// The partition.
    pub partition: TopicPartition,
    /// The first offset.
    pub first: i64,
    /// The last offset.
    pub last: i64,
    /// Messages scored, in the order of their offsets.
    pub rows: Vec<ScoreRow>,
    /// Records set aside.
    pub dead: Vec<DeadLetter>,
}

impl<S: Sink> Scorer<S> {
    /// A scorer on a running engine, whose model has the name `model` in the registry.
    pub fn new(
        decoder: Decoder,
        dictionary: Arc<CompanyDictionary>,
        (model, engine): (Arc<str>, Engine),
        metrics: MonitorMetrics,
        sink: S,
    ) -> Result<Self, MonitorError> {
        let heads = engine.heads();
        let map = Arc::new(OutputMap::new(&model, &heads)?);
        Ok(Self { decoder, dictionary, engine, model, outputs: RwLock::new(Outputs { heads, map }), metrics, sink })
    }

    /// Where scored blocks go.
    pub fn sink(&self) -> &S {
        &self.sink
    }

    /// How to read the outputs of a block, which may be the first one of another model.
    fn outputs(&self, heads: &Arc<[Head]>) -> Result<Arc<OutputMap>, MonitorError> {
        let known = self.outputs.read().unwrap_or_else(PoisonError::into_inner);
        if *known.heads == **heads {
            return Ok(Arc::clone(&known.map));
        }
        drop(known);
        let map = Arc::new(OutputMap::new(&self.model, heads)?);
        let mut known = self.outputs.write().unwrap_or_else(PoisonError::into_inner);
        *known = Outputs { heads: Arc::clone(heads), map: Arc::clone(&map) };
        Ok(map)
    }

    /// Scores the texts; if the model refuses the block, text by text, so that one bad text costs only itself.
    async fn score(&self, texts: &[Arc<str>]) -> Result<Vec<Result<Scored, InferenceError>>, MonitorError> {
        match self.engine.score_block(texts.to_vec()).await {
            Ok(block) => {
                let map = self.outputs(&block.heads)?;
                let scored = |scores| Ok(Scored { scores, map: Arc::clone(&map), version: Arc::clone(&block.version) });
                Ok(block.scores.into_iter().map(scored).collect())
            }
            Err(stopped @ InferenceError::Stopped { .. }) => Err(stopped.into()),
            Err(refused) => {
                tracing::warn!(error = %refused, texts = texts.len(), "the model refused a block; scoring it text by text");
                let mut scored = Vec::with_capacity(texts.len());
                for text in texts {
                    scored.push(self.score_alone(text).await?);
                }
                // A model that refuses everything is broken, and no message is to blame.
                if scored.iter().all(Result::is_err) { Err(refused.into()) } else { Ok(scored) }
            }
        }
    }

    async fn score_alone(&self, text: &Arc<str>) -> Result<Result<Scored, InferenceError>, MonitorError> {
        match self.engine.score_block(vec![Arc::clone(text)]).await {
            Err(stopped @ InferenceError::Stopped { .. }) => Err(stopped.into()),
            Err(refused) => Ok(Err(refused)),
            Ok(mut block) => {
                let map = self.outputs(&block.heads)?;
                Ok(Ok(Scored { scores: block.scores.remove(0), map, version: block.version }))
            }
        }
    }

    fn row(&self, decoded: Decoded, scored: &Scored) -> ScoreRow {
        let sentiment = scored.map.read(&scored.scores);
        let Decoded { record, message, text, mentions, novelty } = decoded;
        let score = sentiment.score();
        let (subject, subject_probability) = sentiment.subject.unwrap_or_else(|| (Arc::from(""), 0.0));
        let record_time =
            record.timestamp.and_then(|millis| EventTime::from_millis(millis).ok()).unwrap_or(message.time);
        ScoreRow {
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            id: message.id,
            event_time: message.time,
            record_time,
            scored_at: EventTime::now(),
            source: message.source.unwrap_or_default(),
            relevance: mentions.iter().map(|mention| mention.relevance).collect(),
            entities: mentions.into_iter().map(|mention| mention.name).collect(),
            subject,
            subject_probability,
            positive: sentiment.positive,
            neutral: sentiment.neutral,
            negative: sentiment.negative,
            score,
            gravity: sentiment.gravity,
            novelty,
            model: Arc::clone(&self.model),
            model_version: Arc::clone(&scored.version),
            title: message.title.unwrap_or_default(),
            text,
        }
    }
}

/// What the model said of one text, and how to read it.
struct Scored {
    scores: Scores,
    map: Arc<OutputMap>,
    version: Arc<str>,
}

/// A message on its way to the model.
struct Decoded {
    record: Record,
    message: Message,
    text: Arc<str>,
    mentions: Vec<Mention>,
    novelty: f32,
}

impl<S: Sink> PartitionProcessor for Scorer<S> {
    type Partition = PartitionState;
    type Block = ScoredRange;
    type Error = MonitorError;

    async fn assign(&self, partition: TopicPartition) -> Result<(PartitionState, Option<i64>), MonitorError> {
        let config = NoveltyConfig::default();
        let resume = self.sink.resume(&partition, config.horizon).await?;
        let mut novelty = NoveltyIndex::new(config);
        for (time, text) in &resume.recent {
            novelty.observe(*time, text);
        }
        Ok((PartitionState { partition, novelty, dealt_with: resume.dead_letters }, resume.offset))
    }

    async fn transform(&self, state: &mut PartitionState, records: Vec<Record>) -> Result<ScoredRange, MonitorError> {
        let (first, last) = match (records.first(), records.last()) {
            (Some(first), Some(last)) => (first.offset, last.offset),
            _ => (0, 0),
        };
        let mut dead = Vec::new();
        let mut decoded = Vec::with_capacity(records.len());
        for record in records {
            match self.decoder.decode(&record) {
                Ok(message) => decoded.push(self.prepare(state, record, message)),
                Err(error) => dead.push(DeadLetter { record, stage: error.stage.to_string(), error: error.reason }),
            }
        }
        let texts: Vec<Arc<str>> = decoded.iter().map(|message| Arc::clone(&message.text)).collect();
        let scored = self.score(&texts).await?;
        let mut rows = Vec::with_capacity(decoded.len());
        for (message, scored) in decoded.into_iter().zip(scored) {
            match scored {
                Ok(scored) => rows.push(self.row(message, &scored)),
                Err(error) => dead.push(DeadLetter {
                    record: message.record,
                    stage: "score".to_owned(),
                    error: error.to_string(),
                }),
            }
        }
        dead.retain(|letter| !state.dealt_with.contains(&letter.record.offset));
        self.metrics.scored(rows.len(), dead.len());
        Ok(ScoredRange { partition: state.partition.clone(), first, last, rows, dead })
    }

    async fn store(&self, block: ScoredRange) -> Result<(), MonitorError> {
        self.sink.write(block).await
    }
}

impl<S> Scorer<S> {
    fn prepare(&self, state: &mut PartitionState, record: Record, message: Message) -> Decoded {
        let mentions = self.dictionary.find(message.title.as_deref(), &message.text);
        let headline = message.title.as_deref().unwrap_or(&message.text);
        let novelty = state.novelty.observe(message.time, headline).value;
        let text: Arc<str> = match &message.title {
            Some(title) if *title != message.text => format!("{title}. {}", message.text).into(),
            _ => message.text.as_str().into(),
        };
        Decoded { record, message, text, mentions, novelty }
    }
}
