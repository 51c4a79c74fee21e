"""What can be set for each kind of cluster."""

from __future__ import annotations

from dataclasses import dataclass

from traitlets import Dict, Float, Unicode
from traitlets.config import Configurable


@dataclass(frozen=True)
class Pace:
    """How often a cluster and its jobs are looked at.

    Attributes
    ----------
    poll_s
        How often the cluster is asked for all jobs (s).
    alive_s
        How often a job gives a sign of life; one of which the cluster has lost sight is believed
        dead after four times that (s).
    settle_s
        How long a shared file system may take to show what was written on a node (s).
    """

    poll_s: float = 5.0
    alive_s: float = 10.0
    settle_s: float = 3.0


class ClusterSettings(Configurable):
    """What a person can set for a cluster, whichever it is."""

    gpu_types = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="""What GPU types are called on the cluster, in the GRES of Slurm or among the
        accelerator types of Ray, where that is not what people write: {"A100 80GB": "a100l"}.""",
    ).tag(config=True)

    python = Unicode(
        help="""The Python that starts jobs on the nodes, 3.10 or later; for distributed jobs on Ray
        it has the Ray of the cluster. Default: that of this server, which the nodes then have to
        see at the same path.""",
    ).tag(config=True)

    poll_interval = Float(
        5.0,
        min=0.1,
        help="""Seconds between two questions to the cluster, each for all jobs at once. That a job
        begins or ends is mostly known before, by files.""",
    ).tag(config=True)

    sign_interval = Float(
        10.0,
        min=0.1,
        help="""Seconds between two signs of life of a job. One of which the cluster has lost sight
        is believed dead after four times that.""",
    ).tag(config=True)

    settle_time = Float(
        3.0,
        min=0.0,
        help="Seconds that the shared file system may take to show what a node has written.",
    ).tag(config=True)

    @property
    def pace(self) -> Pace:
        """How often it is looked at."""
        return Pace(self.poll_interval, self.sign_interval, self.settle_time)
