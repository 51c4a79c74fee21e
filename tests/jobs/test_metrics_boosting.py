"""Metrics and progress of boosting and of scikit-learn, from real lines."""

from __future__ import annotations

from tests.jobs.test_metrics import metrics, read


def test_boosting() -> None:
    assert read("[10]\tvalidation_0-rmse:0.1\tvalidation_1-rmse:0.2", "[11]\ttrain-auc:1") == (
        [
            (10, None, "validation_0-rmse", 0.1),
            (10, None, "validation_1-rmse", 0.2),
            (11, None, "train-auc", 1),
        ],
        None,
    )
    assert metrics("[10:11:12] INFO: ok", "[1]\ttrain-rmse:0.35000+0.00216") == {"train-rmse": 0.35}
    assert read("[10]\ttraining's l2: 0.1\tvalid_1's auc: 0.2")[0] == [
        (10, None, "training_l2", 0.1),
        (10, None, "valid_1_auc", 0.2),
    ]
    # What the best round had is said once more at the end.
    assert read(
        "[159]\tvalid_1's auc: 0.6",
        "Early stopping, best iteration is:",
        "[109]\tvalid_1's auc: 0.7",
        "[160]\tvalid_1's auc: 0.5",
    )[0] == [(159, None, "valid_1_auc", 0.6), (160, None, "valid_1_auc", 0.5)]
    assert read(
        "Learning rate set to 0.235162",
        "1:\tlearn: 0.5370206\ttest: 0.5\tbest: 0.5 (1)\ttotal: 59.7ms\tremaining: 59.7ms",
    ) == ([(1, None, "learn", 0.5370206), (1, None, "test", 0.5)], 50)
    assert read("99:\tlearn: 0.5\ttotal: 1m 30s\tremaining: 4m 30s")[1] == 25


def test_scikit_learn() -> None:
    assert read("Iteration 3, loss = 0.12345678", "Validation score: 0.600000")[0] == [
        (3, None, "loss", 0.12345678),
        (3, None, "Validation_score", 0.6),
    ]
    assert read(
        "-- Epoch 3", "Norm: 1.2, NNZs: 20, Bias: 0.1, T: 600, Avg. loss: 16.6, Objective: 17.3"
    )[0] == [(3, 3, "loss", 16.6), (3, 3, "Objective", 17.3)]
    assert read("Iteration 4, inertia 3812.154665042119.")[0] == [
        (4, None, "inertia", 3812.154665042119)
    ]
    assert read("[1/100] 1 tree, 31 leaves, max depth = 10, train loss: 0.63, in 0.010s") == (
        [(1, None, "train_loss", 0.63)],
        1,
    )
    assert read("building tree 20 of 80")[1] == 25
    assert read("[Parallel(n_jobs=1)]: Done  10 out of 100 | elapsed:    1.0s")[1] == 10


def test_a_search_of_scikit_learn() -> None:
    ended = "[CV {}/5] END ..................C=1, gamma=0.1;, score=0.9{} total time=   0.1s"
    points, progress = read(
        "Fitting 5 folds for each of 2 candidates, totalling 10 fits",
        "[CV 1/5] START C=1.................",
        *(ended.format(number, number) for number in (1, 2, 3)),
        "[CV 4/5] END .....alpha=0.1;, score=(train=0.880, test=0.730) total time=   0.0s",
    )
    assert [it[3] for it in points if it[2] == "score"] == [0.91, 0.92, 0.93]
    assert points[-2:] == [(4, None, "train_score", 0.88), (4, None, "test_score", 0.73)]
    assert progress == 40
