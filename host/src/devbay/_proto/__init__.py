"""The kubelet's protocols: our own ``.proto`` files and the code that ``make proto`` generates from them.

Each file is registered under a path of its own (upstream calls every one of them ``api.proto``); message names, field
names and numbers are the kubelet's. Imported by `devbay.kubelet` and `devbay.simulator` only.
"""
