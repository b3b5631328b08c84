// The guard keeps the promise that the GIL used to keep by accident: calls on shared objects queue.
//
// A call claims all its objects at once or waits for all of them, and a thread that holds claims never
// asks for more. So no order of calls can deadlock. Nobody waits for a claim while holding the GIL.
#include "guard.hpp"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>

namespace gilgen {

std::atomic<Guard> guard_limit{Guard::pipeline};
std::atomic<bool> walkers_ready{false};
std::atomic<First> first_pipeline{First::none};

// The calls that run now, in a list. There are as many as threads inside toolkit calls, so looking
// through it costs less than any table.
class Claims {
public:
    bool try_enter(Released& call)
    {
        lock();
        for (Released* other = first_; other; other = other->next_) {
            if (shares(*other, call)) {
                unlock();
                return false;
            }
        }
        call.next_ = first_;
        call.previous_ = nullptr;
        if (first_) first_->previous_ = &call;
        first_ = &call;
        unlock();
        return true;
    }

    void enter(Released& call)
    {
        std::unique_lock<std::mutex> waiting(mutex_);
        waiters_.fetch_add(1);
        left_.wait(waiting, [&] { return try_enter(call); });
        waiters_.fetch_sub(1);
    }

    void leave(Released& call)
    {
        lock();
        (call.previous_ ? call.previous_->next_ : first_) = call.next_;
        if (call.next_) call.next_->previous_ = call.previous_;
        unlock();
        if (waiters_.load() != 0) {
            std::lock_guard<std::mutex> nobody_between_looking_and_waiting(mutex_);
            left_.notify_all();
        }
    }

    // In the child of a fork, whose only thread may be inside one call.
    void keep_only(Released* call)
    {
        first_ = call && call->objects_ ? call : nullptr;
        if (first_) first_->next_ = first_->previous_ = nullptr;
        waiters_.store(0);
        busy_.clear();
        new (&mutex_) std::mutex;
        new (&left_) std::condition_variable;
    }

    void lock()
    {
        while (busy_.test_and_set(std::memory_order_acquire)) sched_yield();
    }

    void unlock() { busy_.clear(std::memory_order_release); }

private:
    // Both lists are sorted.
    static bool shares(Released const& one, Released const& other)
    {
        void** a = one.objects_;
        void** b = other.objects_;
        void** const a_end = a + one.object_count_;
        void** const b_end = b + other.object_count_;
        while (a != a_end && b != b_end) {
            if (*a == *b) return true;
            *a < *b ? ++a : ++b;
        }
        return false;
    }

    std::atomic_flag busy_ = ATOMIC_FLAG_INIT; // held for a few loads and stores
    Released* first_ = nullptr;
    std::atomic<int> waiters_{0};
    std::mutex mutex_;
    std::condition_variable left_;
};

namespace {

// Never destroyed: a daemon thread may still wait in it when the process ends.
Claims& claims = *new Claims;

} // namespace

void Released::claim(Entry& entry, void* self, bool holds)
{
    Method const& method = *entry.method;
    Guard const guard = std::min(method.guard, guard_limit.load(std::memory_order_relaxed));
    if (guard == Guard::none || !self) return;

    bool const walks = guard == Guard::pipeline && method.walker && walkers_ready.load(std::memory_order_relaxed);
    for (bool waited = false;;) {
        if (walks) {
            Found found(self);
            walkers[method.walker](self, found);
            found.sort();
            if (waited && object_count_ == static_cast<int>(found.size()) &&
                std::equal(found.begin(), found.end(), objects_)) {
                return;
            }
            let_go();
            object_count_ = static_cast<int>(found.size());
            objects_ = object_count_ <= inline_capacity ? inline_objects_ : new void*[found.size()];
            std::copy(found.begin(), found.end(), objects_);
        } else {
            if (waited) return;
            inline_objects_[0] = self;
            objects_ = inline_objects_;
            object_count_ = 1;
        }
        if (claims.try_enter(*this)) return;

        entry.waited.fetch_add(1, std::memory_order_relaxed);
        void* const state = holds ? python.save() : nullptr;
        claims.enter(*this);
        if (state) restore(state);
        waited = true; // and look again: the pipeline may have been rewired meanwhile
    }
}

void Released::let_go()
{
    if (!objects_) return;
    claims.leave(*this);
    if (objects_ != inline_objects_) delete[] objects_;
    objects_ = nullptr;
}

void wait_for_head_start()
{
    constexpr int milliseconds = 100;
    First first = First::none;
    if (first_pipeline.compare_exchange_strong(first, First::started)) return;
    for (int waited = 0; waited < milliseconds && first_pipeline.load() == First::started; ++waited) usleep(1000);
    first_pipeline.store(First::done);
}

void watch_forks()
{
    static bool const watching = [] {
        pthread_atfork([] { claims.lock(); }, [] { claims.unlock(); }, [] {
            claims.keep_only(thread.outermost);
            running.held_the_gil.store(thread.outermost != nullptr);
            running.came_without.store(0);
        });
        return true;
    }();
    static_cast<void>(watching);
}

} // namespace gilgen
