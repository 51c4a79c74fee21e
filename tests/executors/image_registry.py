"""A registry of images for an engine on this machine: one image, and one that nobody may have.

Run as a program, with a port and a file: the tar archive of the image's file system.
"""

from __future__ import annotations

import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_V2 = "application/vnd.docker.distribution.manifest.v2+json"


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _described(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(content), "digest": _digest(content)}


class Registry(ThreadingHTTPServer):
    """Serves ``python:test`` and refuses ``private``."""

    def __init__(self, port: int, layer: bytes) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Env": ["FROM_THE_IMAGE=yes", "PYTHONPATH=/image"]},
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            }
        ).encode()
        image = "application/vnd.docker.container.image.v1+json"
        archive = "application/vnd.docker.image.rootfs.diff.tar.gzip"
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _V2,
                "config": _described(image, config),
                "layers": [_described(archive, layer)],
            }
        ).encode()
        self.blobs = {_digest(one): one for one in (config, layer)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Registry

    def do_GET(self) -> None:
        parts = self.path.strip("/").split("/")
        if parts == ["v2"]:
            self._answer(200, b"{}", "application/json")
        elif "private" in parts:
            told = {"errors": [{"code": "DENIED", "message": "only for members of the lab"}]}
            self._answer(403, json.dumps(told).encode(), "application/json")
        elif parts[1:2] != ["python"] or parts[-1] == "no-such-tag":
            told = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
            self._answer(404, json.dumps(told).encode(), "application/json")
        elif parts[-2] == "manifests":
            self._answer(200, self.server.manifest, _V2)
        else:
            self._answer(200, self.server.blobs[parts[-1]], "application/octet-stream")

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Content-Digest", _digest(content))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


if __name__ == "__main__":
    registry = Registry(int(sys.argv[1]), Path(sys.argv[2]).read_bytes())
    print("ready", flush=True)
    registry.serve_forever()
