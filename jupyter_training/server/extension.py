"""The Jupyter server extension: what it is made of, start and stop."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join

from jupyter_training import servers
from jupyter_training.engine import delivery
from jupyter_training.engine.engine import Engine
from jupyter_training.engine.feed import Feed
from jupyter_training.engine.inventory import Machine
from jupyter_training.engine.job_logs import JobLogs
from jupyter_training.engine.notifier import Notifier
from jupyter_training.engine.service import TrainingService
from jupyter_training.engine.workspace import Workspace
from jupyter_training.executors import registry
from jupyter_training.executors.tasks import cancelled
from jupyter_training.server.handlers import HANDLERS
from jupyter_training.server.identity import TrainingTokens, audience, customer_of, owner
from jupyter_training.server.job_events import JobEvents
from jupyter_training.server.kernels import inform_kernels
from jupyter_training.server.running import Running
from jupyter_training.server.settings import TrainingSettings
from jupyter_training.store.database import AWAY, Database, trouble
from jupyter_training.store.filesystem import network_file_system

_AGAIN_S = 1.0
"""How soon a server that starts tries again to reach the database (s)."""

_PATIENCE_S = 10.0
"""How long to wait for somebody to tell what machines there are (s)."""

_STOP_MARGIN_S = 20.0
"""How much longer than the grace period a cancel may take: to notice, to kill, to write."""


class TrainingApp(TrainingSettings, ExtensionApp):
    """Queue, run and watch training jobs."""

    name = "jupyter_training"
    app_name = "Jupyter Training"
    description = "Queue, run and watch training jobs from notebooks."
    load_other_extensions = True

    _engine: Engine | None = None
    _logs: JobLogs | None = None
    _database: Database | None = None
    _machine: Machine | None = None
    _registered: Path | None = None
    _wrong_setting: str | None = None

    def _link_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        try:
            super()._link_jupyter_server_extension(serverapp)
        except Exception as error:  # a TraitError mostly, but not always
            # Jupyter only logs this, and goes on. What was read by then is not what was meant: it
            # might be another database, or no limits to what containers may be made from.
            self._wrong_setting = " ".join(str(error).split())
            raise

    def initialize_settings(self) -> None:
        """Make what the handlers use, and inform kernels from now on."""
        self._tasks: list[asyncio.Task[None]] = []
        # With a wrong setting, nobody knows which directory is meant.
        self._tokens = TrainingTokens(None if self._wrong_setting else self.directory)
        self._running = Running(self._tokens, self._end if self.embedded else None)
        self.settings["jupyter_training"] = self._running
        inform_kernels(self._server.kernel_manager, self._url, self._kernel_token)

    def initialize_handlers(self) -> None:
        """Add the REST handlers."""
        self.handlers.extend(HANDLERS)

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        # The server itself has not to wait for a database that is away.
        self._tasks = [asyncio.create_task(self._start(serverapp))]

    async def _start(self, serverapp: ServerApp) -> None:
        try:
            if self._wrong_setting is not None:
                raise ValueError(f"a setting is wrong: {self._wrong_setting}")
            service = await self._start_engine(serverapp)
        except Exception as error:
            self.log.error("Training jobs are not available: %s", error)
            self._running.fail(str(error))
            self._tell_ready()  # whoever waits is not to wait for ever
            return
        assert self._engine is not None
        # Before anybody is answered: what changes after the answer is told.
        await self._tell_changes(serverapp, self._engine)
        self._running.started.set_result(service)
        self._registered = await asyncio.to_thread(
            servers.register, self._url(), self._tokens.make(owner()), embedded=self.embedded
        )
        self._tasks.append(asyncio.create_task(service.contents.keep_clean()))
        if self.embedded:
            idle = self._running.end_when_idle(self.idle_timeout)
            self._tasks.append(asyncio.create_task(idle))
        self._tell_ready()

    async def _tell_changes(self, serverapp: ServerApp, engine: Engine) -> None:
        assert serverapp.event_logger is not None  # a server has one as soon as it is initialized
        events = JobEvents(serverapp.event_logger, audience(serverapp.identity_provider))
        feed = Feed(engine, events.emit, owner=events.audience)
        await feed.open()
        self._tasks.append(asyncio.create_task(feed.run()))
        if delivery.is_there():
            self._tasks.append(asyncio.create_task(Notifier(engine).run()))

    def _tell_ready(self) -> None:
        if self.ready_fd >= 0:
            os.close(self.ready_fd)

    async def _start_engine(self, serverapp: ServerApp) -> TrainingService:
        workspace = Workspace(
            self.directory,
            Path(serverapp.root_dir),
            dataset_dirs=[Path(one) for one in self.dataset_dirs],
            # There are the tokens of servers.
            hidden=[Path(serverapp.runtime_dir), Path(serverapp.config_dir)],
            log_limit=self.log_limit,
        )
        if (self.notification_urls or self.notification_receivers) and not delivery.is_there():
            self.log.warning("Nobody is told of jobs: %s", delivery.ABSENT)
        self._database = await asyncio.to_thread(Database, self.database_url)
        await self._migrate(self._database)
        setting = registry.Setting(
            installation=self._tokens.installation,
            data_dir=workspace.data_dir,
            root_dir=workspace.root_dir,
            grace_s=self.stop_grace,
            log_limit=self.log_limit,
            app=self,
        )
        # The default is one of them, whether or not it is named twice.
        names = [*self.executors, self.default_executor]
        executors, offers = await asyncio.to_thread(registry.make, names, setting)
        self._machine = Machine(
            cpu_cores=self.cpu_cores,
            memory_gb=self.memory_gb,
            gpus=self.gpus,
            give_out_used=self.share_used_gpus,
        )
        # Before it starts: whoever ends this server meanwhile ends the engine, too.
        engine = self._engine = Engine(
            self._database,
            workspace,
            executors,
            self._machine.read,
            self.timing,
            self._machine.live_gpus,
        )
        await engine.start()
        await engine.ready(_PATIENCE_S)
        service = TrainingService(
            engine,
            default_executor=self.default_executor,
            offers=offers,
            rules=self.rules(executors),
            stop_s=self.stop_grace + _STOP_MARGIN_S,
            live_gpus=self._machine.live_gpus,
            receivers=self.receivers,
            limits=self.limits,
        )
        self._logs = service.logs
        return service

    async def _migrate(self, database: Database) -> None:
        """Bring the schema up to date, as soon as the database can be used."""
        if database.is_sqlite and database.url.database:
            path = self.directory / database.url.database
            kind = await asyncio.to_thread(network_file_system, path)
            if kind is not None:
                self.log.warning(
                    "The training database %s is on a network file system (%s), where SQLite can "
                    "be damaged. Set c.TrainingApp.data_dir to a directory on a disk of this "
                    "machine, or c.TrainingApp.database_url to a PostgreSQL database.",
                    path,
                    kind,
                )
        while True:
            try:
                await asyncio.to_thread(database.migrate)
                return
            except AWAY as error:
                self.log.error("The training database cannot be used, trying again: %s", error)
                self._running.hinder(trouble(error))
                await asyncio.sleep(_AGAIN_S)

    async def stop_extension(self) -> None:
        """Stop scheduling here. Jobs that run go on."""
        await cancelled(self._tasks)
        if self._registered is not None:
            self._registered.unlink(missing_ok=True)
        if self._logs is not None:
            await self._logs.close()
        if self._engine is not None:
            await self._engine.stop()
        if self._machine is not None:
            await asyncio.to_thread(self._machine.close)
        if self._database is not None:
            self._database.close()

    def current_activity(self) -> int:
        """How many jobs this server follows: it is not idle while there are any."""
        return 0 if self._engine is None else self._engine.active

    @property
    def _server(self) -> Any:
        assert self.serverapp is not None
        return self.serverapp

    def _url(self) -> str:
        # The socket may be bound to every address; kernels are on this machine.
        server = self._server
        host = server.ip if server.ip not in ("", "0.0.0.0", "::", "*") else "127.0.0.1"
        host = f"[{host}]" if ":" in host else host
        scheme = "https" if server.certfile else "http"
        base: str = url_path_join(f"{scheme}://{host}:{server.port}", server.base_url)
        return base

    def _kernel_token(self, handler: JupyterHandler | None) -> str:
        user = None if handler is None else handler.current_user
        if handler is None or user is None:
            return self._tokens.make(owner())
        return self._tokens.make(customer_of(user, handler.identity_provider))

    def _end(self) -> None:
        self.log.info("No training job is left and nobody asks: this server ends")
        asyncio.get_running_loop().call_soon(self._server.stop)
