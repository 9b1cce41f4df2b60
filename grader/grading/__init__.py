"""What a fruit is worth and where it goes: sheet and measurements in; class, size, outlet and reasons out."""

from grader.grading.allocate import Allocation, ProductOutlets, allocate
from grader.grading.compiled import CompiledSheet, NotChecked, compiled
from grader.grading.judge import Grades, Reason, grade, reason_records, reasons
from grader.grading.presets import load_preset, preset_names, preset_path
from grader.grading.send import Sent, Turns, send
from grader.grading.sheet import Sheet

__all__ = [
    "Allocation",
    "CompiledSheet",
    "Grades",
    "NotChecked",
    "ProductOutlets",
    "Reason",
    "Sent",
    "Sheet",
    "Turns",
    "allocate",
    "compiled",
    "grade",
    "load_preset",
    "preset_names",
    "preset_path",
    "reason_records",
    "reasons",
    "send",
]
