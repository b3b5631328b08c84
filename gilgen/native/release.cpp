// Releasing the GIL around one call, and taking it back.
#include "gilgen.hpp"

#include <unistd.h>

namespace gilgen {

Python python;
__thread Thread thread;
std::atomic<std::uint32_t> running{0};

void Released::begin(Entry& entry, void* self, bool holds)
{
    began_ = true;
    if (!thread.outermost) {
        thread.outermost = this;
        running.fetch_add(1, std::memory_order_relaxed);
        thread.state = python.own();
        claim(entry, self, holds);
    }
    if (holds) {
        entry.released.fetch_add(1, std::memory_order_relaxed);
        state_ = python.save();
    } else {
        entry.guarded.fetch_add(1, std::memory_order_relaxed);
    }
}

void restore(void* state)
{
    // A thread that comes back while Python shuts down would be unwound through the toolkit's frames,
    // or abort. It waits for the process to end instead, as CPython itself does from 3.14 on.
    while (python.finalizing()) pause();
    python.restore(state);
}

} // namespace gilgen
