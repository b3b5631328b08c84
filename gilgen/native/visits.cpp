// A toolkit comes back to Python through PyGILState_Ensure (observers, Python algorithms), and its wrappers
// leave it by themselves through PyEval_SaveThread. Where the thread is inside a shim, the guard is told.
#include "visits.hpp"

#include "gilgen.hpp"

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
    int const found = ensure();
    original(self);
    release(found);
}

template <class Function>
void* address(Function* function)
{
    return reinterpret_cast<void*>(function);
}

} // namespace

Hook const hooks[] = {
    {"PyGILState_Ensure", address(ensure), [] { return address(python.ensure); }},
    {"PyGILState_Release", address(release), [] { return address(python.release); }},
    {"PyEval_SaveThread", address(save), [] { return address(python.save); }},
    {"PyEval_RestoreThread", address(restore_for_wrapper), [] { return address(python.restore); }},
};
std::uint32_t const hook_count = sizeof hooks / sizeof hooks[0];

void* destructor_originals[4];
void* const destructor_replacements[4] = {address(destroy<0>), address(destroy<1>), address(destroy<2>), address(destroy<3>)};

} // namespace gilgen
