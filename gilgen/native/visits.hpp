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

// Destructors whose vtable slots are rebound wherever the toolkit's libraries define them; what a slot held before goes to
// `destructor_originals`. Some touch Python's objects, or lists that the GIL protects, before they take the GIL: a thread
// that has released it takes it back for them. The others close a file of a library that is not thread-safe: they claim it.
constexpr std::size_t most_destructors = 96;
struct Destructor {
    char const* symbol;
    bool claims_library;
};
struct Replacements {
    void (*of[most_destructors])(void* self);
};
extern Destructor const destructors[]; // ends with a null
extern void* destructor_originals[most_destructors];
extern Replacements const destructor_replacements;

// A function of the toolkit's that another takes the place of, wherever its own libraries name it.
struct Interposed {
    char const* symbol;
    void* replacement;
    void* original; // set when the first slot is rebound
};
extern Interposed interposed[];
extern std::uint32_t const interposed_count;

} // namespace gilgen
