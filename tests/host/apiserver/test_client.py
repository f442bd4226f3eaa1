"""One request to an API server, over real TLS."""

import base64
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devbay.apiserver import access, nodes
from devbay.apiserver.client import ApiServer
from devbay.errors import KubernetesApiError
from tests.host.apiserver.server import TOKEN, Answer, Cluster, refusal, serving

NODE = "/api/v1/nodes/node-a"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Run an API server that knows one node."""
    with serving(tmp_path) as running:
        running.nodes["node-a"] = {
            "kind": "Node",
            "status": {
                "capacity": {"cpu": "8", "gone.example/x": "0", "example.com/w": "2", "hugepages-2Mi": "0"},
                "allocatable": {"cpu": "8", "gone.example/x": "0", "example.com/w": "1"},
            },
        }
        yield running


def test_a_node_is_read_over_tls(cluster: Cluster) -> None:
    """A node's extended resources are read, and nothing else of its status is."""
    status = nodes.read(ApiServer(cluster.access), "node-a")

    assert dict(status.capacity) == {"example.com/w": "2", "gone.example/x": "0"}
    assert dict(status.allocatable) == {"example.com/w": "1", "gone.example/x": "0"}
    assert [status.is_empty(resource) for resource in status.resources] == [False, True]
    assert cluster.asked == [("GET", NODE)]


def test_what_is_stale_is_taken_out_and_the_rest_stays(cluster: Cluster) -> None:
    """The patch names capacity and allocatable with the slash escaped, and leaves every other resource."""
    server = ApiServer(cluster.access)

    left = nodes.remove(server, nodes.read(server, "node-a"), ["gone.example/x"])

    assert left.resources == ("example.com/w",)
    assert cluster.nodes["node-a"]["status"]["capacity"]["cpu"] == "8"


def test_a_resource_that_came_back_meanwhile_is_not_taken_out(cluster: Cluster) -> None:
    """Between the look and the patch a device plugin may register: then nothing is removed."""
    server = ApiServer(cluster.access)
    status = nodes.read(server, "node-a")
    cluster.nodes["node-a"]["status"]["capacity"]["gone.example/x"] = "4"

    with pytest.raises(KubernetesApiError, match=r"422: testing value /status/capacity/gone\.example~1x failed"):
        nodes.remove(server, status, ["gone.example/x"])

    assert cluster.nodes["node-a"]["status"]["capacity"]["gone.example/x"] == "4"


def test_the_command_does_what_the_client_does(cluster: Cluster) -> None:
    """What a person copies is the same patch, whole, quoted for a shell."""
    command = nodes.read(ApiServer(cluster.access), "node-a").command(["gone.example/x"])

    assert command == (
        "kubectl patch node node-a --subresource=status --type=json -p "
        '\'[{"op":"test","path":"/status/capacity/gone.example~1x","value":"0"},'
        '{"op":"remove","path":"/status/capacity/gone.example~1x"},'
        '{"op":"test","path":"/status/allocatable/gone.example~1x","value":"0"},'
        '{"op":"remove","path":"/status/allocatable/gone.example~1x"}]\''
    )


@pytest.mark.parametrize(
    ("answer", "status", "pause", "said"),
    [
        (refusal(401, "Unauthorized"), 401, 0, "does not accept the credentials of a test: Unauthorized"),
        (
            refusal(403, 'User "x" cannot get resource "nodes"'),
            403,
            0,
            'the rule that is missing: {apiGroups: [""], resources: [nodes], verbs: [get]}',
        ),
        (refusal(409, "the object has been modified"), 409, 0, "with 409: the object has been modified"),
        (refusal(429, "too many requests", Retry_After="7"), 429, 7, "has too much to do: too many requests"),
        (refusal(503, "etcd is away"), 503, 0, "with 503: etcd is away"),
        (Answer(502, b"<html>bad gateway"), 502, 0, "with 502: <html>bad gateway"),
        (Answer(302, b"", {"Location": "https://b.test/"}), 302, 0, "with 302: Found"),
        (Answer(200, b"<html>welcome"), 0, 0, "does not answer as an API server does"),
        (Answer(200, ["a list"]), 0, 0, "does not answer as an API server does"),
        (Answer(close=True), 0, 0, "cannot be talked to: Remote end closed connection"),
        (Answer(200, {}, {"Content-Length": "999"}, close=False), 0, 0, "did not answer within"),
        (Answer(hang=True), 0, 0, "did not answer within 0.3 s"),
    ],
)
def test_whatever_goes_wrong_is_one_sentence(
    cluster: Cluster, answer: Answer, status: int, pause: float, said: str
) -> None:
    """A refusal, a server that is none, a slow one and a cut connection are told apart, with what to do."""
    cluster.answers.append(answer)

    with pytest.raises(KubernetesApiError) as raised:
        ApiServer(cluster.access, deadline=0.3 if said.startswith("did not") else 20).call("GET", NODE)

    assert said in str(raised.value)
    assert f"127.0.0.1:{cluster.port}" in str(raised.value)
    assert (raised.value.status, raised.value.pause) == (status, pause)


def test_a_server_that_is_away_is_said(cluster: Cluster) -> None:
    """Where nobody listens the address is named."""
    with pytest.raises(KubernetesApiError, match=r"127\.0\.0\.1:1 .*cannot be talked to: .*refused"):
        ApiServer(replace(cluster.access, port=1)).call("GET", NODE)


def test_an_impostor_is_not_talked_to(cluster: Cluster) -> None:
    """A server that our authority does not vouch for hears no token, not even a request."""
    with pytest.raises(KubernetesApiError, match="CERTIFICATE_VERIFY_FAILED"):
        ApiServer(replace(cluster.access, authority=None)).call("GET", NODE)

    assert cluster.asked == []


def test_a_server_may_bear_another_name(cluster: Cluster) -> None:
    """As behind a tunnel: the certificate is held to the name that the kubeconfig says."""
    there = replace(cluster.access, server_name="a.test")

    assert ApiServer(there).call("GET", NODE)["kind"] == "Node"
    with pytest.raises(KubernetesApiError, match="Hostname mismatch"):
        ApiServer(replace(there, server_name="b.test")).call("GET", NODE)


def test_a_token_that_the_kubelet_replaced_is_read_again(cluster: Cluster, tmp_path: Path) -> None:
    """A pod's token lasts about an hour: each request has the one that is there now."""
    for name, text in (("token", "old"), ("ca.crt", cluster.authority.read_text(encoding="ascii"))):
        (tmp_path / name).write_text(text, encoding="ascii")
    variables = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(cluster.port)}
    server = ApiServer(access.find(variables, tmp_path))
    with pytest.raises(KubernetesApiError, match="does not accept the credentials"):
        server.call("GET", NODE)

    (tmp_path / "token").write_text(f"{TOKEN}\n", encoding="ascii")

    assert server.call("GET", NODE)["kind"] == "Node"


def test_a_kubeconfig_is_read_as_kubectl_does(cluster: Cluster) -> None:
    """Its current context counts, and names of files in it are relative to it."""
    found = access.find({"KUBECONFIG": f"/missing:{cluster.kubeconfig()}"})

    assert ApiServer(found).call("GET", NODE)["kind"] == "Node"
    assert TOKEN not in repr(found)


def test_certificates_in_a_kubeconfig_are_used(cluster: Cluster, tmp_path: Path) -> None:
    """What kubeadm writes has authority, certificate and key in it, as base 64."""
    texts = {name: (tmp_path / name).read_bytes() for name in ("ca.crt", "server.crt", "server.key")}
    found = replace(
        access.kubeconfig(
            cluster.kubeconfig(
                **{
                    "client-certificate-data": base64.b64encode(texts["server.crt"]).decode(),
                    "client-key-data": base64.b64encode(texts["server.key"]).decode(),
                }
            )
        ),
        authority=texts["ca.crt"].decode(),
    )

    assert isinstance(found.context(), ssl.SSLContext)
    assert found.headers() == {}
    with pytest.raises(KubernetesApiError, match="does not accept"):  # this one wants tokens
        ApiServer(found).call("GET", NODE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "is not as kubectl writes it"),
        ("a: b", "there is no context None among its contexts"),
        ("", "is not as kubectl writes it"),
        (None, "cannot be read"),
        ("exec", "gets its credentials from a program"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_named(cluster: Cluster, text: str | None, said: str) -> None:
    """Its path and what is wrong with it are said."""
    path = cluster.kubeconfig(exec="aws") if text == "exec" else cluster.directory / "other"
    if text is not None and text != "exec":
        path.write_text(text, encoding="utf-8")

    with pytest.raises(KubernetesApiError, match=said) as raised:
        access.find({"KUBECONFIG": str(path)})

    assert str(path) in str(raised.value)


def test_no_credentials_are_said(tmp_path: Path) -> None:
    """A machine outside a cluster, and a pod without a token, are told what they lack."""
    for variables in ({}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}):
        with pytest.raises(KubernetesApiError, match="automountServiceAccountToken"):
            access.find(variables, tmp_path)
