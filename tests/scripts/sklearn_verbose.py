"""Gradient boosting of scikit-learn, which prints a table."""

import json
import os
from pathlib import Path

from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor

features, target = load_diabetes(return_X_y=True)
model = GradientBoostingRegressor(n_estimators=10, verbose=2, random_state=0)
model.fit(features, target)
own = {"Train_Loss": [float(f"{loss:.4f}") for loss in model.train_score_]}
Path(os.environ["JUPYTER_TRAINING_OUTPUT_DIR"], "own.json").write_text(json.dumps(own))
