"""Fuzzing: whatever the bytes, a reader raises an error of the house or none, soon and in little memory.

    python -m bench.fuzz --minutes 10 --seed 1 --workers 2
    python -m bench.fuzz --target sheet.toml --replay out/fuzz/sheet.toml-1

`targets` is the table of what is fuzzed; a line more there is a reader more. `mutation` spoils sound inputs with their
structure in mind, `hunt` feeds one reader and keeps what reaches new lines, `workers` watches it from outside.
"""
