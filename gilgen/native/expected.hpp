// How long a call is expected to take, and what a release costs its caller: short calls keep the GIL.
//
// Where another thread runs bytecode, a thread that released the GIL gets it back only after that one's turn, up to the switch
// interval (5 ms). A call that is shorter than that gains nobody anything by releasing it.
#pragma once

#include "gate.hpp"
#include "gilgen.hpp"

#include <cstdint>

namespace gilgen {

std::uint64_t clock_ns();

// Whether the call is expected to be over before a release would pay. Sets `key` to where its duration is to be noted; 0: nowhere.
// Never where it may wait for a file, another process or Python.
bool expected_short(Entry const& entry, void* self, Frame const& call, std::uint32_t& key);

// Whether a call that was expected to be short has taken so long by now that a release pays.
bool proved_long(std::uint64_t began);

void note_duration(std::uint32_t key, std::uint64_t nanoseconds);

// What the last release cost: from the end of the call until the GIL was back.
void note_turn(std::uint64_t nanoseconds);

} // namespace gilgen
