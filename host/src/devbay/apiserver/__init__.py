"""The Kubernetes API server: how it is reached, one request at a time, and the little that is asked of it.

Nothing here is needed to offer devices. It serves Events (``events: true``), and the commands that look at what a
node's status says. Everything blocks, and is called from a command or from a thread.

The client is the standard library's. Beside a running host its import costs 0.3 MiB and 2 ms; httpx cost 3.4 MiB and
25 ms, lightkube 9.5 MiB and 80 ms, kubernetes_asyncio 50 MiB and 300 ms, and three requests are all there is to make.
"""
