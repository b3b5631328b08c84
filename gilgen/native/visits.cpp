// A toolkit comes back to Python through PyGILState_Ensure (observers, Python algorithms), and its wrappers
// leave it by themselves through PyEval_SaveThread. Where the thread is inside a shim, the guard is told.
#include "visits.hpp"

#include "gilgen.hpp"
#include "guard.hpp"

#include <utility>

namespace gilgen {
namespace {

// PyGILState_STATE, as CPython's pystate.h has it: the state in which Ensure found the thread.
constexpr int unlocked = 1;

int ensure()
{
    int const found = python.ensure();
    if (found == unlocked && thread.outermost) thread.outermost->visits_python();
    return found;
}

void release(int found)
{
    if (found == unlocked && thread.outermost) thread.outermost->leaves_python();
    python.release(found);
}

void* save()
{
    if (thread.outermost) thread.outermost->leaves_python();
    return python.save();
}

void restore_for_wrapper(void* state)
{
    python.restore(state);
    if (thread.outermost) thread.outermost->visits_python();
}

template <int which>
void destroy(void* self)
{
    auto const original = reinterpret_cast<void (*)(void*)>(destructor_originals[which]);
    if (!thread.outermost) return original(self);
    stay_away_at_the_end();
    int const found = ensure();
    original(self);
    release(found);
}

template <class Function>
void* address(Function* function)
{
    return reinterpret_cast<void*>(function);
}

template <std::size_t... which>
constexpr Replacements replacements_of(std::index_sequence<which...>)
{
    return {{destroy<static_cast<int>(which)>...}};
}

} // namespace

Held::Held(Entry& entry, void* state) : taken_(!state)
{
    if (taken_) {
        entry.kept.fetch_add(1, std::memory_order_relaxed);
        stay_away_at_the_end();
        found_ = ensure();
    }
    before_ = thread.state;
    thread.state = keeps_the_gil;
}

Held::~Held() noexcept(false)
{
    thread.state = before_;
    if (taken_) release(found_);
}

Hook const hooks[] = {
    {"PyGILState_Ensure", address(ensure), [] { return address(python.ensure); }},
    {"PyGILState_Release", address(release), [] { return address(python.release); }},
    {"PyEval_SaveThread", address(save), [] { return address(python.save); }},
    {"PyEval_RestoreThread", address(restore_for_wrapper), [] { return address(python.restore); }},
};
std::uint32_t const hook_count = sizeof hooks / sizeof hooks[0];

void* destructor_originals[most_destructors];
Replacements const destructor_replacements = replacements_of(std::make_index_sequence<most_destructors>());

} // namespace gilgen
