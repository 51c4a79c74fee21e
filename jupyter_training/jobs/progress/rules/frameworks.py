"""Frameworks of deep learning, and the examples that people begin with."""

from __future__ import annotations

import re

from jupyter_training.jobs.progress.names import about
from jupyter_training.jobs.progress.rule import (
    NOTHING,
    Line,
    Memory,
    Rule,
    Said,
    counters,
    possible,
    rule,
)
from jupyter_training.jobs.progress.values import pairs

_ETA = re.compile(
    r"\beta: (?:(?P<days>\d{1,4}) days?, )?(?P<hours>\d{1,4}):(?P<minutes>\d\d):(?P<seconds>\d\d)\b"
)
_TIME = re.compile(r"\btime: (?P<time>\d{1,9}(?:\.\d{1,9})?)\b")
_UPDATES = re.compile(r"\bnum_updates[ =:]{1,2}(?P<updates>\d{1,12})\b")

_SHORTEST_ETA_S = 10.0
"""An estimate of the trainer that is shorter is rounded too much to tell how far it is (s)."""


def _share(done: int, low: str) -> float | None:
    """How far a trainer is by its own estimate of how long the rest takes."""
    eta, time = _ETA.search(low), _TIME.search(low)
    if eta is None or time is None or done <= 0:
        return None
    left = int(eta["days"] or 0) * 86400 + int(eta["hours"]) * 3600
    left += int(eta["minutes"]) * 60 + int(eta["seconds"])
    if left < _SHORTEST_ETA_S or float(time["time"]) <= 0:
        return None
    return done / (done + left / float(time["time"]))


def _detectron(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    step = int(found["step"])
    return Said(step=step, share=_share(step, line.low))


def _mmengine(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    epoch, n = int(found["epoch"]), int(found["n"])
    of = int(found["of"]) if found["of"] else None
    scope = found["mode"] or "train"
    if scope != "train":
        # What it counts together on the way is no result yet.
        return Said(epoch=epoch, scope=scope, values=pairs(line.text) if n == (of or n) else {})
    done = (epoch - 1) * (of or 0) + n
    said = Said(epoch=epoch, over=False, n=n, of=of, share=_share(done, line.low) if of else None)
    return said if possible(said) else None


def _mmengine_aside(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    # What it counts together on the way is no result yet.
    whole = found["n"] == (found["of"] or found["n"])
    return Said(scope=found["mode"], values=pairs(line.text) if whole else {})


def _megatron_validation(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    # "lm loss value: 5.3" is the value of lm loss.
    told = line.text[found.end() :].replace(" value:", ":")
    step = int(found["step"]) if found["step"] else None
    return Said(scope="val", step=step, values=about("val", pairs(told)))


def _fairseq(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    updates = _UPDATES.search(line.low)
    step = int(updates["updates"]) if updates else None
    if " valid " in line.low or "| valid" in line.low:
        under_way = found["n"] is not None or re.search(r"subset\s{1,4}:?\s{0,8}\d", line.low)
        values = {} if under_way else about("valid", pairs(line.text))
        return Said(epoch=int(found["epoch"]), step=step, scope="valid", values=values)
    count = counters(found, line, memory)
    if count is None:
        return None
    return Said(epoch=count.epoch, n=count.n, of=count.of, step=step, over=count.n is None)


def _imagenet_validation(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    return Said(scope="val", values=about("val", pairs(line.text)))


RULES: tuple[Rule, ...] = (
    rule(
        "MMEngine, by epochs",
        ("epoch(", "epoch ["),
        r"^epoch(?:\((?P<mode>train|val|test)\))?\s{1,4}\[(?P<epoch>\d{1,9})\]"
        r"\[[ ]{0,8}(?P<n>\d{1,9})(?:/(?P<of>\d{1,9}))?\]",
        "Epoch(train) [1][50/100]  lr: 1.0e-02  eta: 0:00:25  time: 0.010  memory: 0  loss: 11.4",
        _mmengine,
    ),
    rule(
        "MMEngine, by iterations",
        ("iter(",),
        r"^iter\(train\)\s{1,4}\[[ ]{0,8}(?P<step>\d{1,9})/[ ]{0,8}(?P<steps>\d{1,9})\]",
        "Iter(train) [  50/1000]  lr: 1.0e-02  eta: 0:00:25  time: 0.010  loss: 11.4",
    ),
    rule(
        "MMEngine, a validation by iterations",
        ("iter(",),
        r"^iter\((?P<mode>val|test)\)\s{1,4}\[[ ]{0,8}(?P<n>\d{1,9})/[ ]{0,8}(?P<of>\d{1,9})\]",
        "Iter(val) [17/17]    aAcc: 86.3900  mIoU: 51.1200  mAcc: 58.3200  data_time: 0.0052",
        _mmengine_aside,
    ),
    rule(
        "Detectron2",
        ("iter: ",),
        r"^eta: [\w:, /]{1,40}\s{2}iter: (?P<step>\d{1,9})\s",
        "eta: 8:05:12  iter: 1259  total_loss: 1.012  loss_cls: 0.714  time: 0.3322  lr: 0.01",
        _detectron,
    ),
    rule(
        "Megatron",
        ("iteration ",),
        r"\biteration\s{1,12}(?P<step>\d{1,9})/[ ]{0,12}(?P<steps>\d{1,9}) \|",
        "iteration      122/  250000 | consumed samples:       124928 | lm loss: 2.504220E+00 |",
    ),
    rule(
        "Megatron, a validation",
        ("loss at ",),
        r"^(?:valid(?:ation)?|test) loss at (?:iteration (?P<step>\d{1,9})\b|[a-z])[^|]{0,80}\|",
        "validation loss at iteration 1000 | lm loss value: 5.314413E+00 | lm loss PPL: 2.03E+02 |",
        _megatron_validation,
    ),
    rule(
        "DeepSpeed",
        ("skipped=",),
        r"^step=(?P<step>\d{1,9}), skipped=\d{1,9}, lr=",
        "step=40, skipped=2, lr=[5e-05], mom=[[0.9, 0.999]]",
    ),
    rule(
        "DeepSpeed, speed",
        ("samplespersec",),
        r"samplespersec=",
        "epoch=0/micro_step=34/global_step=34, RunningAvgSamplesPerSec=7.864669709950182",
        lambda found, line, memory: NOTHING,
    ),
    rule(
        "fairseq",
        ("epoch ",),
        r"^(?:valid \| )?epoch (?P<epoch>\d{1,9})(?: \||:|(?= {2}))"
        r"(?:\s{1,8}(?P<n>\d{1,9}) / (?P<of>\d{1,9})\b)?"
        r"(?=.{0,400}(?:\bwps\b|\bppl\b|\bwpb\b|\bnum_updates\b| subset ))",
        "epoch 001:    450 / 1891 loss=11.521, nll_loss=10.881, ppl=1886.05, num_updates=445",
        _fairseq,
    ),
    rule(
        "timm",
        ("train: ",),
        r"^train: (?P<epoch>\d{1,9}) \[[ ]{0,8}(?P<n>\d{1,9})/(?P<of>\d{1,9}) "
        r"\([ ]{0,3}\d{1,3}%\)\]",
        "Train: 0 [  50/10009 (  0%)]  Loss:  6.927 (6.918)  Time: 1.462s  LR: 1.000e-06",
    ),
    rule(
        "PyTorch's examples",
        ("epoch: ", "epoch ", "epoch:["),
        r"^(?:train )?epoch:?\s{0,4}\[?(?P<epoch>\d{1,9})\]?\s{0,4}"
        r"\[[ ]{0,8}(?P<n>\d{1,9})/[ ]{0,8}(?P<of>\d{1,9})"
        r"(?:[ ]{1,2}\([ ]{0,3}\d{1,3}(?:\.\d{1,3})?%\))?\]",
        "Train Epoch: 1 [1280/60000 (2%)]\tLoss: 0.300000",
    ),
    rule(
        "a logger of metrics without epochs, as of DINOv2",
        ("eta: ",),
        r"^train(?:ing)?[ :]{0,4}\[[ ]{0,12}(?P<n>\d{1,9})/[ ]{0,12}(?P<of>\d{1,9})\]\s{1,4}eta: ",
        "Training  [    10/125000]  eta: 1 day, 2:00:00  total_loss: 10.1234 (10.2345)",
    ),
    rule(
        "PyTorch's DCGAN",
        ("loss",),
        r"^\[(?P<epoch>\d{1,9})/(?P<epochs>\d{1,9})\][ ]?\[[ ]{0,8}(?P<n>\d{1,9})/[ ]{0,8}"
        r"(?P<of>\d{1,9})\][^\d]{1,40}loss",
        "[0/25][450/782] Loss_D: 0.5123 Loss_G: 1.5123 D(x): 0.6123 D(G(z)): 0.4123 / 0.3123",
    ),
    rule(
        "TensorFlow's estimators",
        ("step = ",),
        r"^loss = [^,]{1,24}, step = (?P<step>\d{1,12})\b",
        "loss = 0.5123, step = 100 (2.312 sec)",
    ),
    rule(
        "PyTorch's tutorial",
        ("loss",),
        r"^\[(?P<epoch>\d{1,9}),\s{1,8}(?P<n>\d{1,9})\] loss:",
        "[2,  2000] loss: 1.173",
    ),
    rule(
        "PyTorch's ImageNet example, validation",
        ("acc@1", "prec@1"),
        r"^\*\s{1,4}(?:acc|prec)@1",
        " *   Acc@1 70.100 Acc@5 89.900",
        _imagenet_validation,
    ),
)
