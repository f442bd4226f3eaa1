"""How an API server is reached, and as whom: from a pod's service account, or from a kubeconfig file.

Reads files and the environment; talks to nobody. A token is read again for each request, since the kubelet replaces a
pod's token about every hour, and so is the authority that the server is known by.
"""

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from devbay.errors import KubernetesApiError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token and the cluster's authority."""

HOW = (
    "no credentials for the API server: KUBECONFIG is not set, and this is no pod with a service account's token "
    "(automountServiceAccountToken)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How one API server is reached, and as whom.

    Attributes:
        host: its name or address.
        port: its port.
        path: what comes before every path of the API.
        source: where this was read, for messages.
        secure: whether it is TLS.
        server_name: the name in its certificate, where that is not `host`.
        authority: certificates that vouch for it: a file's path, or PEM text; None for those of the machine.
        unchecked: whether anybody may say to be it.
        token: who we are.
        token_file: a file with that, read at each request.
        certificate: who we are, as a certificate: a file's path, or PEM text.
        key: the key to it.
    """

    host: str
    port: int
    source: str
    path: str = ""
    secure: bool = True
    server_name: str = ""
    authority: Path | str | None = None
    unchecked: bool = False
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    certificate: Path | str | None = field(default=None, repr=False)
    key: Path | str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port} (from {self.source})"

    def headers(self) -> dict[str, str]:
        """Return what says who we are, as it is now.

        Raises:
            KubernetesApiError: the token cannot be read.
        """
        token = self.token
        if self.token_file is not None:
            try:
                token = self.token_file.read_text(encoding="ascii").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise KubernetesApiError(f"the token {self.token_file} cannot be read: {error}") from None
        if not token.isprintable():
            raise KubernetesApiError(f"the token of {self.source} holds what no header can")
        return {"Authorization": f"Bearer {token}"} if token else {}

    def context(self) -> ssl.SSLContext:
        """Return how the server is checked, and what it is shown.

        Raises:
            KubernetesApiError: a certificate cannot be read.
        """
        try:
            text, file = (self.authority, None) if isinstance(self.authority, str) else (None, self.authority)
            context = ssl.create_default_context(cafile=file, cadata=text)
            if self.unchecked:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self.certificate is not None:
                with _file(self.certificate) as certificate, _file(self.key or self.certificate) as key:
                    context.load_cert_chain(certificate, key)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise KubernetesApiError(f"the certificates of {self.source} cannot be used: {error}") from None
        return context


def find(environment: Mapping[str, str], service_account: Path = SERVICE_ACCOUNT) -> Access:
    """Return how the API server is reached from here: by ``KUBECONFIG`` where it is set, else as a pod.

    Raises:
        KubernetesApiError: there are no credentials, or they cannot be used; the text says which and why.
    """
    if files := [name for name in environment.get("KUBECONFIG", "").split(os.pathsep) if name]:
        return kubeconfig(Path(next((name for name in files if Path(name).is_file()), files[0])))
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    token, authority = service_account / "token", service_account / "ca.crt"
    if not host or not port.isdecimal() or not token.exists():
        raise KubernetesApiError(HOW)
    return Access(host=host, port=int(port), source=str(service_account), token_file=token, authority=authority)


def kubeconfig(path: Path) -> Access:
    """Return what the current context of a kubeconfig file says.

    Raises:
        KubernetesApiError: it cannot be used; the text says why.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        context = _named(document, "contexts", document.get("current-context"), "context")
        cluster = _named(document, "clusters", context.get("cluster"), "cluster")
        user = _named(document, "users", context.get("user"), "user") if context.get("user") else {}
        return _access(path, cluster, user)
    except KubernetesApiError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise KubernetesApiError(f"kubeconfig {path} cannot be read: {error}") from None
    except (yaml.YAMLError, AttributeError, TypeError, KeyError, ValueError) as error:
        raise KubernetesApiError(f"kubeconfig {path} is not as kubectl writes it: {error}") from None


def _named(document: dict[str, Any], section: str, name: object, key: str) -> dict[str, Any]:
    for item in document.get(section) or []:
        if item.get("name") == name:
            found: dict[str, Any] = item[key]
            return found
    raise ValueError(f"there is no {key} {name!r} among its {section}")


def _access(path: Path, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> Access:
    for unknown in ("exec", "auth-provider"):
        if unknown in user:
            raise KubernetesApiError(
                f"kubeconfig {path} gets its credentials from a program ({unknown}), which devbay does not run; "
                "use one with a token: kubectl create token"
            )
    address = urlsplit(str(cluster["server"]))
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError(f"server {cluster['server']!r} is no address")
    secure = address.scheme == "https"
    return Access(
        host=address.hostname,
        port=address.port or (443 if secure else 80),
        path=address.path.rstrip("/"),
        source=str(path),
        secure=secure,
        server_name=cluster.get("tls-server-name", ""),
        authority=_either(path, cluster, "certificate-authority"),
        unchecked=bool(cluster.get("insecure-skip-tls-verify", False)),
        token=user.get("token", ""),
        token_file=path.parent / user["tokenFile"] if "tokenFile" in user else None,
        certificate=_either(path, user, "client-certificate"),
        key=_either(path, user, "client-key"),
    )


def _either(path: Path, section: Mapping[str, Any], name: str) -> Path | str | None:
    """Return what a section has as text in base 64, or as a file's name relative to the kubeconfig."""
    if data := section.get(f"{name}-data"):
        try:
            return base64.b64decode(data).decode("ascii")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{name}-data cannot be read: {error}") from None
    return path.parent / section[name] if name in section else None


@contextmanager
def _file(content: Path | str) -> Iterator[Path]:
    """Have something as a file: the ssl module reads keys from nowhere else."""
    if isinstance(content, Path):
        yield content
        return
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:  # made readable for nobody else
        file.write(content)
        file.flush()
        yield Path(file.name)
