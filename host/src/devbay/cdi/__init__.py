"""The room of the Container Device Interface (CDI): files that tell any container runtime what a device needs.

`delivery` divides what a container gets between such files and the kubelet's own answer, `directory` keeps the files,
and `catalog` reads what is in the directories, whoever wrote it. `names`, `document`, `rules` and `delivery` are pure.
"""
