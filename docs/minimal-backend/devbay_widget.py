"""Widgets for devbay: a file /sys/class/widget/<id> with its state, and a device node /dev/<id>, each."""

from devbay.api import HEALTHY, BackendUnavailable, ContainerEdits, Device, DeviceNode, hookimpl, unhealthy


class Backend:
    @hookimpl
    def discover(self, node):
        place = node.sys / "class/widget"
        if not place.is_dir():
            raise BackendUnavailable("/sys/class/widget does not exist: no driver of widgets is loaded")
        names = [file.name for file in place.iterdir()]
        return [Device(id=name, resource="example.com/widget", paths=(f"/dev/{name}",)) for name in names]

    @hookimpl
    def check(self, node, devices):
        health = {}
        for device in devices:
            try:
                state = (node.sys / "class/widget" / device.id).read_text().strip()
            except OSError as error:
                state = error.strerror
            health[device.id] = HEALTHY if state == "online" else unhealthy(f"its state is {state}, not online")
        return health

    @hookimpl
    def edit(self, devices):
        nodes = [DeviceNode(path=path) for device in devices for path in device.paths]
        return ContainerEdits(device_nodes=nodes, env={"WIDGETS": ",".join(device.id for device in devices)})
