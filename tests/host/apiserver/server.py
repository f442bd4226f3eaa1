"""A small API server on a real socket, with TLS of an authority made for the occasion.

It keeps Node objects and Events as a cluster's does, as far as devbay asks; what it answers besides can be said
beforehand, one answer for each request.
"""

import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from devbay.apiserver.access import Access

TOKEN = "a-token"  # noqa: S105 - of a server that lives as long as its test


@dataclass(frozen=True)
class Answer:
    """What a request is answered with; `close` and `hang` are no answers at all."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    close: bool = False
    hang: bool = False


def refusal(status: int, message: str, **headers: str) -> Answer:
    """Return an answer as Kubernetes refuses."""
    body = {"kind": "Status", "status": "Failure", "message": message, "code": status}
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


@dataclass
class Cluster:
    """What the server knows, and what was asked of it.

    Attributes:
        directory: where its certificates are.
        port: where it listens.
        nodes: Node objects by name.
        events: Events by name, in the order they came.
        asked: method and path of every request.
        tokens: the tokens that it accepts.
        answers: what the next requests are answered with, whatever they ask.
    """

    directory: Path
    port: int = 0
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    answers: list[Answer] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def authority(self) -> Path:
        """The file that vouches for it."""
        return self.directory / "ca.crt"

    @property
    def access(self) -> Access:
        """How it is reached."""
        return Access(host="127.0.0.1", port=self.port, source="a test", authority=self.authority, token=TOKEN)

    def kubeconfig(self, **user: str) -> Path:
        """Write a file that kubectl would understand."""
        document = {
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [
                {
                    "name": "c",
                    "cluster": {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": "ca.crt"},
                }
            ],
            "users": [{"name": "u", "user": user or {"token": TOKEN}}],
        }
        path = self.directory / "kubeconfig"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return path

    def answer(self, method: str, path: str, body: Any) -> Answer:
        """Do what a request asks."""
        parts = path.strip("/").split("/")
        match method, parts:
            case "GET", ["api", "v1", "nodes", name] if name in self.nodes:
                return Answer(200, self.nodes[name])
            case "PATCH", ["api", "v1", "nodes", name, "status"] if name in self.nodes:
                return self._patch_status(name, body)
            case "POST", ["api", "v1", "namespaces", "default", "events"]:
                return self._add(body)
            case "PATCH", ["api", "v1", "namespaces", "default", "events", name] if name in self.events:
                self.events[name] |= body
                return Answer(200, self.events[name])
        return refusal(404, f"{path} not found")

    def _add(self, body: dict[str, Any]) -> Answer:
        name = body["metadata"]["name"]
        if name in self.events:
            return refusal(409, f'events "{name}" already exists')
        self.events[name] = body
        return Answer(201, body)

    def _patch_status(self, name: str, operations: list[dict[str, str]]) -> Answer:
        node = json.loads(json.dumps(self.nodes[name]))
        for operation in operations:
            *way, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
            place = node
            for part in way:
                place = place[part]
            if operation["op"] == "test" and place.get(last) != operation["value"]:
                return refusal(422, f"testing value {operation['path']} failed")
            if operation["op"] == "remove":
                del place[last]
        self.nodes[name] = node
        return Answer(200, node)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Cluster

    def handle_one(self) -> None:
        """Answer one request."""
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        cluster = self.cluster
        cluster.asked.append((self.command, self.path))
        if cluster.answers:
            answer = cluster.answers.pop(0)
        elif self.headers.get("Authorization", "").removeprefix("Bearer ") not in cluster.tokens:
            answer = refusal(401, "Unauthorized")
        else:
            answer = cluster.answer(self.command, self.path, body)
        if answer.hang:
            cluster.ended.wait()
        if answer.hang or answer.close:
            self.close_connection = True
            return
        text = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(text)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = handle_one  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Say nothing: the test asks `asked`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that hangs up is what a test is about."""


def _make_certificates(directory: Path) -> None:
    """Make an authority, and a certificate of its for 127.0.0.1; both last for a day."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificates of this test, and is not here")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    authority = ("-subj", "/CN=an authority", "-keyout", "ca.key", "-out", "ca.crt", "-days", "1")
    request = ("-subj", "/CN=it", "-keyout", "server.key", "-out", "server.csr")
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:a.test\n", encoding="ascii")
    sign = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1", "-extfile", "names")
    for command in (
        ("req", "-x509", *key, *authority, "-addext", "keyUsage=critical,keyCertSign"),
        ("req", *key, *request),
        ("x509", "-req", "-in", "server.csr", "-out", "server.crt", *sign),
    ):
        subprocess.run(["openssl", *command], cwd=directory, check=True, capture_output=True)


@contextmanager
def serving(directory: Path) -> Iterator[Cluster]:
    """Run a server, with its certificates in `directory`."""
    _make_certificates(directory)
    cluster = Cluster(directory)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "server.crt", directory / "server.key")
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"cluster": cluster}))
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    cluster.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield cluster
    finally:
        cluster.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
