// Releasing the GIL around one call, and taking it back.
#include "gilgen.hpp"

#include "guard.hpp"
#include "rebind.hpp"

#include <unistd.h>

namespace gilgen {

Python python;
__thread Thread thread;

Running running;

namespace {

// For a count that the GIL protects: no locked instruction is needed.
template <class Count>
void change(std::atomic<Count>& count, Count by)
{
    count.store(count.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

} // namespace

void Released::begin(Entry& entry, void* self, void* state)
{
    bool const holds = state != nullptr;
    state_ = nullptr;
    objects_ = nullptr;
    bool const outermost = !thread.outermost;
    if (outermost) {
        thread.outermost = this;
        thread.state = holds ? state : python.own();
        holds ? change(running.held_the_gil, 1u) : static_cast<void>(running.came_without.fetch_add(1));
        claim(entry, self, holds);
    }
    if (holds) {
        change(entry.released, std::uint64_t{1});
        state_ = python.save();
    } else {
        entry.guarded.fetch_add(1, std::memory_order_relaxed);
    }
    if (outermost && entry.method->walker) give_head_start();
}

void Released::end()
{
    let_go();
    bool const outermost = thread.outermost == this;
    if (outermost) {
        thread = {};
        end_head_start();
    }
    if (state_) restore(state_);
    if (outermost) state_ ? change(running.held_the_gil, -1u) : static_cast<void>(running.came_without.fetch_sub(1));
}

void restore(void* state)
{
    // A thread that comes back while Python shuts down would be unwound through the toolkit's frames,
    // or abort. It waits for the process to end instead, as CPython itself does from 3.14 on.
    // Before that, `activate` puts the slots back, so only then is it worth asking.
    if (!bound.load(std::memory_order_relaxed)) {
        while (python.finalizing()) pause();
    }
    python.restore(state);
}

} // namespace gilgen
