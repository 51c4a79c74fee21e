"""Keras on PyTorch, as it prints by itself."""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
from sklearn.datasets import load_digits

keras.utils.set_random_seed(0)
images, labels = load_digits(return_X_y=True)
model = keras.Sequential([keras.layers.Dense(32, activation="relu"), keras.layers.Dense(10)])
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
history = model.fit(images / 16, labels, batch_size=200, epochs=3, validation_split=0.2)
own = {name: [float(f"{v:.4f}") for v in values] for name, values in history.history.items()}
Path(os.environ["JUPYTER_TRAINING_OUTPUT_DIR"], "own.json").write_text(json.dumps(own))
