"""Fine-tunes the same encoder on the same rows with PyTorch and transformers, as their users do it; prints figures as JSON."""

import argparse
import json
import resource
import time

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding
from transformers import get_linear_schedule_with_warmup

arguments = argparse.ArgumentParser()
for name in ("base", "rows"):
    arguments.add_argument(f"--{name}", required=True)
for name in ("epochs", "threads", "batch-size", "max-tokens"):
    arguments.add_argument(f"--{name}", required=True, type=int)
for name in ("learning-rate", "warmup", "weight-decay", "gradient-norm", "dropout"):
    arguments.add_argument(f"--{name}", required=True, type=float)
given = arguments.parse_args()

torch.set_num_threads(given.threads)
torch.manual_seed(17)
with open(given.rows, encoding="utf-8") as file:
    rows = [json.loads(line) for line in file]
labels = sorted({row["label"] for row in rows})
tokenizer = AutoTokenizer.from_pretrained(given.base)
tokenizer.backend_tokenizer.no_padding()
samples = [
    {**tokenizer(row["text"], truncation=True, max_length=given.max_tokens), "labels": labels.index(row["label"])}
    for row in rows
]
model = AutoModelForSequenceClassification.from_pretrained(
    given.base,
    num_labels=len(labels),
    hidden_dropout_prob=given.dropout,
    attention_probs_dropout_prob=given.dropout,
)
model.train()
loader = torch.utils.data.DataLoader(
    samples, batch_size=given.batch_size, shuffle=True, collate_fn=DataCollatorWithPadding(tokenizer)
)
steps = len(loader) * given.epochs
optimizer = torch.optim.AdamW(model.parameters(), lr=given.learning_rate, weight_decay=given.weight_decay)
schedule = get_linear_schedule_with_warmup(optimizer, round(steps * given.warmup), steps)
started = time.monotonic()
total = 0.0
for _ in range(given.epochs):
    for batch in loader:
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), given.gradient_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        total += loss.item()
seconds = time.monotonic() - started
print(
    json.dumps(
        {
            "samples_per_second": len(rows) * given.epochs / seconds,
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "mean_loss": total / steps,
            "version": f"PyTorch {torch.__version__}",
        }
    )
)
