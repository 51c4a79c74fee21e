"""Train a small neural network to read handwritten digits, in a few seconds on one core.

The data are the 1797 images of 8 x 8 pixels that come with scikit-learn, so nothing is downloaded.
A fifth of them is held out. Of every other image the network also sees the eight copies that are
shifted by one pixel: a digit stays what it is when it is written a little further to the left.

It is an ordinary script, which ``python train_digits.py`` runs anywhere. As a job of
jupyter-training it finds three things in its environment, each of which it can do without: a
directory for its results, a directory for checkpoints that the next attempt will find again, and
`report` for its curve.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

try:
    from jupyter_training import report
except ImportError:  # Not a reason not to train.

    def report(step: int | None = None, progress: float | None = None, **metrics: Any) -> None:
        """Stand in for the real one."""


class Data(NamedTuple):
    """Images as rows of 64 numbers from 0 to 1, and the digit that each one shows."""

    images: NDArray[np.float64]
    digits: NDArray[np.int64]


def load() -> tuple[Data, Data]:
    """Training and held-out data. The split is always the same, so that runs can be compared."""
    images, digits = load_digits(return_X_y=True)
    seen, held_out, seen_digits, held_out_digits = train_test_split(
        images / 16, digits, test_size=0.2, stratify=digits, random_state=0
    )
    return Data(seen, seen_digits), Data(held_out, held_out_digits)


def shifted(data: Data) -> Data:
    """Every image at its place and moved by one pixel in each of the eight directions."""
    padded = np.pad(data.images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    moves = [(row, column) for row in range(3) for column in range(3)]
    copies = [padded[:, row : row + 8, column : column + 8] for row, column in moves]
    return Data(np.concatenate(copies).reshape(-1, 64), np.tile(data.digits, len(moves)))


def save(value: object, path: Path) -> None:
    """Write a file that is either whole or not there, even if we are killed in the middle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    with draft.open("wb") as file:
        joblib.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def restore(path: Path, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """What an earlier attempt with the same arguments left at `path`, or None."""
    if not path.exists():
        return None
    try:
        state = joblib.load(path)
        found = state["arguments"]
        complete = {"model", "epoch", "history"} <= state.keys()
    except Exception as error:  # A damaged file can raise anything at all while it is unpickled.
        print(f"Ignoring the checkpoint {path}, which cannot be read ({error!r}).", flush=True)
        return None
    if found != arguments or not complete:
        print(f"Ignoring the checkpoint {path}, which another training left.", flush=True)
        return None
    print(f"Resuming after epoch {state['epoch']}", flush=True)
    return dict(state)


def positive(text: str) -> int:
    """Take a whole number above 0 from the command line."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"should be at least 1, not {number}")
    return number


def main(argv: Sequence[str] | None = None) -> float:
    """Train, save the model, and return the share of held-out digits that it reads correctly."""
    parser = argparse.ArgumentParser(
        description="Train a network on scikit-learn's handwritten digits.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--epochs", type=positive, default=30, help="passes over the data")
    parser.add_argument("--batch-size", type=positive, default=32, help="images per step")
    parser.add_argument("--lr", type=float, default=0.001, help="learning rate of Adam")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights and the order")
    arguments = vars(parser.parse_args(argv))
    epochs = arguments["epochs"]

    # One generator draws the first weights and shuffles every epoch. It lives inside the model, as
    # Adam's moments do, so a pickled model goes on exactly where it was.
    model = MLPClassifier(
        hidden_layer_sizes=(128, 64),
        batch_size=arguments["batch_size"],
        learning_rate_init=arguments["lr"],
        random_state=np.random.RandomState(arguments["seed"]),
    )
    done, history = 0, []
    directory = os.environ.get("JUPYTER_TRAINING_CHECKPOINT_DIR")
    checkpoint = Path(directory, "digits.joblib") if directory else None
    if checkpoint and (state := restore(checkpoint, arguments)):
        model, done, history = state["model"], state["epoch"], state["history"]

    training, held_out = load()
    training = shifted(training)
    for epoch in range(done + 1, epochs + 1):
        # One shuffled pass, with a step of Adam after every mini-batch.
        model.partial_fit(training.images, training.digits, classes=range(10))
        loss, accuracy = float(model.loss_), float(model.score(held_out.images, held_out.digits))
        history.append({"epoch": epoch, "loss": loss, "accuracy": accuracy})
        if checkpoint:
            # Before the line is printed: what has been announced is never trained again.
            state = {"arguments": arguments, "model": model, "epoch": epoch, "history": history}
            save(state, checkpoint)
        print(f"Epoch {epoch}/{epochs} - loss: {loss:.4f} - accuracy: {accuracy:.4f}", flush=True)
        report(step=epoch, loss=loss, accuracy=accuracy, progress=epoch / epochs)

    output = Path(os.environ.get("JUPYTER_TRAINING_OUTPUT_DIR") or "output").absolute()
    save(model, output / "model.joblib")
    final = float(history[-1]["accuracy"])
    metrics = {"accuracy": final, "arguments": arguments, "history": history}
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    print(f"Held-out accuracy {final:.4f}, model saved in {output}", flush=True)
    return final


if __name__ == "__main__":
    main()
