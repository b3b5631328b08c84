// The gate: the way by which Python enters every wrapped function of an active toolkit.
//
// A stub takes the place of the C function pointer of each (PyMethodDef.ml_meth, the functions of a property, the slots
// of a type). It notes which wrapped call this thread is in, asks whether another call runs without the GIL, and goes on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gilgen {

// How a stub enters its function.
enum class Entering : std::uint8_t {
    plainly,     // notes the call; waits where another call has claimed its objects
    linking,     // the same, and remembers which objects the call may have connected
    making,      // the same, and remembers the new object, where it matters which objects are new
    deallocating // never waits: what is in use is given back later
};

// What the stub of one function knows. Two words, because the stub's machine code reads them.
struct Record {
    void* original;
    void* entrance;
};

// What else is known of a function; read only off the fast way.
struct Gated {
    char const* name;    // as Python has it
    void** place;        // where the function's pointer stood
    std::vector<void**> also; // and where else, for `gate_shared`
    Entering entering;
    std::uint8_t flags;  // METH_* without METH_CLASS and the like; 0 for what is no method
    std::int8_t failure; // what it returns when it has raised: 0 or -1
    bool passes;         // never waits: it steers what runs
    bool prepares;       // it may release the GIL: what it claims is found before it begins, while its objects are at rest
    bool released_by_wheel; // its wrapper releases the GIL by itself
    bool loops;          // an event loop: others work on its objects while it waits
    bool fills_arguments; // what it is given it holds, and fills its caches at most
    std::uint8_t reads_arguments; // so many of the objects that it is given first it only reads
    bool links_argument; // its object may lead to its arguments afterwards
    bool links_result;   // and to its result
    bool links_back;     // and the result, or the argument, to its object
};

// One wrapped call, on the stack of its thread. The stub's machine code knows this layout.
struct Frame {
    Frame* outer;
    Record* record;
    void* arguments[5];
    std::uint64_t flags;
    void* claim; // what it may claim, where it may release the GIL
};
static_assert(sizeof(Frame) == 72 && offsetof(Frame, flags) == 56, "the stubs' machine code has these numbers");

constexpr std::uint64_t frame_keeps = 1;   // this call keeps the GIL: whoever has its objects is inside a callback
constexpr std::uint64_t frame_waits = 2;   // it waits at the gate, and has not begun
constexpr std::uint64_t frame_defers = 4;  // an object is being given up that is in use
constexpr std::uint64_t frame_released = 8; // its wrapper has released the GIL
constexpr std::uint64_t frame_short = 16;   // it is expected to be short, and keeps the GIL until it proves longer

// This thread's innermost wrapped call; null before its first, `root_frame` between calls.
extern __thread Frame* frame asm("gilgen_frame") __attribute__((tls_model("initial-exec"), visibility("hidden")));
extern __thread Frame root_frame __attribute__((tls_model("initial-exec")));

inline bool inside_wrapped_call() { return frame && frame != &root_frame; }

Gated& gated_of(Record const* record);

// From now on the function is asked what it claims before it begins.
void prepare_from_now_on(Record* record);

// Puts a stub in the place of `*place`; false where memory that may be executed cannot be had.
bool gate(void** place, Gated const& function);

// The same, with one stub for all places of one function: Python compares a type's tp_new with its bases'.
bool gate_shared(void** place, Gated const& function);

extern bool new_objects_matter; // whether it makes a difference that an object is new

// Puts the stubs of an earlier activation back into their places.
void gate_again();

// Puts everything back. What still holds a stub's address passes straight through.
void ungate();

std::uint32_t gated_count();

} // namespace gilgen
