// A toolkit comes back to Python through PyGILState_Ensure (observers, Python algorithms), and its wrappers
// leave it by themselves through PyEval_SaveThread.
#include "visits.hpp"

#include "claims.hpp"
#include "expected.hpp"
#include "gate.hpp"
#include "gilgen.hpp"
#include "rebind.hpp"

#include <utility>

namespace gilgen {
namespace {

// PyGILState_STATE, as CPython's pystate.h has it: the state in which Ensure found the thread.
constexpr int unlocked = 1;

int ensure()
{
    int const found = python.ensure();
    if (found == unlocked && thread.claim) visits_python(*thread.claim);
    return found;
}

void release(int found)
{
    if (found == unlocked && thread.claim) leaves_python(*thread.claim);
    python.release(found);
}

// What `save` gives a wrapper whose call keeps the GIL after all.
char kept_gil;

// A wrapper releases by itself. Its call claims what it works on, as one does that a shim releases.
void* save()
{
    if (!inside_wrapped_call()) return python.save();
    if (frame->flags & frame_keeps || draining.load(std::memory_order_relaxed)) return &kept_gil;
    Gated& function = gated_of(frame->record);
    if (function.loops || gate_guard.load(std::memory_order_relaxed) == Guard::none) return python.save();
    if (!frame->claim) prepare(*frame, true, false); // it begins only now, so its objects are at rest
    function.released_by_wheel = true;
    prepare_from_now_on(frame->record);
    auto* const own = static_cast<Claim*>(frame->claim);
    if (own->items.empty()) return python.save(); // no object of the toolkit's: the shim that it comes to claims its own
    own->lenient = true;
    if (frame->flags & frame_keeps || !claim(*frame, nullptr, Guard::closure)) {
        frame->flags |= frame_keeps;
        return &kept_gil;
    }
    frame->flags |= frame_released;
    running.held_the_gil.fetch_add(1);
    thread.state = python.current();
    void* const state = python.save();
    if (!own->fills.empty()) fill_first(*own);
    return state;
}

void restore_for_wrapper(void* state)
{
    if (state == &kept_gil) return;
    std::uint64_t const asked = clock_ns();
    python.restore(state);
    note_turn(clock_ns() - asked);
    if (!inside_wrapped_call() || !(frame->flags & frame_released)) return;
    frame->flags &= ~frame_released;
    auto* const own = static_cast<Claim*>(frame->claim);
    if (!own->fills.empty()) note_fills(*own);
    leave(own);
    frame->claim = nullptr;
    put_away(own);
    running.held_the_gil.fetch_sub(1);
    if (gilgen_busy.load(std::memory_order_relaxed)) give_back_deferred();
}

template <int which>
void destroy(void* self)
{
    auto const original = reinterpret_cast<void (*)(void*)>(destructor_originals[which]);
    if (destructors[which].claims_library) {
        LibraryClaim const library;
        return original(self);
    }
    if (!thread.claim) return original(self);
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
