"""One request to an API server, and what came of it.

Each request has a connection of its own: there are few, minutes apart, and a kept one would only be found closed.
Whatever goes wrong is a `KubernetesApiError` whose text says what to do; a permission that is missing is named as the
rule that would grant it.
"""

import http.client
import json
import re
import socket
from collections.abc import Mapping
from typing import Any

from devbay.apiserver.access import Access
from devbay.errors import KubernetesApiError

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"

_LARGEST = 16 * 1024 * 1024
_VERBS = {"POST": "create", "PATCH": "patch", "GET": "get"}
_RESOURCE = re.compile(r"/api/v1/(?:namespaces/[^/]+/)?(?P<kind>[a-z]+)(?:/[^/?]+(?:/(?P<part>[a-z]+))?)?")
_MOST_PAUSE = 3600.0


class ApiServer:
    """An API server; each request may take `deadline` seconds for each step of it."""

    def __init__(self, access: Access, *, deadline: float = 10.0) -> None:
        self.access = access
        self._deadline = deadline

    def call(
        self, method: str, path: str, body: object = None, *, content: str = "application/json"
    ) -> Mapping[str, Any]:
        """Make a request; return the object that it is answered with.

        Raises:
            KubernetesApiError: the server was not reached, or refused; its `status` is the server's, 0 for none.
        """
        headers = {"Accept": "application/json", "User-Agent": "devbay", **self.access.headers()}
        if body is not None:
            headers["Content-Type"] = content
        payload = None if body is None else json.dumps(body)
        connection = self._connection()
        try:
            connection.request(method, self.access.path + path, payload, headers)
            response = connection.getresponse()
            text = response.read(_LARGEST)
            status, pause = response.status, response.headers.get("Retry-After", "")
        except TimeoutError:
            raise KubernetesApiError(
                f"API server {self.access} did not answer within {self._deadline:g} s; is it reached from here?"
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = str(error) or type(error).__name__
            raise KubernetesApiError(f"API server {self.access} cannot be talked to: {said}") from None
        finally:
            connection.close()
        if not http.client.OK <= status < http.client.MULTIPLE_CHOICES:
            raise self._refusal(method, path, status, text, pause)
        return self._object(text)

    def _connection(self) -> http.client.HTTPConnection:
        access = self.access
        if not access.secure:
            return http.client.HTTPConnection(access.host, access.port, timeout=self._deadline)
        context = access.context()
        if access.server_name:
            return _Named(access, context=context, timeout=self._deadline)
        return http.client.HTTPSConnection(access.host, access.port, timeout=self._deadline, context=context)

    def _object(self, text: bytes) -> Mapping[str, Any]:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise KubernetesApiError(f"{self.access} does not answer as an API server does; is it one?")
        return found

    def _refusal(self, method: str, path: str, status: int, text: bytes, pause: str) -> KubernetesApiError:
        try:
            message = str(self._object(text).get("message", ""))
        except KubernetesApiError:
            message = text[:200].decode(errors="replace")
        said = " ".join(message.split()) or http.client.responses.get(status, "no reason given")
        match status:
            case http.client.UNAUTHORIZED:
                said = f"does not accept the credentials of {self.access.source}: {said}"
            case http.client.FORBIDDEN:
                said = f"forbids it: {said}; the rule that is missing: {missing_rule(method, path)}"
            case http.client.TOO_MANY_REQUESTS:
                said = f"has too much to do: {said}"
            case _:
                said = f"answered {method} {path} with {status}: {said}"
        seconds = min(float(pause), _MOST_PAUSE) if pause.isdecimal() else 0.0
        return KubernetesApiError(f"API server {self.access} {said}", status=status, pause=seconds)


def missing_rule(method: str, path: str) -> str:
    """Return the rule of a ClusterRole that allows a request.

    >>> missing_rule("PATCH", "/api/v1/nodes/a/status")
    '{apiGroups: [""], resources: [nodes/status], verbs: [patch]}'
    """
    match = _RESOURCE.match(path)
    kind = "/".join(filter(None, match.groups())) if match else path
    return f'{{apiGroups: [""], resources: [{kind}], verbs: [{_VERBS.get(method, method.lower())}]}}'


class _Named(http.client.HTTPSConnection):
    """A connection to a server whose certificate bears another name than the one it is called by."""

    def __init__(self, access: Access, **options: Any) -> None:
        super().__init__(access.host, access.port, **options)
        self._access = access
        self._tls = options["context"]

    def connect(self) -> None:
        """Connect, expecting the other name."""
        plain = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self._access.server_name)
