"""Lightning, with the callback."""

import json
import os
from pathlib import Path

import lightning
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from jupyter_training.integrations import LightningCallback

lightning.seed_everything(0)
images, labels = load_digits(return_X_y=True)
data = TensorDataset(torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels))
train, val = torch.utils.data.random_split(data, [1500, len(data) - 1500])


class Digits(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        self.own = {"train_loss": [], "val_loss": []}

    def training_step(self, batch, batch_idx):
        loss = nn.functional.cross_entropy(self.model(batch[0]), batch[1])
        self.log("train_loss", loss)
        if (self.global_step + 1) % 5 == 0:
            self.own["train_loss"].append([self.global_step + 1, loss.item()])
        return loss

    def validation_step(self, batch, batch_idx):
        loss = nn.functional.cross_entropy(self.model(batch[0]), batch[1])
        self.log("val_loss", loss)
        if not self.trainer.sanity_checking:
            self.own["val_loss"].append([self.global_step, loss.item()])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


model = Digits()
trainer = lightning.Trainer(
    max_epochs=3,
    accelerator="cpu",
    log_every_n_steps=5,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    callbacks=[LightningCallback()],
)
trainer.fit(model, DataLoader(train, 100), DataLoader(val, 1000))
Path(os.environ["JUPYTER_TRAINING_OUTPUT_DIR"], "own.json").write_text(json.dumps(model.own))
