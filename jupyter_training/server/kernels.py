"""Tell every kernel of this server where the training API is, and give it a token for that only."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from jupyter_server.base.call_context import CallContext
from jupyter_server.base.handlers import JupyterHandler

URL_VARIABLE, TOKEN_VARIABLE = "JUPYTER_TRAINING_URL", "JUPYTER_TRAINING_TOKEN"


def inform_kernels(
    kernel_manager: Any, url: Callable[[], str], token: Callable[[JupyterHandler | None], str]
) -> None:
    """Wrap `start_kernel` of a server's kernel manager.

    Parameters
    ----------
    url
        Tells the server's base URL; asked at each start, when the port is known.
    token
        Makes the token for the user of the request that starts the kernel.
    """
    start: Callable[..., Awaitable[str]] = kernel_manager.start_kernel

    async def start_kernel(*args: Any, **kwargs: Any) -> str:
        handler = CallContext.get(CallContext.JUPYTER_HANDLER)
        env = kwargs.get("env")
        kwargs["env"] = {
            # A kernel that is given no environment gets the server's.
            **(os.environ if env is None else env),
            URL_VARIABLE: url(),
            TOKEN_VARIABLE: token(handler),
        }
        return await start(*args, **kwargs)

    kernel_manager.start_kernel = start_kernel
