"""Decisions. Values in, values out: no I/O, no clock; the time is an argument."""
