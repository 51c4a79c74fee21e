"""LightGBM with its own log of the evaluation."""

import json
import os
from pathlib import Path

import lightgbm as lgb
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

features, target = load_breast_cancer(return_X_y=True)
x, x_val, y, y_val = train_test_split(features, target, random_state=0)
train = lgb.Dataset(x, y)
history = {}
lgb.train(
    {"objective": "binary", "metric": ["binary_logloss", "auc"], "num_threads": 1, "verbose": -1},
    train,
    num_boost_round=30,
    valid_sets=[train, lgb.Dataset(x_val, y_val)],
    valid_names=["training", "valid"],
    callbacks=[lgb.log_evaluation(1), lgb.record_evaluation(history)],
)
own = {
    f"{name}_{metric}": [float(f"{value:g}") for value in values]
    for name, metrics in history.items()
    for metric, values in metrics.items()
}
Path(os.environ["JUPYTER_TRAINING_OUTPUT_DIR"], "own.json").write_text(json.dumps(own))
