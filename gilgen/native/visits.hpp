// Visits to Python: when a thread that is inside a shim takes the GIL back for a while, and when it leaves.
#pragma once

#include <cstddef>
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

// Destructors that touch Python's objects, or lists that the GIL protects, before they take the GIL. Nothing was
// amiss while every call held it. So a thread that is inside a shim takes it back for them. Their
// vtable slots are rebound wherever the toolkit's libraries define them; what a slot held before goes to
// `destructor_originals`. `destructors` ends with a null.
constexpr std::size_t most_destructors = 8;
struct Replacements {
    void (*of[most_destructors])(void* self);
};
extern char const* const destructors[];
extern void* destructor_originals[most_destructors];
extern Replacements const destructor_replacements;

} // namespace gilgen
