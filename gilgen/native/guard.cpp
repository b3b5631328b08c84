// The guard keeps the promise that the GIL used to keep by accident: calls on shared objects queue.
//
// A call claims all its objects at once or waits for all of them, and a thread that holds claims never
// asks for more. So no order of calls can deadlock. Nobody waits for a claim while holding the GIL.
#include "guard.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>

namespace gilgen {

std::atomic<Guard> guard_limit{Guard::pipeline};

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

// Whether some pipeline has run to its end. Until then each also claims `first_pipeline`, so that the first
// one runs alone: the toolkits' singletons and factories are made at first use, and not all of them safely.
std::atomic<bool> warm{false};
char first_pipeline;

// What a call works on, sorted, each object once.
std::vector<void*> pipeline_of(Method const& method, void* self)
{
    std::vector<void*> found{self};
    walkers[method.walker](self, found);
    if (!warm.load(std::memory_order_acquire)) found.push_back(&first_pipeline);
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

} // namespace

void Released::claim(Entry& entry, void* self, bool holds)
{
    Method const& method = *entry.method;
    Guard const guard = std::min(method.guard, guard_limit.load(std::memory_order_relaxed));
    if (guard == Guard::none || !self) return;

    bool const walks = guard == Guard::pipeline && method.walker && walkers_ready();
    for (bool waited = false;;) {
        if (walks) {
            std::vector<void*> const found = pipeline_of(method, self);
            if (waited && object_count_ == static_cast<int>(found.size()) &&
                std::equal(found.begin(), found.end(), objects_)) {
                return;
            }
            if (waited) {
                claims.leave(*this);
                if (objects_ != inline_objects_) delete[] objects_;
            }
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

void Released::end()
{
    if (objects_) {
        if (std::binary_search(objects_, objects_ + object_count_, static_cast<void*>(&first_pipeline))) {
            warm.store(true, std::memory_order_release);
        }
        claims.leave(*this);
        if (objects_ != inline_objects_) delete[] objects_;
        objects_ = nullptr;
    }
    if (thread.outermost == this) {
        thread = {};
        running.fetch_sub(1, std::memory_order_release);
    }
    if (state_) restore(state_);
}

void watch_forks()
{
    static bool const watching = [] {
        pthread_atfork([] { claims.lock(); }, [] { claims.unlock(); }, [] {
            claims.keep_only(thread.outermost);
            running.store(thread.outermost != nullptr);
        });
        return true;
    }();
    static_cast<void>(watching);
}

} // namespace gilgen
