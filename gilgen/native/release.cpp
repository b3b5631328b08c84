// Releasing the GIL around one call, and taking it back.
#include "gilgen.hpp"

#include "claims.hpp"
#include "expected.hpp"
#include "gate.hpp"
#include "rebind.hpp"

#include <unistd.h>

namespace gilgen {

Python python;
__thread Thread thread;

Running running;
std::atomic<bool> draining{false};
std::atomic<Guard> gate_guard{Guard::closure};

namespace {

// For a count that the GIL protects: no locked instruction is needed.
template <class Count>
void change(std::atomic<Count>& count, Count by)
{
    count.store(count.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

constexpr std::uint64_t learned_after_ns = 1000000;

// A toolkit sets up its singletons (object factories, thread pools) in the first call that runs, and does it without a lock. So
// the first released call of the process gets a head start, in which others wait without the GIL; not for long, because it may
// itself be waiting for one of them.
enum class First : std::uint8_t { none, started, done };
std::atomic<First> first_call{First::none};
Thread* first_thread = nullptr;
std::uint64_t first_began = 0;
constexpr std::uint64_t head_start_ns = 100000000;

void give_head_start()
{
    if (first_call.load(std::memory_order_acquire) == First::done || (first_thread == &thread && first_call.load() == First::started)) return;
    First none = First::none;
    if (first_call.compare_exchange_strong(none, First::started)) return;
    while (first_call.load(std::memory_order_acquire) == First::started && clock_ns() - first_began < head_start_ns) usleep(1000);
    first_call.store(First::done, std::memory_order_release);
}

void end_head_start()
{
    if (first_call.load(std::memory_order_acquire) == First::started && first_thread == &thread) first_call.store(First::done, std::memory_order_release);
}

} // namespace

void Released::begin(Entry& entry, void* self, void* state)
{
    entry_ = &entry;
    state_ = nullptr;
    claim_ = nullptr;
    learning_ = nullptr;
    counted_ = alone_ = shortly_ = false;
    began_ = 0;
    key_ = 0;
    gil_ = -1;
    Method const& method = *entry.method;
    Guard const guard = method.guard.load(std::memory_order_relaxed);
    void* const followed = self && method.object ? self : nullptr;
    if (!state) {
        // The wrapper has released the GIL in a way that was not seen. It is taken back while objects are looked at.
        if (thread.claim) return;
        int const found = python.ensure();
        thread.state = python.current();
        claim_ = claim_alone(followed, method.symbol, guard);
        alone_ = claim_ != nullptr;
        if (claim_) change(entry.guarded, std::uint64_t{1});
        counted_ = claim_ != nullptr;
        if (counted_) change(running.held_the_gil, 1u);
        if (!claim_) { // whoever is in its way visits Python, or waits for the GIL: it keeps the GIL as well
            if (inside_wrapped_call()) frame->flags |= frame_keeps;
            change(entry.kept, std::uint64_t{1});
            gil_ = found;
            return;
        }
        python.release(found);
        return;
    }
    if (looking) return;
    if (guard == Guard::none) {
        change(entry.released, std::uint64_t{1});
        change(running.held_the_gil, 1u);
        counted_ = true;
        state_ = python.save();
        return;
    }
    if (!inside_wrapped_call() || frame->flags & frame_keeps || draining.load(std::memory_order_relaxed)) {
        change(entry.kept, std::uint64_t{1});
        return;
    }
    if (!frame->claim) {
        // Its objects may be half changed by now. If it takes long, the next call of this function is asked before it begins.
        change(entry.kept, std::uint64_t{1});
        learning_ = frame->record;
        began_ = clock_ns();
        return;
    }
    auto& prepared = *static_cast<Claim*>(frame->claim);
    if (frame->flags & frame_short) { // what is inside of it does not decide anew, until it is clear that all was wrong
        if (!proved_long(prepared.since)) return;
        frame->flags &= ~frame_short;
    } else if (expected_short(entry, self, *frame, key_)) {
        change(entry.shortly, std::uint64_t{1});
        waited.shortly.fetch_add(1, std::memory_order_relaxed);
        frame->flags |= frame_short;
        shortly_ = true;
        prepared.since = began_ = clock_ns();
        return;
    }
    claim_ = claim(*frame, followed, guard);
    alone_ = claim_ && claim_ != frame->claim;
    if (!claim_) {
        frame->flags |= frame_keeps;
        change(entry.kept, std::uint64_t{1});
        return;
    }
    change(entry.released, std::uint64_t{1});
    change(running.held_the_gil, 1u);
    counted_ = true;
    thread.state = state;
    began_ = clock_ns();
    if (!first_thread) { // under the GIL
        first_thread = &thread;
        first_began = began_;
    }
    state_ = python.save();
    give_head_start();
    if (!claim_->fills.empty()) fill_first(*claim_);
}

void Released::end()
{
    std::uint64_t const ended = began_ ? clock_ns() : 0;
    if (state_) {
        end_head_start();
        std::uint64_t const asked = clock_ns();
        restore(state_);
        note_turn(clock_ns() - asked);
    }
    if (learning_ && ended - began_ > learned_after_ns) prepare_from_now_on(learning_);
    if (shortly_) {
        if (!(frame->flags & frame_short)) key_ = 0; // something inside of it has released, and waited for its turn
        frame->flags &= ~frame_short;
    }
    if (began_ && key_) note_duration(key_, ended - began_);
    if (gil_ >= 0) python.release(gil_);
    if (!claim_) {
        if (counted_) change(running.held_the_gil, -1u);
        return;
    }
    int found = 0;
    bool const taken_back = !state_;
    if (taken_back) found = python.ensure();
    if (!claim_->fills.empty()) note_fills(*claim_);
    leave(claim_);
    if (alone_) put_away(claim_);
    if (counted_) change(running.held_the_gil, -1u);
    if (gilgen_busy.load(std::memory_order_relaxed)) give_back_deferred();
    if (taken_back) python.release(found);
}

LibraryClaim::LibraryClaim()
{
    void* const current = python.current();
    bool const holds = current && (python.current_is_own || current == python.own());
    Library_turn const turn = claim_library(holds);
    claim_ = turn.claim;
    gil_ = turn.gil;
}

LibraryClaim::~LibraryClaim() noexcept(false)
{
    --thread.library;
    if (!claim_) return;
    leave(claim_);
    put_away(claim_);
    if (gil_ >= 0) python.release(gil_);
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
