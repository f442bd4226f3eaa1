"""The web room: what is shown over HTTP. Probes, metrics, a page for people and the same for programs.

    server     connections, in a thread with a loop of its own: whatever the host's loop does, it answers
    witness    what that thread may know of the host: its status, asked of the loop, and whether that lives
    routes     paths to answers
    metrics    a status as Prometheus reads it
    document   a status as programs read it
    page       a status as people read it, by the template `page.html`

Read-only: nothing here changes anything. It is given a function that tells the status, and knows nothing else.
"""
