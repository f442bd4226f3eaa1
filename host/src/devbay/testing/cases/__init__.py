"""The cases of the kit, by what they are about. Each class is a part of `devbay.testing.BackendConformance`."""
