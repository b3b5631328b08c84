// What Python calls, through ctypes: plain C functions, plain data.
#include "gilgen.hpp"
#include "guard.hpp"
#include "rebind.hpp"

#define EXPORT extern "C" __attribute__((visibility("default")))

// Hands over Python's functions and the toolkit's libraries. Called once, before anything is bound.
EXPORT void gilgen_start(gilgen::Python const* functions, gilgen::Known const* libraries, std::uint32_t count)
{
    gilgen::python = *functions;
    gilgen::know(libraries, count);
    gilgen::watch_forks();
}

EXPORT void gilgen_limit_guard(std::uint8_t guard)
{
    gilgen::guard_limit.store(static_cast<gilgen::Guard>(guard));
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
        method.passed += entry.passed.load(std::memory_order_relaxed);
        method.bound += entry.original.load(std::memory_order_relaxed) != nullptr;
    }
}

// How many threads are inside a shim.
EXPORT std::uint32_t gilgen_running()
{
    return gilgen::running.held_the_gil.load() + gilgen::running.came_without.load();
}

EXPORT std::uint32_t gilgen_method_count()
{
    return gilgen::method_count;
}
