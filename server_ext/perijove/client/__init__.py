"""The SDK: the hub's API as Python objects."""
