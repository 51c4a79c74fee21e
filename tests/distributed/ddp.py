"""Train a small network with DistributedDataParallel on the CPU, and resume from its checkpoint.

Run alone it sees all of the data; each rank of several sees its share. The gradient is the mean in
both cases, so the losses are the same within rounding. With `BY_HAND` the ranks take the mean
themselves: what DistributedDataParallel imports takes as long again as PyTorch.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from jupyter_training import report

STEPS = 8
rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
checkpoint = Path(os.environ["JUPYTER_TRAINING_CHECKPOINT_DIR"], "model.pt")
died = checkpoint.with_name("died")


def wait_to_be_ended(*told: Any) -> None:
    """Tell an error, and end no sooner than a rank that died: which one failed first is no luck."""
    sys.__excepthook__(*told)
    signal.pause()


if "DIES" in os.environ:
    sys.excepthook = wait_to_be_ended

torch.set_num_threads(1)
torch.manual_seed(0)
data = torch.randn(64, 8)
target = data.pow(2).sum(dim=1, keepdim=True)
plain = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
model: nn.Module = plain
if world > 1:
    dist.init_process_group("gloo")
    if "BY_HAND" not in os.environ:
        model = DistributedDataParallel(plain)
first = 0
if checkpoint.exists():
    saved = torch.load(checkpoint, weights_only=True)
    plain.load_state_dict(saved["model"])
    first = saved["step"]
    print("resumed at", first, flush=True)

for step in range(first, STEPS):
    loss = nn.functional.mse_loss(model(data[rank::world]), target[rank::world])
    plain.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for weights in plain.parameters():
            assert weights.grad is not None
            if world > 1 and model is plain:
                dist.all_reduce(weights.grad)
                weights.grad /= world
            weights.sub_(0.02 * weights.grad)
    mean = loss.detach() / world
    if world > 1:
        dist.all_reduce(mean)
    if rank == 0:
        report(step=step, loss=mean.item(), progress=(step + 1) / STEPS)
        print(f"step {step} loss {mean.item():.9f}", flush=True)
        torch.save({"model": plain.state_dict(), "step": step + 1}, checkpoint)
    if world > 1:
        dist.barrier()
    if step == 4 and os.environ.get("DIES") == str(rank) and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)

if world > 1:
    dist.destroy_process_group()
