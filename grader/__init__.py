"""An open fruit grading station. README.md has the map of the folders."""

__version__ = "0.1.0"
