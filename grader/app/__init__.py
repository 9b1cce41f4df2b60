"""Putting the station together: files, devices and calculations for a live run, a replay, a simulation."""
