"""The image, built from Debian packages and run as the manifests have it run: no privilege, a read-only root (P23)."""

import asyncio
import json
import os
import shutil
import subprocess
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devbay.simulator import Container, Kubelet, Pod
from tests.host.running import PATIENCE, short_directory
from tests.house.workspace import ROOT

TOOLS = ("mmdebstrap", "podman", "runc")
BASE = "localhost/devbay-base:debian"
IMAGE = "localhost/devbay:test"
RESOURCE = "example.com/custom-accelerator"
MINUTES = 600
"""Seconds that the base and the image may take to be made."""

pytestmark = pytest.mark.timeout(MINUTES)


def call(*command: str | Path, **environment: str) -> str:
    """Run a command in a copy of the tree or beside it, and return what it prints."""
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=MINUTES, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """Make the image from Debian packages: no image registry is asked."""
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        pytest.skip(f"{', '.join(missing)}: not installed; apt-get install {' '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("only root can make a root file system from Debian packages")
    call(ROOT / "deploy/image/debian-base", BASE)
    # chroot: the steps of a build need no container of their own, which not every machine lets one be started for.
    call("make", "image", f"IMAGE={IMAGE}", f"BASE={BASE}", "BUILD_ARGS=--isolation=chroot")
    yield IMAGE
    subprocess.run(["podman", "rmi", "--force", IMAGE, BASE], capture_output=True, check=False)


def podman_run(image: str, place: Path, name: str, *arguments: str) -> list[str]:
    """Return the command that runs the image with what the manifests give it, and no more."""
    return [
        *("podman", "run", "--rm", "--name", name, "--runtime", "runc", "--network", "none", "--log-driver", "none"),
        *("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"),
        *("--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--env", "NODE_NAME=n1", "--env", "DEVBAY_NODE__DEV=/host/dev", "--env", "DEVBAY_BACKENDS=mock"),
        *("--env", "DEVBAY_MOCK__COUNT=2", "--env", "DEVBAY_MOCK__ROOT=/run/devbay-mock/class"),
        *("--env", "DEVBAY_MOCK__DEVICE_DIR=/run/devbay-mock/dev"),
        *("--volume", f"{place}/mock:/run/devbay-mock"),
        *("--volume", f"{place}/plugins:/var/lib/kubelet/device-plugins"),
        *("--volume", "/dev:/host/dev:ro"),
        *(image, *arguments),
    ]


@pytest.fixture
def place() -> Iterator[Path]:
    """Make the directories of a node."""
    with short_directory() as path:
        for name in ("plugins", "mock"):
            (path / name).mkdir()
        yield path


@asynccontextmanager
async def running(image: str, place: Path) -> AsyncIterator[Process]:
    """Run the image until the end."""
    process = await asyncio.create_subprocess_exec(*podman_run(image, place, place.name), stderr=DEVNULL)
    try:
        yield process
    finally:
        await signalled(place, "KILL")
        await process.wait()


async def signalled(place: Path, signal: str) -> None:
    """Send a signal to the container that was started for `place`, if it is still there."""
    kill = ("podman", "kill", "--signal", signal, place.name)
    await (await asyncio.create_subprocess_exec(*kill, stdout=DEVNULL, stderr=DEVNULL)).wait()


async def test_it_serves_without_any_privilege(image: str, place: Path) -> None:
    """P22, P23: with no capability and a read-only root it registers, serves a pod, and ends leaving no socket."""
    async with Kubelet(place / "plugins") as kubelet, running(image, place) as process:
        await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 2, PATIENCE, "two accelerators")
        pod = Pod(name="p", containers=(Container(name="main", limits={RESOURCE: 1}),))
        status = await kubelet.create_pod(pod)
        await signalled(place, "TERM")
        async with asyncio.timeout(PATIENCE):
            code = await process.wait()

        assert status.phase == "Running"
        assert status.container("main").env["ACCELERATOR_VISIBLE_DEVICES"] in {"acc0", "acc1"}
        assert code == 0
        assert not list((place / "plugins").glob("devbay-*"))


def test_it_holds_what_was_asked_for_and_no_more(image: str, place: Path) -> None:
    """The backends that were chosen are in it, and nothing that could install or build another."""
    backends = json.loads(call(*podman_run(image, place, f"{place.name}-b", "backends", "--output", "json")))
    python = podman_run(image, place, f"{place.name}-p")
    python[python.index(image) : python.index(image)] = ["--entrypoint", "/opt/devbay/bin/python"]
    code = (
        "import importlib.util as u; print([m for m in ('pip', 'setuptools', 'pytest', 'hatchling') if u.find_spec(m)])"
    )

    assert {"mock"} <= {entry["name"] for entry in backends}
    assert call(*python, "-c", code).strip() == "[]"


def test_the_same_wheels_make_the_same_files(image: str) -> None:
    """Made again from the same wheels, what is installed is the same to the byte."""
    digest = "cd /opt/devbay && find . -type f | sort | xargs sha256sum | sha256sum"
    sums = []
    for _ in range(2):
        call(
            *("podman", "build", "--isolation=chroot", "--no-cache", "--build-arg", f"BASE={BASE}", "--tag", image),
            *("--build-arg", "BACKENDS=mock", "--file", "deploy/image/Containerfile", "."),
        )
        sums.append(
            call(
                *("podman", "run", "--rm", "--runtime", "runc", "--network", "none", "--log-driver", "none"),
                *("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"),
                *("--entrypoint", "/bin/sh", image, "-c", digest),
            )
        )
        time.sleep(1.1)  # so that nothing is the same by the clock alone

    assert sums[0] == sums[1]
