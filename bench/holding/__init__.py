"""Does the line hold? Whole stations, as they are started from a shell, are killed, starved and broken, and their books
are compared with what the simulated line saw with its own eyes.

    python -m bench.holding.kills     kill -9 at random moments, with a good, a stalled or a full disk
    python -m bench.holding.faults    for an hour, one thing after the other goes wrong
    python -m bench.holding.rate      how many fruit a second
"""
