#include "stream/wait_state.hpp"
#include "support/catch.hpp"

#include <vector>

// When a wait for several jobs is over.

using coproc::wait_condition;
using coproc::streams::job_outcome;
using coproc::streams::wait_state;

TEST_CASE("a wait for the first is over with the first, whatever it gave") {
    for (const auto how : {job_outcome::value, job_outcome::failed, job_outcome::cancelled}) {
        wait_state w(wait_condition::first_completed, 3);
        CHECK_FALSE(w.over());
        CHECK(w.done(how));
        CHECK(w.over());
        CHECK(w.met());
        CHECK_FALSE(w.done(how));
        CHECK_FALSE(w.done(how));
    }
}

TEST_CASE("a wait for an exception is over with the first failure, but not with a cancelled job") {
    wait_state w(wait_condition::first_exception, 4);
    CHECK_FALSE(w.done(job_outcome::value));
    CHECK_FALSE(w.done(job_outcome::cancelled));
    CHECK(w.done(job_outcome::failed));
    CHECK(w.met());
    CHECK_FALSE(w.done(job_outcome::failed));
}

TEST_CASE("a wait for an exception that nobody throws is over with the last job") {
    for (const auto last : {job_outcome::value, job_outcome::cancelled}) {
        wait_state w(wait_condition::first_exception, 2);
        CHECK_FALSE(w.done(job_outcome::value));
        CHECK(w.done(last));
        CHECK(w.met());
    }
}

TEST_CASE("a wait for all is over with the last job, whatever they gave") {
    wait_state w(wait_condition::all_completed, 3);
    CHECK_FALSE(w.done(job_outcome::failed));
    CHECK_FALSE(w.done(job_outcome::value));
    CHECK_FALSE(w.over());
    CHECK(w.done(job_outcome::cancelled));
    CHECK(w.met());
}

TEST_CASE("a wait for nothing is over before it begins") {
    for (const auto condition : {wait_condition::first_completed, wait_condition::first_exception,
                                 wait_condition::all_completed}) {
        wait_state w(condition, 0);
        CHECK(w.over());
        CHECK(w.met());
        CHECK_FALSE(w.given_up());
        CHECK(w.met());
    }
}

TEST_CASE("a wait that is given up is over, and its condition is not met") {
    wait_state w(wait_condition::all_completed, 2);
    CHECK_FALSE(w.done(job_outcome::value));
    CHECK(w.given_up());
    CHECK(w.over());
    CHECK_FALSE(w.met());
    CHECK_FALSE(w.given_up());
    CHECK_FALSE(w.done(job_outcome::value)); // too late
    CHECK_FALSE(w.met());
}

// Every history of three jobs and one giving-up, in every order.
TEST_CASE("a wait is over exactly once in every history") {
    enum event { value, failed, cancelled, given_up };
    const auto condition = GENERATE(wait_condition::first_completed,
                                    wait_condition::first_exception, wait_condition::all_completed);
    for (int code = 0; code < 4 * 4 * 4 * 4; ++code) {
        std::vector<event> events;
        int jobs = 0;
        for (int i = 0, rest = code; i < 4; ++i, rest /= 4) {
            events.push_back(static_cast<event>(rest % 4));
            jobs += events.back() != given_up;
        }
        if (jobs == 0) {
            continue;
        }
        wait_state w(condition, static_cast<std::size_t>(jobs));
        int ends = 0;
        int done = 0;
        bool failed_before = false;
        for (const event e : events) {
            const bool ended = e == given_up ? w.given_up() : w.done(static_cast<job_outcome>(e));
            done += e != given_up;
            failed_before = failed_before || e == failed;
            ends += ended;
            if (ended && e != given_up) {
                CHECK(w.met());
                CHECK((condition == wait_condition::first_completed || done == jobs ||
                       (condition == wait_condition::first_exception && failed_before)));
            }
            CHECK(w.over() == (ends == 1));
        }
        CHECK(ends == 1);
    }
}
