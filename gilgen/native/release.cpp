// Releasing the GIL around one call, and taking it back.
#include "gilgen.hpp"

#include "guard.hpp"
#include "rebind.hpp"

#include <pthread.h>
#include <unistd.h>

namespace gilgen {

Python python;
__thread Thread thread;

Running running;
std::atomic<bool> draining{false};

namespace {

// For a count that the GIL protects: no locked instruction is needed.
template <class Count>
void change(std::atomic<Count>& count, Count by)
{
    count.store(count.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

char thread_that_keeps;

} // namespace

// A thread that keeps the GIL in a shim has no other state than this one there, so calls nested in its call
// pass through as well.
void* const keeps_the_gil = &thread_that_keeps;

void Released::begin(Entry& entry, void* self, void* state)
{
    holds_ = state != nullptr;
    state_ = nullptr;
    objects_ = nullptr;
    claimed_ = false;
    counted_ = false;
    bool releases = holds_ && entry.method->releases && !draining.load(std::memory_order_relaxed);
    bool const outermost = !thread.outermost;
    if (outermost) {
        thread.outermost = this;
        thread.state = holds_ ? state : python.own();
        ident_ = pthread_self();
        away_.store(!holds_ || releases, std::memory_order_relaxed);
        bool const guarded = claim(entry, self, holds_);
        releases = releases && guarded;
        if (!releases) {
            if (guarded) entry.guarded.fetch_add(1, std::memory_order_relaxed);
            if (holds_) thread.state = keeps_the_gil;
        }
        counted_ = releases || !holds_;
        if (counted_) holds_ ? change(running.held_the_gil, 1u) : static_cast<void>(running.came_without.fetch_add(1));
    } else if (releases) {
        thread.outermost->leaves_python();
    }
    if (releases) {
        change(entry.released, std::uint64_t{1});
        state_ = python.save();
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
    if (counted_) {
        holds_ ? change(running.held_the_gil, -1u) : static_cast<void>(running.came_without.fetch_sub(1));
    } else if (state_ && !outermost) {
        thread.outermost->visits_python();
    }
}

// A thread that comes back while Python shuts down would be unwound through the toolkit's frames,
// or abort. It waits for the process to end instead, as CPython itself does from 3.14 on.
// Before that, `activate` puts the slots back, so only then is it worth asking.
void stay_away_at_the_end()
{
    if (bound.load(std::memory_order_relaxed)) return;
    while (python.finalizing()) pause();
}

void restore(void* state)
{
    stay_away_at_the_end();
    python.restore(state);
}

} // namespace gilgen
