"""The version of gilgen, alone in a file so that building it imports nothing."""

__version__ = "0.4.0"
