"""The kubelet's room: everything that speaks to the kubelet, and the only place of the host that knows gRPC.

    directory      the kubelet's directory: whether kubelet.sock answers, which sockets are ours
    endpoint       one gRPC server for one resource, on a socket of its own
    client         the one call we make: Register
    registration   runs the table of `devbay.session` for one resource
    messages       values to the kubelet's messages and back

A registration is given a `Service`, which answers for the devices, and tells its state; nothing here knows backends.
"""
