"""A configuration that is edited under a running host: what is applied, refused, and left alone (P20)."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from devbay.simulator import Container, Kubelet, Pod
from tests.host import until
from tests.host.running import PATIENCE, RunningHost, running
from tests.packages import Site

WIDGET = "example.com/widget"
GADGET = "example.com/gadget"
BOTH = {GADGET: 1, WIDGET: 2}

APPLIED = "configuration applied"
REFUSED = "configuration not applied; the last good one goes on"


@dataclass
class Running:
    """A host with widgets and a gadget that follows a file, and its kubelet."""

    host: RunningHost
    kubelet: Kubelet
    file: Path

    def write(self, text: str) -> None:
        """Put a text into the file's place at once, as careful editors do."""
        new = self.file.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.rename(self.file)

    async def edit(self, text: str) -> list[str]:
        """Write a text, wait until it counts, and return what it touched."""
        before = len(self.host.logged(APPLIED))
        self.write(text)
        line = await self.host.says(APPLIED, before + 1)
        touched: list[str] = line["touched"]
        return touched

    async def refused(self, times: int = 1) -> str:
        """Wait until a file was refused so often; return why it was."""
        return str((await self.host.says(REFUSED, times))["reason"])

    async def offers(self, wanted: Mapping[str, int]) -> None:
        """Wait until the node can give so much of each resource, and nothing else but what it gives none of."""

        def now() -> Mapping[str, int]:
            return {name: count for name, count in self.kubelet.allocatable.items() if count}

        await self.kubelet.wait_until(lambda: now() == wanted, PATIENCE, f"allocatable {wanted}")

    def stream(self, resource: str) -> tuple[str, bool, int]:
        """Return what tells one stream of a resource from the next: its socket, whether it is up, which one it is."""
        status = self.kubelet.resources[resource]
        return status.endpoint, status.streaming, len(self.host.logged("registered", resource=resource))

    def signal(self) -> None:
        """Send SIGHUP."""
        self.host.process.send_signal(signal.SIGHUP)


@asynccontextmanager
async def node(site: Site, place: Path, text: str = "{}", **variables: str) -> AsyncIterator[Running]:
    """Run a host on a file with this text."""
    file = place / "etc/config.yaml"
    file.parent.mkdir(exist_ok=True)
    if not file.exists():
        file.write_text(text, encoding="utf-8")
    environment = os.environ | site.environ("devbay-widget", "devbay-gadget", "devbay-locker")
    settings = {"DEVBAY_CONFIG": f"{file}", "DEVBAY_BACKENDS": "widget,gadget"} | variables
    async with (
        Kubelet(place / "plugins", cdi_dirs=(place / "cdi",)) as kubelet,
        running(place / "plugins", environment, **{k: v for k, v in settings.items() if v}) as host,
    ):
        yield Running(host, kubelet, file)


def pod(name: str, resource: str = WIDGET) -> Pod:
    """Return a pod that asks for one of a resource."""
    return Pod(name=name, containers=(Container(name="main", limits={resource: 1}),))


async def test_an_edit_reaches_what_it_touches(broken_site: Site, place: Path) -> None:
    """P20: a backend's section that is edited counts at once; the streams of all resources stay, its own included."""
    async with node(broken_site, place) as run:
        await run.offers(BOTH)
        streams = run.stream(WIDGET), run.stream(GADGET)

        assert await run.edit("widget: {count: 5}") == ["widget"]
        await run.offers({GADGET: 1, WIDGET: 5})

        assert (run.stream(WIDGET), run.stream(GADGET)) == streams
        assert run.host.logged("device unhealthy") == []


async def test_a_sections_edit_reaches_the_next_container(broken_site: Site, place: Path) -> None:
    """P14, P20: what a backend said before its settings changed is no answer any more."""
    async with node(broken_site, place, "widget: {count: 1}") as run:
        await run.offers({GADGET: 1, WIDGET: 1})
        before = (await run.kubelet.create_pod(pod("before"))).container("main")
        await run.kubelet.delete_pod("before")

        await run.edit("widget: {count: 1, path: /dev/null}")
        await run.host.says("device changed", resource=WIDGET)
        after = (await run.kubelet.create_pod(pod("after"))).container("main")

        assert before.device_nodes == ()
        assert [node.path for node in after.device_nodes] == ["/dev/null"]


async def test_devices_that_settings_take_away_are_kept_while_held(broken_site: Site, place: Path) -> None:
    """P10, P20: a device that the new settings do not bring may be in use: it turns unhealthy, and is not dropped."""
    async with node(broken_site, place) as run:
        await run.offers(BOTH)
        held = (await run.kubelet.create_pod(pod("p"))).container("main").devices[WIDGET]

        await run.edit("widget: {count: 0}")
        await run.offers({GADGET: 1})

        assert not run.kubelet.devices(WIDGET)[held[0]].healthy


async def test_a_configmaps_swap_counts(broken_site: Site, place: Path) -> None:
    """P20: kubelet renames the link ..data, and the file behind the same path is another one."""
    etc = place / "etc"
    for name, text in (("..1", "{}"), ("..2", "widget: {count: 3}"), ("..3", "widget: {count: 4}")):
        (etc / name).mkdir(parents=True)
        (etc / name / "config.yaml").write_text(text)
    (etc / "..data").symlink_to("..1")
    (etc / "config.yaml").symlink_to("..data/config.yaml")

    async with node(broken_site, place) as run:
        await run.offers(BOTH)
        for name, count in (("..2", 3), ("..3", 4)):
            (etc / "..data_tmp").symlink_to(name)
            (etc / "..data_tmp").rename(etc / "..data")
            await run.offers({GADGET: 1, WIDGET: count})


async def test_a_hangup_signal_asks_for_it(broken_site: Site, place: Path) -> None:
    """P20: SIGHUP has the file read again, changed or not, and ends nothing."""
    async with node(broken_site, place) as run:
        await run.offers(BOTH)
        run.signal()
        assert (await run.host.says(APPLIED))["touched"] == []
        run.signal()
        await run.host.says(APPLIED, 2)

        run.write("widget: {count: 1}")
        run.signal()
        await run.offers({GADGET: 1, WIDGET: 1})
        assert await run.host.stop() == 0


BAD = {
    "no-yaml": ("widget: {count", "line 1, column 15: expected ',' or '}'"),
    "unknown-key": ("widget: {cuont: 1}", "widget.cuont: unknown key 'cuont'; did you mean 'count'?"),
    "wrong-type": ("widget: {count: many}", "widget.count = 'many': expected `int`"),
    "unknown-section": ("wigdet: {count: 1}", "unknown section 'wigdet'; did you mean 'widget'?"),
    "host": ("health: {scan_interval: 0}", "health.scan_interval = 0: expected `float` > 0.0"),
    "overlay": ("nodes: [{match: node-*, widget: {cuont: 1}}]", "nodes.0.widget.cuont: unknown key 'cuont'"),
    "no-text": ("\0", "unacceptable character #x0000"),
    "empty": ("", "is empty; write {} if the defaults are meant"),
}


@pytest.mark.parametrize("bad", BAD)
async def test_a_bad_edit_keeps_the_last_good_one(broken_site: Site, place: Path, bad: str) -> None:
    """P20: what cannot be used is said once, with the reason; the last good configuration goes on until a better."""
    text, reason = BAD[bad]
    async with node(broken_site, place, "widget: {count: 3}") as run:
        await run.offers({GADGET: 1, WIDGET: 3})
        stream = run.stream(WIDGET)

        run.write(text)
        assert reason in await run.refused()
        run.signal()
        run.write(text)
        assert await run.edit("widget: {count: 4}") == ["widget"]
        await run.offers({GADGET: 1, WIDGET: 4})

        assert len(run.host.logged(REFUSED)) == 1
        assert run.stream(WIDGET) == stream


async def test_a_file_that_goes_is_no_order(broken_site: Site, place: Path) -> None:
    """P20: a file that is removed takes nothing with it; one that comes again counts."""
    async with node(broken_site, place, "widget: {count: 3}") as run:
        await run.offers({GADGET: 1, WIDGET: 3})

        run.file.unlink()
        assert await run.refused() == f"configuration file {run.file} is gone"
        await run.edit("widget: {count: 3}")

        assert run.stream(WIDGET)[2] == 1


async def test_a_directory_that_is_replaced_is_watched_again(broken_site: Site, place: Path) -> None:
    """P20: the file's directory may go and another come in its place."""
    async with node(broken_site, place) as run:
        await run.offers(BOTH)
        run.file.parent.rename(place / "old")
        await run.refused()

        run.file.parent.mkdir()
        for count in (3, 4):
            await run.edit(f"widget: {{count: {count}}}")
            await run.offers({GADGET: 1, WIDGET: count})


async def test_a_links_target_is_followed(broken_site: Site, place: Path) -> None:
    """P20: a file that is edited in place elsewhere, where no event tells of it, is looked at every second."""
    target = place / "elsewhere.yaml"
    target.write_text("{}")
    (place / "etc").mkdir()
    (place / "etc/config.yaml").symlink_to(target)
    async with node(broken_site, place) as run:
        await run.offers(BOTH)

        for count in (3, 4):
            target.write_text(f"widget: {{count: {count}}}")
            await run.offers({GADGET: 1, WIDGET: count})


async def test_a_file_that_cannot_be_read(broken_site: Site, place: Path) -> None:
    """P20: a path that leads to no readable file keeps the last good configuration, and says what it leads to."""
    async with node(broken_site, place, "widget: {count: 3}") as run:
        await run.offers({GADGET: 1, WIDGET: 3})

        run.file.unlink()
        run.file.mkdir()
        assert await run.refused() == f"configuration file {run.file} cannot be read: Is a directory"
        run.file.rmdir()
        await run.edit("widget: {count: 4}")


async def test_a_file_is_read_when_its_writer_closes_it(broken_site: Site, place: Path) -> None:
    """P20: the first half of a file may be good YAML all the same; while it is being written it is not read."""
    async with node(broken_site, place, "widget: {count: 3}") as run:
        await run.offers({GADGET: 1, WIDGET: 3})

        with run.file.open("w") as file:
            for part in ("widget:\n", "  count: 1", "2\n"):
                file.write(part)
                file.flush()
                await asyncio.sleep(0)
        await run.offers({GADGET: 1, WIDGET: 12})

        assert len(run.host.logged(APPLIED)) == 1


async def test_a_half_written_file_is_completed(broken_site: Site, place: Path) -> None:
    """P20: a writer that stops in the middle is told of, and its second half counts when it comes."""
    async with node(broken_site, place) as run:
        await run.offers(BOTH)

        with run.file.open("w") as file:
            file.write("widget: {count:")
            file.flush()
            await run.refused()
            file.write(" 3}\n")
        await run.offers({GADGET: 1, WIDGET: 3})


async def test_a_burst_of_edits_ends_with_the_last(broken_site: Site, place: Path) -> None:
    """P20: of many edits in a row the last one counts, and no stream is lost on the way."""
    async with node(broken_site, place) as run:
        await run.offers(BOTH)
        stream = run.stream(WIDGET)

        for count in range(3, 60):
            run.write(f"widget: {{count: {count}}}" if count % 3 else "widget: {")
        await run.offers({GADGET: 1, WIDGET: 59})

        assert run.stream(WIDGET) == stream
        assert len(run.host.logged(APPLIED)) < 57


async def test_edits_leave_nothing_behind(broken_site: Site, place: Path) -> None:
    """P3, P20: a backend that starts anew takes the place of the old one: no thread and no file stays of it."""
    async with node(broken_site, place) as run:
        await run.offers(BOTH)
        await run.edit("widget: {count: 3}")
        await run.offers({GADGET: 1, WIDGET: 3})
        before = run.host.footprint

        for count in (4, 5, 6, 7, 8, 9):
            await run.edit(f"widget: {{count: {count}}}")
            await run.offers({GADGET: 1, WIDGET: count})

        await until(lambda: run.host.footprint <= before)


async def test_allocations_go_on_meanwhile(broken_site: Site, place: Path) -> None:
    """P20: while the configuration is edited, no allocation fails, of touched resources or of others."""
    async with node(broken_site, place) as run:
        await run.offers(BOTH)
        streams = run.stream(WIDGET), run.stream(GADGET)
        done = asyncio.Event()

        async def load(resource: str) -> list[str]:
            phases: list[str] = []
            while not done.is_set():
                phases.append((await run.kubelet.create_pod(pod(resource.partition("/")[2], resource))).phase)
                await run.kubelet.delete_pod(resource.partition("/")[2])
            return phases

        loads = [asyncio.create_task(load(resource)) for resource in (WIDGET, GADGET)]
        for count in (3, 4, 3, 5):
            await run.edit(f"widget: {{count: {count}}}\nresources: {{{WIDGET}: {{policy: spread}}}}")
        done.set()
        phases = await asyncio.gather(*loads)

        assert [set(each) for each in phases] == [{"Running"}, {"Running"}]
        assert (run.stream(WIDGET), run.stream(GADGET)) == streams


async def test_backends_come_and_go(broken_site: Site, place: Path) -> None:
    """P2, P20: a newly enabled backend is loaded and started, a disabled one is stopped and its resource gone."""
    async with node(broken_site, place, "backends: widget", DEVBAY_BACKENDS="") as run:
        await run.offers({WIDGET: 2})
        stream = run.stream(WIDGET)

        assert await run.edit("backends: [widget, gadget]") == ["gadget"]
        await run.offers(BOTH)
        assert await run.edit("backends: gadget") == ["widget"]
        await run.host.says("backend disabled", backend="widget")
        await run.offers({GADGET: 1})
        assert await run.edit("backends: [widget, gadget]") == ["widget"]
        await run.offers(BOTH)

        assert stream != run.stream(WIDGET)
        assert run.stream(GADGET)[1:] == (True, 1)


async def test_an_unknown_backend_keeps_the_list(broken_site: Site, place: Path) -> None:
    """P2: a selection that names what is not installed is refused, and the last good list stays."""
    async with node(broken_site, place, "backends: widget", DEVBAY_BACKENDS="") as run:
        await run.offers({WIDGET: 2})

        run.write("backends: [gadget, wigdet]")

        assert "no backend 'wigdet' is installed. Did you mean 'widget'?" in await run.refused()
        await run.offers({WIDGET: 2})


async def test_a_rename_is_a_new_resource(broken_site: Site, place: Path) -> None:
    """P16, P20: a resource that is shared under another name is registered under it, and the old one is withdrawn."""
    async with node(broken_site, place) as run:
        await run.offers(BOTH)
        stream = run.stream(GADGET)

        await run.edit(f"resources: {{{WIDGET}: {{sharing: {{replicas: 3, rename: true}}}}}}")
        await run.offers({GADGET: 1, f"{WIDGET}.shared": 6})
        await run.edit("{}")
        await run.offers(BOTH)

        assert run.stream(GADGET) == stream


async def test_sharing_and_policy_keep_the_stream(broken_site: Site, place: Path) -> None:
    """P16, P20: more shares, another policy or another delivery of a resource are told on the stream there is."""
    async with node(broken_site, place, DEVBAY_CDI__DIRECTORY=f"{place}/cdi") as run:
        await run.offers(BOTH)
        streams = run.stream(WIDGET), run.stream(GADGET)

        assert await run.edit(f"resources: {{{WIDGET}: {{sharing: {{replicas: 2}}}}}}") == ["resources"]
        await run.offers({GADGET: 1, WIDGET: 4})
        assert await run.edit(f"resources: {{{WIDGET}: {{policy: pack}}}}") == ["resources"]
        await run.offers(BOTH)
        text = f"widget: {{path: /dev/null}}\nresources: {{{WIDGET}: {{delivery: cdi}}}}"
        assert await run.edit(text) == ["resources", "widget"]
        await run.host.says("device changed", 2, resource=WIDGET)
        status = (await run.kubelet.create_pod(pod("p"))).container("main")

        assert len(status.final.cdi_devices) == 1
        assert (run.stream(WIDGET), run.stream(GADGET)) == streams


async def test_logging_changes_live(broken_site: Site, place: Path) -> None:
    """P20, P24: the log's level counts at once, for lines of every room."""
    async with node(broken_site, place) as run:
        await run.offers(BOTH)

        assert await run.edit("log: {level: debug}") == ["log"]
        run.write("{")
        await run.refused()
        run.signal()
        await run.host.says(REFUSED, level="debug")


async def test_health_changes_live(broken_site: Site, place: Path) -> None:
    """P12, P20: intervals and deadlines count at once, out of a pause of the old length."""
    (place / "lockers").mkdir()
    (place / "lockers/a").symlink_to("/dev/null")
    variables = {"DEVBAY_BACKENDS": "locker", "DEVBAY_LOCKER__ROOT": f"{place}/lockers"}
    async with node(broken_site, place, "health: {scan_interval: 3600}", **variables) as run:
        await run.offers({"example.com/locker": 1})

        assert await run.edit("health: {scan_interval: 0.05}") == ["health"]
        (place / "lockers/b").symlink_to("/dev/null")

        await run.offers({"example.com/locker": 2})


async def test_what_waits_for_the_next_start_is_said(broken_site: Site, place: Path) -> None:
    """P20: keys that a running host cannot take over are named, once."""
    async with node(broken_site, place) as run:
        await run.offers(BOTH)
        text = f"kubelet: {{pod_resources: {place}/other}}\nnode: {{sys: /other}}"

        await run.edit(text)
        line = await run.host.says("takes effect at the next start")
        await run.edit(f"{text}\nwidget: {{count: 3}}")
        await run.offers({GADGET: 1, WIDGET: 3})

        assert line["keys"] == ["node.sys", "kubelet.pod_resources"]
        assert len(run.host.logged("takes effect at the next start")) == 1


async def test_other_nodes_mistakes_are_theirs(broken_site: Site, place: Path) -> None:
    """P2, P20: what is wrong in an overlay for other nodes is a warning here; this node takes over what is for it."""
    async with node(broken_site, place) as run:
        await run.offers(BOTH)

        others = "{match: other-*, health: {scan_intervall: 1}}"
        await run.edit(f"nodes: [{others}, {{match: node-*, widget: {{count: 3}}}}]")
        await run.offers({GADGET: 1, WIDGET: 3})

        problem = (await run.host.says("the configuration of other nodes"))["problem"]
        assert "nodes.0.health.scan_intervall: unknown key 'scan_intervall'; did you mean 'scan_interval'?" in problem


async def test_a_file_that_comes_later_counts(broken_site: Site, place: Path) -> None:
    """P20: a backend whose section was wrong at the start is rejected, and runs once that is mended."""
    async with node(broken_site, place, "widget: {count: many}") as run:
        await run.host.says("backend rejected", backend="widget")
        await run.offers({GADGET: 1})

        await run.edit("widget: {count: 3}")

        await run.offers({GADGET: 1, WIDGET: 3})
