"""Programming a region's ports before a container starts: bitstream files, the one call that writes, what is checked.

Nothing here runs unless the settings give a bitstream for a resource. The way to the hardware is one function
(`devbay_fpga.programming.writing.write`), which was not seen on hardware; `devbay_fpga.programming.fake` stands for it.
"""
