// Visits to Python: when a thread that is inside a shim takes the GIL back for a while, and when it leaves.
#pragma once

#include <cstdint>

namespace gilgen {

// A function of CPython's that the toolkit's wrappers call, and what they call instead: the same, with a word
// to the guard. Only call slots of the toolkit's own libraries are rebound.
struct Hook {
    char const* name;
    void* replacement;
    void* (*original)();
};

extern Hook const hooks[];
extern std::uint32_t const hook_count;

} // namespace gilgen
