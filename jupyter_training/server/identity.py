"""Whose request it is.

A request is authenticated as on every Jupyter server, or by a *training token*: it names a user, is
signed with the installation's own secret, and opens the training API and nothing else. That is what
kernels get, so that a notebook which leaks its environment does not leak the server.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import pwd
import secrets
from pathlib import Path

from jupyter_server.auth import IdentityProvider, User
from jupyter_server.auth.identity import PasswordIdentityProvider
from tornado.web import RequestHandler
from traitlets import Unicode

_PREFIX = "jtr"


class TrainingTokens:
    """Makes and checks training tokens.

    Parameters
    ----------
    directory
        Where the secret is kept; all servers that share it accept each other's tokens. None for one
        of which nobody else knows.
    """

    def __init__(self, directory: Path | None) -> None:
        self._secret = _new_secret() if directory is None else _secret(directory / "secret")

    @property
    def installation(self) -> str:
        """What tells this installation from others on the same Docker engine."""
        return hmac.new(self._secret, b"installation", hashlib.sha256).hexdigest()[:16]

    def make(self, username: str) -> str:
        """The token of a user."""
        name = base64.urlsafe_b64encode(username.encode()).decode().rstrip("=")
        return f"{_PREFIX}.{name}.{self._sign(username)}"

    def username(self, token: str) -> str | None:
        """Whose token it is; None if it is nobody's."""
        prefix, _, rest = token.partition(".")
        name, _, signature = rest.partition(".")
        if prefix != _PREFIX:
            return None
        try:
            username = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
        except ValueError:
            return None
        given, right = signature.encode(errors="replace"), self._sign(username).encode()
        return username if hmac.compare_digest(given, right) else None

    def _sign(self, username: str) -> str:
        return hmac.new(self._secret, username.encode(), hashlib.sha256).hexdigest()


def _new_secret() -> bytes:
    return secrets.token_hex(32).encode()


def _secret(path: Path) -> bytes:
    """The secret, made by whoever comes first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(_new_secret())
    # A link makes the whole file appear, or fails because there is one.
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    return path.read_bytes()


class TrainingTokenProvider(IdentityProvider):
    """Stands in for the server's identity provider in a request that has a training token."""

    username = Unicode()

    def get_user(self, handler: RequestHandler) -> User | None:
        """The user whom the token names."""
        return User(username=self.username)

    def is_token_authenticated(self, handler: RequestHandler) -> bool:
        """True: such a request needs no further protection against forgery."""
        return True


def customer_of(user: User, provider: IdentityProvider) -> str:
    """The name by which a user's jobs are kept.

    A server with a token or a password of its own has one user, whom Jupyter gives another made-up
    name in every session. There it is the user whom the server runs as.
    """
    if type(provider) in (IdentityProvider, PasswordIdentityProvider):
        return system_user()
    return str(user.username)


def system_user() -> str:
    """The user whom this process runs as; not what the environment says about it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def owner() -> str:
    """The user whom this server belongs to: JupyterHub says so, or else the system."""
    return os.environ.get("JUPYTERHUB_USER") or system_user()


def audience(provider: IdentityProvider) -> str | None:
    """Whose jobs everybody may see who is let into this server; None if it serves several users.

    What is told to a whole server, such as an event, goes by this and not by a request.
    """
    if type(provider) in (IdentityProvider, PasswordIdentityProvider):
        return system_user()
    return os.environ.get("JUPYTERHUB_USER")
