// The guard keeps the promise that the GIL used to keep by accident: calls on shared objects queue.
//
// A call claims all its objects at once or waits for all of them, and a thread that holds claims never
// asks for more. So no order of calls can deadlock. Nobody waits for a claim while holding the GIL, and
// nobody waits for a thread that visits Python, because that one may in turn wait for whatever it likes.
#include "guard.hpp"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>

namespace gilgen {

std::atomic<bool> walkers_ready{false};
std::atomic<First> first_pipeline{First::none};

// What stands in the way of a call: nothing; threads that all visit Python; or one that is away in C++.
enum class Way_in : std::uint8_t { open, visited, taken };

// The calls that run now, in a list. There are as many as threads inside toolkit calls, so looking
// through it costs less than any table.
class Claims {
public:
    Way_in try_enter(Released& call)
    {
        Way_in way = Way_in::open;
        lock();
        for (Released* other = first_; other; other = other->next_) {
            if (!shares(*other, call)) continue;
            way = other->away_.load(std::memory_order_relaxed) ? Way_in::taken : Way_in::visited;
            if (way == Way_in::taken) break;
        }
        if (way == Way_in::open) {
            call.claimed_ = true;
            call.next_ = first_;
            call.previous_ = nullptr;
            if (first_) first_->previous_ = &call;
            first_ = &call;
        }
        unlock();
        return way;
    }

    // Waits until `call` has entered, or until those in its way have been visiting Python for a while: most
    // visits are short, and what keeps the GIL keeps all others from it.
    Way_in enter(Released& call)
    {
        constexpr std::chrono::milliseconds a_while(50);
        std::unique_lock<std::mutex> waiting(mutex_);
        waiters_.fetch_add(1);
        Way_in way = try_enter(call);
        while (way != Way_in::open) {
            bool const still = way == Way_in::visited && changed_.wait_for(waiting, a_while) == std::cv_status::timeout;
            if (way == Way_in::taken) changed_.wait(waiting);
            way = try_enter(call);
            if (still && way == Way_in::visited) break;
        }
        waiters_.fetch_sub(1);
        return way;
    }

    void leave(Released& call)
    {
        lock();
        (call.previous_ ? call.previous_->next_ : first_) = call.next_;
        if (call.next_) call.next_->previous_ = call.previous_;
        unlock();
        tell();
    }

    // Something changed that a waiting call may have waited for.
    void tell()
    {
        if (waiters_.load() == 0) return;
        std::lock_guard<std::mutex> nobody_between_looking_and_waiting(mutex_);
        changed_.notify_all();
    }

    void visits(std::atomic<bool>& away)
    {
        lock();
        away.store(false, std::memory_order_relaxed);
        unlock();
        tell();
    }

    unsigned long holder(void* object)
    {
        unsigned long found = 0;
        lock();
        for (Released* call = first_; call && !found; call = call->next_) {
            if (std::binary_search(call->objects_, call->objects_ + call->object_count_, object)) found = call->ident_;
        }
        unlock();
        return found;
    }

    int waiters() const { return waiters_.load(); }

    std::uint32_t elsewhere(Released const* own)
    {
        std::uint32_t found = 0;
        lock();
        for (Released* call = first_; call; call = call->next_) found += call != own;
        unlock();
        return found;
    }

    // In the child of a fork, whose only thread may be inside one call.
    void keep_only(Released* call)
    {
        first_ = call && call->claimed_ ? call : nullptr;
        if (first_) first_->next_ = first_->previous_ = nullptr;
        waiters_.store(0);
        busy_.clear();
        new (&mutex_) std::mutex;
        new (&changed_) std::condition_variable;
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
    std::condition_variable changed_;
};

namespace {

// Never destroyed: a daemon thread may still wait in it when the process ends.
Claims& claims = *new Claims;

class Stopwatch {
public:
    std::uint64_t nanoseconds() const
    {
        auto const taken = std::chrono::steady_clock::now() - start_;
        return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(taken).count());
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void note_wait(Entry& entry, Stopwatch const& watch)
{
    std::uint64_t const taken = watch.nanoseconds();
    entry.waited_ns.fetch_add(taken, std::memory_order_relaxed);
    std::uint64_t longest = entry.longest_ns.load(std::memory_order_relaxed);
    while (longest < taken && !entry.longest_ns.compare_exchange_weak(longest, taken, std::memory_order_relaxed)) {
    }
}

} // namespace

// Takes hold of the objects that a call works on. False where it may not: those in its way visit Python.
bool Released::claim(Entry& entry, void* self, bool holds)
{
    Method const& method = *entry.method;
    Guard const guard = method.guard.load(std::memory_order_relaxed);
    if (guard == Guard::none || !self) return true;

    bool const walks = guard >= Guard::pipeline && method.walker && walkers_ready.load(std::memory_order_relaxed);
    auto const look = [&] { // whether its objects are still those that it has hold of
        if (!walks) {
            bool const same = claimed_;
            if (!same) find(&self, 1);
            return same;
        }
        Found found(self);
        walkers[method.walker](self, found, guard == Guard::data);
        found.sort();
        int const count = static_cast<int>(found.size());
        if (claimed_ && object_count_ == count && std::equal(found.begin(), found.end(), objects_)) return true;
        let_go();
        find(found.begin(), count);
        return false;
    };

    look();
    Way_in way = claims.try_enter(*this);
    if (way == Way_in::open) return true;

    entry.waited.fetch_add(1, std::memory_order_relaxed);
    Stopwatch const watch;
    for (;;) {
        void* const state = holds ? python.save() : nullptr;
        way = claims.enter(*this);
        if (state) restore(state);
        if (look()) break; // else the pipeline was rewired meanwhile
        if (way == Way_in::visited) {
            // Where this thread holds the GIL again, no visitor can leave Python. Until then one could.
            way = claims.try_enter(*this);
            if (way != Way_in::taken) break;
        }
    }
    note_wait(entry, watch);
    if (claimed_) return true;
    let_go();
    entry.kept.fetch_add(1, std::memory_order_relaxed);
    return false;
}

void Released::find(void** objects, int count)
{
    object_count_ = count;
    objects_ = count <= inline_capacity ? inline_objects_ : new void*[static_cast<std::size_t>(count)];
    std::copy(objects, objects + count, objects_);
}

void Released::let_go()
{
    if (claimed_) claims.leave(*this);
    claimed_ = false;
    if (objects_ && objects_ != inline_objects_) delete[] objects_;
    objects_ = nullptr;
}

void Released::visits_python()
{
    claims.visits(away_);
}

unsigned long holder(void* object)
{
    return claims.holder(object);
}

int waiting()
{
    return claims.waiters();
}

std::uint32_t claimed_elsewhere()
{
    return claims.elsewhere(thread.outermost);
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
            bool const counted = thread.outermost && thread.outermost->counted();
            running.held_the_gil.store(counted && thread.outermost->holds());
            running.came_without.store(counted && !thread.outermost->holds());
        });
        return true;
    }();
    static_cast<void>(watching);
}

} // namespace gilgen
