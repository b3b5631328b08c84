// What Python calls, through ctypes: plain C functions, plain data.
#include "gilgen.hpp"
#include "guard.hpp"
#include "rebind.hpp"

#include <algorithm>

#define EXPORT extern "C" __attribute__((visibility("default")))

// Hands over Python's functions, the toolkit's libraries, and what the definitions in them must be. Called once,
// before anything is bound.
EXPORT void gilgen_start(gilgen::Python const* functions, gilgen::Known const* libraries, std::uint32_t count,
                         gilgen::Definition const* definitions)
{
    gilgen::python = *functions;
    gilgen::know(libraries, count, definitions);
    gilgen::watch_forks();
}

// What the calls of each method take hold of, in the order of the table.
EXPORT void gilgen_set_guards(std::uint8_t const* guards)
{
    for (std::uint32_t i = 0; i < gilgen::method_count; ++i) {
        gilgen::methods[i].guard.store(static_cast<gilgen::Guard>(guards[i]));
    }
}

// Rebinds whatever libraries of the toolkit have been loaded since the last call.
EXPORT gilgen::Bound gilgen_bind()
{
    return gilgen::bind();
}

EXPORT void gilgen_unbind()
{
    gilgen::unbind();
}

// How often each method was called since the process began, and how many of its copies are in use.
struct Counts {
    std::uint64_t released;
    std::uint64_t guarded;
    std::uint64_t waited;
    std::uint64_t waited_ns;
    std::uint64_t longest_ns;
    std::uint64_t kept;
    std::uint64_t passed;
    std::uint32_t bound;
};

EXPORT void gilgen_counts(Counts* counts)
{
    for (std::uint32_t i = 0; i < gilgen::method_count; ++i) {
        counts[i] = {};
    }
    for (std::uint32_t i = 0; i < gilgen::entry_count; ++i) {
        gilgen::Entry const& entry = gilgen::entries[i];
        Counts& method = counts[entry.method - gilgen::methods];
        method.released += entry.released.load(std::memory_order_relaxed);
        method.guarded += entry.guarded.load(std::memory_order_relaxed);
        method.waited += entry.waited.load(std::memory_order_relaxed);
        method.waited_ns += entry.waited_ns.load(std::memory_order_relaxed);
        method.longest_ns = std::max(method.longest_ns, entry.longest_ns.load(std::memory_order_relaxed));
        method.kept += entry.kept.load(std::memory_order_relaxed);
        method.passed += entry.passed.load(std::memory_order_relaxed);
        method.bound += entry.original.load(std::memory_order_relaxed) != nullptr;
    }
}

// Calls that begin from now on queue, and release nothing; or again as ever.
EXPORT void gilgen_drain(std::uint8_t begin)
{
    gilgen::draining.store(begin != 0);
}

// How many threads run a call without the GIL, or a callback of such a call.
EXPORT std::uint32_t gilgen_running()
{
    return gilgen::running.held_the_gil.load() + gilgen::running.came_without.load();
}

// The same without the calling thread; it may be in a callback.
EXPORT std::uint32_t gilgen_running_elsewhere()
{
    return gilgen_running() - (gilgen::thread.outermost && gilgen::thread.outermost->counted() ? 1 : 0);
}

// How many other threads are inside a call that others may have to wait for.
EXPORT std::uint32_t gilgen_claimed_elsewhere()
{
    return gilgen::claimed_elsewhere();
}

// Where `running` lies: two counts whose sum is how many threads run without the GIL.
EXPORT gilgen::Running const* gilgen_inside()
{
    return &gilgen::running;
}

// How many threads wait now because another works on the same objects.
EXPORT std::int32_t gilgen_waiting()
{
    return gilgen::waiting();
}

// The thread inside a call that works on `object`; 0 where none is.
EXPORT unsigned long gilgen_holder(void* object)
{
    return gilgen::holder(object);
}

EXPORT char const* gilgen_refusal(std::uint32_t index)
{
    return gilgen::refusal(index);
}

EXPORT std::uint32_t gilgen_method_count()
{
    return gilgen::method_count;
}

EXPORT std::uint32_t gilgen_definition_count()
{
    return gilgen::entry_count;
}
