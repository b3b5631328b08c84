"""`import gilgen.auto` activates every toolkit whose shim wheel is installed: one line for a program."""

from gilgen.activate import activate, installed

activate(*installed())
