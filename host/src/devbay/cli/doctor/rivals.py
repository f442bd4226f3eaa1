"""Checks of who serves a resource: nobody, one devbay, two of them, or another device plugin.

The kubelet takes the last registration of a name, whoever makes it, and says nothing. So the sockets' names, the ids
that the kubelet knows and those that it wrote down are compared with what this node's backends have.
"""

from collections.abc import Iterator

from devbay.cli.doctor import sockets
from devbay.cli.doctor.findings import Finding, Findings, typed
from devbay.cli.doctor.scene import Scene
from devbay.offers import Offer
from devbay.sharing import device_id

_SHOWN = 4
_rivals = Findings("second-plugin")
_hosts = Findings("host")
_WHY = (
    "the last to register wins, and the kubelet says nothing: pods get the other plugin's devices, or devices that are "
    "given away twice"
)


def rivals(scene: Scene) -> Iterator[Finding]:
    """Whether another device plugin serves a resource that would be offered here."""
    found = [finding for offer in scene.offers.values() for finding in _rivals_of(scene, offer)]
    if scene.offers and not found:
        yield _rivals.ok(f"nobody else seems to serve {', '.join(scene.offers)}", scene.place.kubelet)
    yield from found


def _rivals_of(scene: Scene, offer: Offer) -> Iterator[Finding]:
    resource = offer.resource
    remedy = f"remove the other device plugin, or have devbay's backend {offer.backend} off (DEVBAY_BACKENDS)"
    command = "kubectl get daemonsets --all-namespaces | grep -i -e plugin -e device"
    named = [one for one in scene.sockets or () if one.is_live and not one.ours and one.claims(resource)]
    foreign = _foreign(scene, offer)
    served = bool(sockets.of(scene.sockets or (), resource))
    if named:
        yield _rivals.problem(
            f"another device plugin has a socket for {resource}: {', '.join(one.who for one in named)}",
            named[0].path,
            why=_WHY,
            remedy=remedy,
            command=command,
        )
    elif foreign:
        ids, source = foreign
        shown = ", ".join(sorted(ids)[:_SHOWN]) + (" …" if len(ids) > _SHOWN else "")
        yield _rivals.problem(
            f"{source} has devices of {resource} that no backend here has: {shown}",
            resource,
            why=f"another device plugin serves it, or did; {_WHY}",
            remedy=f"{remedy}. If the devices are merely gone, the next registration of {resource} clears it",
            command=command,
        )
    elif not served and scene.known_to_kubelet(resource):
        others = [one.who for one in scene.sockets or () if one.is_live and not one.ours]
        where = f", on one of {', '.join(others)}" if others else ""
        yield _rivals.problem(
            f"the kubelet has working devices of {resource}, and no devbay serves it",
            resource,
            why=f"another device plugin does{where}; {_WHY}",
            remedy=remedy,
            command=command,
        )


def _foreign(scene: Scene, offer: Offer) -> tuple[frozenset[str], str] | None:
    """Return ids of a resource that the kubelet has and we do not, and where it has them."""
    known, source = scene.known_to_kubelet(offer.resource), "the kubelet"
    if known is None:
        written = scene.checkpoint.registered.get(offer.resource, ()) if scene.checkpoint else ()
        known, source = frozenset(written), "the kubelet's checkpoint"
    foreign = frozenset(one for one in known if device_id(one) not in offer.devices)
    return (foreign, source) if foreign else None


def _otherwise_configured(scene: Scene, offer: Offer) -> Finding | None:
    """Say where the kubelet has other shares of our devices than this configuration makes."""
    ours = {one for share in offer.shares if share.status.health for one in share.ids}
    known = scene.known_to_kubelet(offer.resource)
    mine = {one for one in known or () if device_id(one) in offer.devices}
    if known is None or not mine ^ ours:
        return None
    shown = ", ".join(sorted(mine ^ ours)[:_SHOWN])
    return _hosts.warning(
        f"the kubelet has {len(mine)} ids of these devices, and {len(ours)} are healthy here; they differ in {shown}",
        offer.resource,
        why="the devbay that serves it has another configuration than this command, holds a flapping device back, or "
        "has not looked again yet",
        remedy="look again in a minute; if it stays so, run doctor with that devbay's configuration: in its pod",
        command=typed("devbay", "explain", "resource", offer.resource),
    )


def hosts(scene: Scene) -> Iterator[Finding]:
    """Whether a devbay runs here, for each resource, and only one."""
    live = [one for one in scene.sockets or () if one.ours and one.is_live]
    for resource in scene.offers:
        serving = sockets.of(live, resource)
        if len(serving) > 1:
            yield _hosts.warning(
                f"{len(serving)} devbay serve {resource}: {', '.join(one.who for one in serving)}",
                scene.place.kubelet,
                why="normal for seconds while one replaces the other; for longer, two are installed, and each end of "
                "one cuts the other off for a moment",
                remedy="if it stays so, remove one of them",
                command="kubectl get pods --all-namespaces -o wide | grep devbay",
            )
            continue
        if serving and (other := _otherwise_configured(scene, scene.offers[resource])):
            yield other
    unserved = [resource for resource in scene.offers if not sockets.of(live, resource)]
    if unserved and live:
        yield _hosts.problem(
            f"a devbay runs here and does not serve {', '.join(unserved)}",
            scene.place.kubelet,
            why="its pods have other backends or another configuration than this command, or it cannot make a socket",
            remedy="read its log, and run devbay doctor with its configuration: in its pod",
            command="kubectl logs --all-containers -l app.kubernetes.io/name=devbay -n devbay --tail=100",
        )
    elif unserved and scene.sockets is not None:
        yield _hosts.problem(
            f"no devbay runs here; it would offer {', '.join(unserved)}",
            scene.place.kubelet,
            why="nobody offers these devices",
            remedy="start one; in a cluster, see why its DaemonSet has no pod on this node",
            command="devbay run",
        )
    elif scene.offers and scene.sockets is not None:
        yield _hosts.ok(f"serves {', '.join(scene.offers)}", scene.place.kubelet)
