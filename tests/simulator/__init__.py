"""Tests of the simulated kubelet against a small real plugin; no part of the host takes part."""
