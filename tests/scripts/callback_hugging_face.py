"""The Trainer of Hugging Face, with the callback, on a model and data that need no download."""

import json
import os
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn
from transformers import Trainer, TrainingArguments

from jupyter_training.integrations import HuggingFaceCallback

images, labels = load_digits(return_X_y=True)
data = [
    {"pixels": torch.tensor(image / 16, dtype=torch.float32), "labels": int(label)}
    for image, label in zip(images[:1000], labels[:1000], strict=True)
]


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Linear(64, 10)

    def forward(self, pixels, labels):
        scores = self.model(pixels)
        return {"loss": nn.functional.cross_entropy(scores, labels), "logits": scores}


output = Path(os.environ["JUPYTER_TRAINING_OUTPUT_DIR"])
trainer = Trainer(
    Digits(),
    TrainingArguments(
        output_dir=str(output / "trainer"),
        num_train_epochs=2,
        per_device_train_batch_size=100,
        logging_steps=5,
        eval_strategy="epoch",
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    ),
    train_dataset=data[:800],
    eval_dataset=data[800:],
    callbacks=[HuggingFaceCallback()],
)
trainer.train()
own = {
    name: [[entry["step"], entry[name]] for entry in trainer.state.log_history if name in entry]
    for name in ("loss", "eval_loss", "learning_rate")
}
(output / "own.json").write_text(json.dumps(own))
