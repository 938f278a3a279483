#include "support/short_memory.hpp"
#include "unit/pool_fixture.hpp"

#include <deque>
#include <new>

using namespace coproc;
using namespace coproc::test;

namespace {

pool::limits patient_limits() {
    pool::limits l = limits_for(2);
    l.stall_period = 1h;
    return l;
}

/// A worker with a window of 16 that has one task, and many that wait because one of greater
/// priority has just come: the next submit stages them all.
struct about_to_stage {
    std::deque<task> tasks;
    task last;
    script s{patient_limits()};

    explicit about_to_stage(bool observed) {
        if (observed) {
            s.machine.observe();
        }
        start_idle_worker(s);
        for (std::uint64_t next = 1, batch = 2; batch <= 8; batch *= 2) {
            std::vector<std::uint64_t> all;
            for (std::uint64_t i = 0; i < batch; ++i) {
                s.submit(tasks.emplace_back());
                all.push_back(next++);
            }
            s.replies(0, all);
        }
        CHECK(s.machine.worker_at(0).window == 16);
        s.submit(tasks.emplace_back());
        s.submit(tasks.emplace_back());
        task& greater = tasks.emplace_back();
        greater.priority = 1;
        s.submit(greater);
        s.recalled(0, s.machine.worker_at(0).tasks.next() - 1, slot_state::recalled);
        for (int i = 0; i < 14; ++i) {
            s.submit(tasks.emplace_back());
        }
        CHECK(s.machine.look().queued == 16);
        s.now += 10ms;
        s.news();
    }
};

} // namespace

TEST_CASE("a submit that there is no memory for changes nothing", "[pool]") {
    const bool observed = GENERATE(false, true);
    unsigned failures = 0;
    std::size_t staged = 0;
    for (unsigned n = 0; staged < 16; ++n) {
        INFO(n << " allocations succeed");
        about_to_stage one(observed);
        const pool::counts before = one.s.machine.look();
        actions out;
        bool failed = false;
        try {
            with_short_memory(n, [&] { return one.s.machine.submit(one.last, one.s.now, out); });
        } catch (const std::bad_alloc&) {
            failed = true;
        }
        // What a pipe has no memory for waits in the queue.
        staged = one.s.machine.look().staged;
        const std::size_t told = one.s.news().size();
        if (!failed) {
            CHECK(told == (observed ? staged : 0)); // one was staged before, and one is queued
            CHECK(one.s.machine.look().queued + staged == 18);
            continue;
        }
        ++failures;
        CHECK(told == 0);
        CHECK(one.s.machine.look() == before);
        CHECK(out.empty());
        CHECK(one.last.state == task_state::created);
        CHECK_FALSE(one.last.pool::list_hook::is_linked());
        CHECK_FALSE(one.last.pool::tree_hook::is_linked());
        CHECK(one.s.machine.submit(one.last, one.s.now, out) == admission::accepted);
        CHECK(one.s.machine.look().staged == 16);
    }
    CHECK(failures > 0);
}
