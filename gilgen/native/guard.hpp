// The guard: faster must not mean racier.
#pragma once

#include "gilgen.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>

namespace gilgen {

// The objects that a call works on, each once. Few enough stand on the stack.
class Found {
public:
    explicit Found(void* first) { add(first); }

    void add(void* object)
    {
        if (std::find(begin(), end(), object) != end()) return;
        if (size_ == capacity_) grow();
        begin_[size_++] = object;
    }

    void sort() { std::sort(begin(), end()); }
    void** begin() const { return begin_; }
    void** end() const { return begin_ + size_; }
    std::size_t size() const { return size_; }
    void* operator[](std::size_t index) const { return begin_[index]; }

private:
    void grow()
    {
        std::unique_ptr<void*[]> larger(new void*[2 * capacity_]);
        std::copy(begin(), end(), larger.get());
        heap_ = std::move(larger);
        begin_ = heap_.get();
        capacity_ *= 2;
    }

    void* stack_[32];
    std::unique_ptr<void*[]> heap_;
    void** begin_ = stack_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 32;
};

// Adds to `found` the objects that a call on `self` works on besides `self`: the filters upstream of it, and
// with `data` the data objects that these work on, too.
using Walker = void (*)(void* self, Found& found, bool data);

// The walkers of this toolkit, and the symbols that they need from its libraries. `walkers[0]` finds
// nothing. A walker is used only when all symbols were found.
extern Walker const walkers[];
extern char const* const walker_symbols[]; // ends with a null
extern void* walker_functions[];           // parallel to `walker_symbols`
extern std::atomic<bool> walkers_ready;    // set when slots are bound

void restore(void* state); // release.cpp
void stay_away_at_the_end();
extern void* const keeps_the_gil;

// A toolkit sets up its singletons (object factories, thread pools) in the first pipeline that runs, and
// does it without a lock. So the first one of the process gets a head start, in which others wait
// without the GIL; not for long, because it may itself be waiting for one of them.
enum class First : std::uint8_t { none, started, done };
extern std::atomic<First> first_pipeline;
void wait_for_head_start();

inline void give_head_start()
{
    if (first_pipeline.load(std::memory_order_relaxed) != First::done) wait_for_head_start();
}

inline void end_head_start()
{
    if (first_pipeline.load(std::memory_order_relaxed) == First::started) first_pipeline.store(First::done);
}

// The thread that is inside a call which works on `object`, as threading.get_ident has it; 0 where none is.
unsigned long holder(void* object);

// How many threads wait now for another's call.
int waiting();

// How many other threads are inside a call that has claims.
std::uint32_t claimed_elsewhere();

// Once, at activation: after a fork the child has one thread, so only its own claims stay.
void watch_forks();

} // namespace gilgen
