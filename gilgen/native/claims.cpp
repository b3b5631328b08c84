// Claims keep the promise that the GIL kept by accident: calls on shared objects take turns.
//
// A call claims all that it may touch at once or waits for all of it, without the GIL and in the order of arrival. Nobody waits
// for a thread that visits Python, because that one may in turn wait for whatever it likes: a call that finds only such in its
// way goes on and keeps the GIL, which is what every call of the plain wheel does.
#include "claims.hpp"

#include "objects.hpp"
#include "rebind.hpp"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>

// How many calls have claims, wait for some, or have something to be given back: the gate asks no more than this.
std::atomic<std::uint32_t> gilgen_busy{0};

namespace gilgen {

std::atomic<bool> walkers_ready{false};
void* busy_exception = nullptr;
Waited waited;

namespace {

constexpr std::chrono::milliseconds patience(50); // for a thread that visits Python; most visits are short

std::uint64_t now()
{
    auto const since = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

// A thread that has been in a wrapped call.
struct Member {
    Frame** frame;
    Frame* root;
    Thread* thread;
    Member* next;
    Member* previous;
};

class List {
public:
    // In the order of arrival.
    Claim* first = nullptr;
    Claim* last = nullptr;
    Member* members = nullptr;

    void lock()
    {
        while (busy_.test_and_set(std::memory_order_acquire)) sched_yield();
    }
    void unlock() { busy_.clear(std::memory_order_release); }

    void add(Claim& claim)
    {
        claim.listed = true;
        claim.next = nullptr;
        claim.previous = last;
        (last ? last->next : first) = &claim;
        last = &claim;
        gilgen_busy.fetch_add(1, std::memory_order_seq_cst);
    }

    void remove(Claim& claim)
    {
        if (!claim.listed) return;
        claim.listed = false;
        (claim.previous ? claim.previous->next : first) = claim.next;
        (claim.next ? claim.next->previous : last) = claim.previous;
        claim.next = claim.previous = nullptr;
        gilgen_busy.fetch_sub(1, std::memory_order_seq_cst);
    }

    // Something changed that a waiting call may have waited for.
    void tell()
    {
        if (waiters.load() == 0) return;
        std::lock_guard<std::mutex> nobody_between_looking_and_waiting(mutex);
        changed.notify_all();
    }

    void after_fork()
    {
        busy_.clear();
        waiters.store(0);
        new (&mutex) std::mutex;
        new (&changed) std::condition_variable;
    }

    std::atomic<int> waiters{0};
    std::mutex mutex;
    std::condition_variable changed;

private:
    std::atomic_flag busy_ = ATOMIC_FLAG_INIT; // held while objects are followed and compared
};

// Never destroyed: a daemon thread may still wait in it when the process ends.
List& list = *new List;

class Locked {
public:
    Locked() { list.lock(); }
    ~Locked() { list.unlock(); }
    Locked(Locked const&) = delete;
};

Item const* find(std::vector<Item> const& items, std::uintptr_t object)
{
    auto const found = std::lower_bound(items.begin(), items.end(), object, [](Item const& item, std::uintptr_t key) { return item.object < key; });
    return found != items.end() && found->object == object ? &*found : nullptr;
}

// Whether two calls exclude each other. What one of them does not know of itself meets all but what the plain wheel releases.
bool meet(Claim const& a, Claim const& b)
{
    if ((a.whole && !b.lenient) || (b.whole && !a.lenient)) return true;
    auto one = a.items.begin();
    auto other = b.items.begin();
    while (one != a.items.end() && other != b.items.end()) {
        if (one->object == other->object) {
            if (exclude(one->mode, other->mode)) return true;
            ++one, ++other;
        } else if (one->object < other->object) {
            ++one;
        } else {
            ++other;
        }
    }
    return false;
}

// Stops at what another call has: it must not be looked into.
class Keeper final : public Gatekeeper {
public:
    Keeper(Claim const* own, bool in_turn, bool lenient) : own_(own), in_turn_(in_turn), lenient_(lenient) {}

    bool lets_pass(Item item, Closure& closure) override
    {
        bool before_own = true;
        for (Claim const* other = list.first; other; other = other->next) {
            if (other == own_) before_own = false;
            if (other->owner == &thread) continue;
            bool const queued = other->doing == Doing::waits;
            if (queued && (!in_turn_ || (own_ && own_->listed && !before_own))) continue;
            if (other->whole && !lenient_ && !stop(other)) return false;
            Item const* const theirs = find(other->items, item.object);
            if (!theirs) continue;
            if (exclude(theirs->mode, item.mode)) {
                if (!stop(other)) return false;
            } else if (theirs->mode == Mode::fills && !queued) {
                // Its caches are being filled. What it leads to is what the other has claimed.
                for (Item const& all : other->items) {
                    if (all.mode == Mode::fills) closure.add_alone(all.object, Mode::reads);
                }
            }
        }
        return true;
    }

    bool at_rest(void* object) const override
    {
        for (Claim const* other = list.first; other; other = other->next) {
            if (other->owner == &thread || other->doing != Doing::runs) continue;
            if (other->whole && !lenient_) return false;
            Item const* const theirs = find(other->items, reinterpret_cast<std::uintptr_t>(object));
            if (theirs && theirs->mode == Mode::changes) return false;
        }
        return true;
    }

    // A claim on the whole toolkit meets everything.
    bool look_at_all()
    {
        for (Claim const* other = list.first; other; other = other->next) {
            if (other == own_) break;
            if (other->owner == &thread || other->lenient || (other->doing == Doing::waits && !in_turn_)) continue;
            if (!stop(other)) return false;
        }
        return true;
    }

    Claim const* taken = nullptr;   // one that runs, or came earlier
    Claim const* visited = nullptr; // one that visits Python

private:
    bool stop(Claim const* other)
    {
        if (other->doing == Doing::visits) {
            visited = other;
            return true;
        }
        taken = other;
        return false;
    }

    Claim const* own_;
    bool in_turn_;
    bool lenient_;
};

Closure& scratch()
{
    static thread_local Closure closure;
    return closure;
}

void add_objects(Frame const& call, Closure& closure, Guard guard)
{
    static thread_local Objects objects;
    objects_of(call, objects);
    Gated const& function = gated_of(call.record);
    for (void* const one : objects.own) closure.add(one, Mode::changes);
    if (guard == Guard::closure) {
        if (objects.anything && !closure.nothing_whole) closure.whole = true;
        Mode const otherwise = function.fills_arguments ? Mode::fills : Mode::changes;
        for (std::size_t i = 0; i < objects.arguments.size(); ++i) {
            closure.add(objects.arguments[i], i < function.reads_arguments ? Mode::reads : otherwise);
        }
    }
}

// What is asked of a wrapped call's objects.
struct Wanted {
    Guard guard = Guard::closure;
    Frame* call = nullptr;    // null: only `self`
    void* self = nullptr;
    bool lenient = false;
    bool may_raise = false;
    char const* what = "";
};

// All that is wanted, into `closure`. False where another call stopped it.
bool gather(Wanted const& wanted, Closure& closure, Keeper& keeper)
{
    closure.clear();
    if (wanted.guard == Guard::none) return true;
    closure.nothing_whole = wanted.lenient;
    closure.pipeline = wanted.guard == Guard::pipeline;
    if (wanted.call) add_objects(*wanted.call, closure, wanted.guard);
    if (wanted.self) closure.add(wanted.self, Mode::changes);
    bool passed;
    if (wanted.guard == Guard::object) {
        passed = true;
        for (std::size_t i = 0; passed && i < closure.size(); ++i) {
            Item item = closure.begin()[i];
            passed = keeper.lets_pass(item, closure);
        }
    } else {
        passed = closure.follow(&keeper);
    }
    if (passed && closure.whole) passed = keeper.look_at_all();
    if (passed && !closure.size()) { // it may still meet one that has claimed everything
        Item nothing{0, Mode::changes};
        passed = keeper.lets_pass(nothing, closure);
    }
    closure.sort();
    return passed;
}

// Whether another thread is in the middle of a wrapped call on these objects, with the GIL: it waits for it now, in a callback
// or where the wrapper came to Python. Its objects may be half changed, so they are not looked into: where it was not found out
// before what the call may touch, it may be anything.
bool in_the_middle(Claim const& mine)
{
    for (Member const* member = list.members; member; member = member->next) {
        if (member->thread == &thread) continue;
        for (Frame const* call = *member->frame; call && call != member->root; call = call->outer) {
            if (call->flags & frame_waits || gated_of(call->record).loops) continue;
            auto const* const theirs = static_cast<Claim const*>(call->claim);
            if (theirs && theirs->listed) continue; // it is met in the list
            if (!theirs || meet(mine, *theirs)) return true;
        }
    }
    return false;
}

// ------------------------------------------------------------------------------------- the pool

Claim* pool = nullptr; // under the lock

Claim* take()
{
    Claim* claim;
    {
        Locked locked;
        claim = pool;
        if (claim) pool = claim->next;
    }
    if (!claim) claim = new Claim;
    claim->next = claim->previous = nullptr;
    claim->owner = &thread;
    claim->thread = pthread_self();
    claim->whole = claim->lenient = claim->alone = false;
    claim->doing = Doing::waits;
    claim->listed = false;
    claim->items.clear();
    claim->fills.clear();
    return claim;
}

void put_back(Claim* claim)
{
    claim->next = pool;
    pool = claim;
}

// ------------------------------------------------------------------------------- who waited for whom

constexpr std::uint32_t most_pairs = 256;
Pair all_pairs[most_pairs]; // under the lock
std::uint32_t pair_count = 0;

void note_wait(char const* waiter, char const* holder, bool whole, std::uint64_t taken)
{
    Locked locked;
    for (std::uint32_t i = 0; i < pair_count; ++i) {
        Pair& one = all_pairs[i];
        if (one.waiter == waiter && one.holder == holder) {
            ++one.count;
            one.nanoseconds += taken;
            one.longest = std::max(one.longest, taken);
            one.whole += whole;
            return;
        }
    }
    if (pair_count < most_pairs) all_pairs[pair_count++] = {waiter, holder, 1, taken, taken, whole};
}

bool may_wait()
{
    return bound.load(std::memory_order_relaxed);
}

void fill_claim(Claim& claim, Closure const& closure)
{
    claim.items.assign(closure.begin(), closure.end());
    claim.whole = closure.whole;
}

// Whether anything that runs, or came earlier, still has what a waiting claim wants, or it visits Python.
Way_in way_of(Claim const& waiter, bool in_turn)
{
    bool visited = false;
    for (Claim const* other = list.first; other && other != &waiter; other = other->next) {
        if (other->owner == waiter.owner) continue;
        if (other->doing == Doing::waits && !in_turn) continue;
        if (!meet(waiter, *other)) continue;
        if (other->doing != Doing::visits) return Way_in::taken;
        visited = true;
    }
    if (visited) return Way_in::visited;
    for (Claim const* other = waiter.next; other; other = other->next) {
        if (other->owner == waiter.owner || other->doing == Doing::waits) continue;
        if (meet(waiter, *other)) return other->doing == Doing::visits ? Way_in::visited : Way_in::taken;
    }
    return Way_in::open;
}

// The first that a waiting claim waits for.
Claim const* in_the_way_of(Claim const& waiter, bool in_turn)
{
    for (Claim const* other = list.first; other; other = other->next) {
        if (other == &waiter || other->owner == waiter.owner || (other->doing == Doing::waits && !in_turn)) continue;
        if (meet(waiter, *other)) return other;
    }
    return nullptr;
}

// Waits until the way is open, or until those in it have been visiting Python for too long.
Way_in wait_for(Claim& waiter, bool in_turn, std::chrono::steady_clock::time_point& deadline)
{
    std::unique_lock<std::mutex> waits(list.mutex);
    list.waiters.fetch_add(1);
    Way_in way;
    for (;;) {
        {
            Locked locked;
            way = way_of(waiter, in_turn);
        }
        if (way == Way_in::open || !may_wait()) break;
        if (way == Way_in::visited) {
            if (deadline == std::chrono::steady_clock::time_point::max()) deadline = std::chrono::steady_clock::now() + patience;
            if (list.changed.wait_until(waits, deadline) == std::cv_status::timeout) {
                Locked locked;
                way = way_of(waiter, in_turn);
                if (way != Way_in::taken) break;
                deadline = std::chrono::steady_clock::now() + patience;
            }
        } else {
            list.changed.wait(waits);
        }
    }
    list.waiters.fetch_sub(1);
    return way;
}

class Waited_for {
public:
    // With the list locked, where another call is in the way.
    void begin(Claim const* holder)
    {
        if (!began_) began_ = now();
        if (!holder) return;
        holder_ = holder->what;
        whole_ = holder->whole;
    }

    char const* holder() const { return holder_; }

    void end(char const* waiter) const
    {
        if (!began_) return;
        list.tell(); // others may have queued behind it
        std::uint64_t const taken = now() - began_;
        waited.gate_waits.fetch_add(1, std::memory_order_relaxed);
        waited.gate_ns.fetch_add(taken, std::memory_order_relaxed);
        note_wait(waiter, holder_, whole_, taken);
    }

private:
    std::uint64_t began_ = 0;
    char const* holder_ = "";
    bool whole_ = false;
};

using Deadline = std::chrono::steady_clock::time_point;
constexpr Deadline never = Deadline::max();

bool is_over(Deadline deadline)
{
    return deadline != never && std::chrono::steady_clock::now() >= deadline;
}

bool raise_busy(char const* waiter, char const* holder)
{
    char text[256];
    std::snprintf(text, sizeof text, "%s has to wait for %s, which another thread runs on the same objects", waiter, holder);
    python_objects.set_error(busy_exception, text);
    return false;
}

// Gathers what is wanted into `own`, and waits until nothing is in its way. The GIL is held before and after; in between not.
// False where it raised instead of waiting.
bool settle(Wanted const& wanted, Claim& own, Way_in& way)
{
    Closure& closure = scratch();
    bool const in_turn = !thread.claim; // who is inside already must not queue behind those that wait for it
    own.what = wanted.what;
    own.lenient = wanted.lenient;
    Deadline deadline = never;
    Waited_for wait;
    for (;;) {
        {
            Locked locked;
            Keeper keeper(&own, in_turn, wanted.lenient);
            bool const passed = gather(wanted, closure, keeper);
            way = !passed ? Way_in::taken : keeper.visited ? Way_in::visited : Way_in::open;
            fill_claim(own, closure);
            if (way == Way_in::open || !may_wait() || (way == Way_in::visited && is_over(deadline))) {
                list.remove(own);
                own.fills = closure.fills;
                own.bytes = closure.bytes;
                own.filters = closure.filters;
                own.fills_more = closure.fills_more;
                own.unpredictable = closure.unpredictable;
                break;
            }
            wait.begin(keeper.taken ? keeper.taken : keeper.visited);
            if (wanted.may_raise && busy_exception) { // a window that asked never to wait does not wait for visits either
                list.remove(own);
                if (way == Way_in::taken) return raise_busy(wanted.what, wait.holder());
                break;
            }
            if (!own.listed) list.add(own);
        }
        if (wanted.call) wanted.call->flags |= frame_waits;
        void* const state = python.save();
        wait_for(own, in_turn, deadline);
        restore(state);
        if (wanted.call) wanted.call->flags &= ~frame_waits;
    }
    wait.end(wanted.what);
    return true;
}

// Puts a claim into the list, when nothing is in its way. The GIL is held before and after. False where those in its way visit
// Python, or are in the middle of calls with the GIL.
bool enlist(Claim& own)
{
    bool const in_turn = false; // it has had its turn, at the gate
    Deadline deadline = never;
    Waited_for wait;
    bool entered = false;
    own.doing = Doing::waits;
    for (;;) {
        {
            Locked locked;
            Way_in const way = way_of(own, in_turn);
            entered = way == Way_in::open && !in_the_middle(own);
            if (way != Way_in::taken || !may_wait()) {
                if (entered) {
                    own.doing = Doing::runs;
                    own.since = now();
                    own.outer = thread.claim;
                    if (!own.listed) list.add(own);
                } else {
                    list.remove(own);
                }
                break;
            }
            wait.begin(in_the_way_of(own, in_turn));
            if (!own.listed) list.add(own);
        }
        void* const state = python.save();
        wait_for(own, in_turn, deadline);
        restore(state);
    }
    wait.end(own.what);
    if (entered) waited.claimed.fetch_add(1, std::memory_order_relaxed);
    if (entered) thread.claim = &own;
    return entered;
}

} // namespace

// ------------------------------------------------------------------------------------ for the shims

bool prepare(Frame& call, bool lenient, bool may_raise)
{
    Wanted wanted;
    wanted.may_raise = may_raise;
    wanted.guard = gate_guard.load(std::memory_order_relaxed);
    wanted.call = &call;
    wanted.what = gated_of(call.record).name;
    wanted.lenient = lenient;
    Claim* const own = take();
    Way_in way;
    bool const settled = settle(wanted, *own, way);
    if (settled && way == Way_in::visited) call.flags |= frame_keeps;
    call.claim = own;
    return settled;
}

Claim* claim(Frame& call, void* self, Guard guard)
{
    auto* const own = static_cast<Claim*>(call.claim);
    if (own->listed) return nullptr;
    if (self && guard < gate_guard.load(std::memory_order_relaxed)) return claim_alone(self, own->what, guard); // less was asked for
    if (self && own->items.empty() && !own->whole) {
        // The wrapped call has no object of the toolkit's: it is the function's.
        Wanted wanted;
        wanted.guard = guard;
        wanted.self = self;
        wanted.what = own->what;
        Way_in way;
        settle(wanted, *own, way);
        if (way != Way_in::open) return nullptr;
        bool const entered = enlist(*own);
        own->alone = true;
        return entered ? own : nullptr;
    }
    return enlist(*own) ? own : nullptr;
}

Claim* claim_alone(void* self, char const* what, Guard guard)
{
    Wanted wanted;
    wanted.guard = guard;
    wanted.self = self;
    wanted.what = what;
    Claim* const own = take();
    Way_in way;
    settle(wanted, *own, way);
    if (way == Way_in::open && enlist(*own)) return own;
    put_away(own);
    return nullptr;
}

void leave(Claim* claim)
{
    if (thread.claim == claim) thread.claim = claim->outer;
    {
        Locked locked;
        list.remove(*claim);
    }
    if (claim->alone) claim->items.clear();
    list.tell();
}

void put_away(Claim* claim)
{
    Locked locked;
    put_back(claim);
}

namespace {
char library_itself; // its address stands for the library
}

Library_turn claim_library(bool holds_gil)
{
    if (thread.library) {
        ++thread.library;
        return {nullptr, -1};
    }
    Claim* const own = take();
    own->alone = true;
    own->what = "a library that is not thread-safe";
    own->outer = thread.claim;
    own->items.push_back({reinterpret_cast<std::uintptr_t>(&library_itself), Mode::changes});
    Claim* const around = thread.claim;
    int gil = -1;
    Way_in way;
    {
        Locked locked;
        list.add(*own);
        way = way_of(*own, true);
        if (way == Way_in::open) own->doing = Doing::runs;
        if (way != Way_in::open && around) around->doing = Doing::visits; // nothing is done to its objects while it waits
    }
    if (way != Way_in::open) {
        list.tell();
        Waited_for wait;
        wait.begin(own);
        Deadline deadline = never;
        for (bool entered = false; !entered;) {
            void* const state = holds_gil ? python.save() : nullptr;
            wait_for(*own, true, deadline);
            // Whoever went on meanwhile, with the GIL, is through when this thread gets it; whoever visited Python may be back.
            int found = -1;
            if (state) restore(state);
            else found = python.ensure();
            {
                Locked locked;
                way = way_of(*own, true);
                entered = way != Way_in::taken || !may_wait();
                if (entered) own->doing = Doing::runs;
                if (entered && around) around->doing = Doing::runs;
            }
            if (state) continue;
            if (entered && way == Way_in::visited) gil = found;
            else python.release(found);
        }
        wait.end(around ? around->what : inside_wrapped_call() ? gated_of(frame->record).name : "a call");
    }
    ++thread.library;
    thread.claim = own;
    return {own, gil};
}

void visits_python(Claim& claim)
{
    {
        Locked locked;
        for (Claim* one = &claim; one; one = one->outer) one->doing = Doing::visits;
    }
    list.tell();
}

void leaves_python(Claim& claim)
{
    Locked locked;
    claim.doing = Doing::runs;
    // A library's claim stands around nothing: the call that came to it goes on as well.
    if (claim.outer && claim.items.size() == 1 && claim.items[0].object == reinterpret_cast<std::uintptr_t>(&library_itself)) claim.outer->doing = Doing::runs;
}

void fill_first(Claim& claim)
{
    bool any = false;
    for (Closure::Fill const& one : claim.fills) {
        if (!one.first) continue;
        fill(one.data, one.kinds, one.first);
        any = true;
    }
    if (!any) return;
    bool all = true;
    for (Closure::Fill const& one : claim.fills) all = all && one.first;
    if (!all || claim.fills_more) return;
    {
        Locked locked;
        for (Item& item : claim.items) { // the data and their pieces
            if (item.mode == Mode::fills) item.mode = Mode::reads;
        }
    }
    list.tell();
}

void note_fills(Claim& claim)
{
    for (Closure::Fill const& one : claim.fills) note_filled(one.data, one.reader, one.when);
}

// -------------------------------------------------------------------------------------- for the gate

bool pass_gate(Frame& call)
{
    Gated const& function = gated_of(call.record);
    if (!may_wait() || function.loops) return true;
    Wanted wanted;
    wanted.guard = gate_guard.load(std::memory_order_relaxed);
    if (wanted.guard == Guard::none) return true;
    wanted.call = &call;
    wanted.may_raise = true;
    wanted.what = function.name;
    Claim* const own = take();
    Way_in way;
    bool const settled = settle(wanted, *own, way);
    if (settled && way == Way_in::visited) call.flags |= frame_keeps;
    put_away(own);
    return settled;
}

namespace {

std::vector<void*>& deferred()
{
    static auto* const all = new std::vector<void*>;
    return *all;
}

// A call that has claimed what `object` leads to; null where none has. With the list locked.
Claim const* user_of(void* object)
{
    Closure& closure = scratch();
    closure.clear();
    closure.nothing_whole = true;
    closure.pipeline = false;
    closure.add(object, Mode::changes);
    Keeper keeper(nullptr, false, false);
    return closure.follow(&keeper) ? keeper.visited : keeper.taken;
}

bool in_use(void* object)
{
    Locked locked;
    return user_of(object) != nullptr;
}

} // namespace

bool defer(Frame& call, void* object)
{
    if (!may_wait() || !in_use(object)) return false;
    retain(object);
    deferred().push_back(object);
    gilgen_busy.fetch_add(1, std::memory_order_seq_cst);
    waited.deferred.fetch_add(1, std::memory_order_relaxed);
    call.flags |= frame_defers;
    return true;
}

void give_back_deferred()
{
    static bool giving = false; // what is given back may in turn end calls
    if (deferred().empty() || giving) return;
    giving = true;
    for (std::size_t i = 0; i < deferred().size();) {
        void* const object = deferred()[i];
        if (in_use(object)) {
            ++i;
            continue;
        }
        deferred().erase(deferred().begin() + static_cast<std::ptrdiff_t>(i));
        gilgen_busy.fetch_sub(1, std::memory_order_seq_cst);
        give_back(object);
    }
    giving = false;
}

// ------------------------------------------------------------------------------------- for the runtime

Busy who_has(void* object)
{
    Locked locked;
    Claim const* const found = user_of(object);
    return found ? Busy{found->thread, found->what, found->since} : Busy{0, nullptr, 0};
}

int waiting()
{
    return list.waiters.load();
}

std::uint32_t claimed_elsewhere(bool held)
{
    std::uint32_t found = 0;
    Locked locked;
    for (Claim const* claim = list.first; claim; claim = claim->next) {
        found += claim->owner != &thread && (held ? claim->doing == Doing::runs && !claim->lenient : claim->doing != Doing::waits);
    }
    return found;
}

std::uint32_t pairs(Pair* into, std::uint32_t capacity)
{
    Locked locked;
    std::uint32_t const count = std::min(capacity, pair_count);
    std::copy(all_pairs, all_pairs + count, into);
    return count;
}

namespace {

pthread_key_t member_key;

void thread_ends(void* member)
{
    auto* const one = static_cast<Member*>(member);
    Locked locked;
    (one->previous ? one->previous->next : list.members) = one->next;
    if (one->next) one->next->previous = one->previous;
    delete one;
}

} // namespace

void register_thread()
{
    auto* const member = new Member{&frame, &root_frame, &thread, nullptr, nullptr};
    {
        Locked locked;
        member->next = list.members;
        if (list.members) list.members->previous = member;
        list.members = member;
    }
    pthread_setspecific(member_key, member);
}

void watch_forks()
{
    static bool const watching = [] {
        pthread_key_create(&member_key, thread_ends);
        pthread_atfork([] { list.lock(); }, [] { list.unlock(); }, [] {
            // The child has one thread, which may be inside a call.
            list.after_fork();
            links_after_fork();
            list.first = list.last = nullptr;
            std::uint32_t own = 0;
            for (Claim* claim = thread.claim; claim; claim = claim->outer) {
                claim->listed = false;
                list.add(*claim);
                ++own;
            }
            gilgen_busy.store(own + static_cast<std::uint32_t>(deferred().size()));
            auto* const mine = static_cast<Member*>(pthread_getspecific(member_key));
            list.members = mine;
            if (mine) mine->next = mine->previous = nullptr;
            bool const counted = thread.claim != nullptr;
            running.held_the_gil.store(counted);
            running.came_without.store(0);
        });
        return true;
    }();
    static_cast<void>(watching);
}

} // namespace gilgen

// --------------------------------------------------------------------- what the stubs' machine code calls

using namespace gilgen;

// The object's address will be another's.
static void forget_if_last(Frame const& call)
{
    static thread_local Objects objects;
    objects_of(call, objects);
    for (void* const one : objects.own) {
        if (last_reference(one)) note_born(one);
    }
}

// Not 0: the call is not to be made; the place of the fifth argument holds what it returns.
extern "C" __attribute__((visibility("hidden"), used)) int gilgen_before(Frame* call)
{
    if (!call->outer) {
        call->outer = &root_frame;
        register_thread();
    }
    Gated const& function = gated_of(call->record);
    if (function.entering == Entering::deallocating) {
        if (!links_are_followed) forget_if_last(*call);
        if (gilgen_busy.load(std::memory_order_relaxed) == 0) return 0;
        static thread_local Objects objects;
        objects_of(*call, objects);
        if (!objects.own.empty()) defer(*call, objects.own.front());
        return 0;
    }
    bool const busy = gilgen_busy.load(std::memory_order_relaxed) != 0;
    if (busy) give_back_deferred();
    bool const prepares = function.prepares && !function.loops && gate_guard.load(std::memory_order_relaxed) != Guard::none;
    if (prepares ? prepare(*call, function.released_by_wheel) : !busy || pass_gate(*call)) return 0;
    call->arguments[4] = reinterpret_cast<void*>(static_cast<std::intptr_t>(function.failure));
    return 1;
}

extern "C" __attribute__((visibility("hidden"), used)) void gilgen_after(Frame* call, void* result)
{
    Gated const& function = gated_of(call->record);
    if (call->claim) {
        put_away(static_cast<Claim*>(call->claim));
        call->claim = nullptr;
    }
    bool const makes = function.entering == Entering::making;
    if ((!makes && function.entering != Entering::linking) || !may_wait()) return; // nobody would see the objects' end
    static thread_local Objects objects;
    bool anything = false;
    void* const made = (makes || function.links_result) && result ? cpp_object(result, anything) : nullptr;
    if (makes) {
        if (made) note_born(made);
        return;
    }
    if (!made && !function.links_argument) return;
    objects_of(*call, objects);
    for (void* const own : objects.own) {
        if (function.links_argument) {
            for (void* const argument : objects.arguments) {
                link(own, argument);
                if (function.links_back) link(argument, own);
            }
        }
        if (made) {
            link(own, made);
            if (function.links_back || class_of(made).leads_back) link(made, own);
        }
    }
    for (void* const argument : objects.arguments) {
        if (made && objects.own.empty()) link(made, argument);
    }
    if (made && objects.own.empty()) note_born(made);
}
