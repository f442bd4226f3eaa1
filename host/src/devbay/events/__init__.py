"""Kubernetes Events on the Node, about devices that fail and recover (``events: true``).

What is told, merged and held back is decided in `telling`, purely; `sending` brings it to the API server. Nobody waits
for either: devices are offered whatever becomes of events.
"""
