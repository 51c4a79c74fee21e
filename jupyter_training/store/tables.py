"""The schema. Names and columns of `customers` and `training_jobs` are the specification's.

The database holds control state only: what jobs there are, where they stand and why. Logs and
metrics are files in each job's directory.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from enum import Enum

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    func,
    or_,
)
from sqlalchemy.dialects.postgresql import JSONB

from jupyter_training.jobs.lifecycle import Status

_LONGEST_WORDS = 1 << 16
"""So much of what a person is told is kept (characters)."""


class Hold(str, Enum):
    """Why a job that waits is not in the queue of the scheduler."""

    UPSTREAM = "upstream"
    """What it depends on has not completed."""
    CHILDREN = "children"
    """It is a parent: its children do its work, and it has no attempt of its own."""


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: aware in Python, UTC in the database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC without a zone."""
        return None if value is None else value.astimezone(timezone.utc).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        return None if value is None else value.replace(tzinfo=timezone.utc)


class Words(TypeDecorator[str]):
    """What a person is told, perhaps in the words of a job, which may print anything.

    What a database may not store, NUL and half of a surrogate pair, is replaced; what nobody would
    read to its end is cut. So whatever a job says, that it has ended can be written.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Make it a text that every database stores."""
        if value is None:
            return None
        value = value[:_LONGEST_WORDS].replace("\0", "\N{REPLACEMENT CHARACTER}")
        return value.encode("utf-8", "replace").decode("utf-8")


# SQLite numbers rows by itself only for a column that is declared INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

metadata = MetaData()

customers = Table(
    "customers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("username", String(256), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
)

training_datasets = Table(
    "training_datasets",
    metadata,
    Column("id", Id, primary_key=True),
    Column("customer_id", Id, ForeignKey("customers.id"), nullable=False),
    Column("name", String(128), nullable=False, unique=True),
    Column("path", Text, nullable=False),
    Column("description", Text),
    Column("created_at", UtcDateTime, nullable=False),
    # An ended job goes on naming a data set that was removed; no other may take its number.
    sqlite_autoincrement=True,
)

training_jobs = Table(
    "training_jobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("uuid", String(64), nullable=False, unique=True),
    Column("customer_id", Id, ForeignKey("customers.id"), nullable=False),
    Column("workspace_id", BigInteger),
    # What it is.
    Column("name", String(256), nullable=False),
    Column("description", Text),
    Column("job_type", String(32), nullable=False),
    # What it needs.
    Column("cpu_cores", Integer, nullable=False),
    Column("memory_gb", Integer, nullable=False),
    Column("gpu_count", Integer, nullable=False),
    Column("gpu_type", String(64)),
    # How often, in a gang.
    Column("nodes", Integer, nullable=False, server_default="1"),
    Column("min_nodes", Integer),
    Column("procs_per_node", Integer),
    Column("priority", Integer, nullable=False),
    Column("time_limit_s", Float),
    # How it runs.
    Column("executor", String(32), nullable=False),
    Column("launcher", String(32)),
    Column("image", String(256)),
    Column("command", Text, nullable=False),
    Column("working_dir", String(512)),
    Column("env_vars", Json, nullable=False),
    Column("dataset_ids", Json, nullable=False),
    Column("output_path", String(512)),
    Column("spec", Json, nullable=False),
    # By their SHA-256, the contents in its user's store that it refers to.
    Column("snapshot", String(64)),
    Column("environment", String(64)),
    Column("variables", Json, nullable=False, server_default="{}"),
    # What it runs with, as a trial of a search does.
    Column("parameters", Json, nullable=False, server_default="{}"),
    # Where it stands.
    Column("status", String(32), nullable=False),
    Column("cause", String(32)),
    Column("reason", Words),
    Column("progress", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("retry_count", Integer, nullable=False),
    Column("max_retries", Integer, nullable=False),
    Column("not_before", UtcDateTime),
    Column("cancel_requested_at", UtcDateTime),
    Column("cancel_requested_by", String(256)),
    # Why it is being stopped, if nobody has asked for that.
    Column("stop_cause", String(32)),
    Column("stop_detail", Words),
    Column("submitted_at", UtcDateTime, nullable=False),
    Column("scheduled_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("completed_at", UtcDateTime),
    Column("idempotency_key", String(256)),
    # Who is told of it: their URLs are secrets.
    Column("receivers", Json),
    # Of whom it is a part.
    Column("parent_id", Id, ForeignKey("training_jobs.id")),
    Column("child_key", String(64)),
    Column("weight", Float),
    # What it does, and the run whose results it has if it was not run itself.
    Column("digest", String(64)),
    Column("origin", String(96)),
    # Who decides that it goes on, as a `Hold`; None: the scheduler, in whose queue it is.
    Column("hold", String(16)),
    UniqueConstraint("customer_id", "idempotency_key", name="one_job_per_idempotency_key"),
    Index("training_jobs_queue", "status", "hold", "priority", "id"),
    Index("training_jobs_of_customer", "customer_id", "id"),
    Index("training_jobs_digest", "digest"),
    Index("training_jobs_of_parent", "parent_id", "child_key", unique=True),
    # A number once given to a job is not given to another, even after a delete.
    sqlite_autoincrement=True,
)

training_upstreams = Table(
    "training_upstreams",
    metadata,
    Column("job_id", Id, ForeignKey("training_jobs.id", ondelete="CASCADE"), primary_key=True),
    # What the job calls it, and finds its results under.
    Column("name", String(64), primary_key=True),
    # None: it was deleted.
    Column("upstream_id", Id, ForeignKey("training_jobs.id", ondelete="SET NULL")),
    Index("training_upstreams_of", "upstream_id"),
)

training_searches = Table(
    "training_searches",
    metadata,
    Column("job_id", Id, ForeignKey("training_jobs.id", ondelete="CASCADE"), primary_key=True),
    # What was asked for, with the seed that was drawn.
    Column("search", Json, nullable=False),
    # How many trials it may have in all; None if only a budget ends it.
    Column("allowed", Integer),
    # The number of the first trial since it was submitted, or run again.
    Column("first", Integer, nullable=False),
    # From when its budget counts; None before it has begun.
    Column("since", UtcDateTime),
)

training_trials = Table(
    "training_trials",
    metadata,
    Column(
        "search_id",
        Id,
        ForeignKey("training_searches.job_id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    # What the study calls it.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column(
        "job_id",
        Id,
        ForeignKey("training_jobs.id", ondelete="CASCADE"),
        nullable=False,
        unique=True,
    ),
    # What the study was told of its end: complete, pruned or failed; None before that.
    Column("state", String(16)),
    Column("value", Float),
    Column("step", Float),
)

training_attempts = Table(
    "training_attempts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", Id, ForeignKey("training_jobs.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("token", String(64), nullable=False, unique=True),
    # What it holds until it has ended: this is the ledger.
    Column("node", String(256), nullable=False),
    Column("cpu_cores", Integer, nullable=False),
    Column("memory_gb", Integer, nullable=False),
    Column("gpus", Json, nullable=False),
    # For a gang these are sums, and here are its nodes: of each the machine, cores, memory, GPUs.
    Column("parts", Json),
    Column("executor", String(32), nullable=False),
    Column("handle", Json),
    Column("scheduled_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("exit_code", Integer),
    Column("signal", Integer),
    Column("cause", String(32)),
    Column("reason", Words),
    # What it has used so far, or in all.
    Column("cpu_seconds", Float),
    Column("peak_memory_bytes", BigInteger),
    Column("peak_gpu_memory_bytes", BigInteger),
    Column("gpu_utilization_percent", Float),
    Column("usage_until", UtcDateTime),
    Column("idle_since", UtcDateTime),
    Column("hung_since", UtcDateTime),
    Column("hung_first", Words),
    UniqueConstraint("job_id", "number", name="one_attempt_per_number"),
    Index("training_attempts_open", "ended_at"),
)

# What attempts of deleted jobs have held: GPU-hours are not given back by a delete.
past_holdings = Table(
    "past_holdings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", BigInteger, nullable=False),
    Column("job_uuid", String(64), nullable=False),
    Column("customer_id", Id, ForeignKey("customers.id"), nullable=False),
    Column("held_since", UtcDateTime, nullable=False),
    Column("held_until", UtcDateTime, nullable=False),
    Column("cpu_cores", Integer, nullable=False),
    Column("memory_gb", Integer, nullable=False),
    Column("gpu_count", Integer, nullable=False),
)

training_events = Table(
    "training_events",
    metadata,
    Column("id", Id, primary_key=True),
    # None: it is not about a job but about the servers.
    Column("job_id", Id, ForeignKey("training_jobs.id", ondelete="CASCADE")),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(256), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("from_status", String(32)),
    Column("to_status", String(32)),
    Column("attempt", Integer),
    Column("cause", String(32)),
    Column("reason", Words),
    Index("training_events_of_job", "job_id", "id"),
)

training_changes = Table(
    "training_changes",
    metadata,
    # In the order of the commits, and never given twice: see `store.changes`.
    Column("sequence", Id, primary_key=True),
    # No foreign key: that a job was deleted is told when it is gone.
    Column("job_id", Id, nullable=False),
    Column("uuid", String(64), nullable=False),
    Column("customer_id", Id, ForeignKey("customers.id"), nullable=False),
    Column("name", String(256), nullable=False),
    Column("change", String(32), nullable=False),
    Column("status", String(32), nullable=False),
    Column("cause", String(32)),
    Column("reason", Words),
    Column("attempt", Integer, nullable=False),
    Column("progress", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("training_changes_at", "at"),
    sqlite_autoincrement=True,
)

training_notifications = Table(
    "training_notifications",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", Id, ForeignKey("training_jobs.id", ondelete="CASCADE"), nullable=False),
    # What is told, and to whom.
    Column("occasion", String(32), nullable=False),
    Column("receiver", Json, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("reason", Words),
    Column("progress", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    # When it is tried, and who is about to.
    Column("tries", Integer, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("claim", String(32)),
    Column("holder", String(256)),
    Column("host", String(256)),
    Column("pid", Integer),
    Column("pid_started", Float),
    Index("training_notifications_due", "next_at"),
    Index("training_notifications_of_job", "job_id"),
    sqlite_autoincrement=True,
)

nodes = Table(
    "nodes",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("cpu_cores", Integer, nullable=False),
    Column("memory_gb", Integer, nullable=False),
    Column("gpus", Json, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

cluster_nodes = Table(
    "cluster_nodes",
    metadata,
    # The executor whose cluster it is of, and what it is called there.
    Column("executor", String(32), primary_key=True),
    Column("name", String(256), primary_key=True),
    Column("cpu_cores", Integer, nullable=False),
    Column("memory_gb", Integer, nullable=False),
    Column("gpus", Json, nullable=False),
    # What the cluster tells of it at the moment.
    Column("state", String(64), nullable=False),
    Column("cpu_cores_free", Integer, nullable=False),
    Column("memory_gb_free", Integer, nullable=False),
    Column("gpus_held", Json, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("holder", String(256), nullable=False),
    Column("host", String(256), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("pid_started", Float, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("given_back", Boolean, nullable=False, server_default=false()),
)


def has_status(statuses: Iterable[Status]) -> ColumnElement[bool]:
    """Whether a job has one of these; unlike an ``IN`` list it is compiled only once."""
    return or_(*(training_jobs.c.status == status.value for status in sorted(statuses)))


SEQUENCE = func.coalesce(training_jobs.c.parent_id, training_jobs.c.id)
"""A job's place in the sequence of submissions: children have that of their parent."""
