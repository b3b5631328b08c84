// What Python calls, through ctypes: plain C functions, plain data.
#include "claims.hpp"
#include "gilgen.hpp"
#include "objects.hpp"
#include "rebind.hpp"

#include <algorithm>

#define EXPORT extern "C" __attribute__((visibility("default")))

// Hands over Python's functions, the toolkit's libraries, and what the definitions in them must be. Called once,
// before anything is bound.
EXPORT void gilgen_start(gilgen::Python const* functions, gilgen::PythonObjects const* objects, gilgen::Known const* libraries,
                         std::uint32_t count, gilgen::Definition const* definitions)
{
    gilgen::python = *functions;
    gilgen::python_objects = *objects;
    gilgen::know(libraries, count, definitions);
    gilgen::watch_forks();
}

// One fact about the toolkit, as the configuration gives it: about methods ("passes", "Abort*"), or about a class.
EXPORT void gilgen_know(char const* what, char const* name, std::int64_t number)
{
    if (number < 0) gilgen::know_method(what, name);
    else gilgen::know_class(name, what, static_cast<std::uint32_t>(number));
}

// The base of the toolkit's Python types, and where their objects hold the pointer to C++.
EXPORT void gilgen_know_type(void* type, std::uint32_t offset)
{
    gilgen::know_type(type, offset);
}

// Puts stubs before all functions in the dictionary of a module. 0 where no memory for them is to be had.
EXPORT std::uint32_t gilgen_gate(void* dictionary)
{
    return gilgen::gate_module(dictionary);
}

EXPORT void gilgen_gate_again(std::uint8_t late)
{
    gilgen::activated_late = gilgen::activated_late || late;
    gilgen::new_objects_matter = gilgen::activated_late || !gilgen::links_are_followed;
    gilgen::gate_again();
}

EXPORT void gilgen_ungate()
{
    gilgen::ungate();
    gilgen::forget_links();
}

EXPORT std::uint32_t gilgen_gated()
{
    return gilgen::gated_count();
}

// What calls of each method claim, in the order of the table, and how far calls at the gate look.
EXPORT void gilgen_set_guards(std::uint8_t const* guards, std::uint8_t gate)
{
    gilgen::gate_guard.store(static_cast<gilgen::Guard>(gate));
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
    std::uint64_t kept;
    std::uint64_t shortly;
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
        method.kept += entry.kept.load(std::memory_order_relaxed);
        method.shortly += entry.shortly.load(std::memory_order_relaxed);
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

// How many other threads are inside a call that others may have to wait for.
EXPORT std::uint32_t gilgen_claimed_elsewhere()
{
    return gilgen::claimed_elsewhere(false);
}

// The same without those during which the plain wheel lets others run: a program that ends does not wait for them.
EXPORT std::uint32_t gilgen_held_elsewhere()
{
    return gilgen::claimed_elsewhere(true);
}

// How many threads wait now because another works on the same objects.
EXPORT std::int32_t gilgen_waiting()
{
    return gilgen::waiting();
}

// Who works on what a Python object leads to.
EXPORT gilgen::Busy gilgen_who_has(void* object)
{
    bool anything = false;
    void* const found = gilgen::cpp_object(object, anything);
    return found ? gilgen::who_has(found) : gilgen::Busy{0, nullptr, 0};
}

// The exception that calls raise instead of waiting; null: they wait.
EXPORT void gilgen_raise_busy(void* exception)
{
    gilgen::busy_exception = exception;
}

// Which calls waited for which: as many as fit into `into`.
EXPORT std::uint32_t gilgen_pairs(gilgen::Pair* into, std::uint32_t capacity)
{
    return gilgen::pairs(into, capacity);
}

struct Waits {
    std::uint64_t count;
    std::uint64_t nanoseconds;
    std::uint64_t deferred;
    std::uint64_t shortly;
    std::uint64_t claimed;
};

EXPORT Waits gilgen_waits()
{
    auto const& all = gilgen::waited;
    return {all.gate_waits.load(), all.gate_ns.load(), all.deferred.load(), all.shortly.load(), all.claimed.load()};
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
