"""A fuzzer: random programs whose threads make wrapped calls on shared objects, judged against the same calls made alone."""
