"""Keras on PyTorch, with the callback."""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
from sklearn.datasets import load_digits

from jupyter_training.integrations import KerasCallback

keras.utils.set_random_seed(0)
images, labels = load_digits(return_X_y=True)
model = keras.Sequential([keras.layers.Dense(32, activation="relu"), keras.layers.Dense(10)])
model.compile(
    "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
)
history = model.fit(
    images / 16,
    labels,
    batch_size=200,
    epochs=3,
    validation_split=0.2,
    verbose=0,
    callbacks=[KerasCallback(every=2)],
)
own = {
    name: [[epoch + 1, value] for epoch, value in enumerate(values)]
    for name, values in history.history.items()
}
Path(os.environ["JUPYTER_TRAINING_OUTPUT_DIR"], "own.json").write_text(json.dumps(own))
