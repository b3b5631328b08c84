"""`python -m gilgen`: the command line, where the environment's scripts are not on PATH."""

from gilgen.commands import main

main()
