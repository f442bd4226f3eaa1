"""The driver families, one module each: `find` and `judge` of `devbay_fpga.unit.Stack`, and all that knows a driver."""
