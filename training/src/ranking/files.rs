//! The directory of an encoder of queries and answers, in the layout that sentence-transformers reads.

use std::path::Path;

use serde_json::{Value, json};

use super::RankingRun;
use super::fit::RankingLearner;
use crate::directory::write_json;
use crate::error::TrainingError;
use crate::trainer::write_tokenizer;

pub(super) fn write(
    out: &Path,
    base: &Path,
    run: &RankingRun,
    learner: &RankingLearner<'_>,
) -> Result<(), TrainingError> {
    for folder in ["1_Pooling", "2_Normalize"].map(|name| out.join(name)) {
        std::fs::create_dir_all(&folder).map_err(|source| TrainingError::Unwritable { path: folder, source })?;
    }
    learner.model.save_encoder(&out.join("model.safetensors"))?;
    write_json(&out.join("config.json"), &config(learner, base))?;
    let longest = run.settings.max_tokens.min(learner.config.max_position_embeddings);
    write_tokenizer(out, base, longest)?;
    let module = |place: usize, path: &str, class: &str| {
        json!({ "idx": place, "name": place.to_string(), "path": path,
            "type": format!("sentence_transformers.models.{class}") })
    };
    let modules =
        [module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling"), module(2, "2_Normalize", "Normalize")];
    write_json(&out.join("modules.json"), &json!(modules))?;
    let of_sentences = json!({ "max_seq_length": longest, "do_lower_case": false });
    write_json(&out.join("sentence_bert_config.json"), &of_sentences)?;
    let pooling = json!({ "word_embedding_dimension": learner.config.hidden_size, "pooling_mode_mean_tokens": true,
        "pooling_mode_cls_token": false, "pooling_mode_max_tokens": false,
        "pooling_mode_mean_sqrt_len_tokens": false });
    write_json(&out.join("1_Pooling").join("config.json"), &pooling)
}

/// The base's `config.json` without what it says of heads. A run that takes the directory as its base pools as it does.
fn config(learner: &RankingLearner<'_>, base: &Path) -> Value {
    let mut config = learner.config.written_out();
    for key in ["torch_dtype", "problem_type", "id2label", "label2id", "heads", "text_pair", "text_cleaning"] {
        config.remove(key);
    }
    let own = [
        ("model_type", json!("bert")),
        ("architectures", json!(["BertModel"])),
        ("_name_or_path", json!(format!("{}, for ranking", crate::directory::base_name(base)))),
        ("pooling", json!(learner.config.pooling)),
        ("dtype", json!("float32")),
    ];
    config.extend(own.map(|(key, value)| (key.to_owned(), value)));
    Value::Object(config)
}
