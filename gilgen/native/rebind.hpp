// Rebinding: writing the address of a shim into the slots that name its function, and taking it out.
#pragma once

#include <atomic>
#include <cstdint>

namespace gilgen {

struct Definition;

// What one round of rebinding did.
struct Bound {
    std::uint32_t libraries; // libraries of the toolkit seen for the first time
    std::uint32_t vtable;    // vtable slots and other stored addresses rebound
    std::uint32_t got;       // call slots rebound
    std::uint32_t skipped;   // slots left alone because what they hold could not be confirmed
    std::uint32_t refused;   // libraries left alone because they are not those that the shims were made for
    std::uint32_t hooks;     // call slots of wrappers that lead to CPython's functions for the GIL
};

// One library that the shims were made for.
struct Known {
    char const* path;
    char const* build_id;   // hexadecimal; empty where the file has none
    std::uint32_t symbolic; // 1: linked with -Bsymbolic or the like, its slots carry addresses, not names
    std::uint32_t exact;    // 1: refused where the build id is another; 0: then a caller, whose own code stays out
    std::uint32_t index;    // among the manifest's libraries; more than all of them for one that is not listed there
};

// Says which libraries belong to the toolkit, and what the definitions must be that the shims stand before, one
// for each of the `entries`. Both must live as long as the process.
void know(Known const* libraries, std::uint32_t count, Definition const* definitions);

// Rebinds what has been loaded since the last call.
Bound bind();

// Puts every old value back.
void unbind();

// Why a loaded library was refused, one sentence each, since the process began; null after the last.
char const* refusal(std::uint32_t index);

// Whether there is anything to put back.
extern std::atomic<bool> bound;

// The symbols that the toolkit's part needs from its libraries; those that begin with a question mark it can do without.
extern char const* const walker_symbols[]; // ends with a null
extern void* walker_functions[];           // parallel to it
extern std::atomic<bool> walkers_ready;    // all that it needs were found

void restore(void* state); // release.cpp
void stay_away_at_the_end();

} // namespace gilgen
