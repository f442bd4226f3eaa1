"""devbay: one node process that turns a node's hardware into Kubernetes extended resources.

The house, top floor first; a module imports only from floors below its own (`make check` holds it):

    cli        arguments in, exit code out                      `__main__`, `cli`
               what a backend's tests import                    `testing`
    host       wires the rooms together, owns tasks and signals  `host`
    rooms      each talks to one outside thing                   `kubelet`, `runner`, `plugins`
    tools      what rooms share                                  `threads`, `retry`
    policy     pure: data in, data out                           `session`, `inventory`, `settings`, ...
    ground     frozen values, errors, the backend contract       `model`, `errors`, `hookspecs`, `api`

Beside the tower stands `simulator`, a kubelet for people without a cluster. A backend imports `devbay.api` alone.
"""
