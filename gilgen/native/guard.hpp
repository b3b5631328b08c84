// The guard: faster must not mean racier.
#pragma once

#include "gilgen.hpp"

#include <vector>

namespace gilgen {

// How far a guard reaches at most, whatever a method asks for. Set at activation.
extern std::atomic<Guard> guard_limit;

// Adds to `found` the objects that a call on `self` works on besides `self`, the filters upstream of it.
using Walker = void (*)(void* self, std::vector<void*>& found);

// The walkers of this toolkit, and the symbols that they need from its libraries. `walkers[0]` finds
// nothing. A walker is used only when all symbols were found.
extern Walker const walkers[];
extern char const* const walker_symbols[]; // ends with a null
extern void* walker_functions[];           // parallel to `walker_symbols`
bool walkers_ready();

void restore(void* state); // release.cpp

// Once, at activation: after a fork the child has one thread, so only its own claims stay.
void watch_forks();

} // namespace gilgen
