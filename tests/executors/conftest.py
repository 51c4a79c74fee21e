"""What all tests of executors share."""

from __future__ import annotations

from tests.executors.container_jobs import nothing_is_left as nothing_is_left
