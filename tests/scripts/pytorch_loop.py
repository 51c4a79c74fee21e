"""A plain PyTorch loop."""

import json
import os
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
images, labels = load_digits(return_X_y=True)
images = torch.tensor(images / 16, dtype=torch.float32)
labels = torch.tensor(labels)
train, val = slice(0, 1500), slice(1500, None)

model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
loss_of = nn.CrossEntropyLoss()
own = {"loss": [], "val_acc": []}

for epoch in range(1, 9):
    total = 0.0
    for start in range(0, 1500, 100):
        batch = slice(start, start + 100)
        optimizer.zero_grad()
        loss = loss_of(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        total += loss.item()
    with torch.no_grad():
        accuracy = (model(images[val]).argmax(1) == labels[val]).float().mean().item()
    print(f"Epoch {epoch}/8, loss: {total / 15:.6f}, val_acc: {accuracy:.6f}")
    own["loss"].append(round(total / 15, 6))
    own["val_acc"].append(round(accuracy, 6))

Path(os.environ["JUPYTER_TRAINING_OUTPUT_DIR"], "own.json").write_text(json.dumps(own))
