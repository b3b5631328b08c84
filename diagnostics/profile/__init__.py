"""The profile: which calls of a user's program hold the GIL, for how long, and who waits meanwhile.

`inside` runs in the program's own process and writes down, in memory shared through files (`stream`), what it sees
there; `outside` starts that process and looks at its threads; `attribution` puts the two together. `attach` samples a
process that runs already. `text` shows the outcome.
"""
