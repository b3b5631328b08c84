// Calls of the miniature toolkit in loops. Each function returns nanoseconds of this thread's processor
// time, so that being interrupted costs nothing. Through ctypes.PyDLL they run with the GIL held.
#include "measured.hpp"

#include <ctime>
#include <thread>

namespace {

long long now()
{
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

template <class Call>
long long timed(long long calls, Call call)
{
    long long const start = now();
    for (long long i = 0; i < calls; ++i) call(static_cast<int>(i));
    return now() - start;
}

long long unguarded(Measured* object, long long calls)
{
    return timed(calls, [object](int i) { object->unguarded(i); });
}

long long guarded(Measured* object, long long calls)
{
    return timed(calls, [object](int i) { object->guarded(i); });
}

long long elsewhere(Measured* object, long long calls)
{
    long long result = 0;
    std::thread([&] { result = guarded(object, calls); }).join();
    return result;
}

// Through pointers that anything might have changed, so that every call goes through its vtable slot.
Measured* volatile object = new Measured;

} // namespace

extern "C" {

long long call_unguarded(long long calls) { return unguarded(object, calls); }
long long call_guarded(long long calls) { return guarded(object, calls); }

// From inside a call that has released the GIL.
long long nested_unguarded(long long calls) { return object->through(unguarded, calls); }

// From a thread that Python does not know, while this one holds the GIL or waits in a released call.
long long foreign_held(long long calls) { return elsewhere(object, calls); }
long long foreign_released(long long calls) { return object->through(elsewhere, calls); }

// What no shim can do without: giving the GIL up and taking it back.
long long bare(long long calls, void* (*save)(), void (*restore)(void*))
{
    return timed(calls, [=](int) { restore(save()); });
}
}
