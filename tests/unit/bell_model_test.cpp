#include "support/catch.hpp"
#include "support/model_search.hpp"

#include <cstdint>
#include <string>
#include <vector>

// All histories of the reply ring's bell: a worker that appends three replies and a parent that
// drains the ring, arms the bell and sleeps until a doorbell comes. Every access to a shared word
// is a step of its own, in program order, as sequentially consistent operations are.

namespace {

enum class broken_rule {
    none,
    publish_before_look, ///< the worker looks at the bell before it publishes the tail
    look_after_arming,   ///< the parent sleeps without another look at the tail
    arm_before_look,     ///< the parent looks first and arms then
    take_the_bell,       ///< the worker rings and leaves it armed
};

using small = std::int8_t;

constexpr small reply_count = 3;

enum class worker_at : small { idle, published, saw_armed, looked };
enum class parent_at : small { draining, drained, halfway, sleeping };

struct bell_state {
    small tail = 0;
    small head = 0;
    small armed = 0;
    small doorbells = 0; ///< in the socket
    small appended = 0;
    small rings = 0; ///< doorbells ever sent
    small arms = 0;  ///< times that the parent armed the bell
    worker_at worker = worker_at::idle;
    parent_at parent = parent_at::draining;
};

class bell_model {
public:
    using State = bell_state;
    using Steps = std::vector<test::model_step<State>>;

    explicit bell_model(broken_rule broken) : broken_(broken) {}

    State initial() const { return {}; }

    void steps(const State& state, Steps& out) const {
        worker_step(state, out);
        parent_step(state, out);
    }

    std::string fault(const State& state, const Steps& next) const {
        if (state.rings > state.arms) {
            return "the bell rings twice";
        }
        return next.empty() && state.head != reply_count ? "the parent sleeps beside a reply" : "";
    }

private:
    bool breaks(broken_rule rule) const { return broken_ == rule; }

    void worker_step(const State& state, Steps& out) const {
        const bool look_first = breaks(broken_rule::publish_before_look);
        State to = state;
        switch (state.worker) {
        case worker_at::idle:
            if (state.appended == reply_count) {
                return;
            }
            to.appended++;
            if (look_first) {
                to.worker = state.armed != 0 ? worker_at::saw_armed : worker_at::looked;
            } else {
                to.tail++;
                to.worker = worker_at::published;
            }
            break;
        case worker_at::published:
            to.worker = state.armed != 0 ? worker_at::saw_armed : worker_at::idle;
            break;
        case worker_at::saw_armed:
            ring(to);
            to.worker = look_first ? worker_at::looked : worker_at::idle;
            break;
        case worker_at::looked:
            to.tail++;
            to.worker = worker_at::idle;
            break;
        }
        out.push_back({"the worker, at", static_cast<int>(state.worker), to});
    }

    /// The exchange, and what follows from it.
    void ring(State& state) const {
        if (state.armed == 0) {
            return;
        }
        state.doorbells++;
        state.rings++;
        if (!breaks(broken_rule::take_the_bell)) {
            state.armed = 0;
        }
    }

    void parent_step(const State& state, Steps& out) const {
        const bool look_first = breaks(broken_rule::arm_before_look);
        const bool looks = !breaks(broken_rule::look_after_arming);
        State to = state;
        switch (state.parent) {
        case parent_at::draining:
            to.head = state.tail;
            to.parent = parent_at::drained;
            break;
        case parent_at::drained:
            to.parent = parent_at::halfway;
            look_first ? look(to) : arm(to);
            break;
        case parent_at::halfway:
            to.parent = parent_at::sleeping;
            if (look_first) {
                arm(to);
            } else if (looks) {
                look(to);
            }
            break;
        case parent_at::sleeping:
            if (state.doorbells == 0) {
                return;
            }
            to.doorbells--;
            to.parent = parent_at::draining;
            break;
        }
        out.push_back({"the parent, at", static_cast<int>(state.parent), to});
    }

    static void arm(State& state) {
        state.armed = 1;
        state.arms++;
    }

    static void look(State& state) {
        if (state.tail != state.head) {
            state.armed = 0;
            state.parent = parent_at::draining;
        }
    }

    broken_rule broken_;
};

test::search_result histories(broken_rule rule) { return test::search(bell_model(rule)); }

} // namespace

TEST_CASE("bell model: no history lets the parent sleep beside a reply") {
    const test::search_result result = histories(broken_rule::none);
    INFO(result.text());
    CHECK(result.fault.empty());
    CHECK(result.states > 100);
}

TEST_CASE("bell model: every rule is needed") {
    const std::string asleep = "the parent sleeps beside a reply";
    CHECK(histories(broken_rule::publish_before_look).fault == asleep);
    CHECK(histories(broken_rule::look_after_arming).fault == asleep);
    CHECK(histories(broken_rule::arm_before_look).fault == asleep);
    CHECK(histories(broken_rule::take_the_bell).fault == "the bell rings twice");
}
