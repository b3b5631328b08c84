// Claims: objects reserved by calls that run without the GIL, so that no other call meets them.
#pragma once

#include "closure.hpp"
#include "gate.hpp"
#include "gilgen.hpp"

#include <atomic>
#include <cstdint>
#include <vector>

namespace gilgen {

// What a call with claims does now. One that visits Python does nothing to its objects, and comes away from there only with
// the GIL; one that waits has not begun, or has stopped where it needed more.
enum class Doing : std::uint8_t { waits, runs, visits };

// One call with claims; from a pool, never on a stack, because other threads look at it.
struct Claim {
    std::vector<Item> items; // sorted by object
    bool whole = false;
    bool lenient = false;           // the plain wheel releases this call as well
    Doing doing = Doing::waits;
    bool listed = false;
    bool alone = false;             // of the object of one C++ function, not of the wrapped call
    unsigned long thread = 0;       // as threading.get_ident has it
    Thread* owner = nullptr;
    char const* what = "";          // the function's name
    std::uint64_t since = 0;        // steady clock, ns
    Claim* outer = nullptr;         // the same thread's claim around it
    Claim* next = nullptr;
    Claim* previous = nullptr;
    std::vector<Closure::Fill> fills;
    std::uint64_t bytes = 0;
    std::uint64_t filters = 0;
    bool unpredictable = false;
    bool fills_more = false;        // caches that it may fill are not all in `fills`
};

// What stands in the way of a call: nothing; only threads that visit Python; or one that runs or came earlier.
enum class Way_in : std::uint8_t { open, visited, taken };

// Finds what a wrapped call may claim, before it begins, and waits without the GIL while others have it. `lenient`: the plain wheel
// releases this call as well. False where it raised instead of waiting.
bool prepare(Frame& call, bool lenient, bool may_raise = true);

// Claims what was found, for as long as the GIL is released. `self`: of the C++ function reached, where it can be followed. The GIL
// is held before and after. Null where it may not be claimed: the call then keeps the GIL.
Claim* claim(Frame& call, void* self, Guard guard);

// The same for a call that came without the GIL and that no gate has seen.
Claim* claim_alone(void* self, char const* what, Guard guard);

// Ends a claim. With the GIL held, or where the process ends.
void leave(Claim* claim);
void put_away(Claim* claim);

// Claims a library that is not thread-safe, waiting without the GIL while another call has it. `claim` is null where this thread has
// it already. Where whoever has it visits Python for long, the GIL is taken instead, for as long as the library is used; `gil` is then
// what PyGILState_Ensure gave, and -1 otherwise.
struct Library_turn {
    Claim* claim;
    int gil;
};
Library_turn claim_library(bool holds_gil);

// A thread inside a claim comes to Python, or leaves it; told by visits.cpp with the GIL held.
void visits_python(Claim& claim);
void leaves_python(Claim& claim);

// Fills the caches that a claim's readers need, without the GIL, and then claims these data for reading only.
void fill_first(Claim& claim);

// Remembers which caches a call has filled. With the GIL held, before it leaves.
void note_fills(Claim& claim);

// What the gate asks. Waits as long as another call has what this one may touch. False where it has raised instead.
bool pass_gate(Frame& call);

// Whether something is given up that another call may be using: then a reference is kept, and given back later.
bool defer(Frame& call, void* object);
void give_back_deferred();

struct Busy {
    unsigned long thread;
    char const* what;
    std::uint64_t since;
};
// Who works on what `object` leads to; `thread` is 0 where nobody does.
Busy who_has(void* object);

extern void* busy_exception; // a call that would wait at the gate raises this instead, if it is set

int waiting();
// Calls of other threads that have claims; with `held` only those that run and that the plain wheel would hold the GIL for.
std::uint32_t claimed_elsewhere(bool held);
void watch_forks();
void register_thread();
extern std::atomic<Guard> gate_guard; // how far calls at the gate look

struct Waited {
    std::atomic<std::uint64_t> gate_waits;
    std::atomic<std::uint64_t> gate_ns;
    std::atomic<std::uint64_t> deferred;
    std::atomic<std::uint64_t> shortly; // releases left out because the call was expected to be short
    std::atomic<std::uint64_t> claimed; // calls that claimed their objects, whether a shim or their wrapper releases the GIL
};
extern Waited waited;

struct Pair {
    char const* waiter;
    char const* holder;
    std::uint64_t count;
    std::uint64_t nanoseconds;
    std::uint64_t longest;
    std::uint64_t whole; // how often the other had claimed the whole toolkit
};
std::uint32_t pairs(Pair* into, std::uint32_t capacity);

} // namespace gilgen

extern "C" std::atomic<std::uint32_t> gilgen_busy __attribute__((visibility("hidden")));
