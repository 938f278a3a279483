#include "memory/claims.hpp"

#include "support/catch.hpp"
#include "support/model_search.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

// All histories of three tasks and two workers, one of which may die, with a cancellation and a
// recall at any time. The slots are changed by the real class; around it stands a model of the two
// sides.
//
// The rules of the protocol are left out one by one: the search must notice each.

using coproc::memory::claims;
using coproc::memory::slot;
using coproc::memory::task_fate;

namespace {

enum class broken_rule {
    none,
    offer_before_frame,     ///< the frame is staged first
    recall_by_exchange,     ///< the parent overwrites the slot without looking
    claim_by_exchange,      ///< the worker does
    drain_before_judging,   ///< a dead worker's tasks are judged while replies lie in the ring
    death_before_judging,   ///< tasks are judged while the worker still lives
    reuse_after_settlement, ///< a slot is offered again while its task is outstanding
    begun_is_not_offered,   ///< a task that the worker had begun is given to another one
    finish_after_return,    ///< a task counts as finished as soon as it has begun
};

constexpr int task_count = 3;
constexpr int worker_count = 2;
constexpr int slot_count = 2;
constexpr int sequence_count = 6; ///< more than all steps together can use on one worker

using small = std::int8_t;
constexpr small nobody = -1;

enum class answer : small { none, value, not_started, ran, may_have_run };
enum class wrong : small {
    nothing,
    ran_twice,
    recalled_ran,
    answered_twice,
    certainty,
    reply_lost
};
enum class place : small { reading, claiming, running, replying };

/// A queue of sequence numbers.
struct fifo {
    small count = 0;
    small items[sequence_count] = {};

    void push(small item) { items[count++] = item; }
    small pop() {
        const small first = items[0];
        std::move(items + 1, items + count, items);
        items[--count] = 0;
        return first;
    }
};

struct worker_model {
    small alive = 1;
    place at = place::reading;
    small current = 0;
    small next_sequence = 0;
    std::uint8_t slots[slot_count] = {};
    small owner[sequence_count] = {nobody, nobody, nobody, nobody, nobody, nobody}; ///< outstanding
    fifo pipe;
    fifo replies;

    /// Does something to the slots by the real code.
    template <class Act>
    auto with_claims(Act act) {
        slot words[slot_count];
        std::copy(slots, slots + slot_count, words);
        struct copy_back {
            slot* from;
            std::uint8_t* to;
            ~copy_back() { std::copy_n(from, slot_count, to); }
        } const at_end{words, slots};
        return act(claims(words));
    }
};

struct task_model {
    small queued = 1;
    small runs = 0;
    small returned = 0;
    small replied = 0;
    answer given = answer::none;
};

struct pool_model {
    task_model tasks[task_count];
    worker_model workers[worker_count];
    small deaths = 2;
    small cancellations = 1;
    small recalls = 1;
    small staging = nobody; ///< the worker that has an offer without a frame, or the reverse
    wrong seen = wrong::nothing;
};

void complete(pool_model& pool, int number, answer given) {
    task_model& task = pool.tasks[number];
    if (task.given != answer::none) {
        pool.seen = wrong::answered_twice;
    }
    const bool right = given == answer::not_started    ? task.runs == 0
                       : given == answer::may_have_run ? task.runs == 1
                                                       : task.returned == 1;
    if (!right) {
        pool.seen = wrong::certainty;
    }
    if (task.replied != 0 && given != answer::value) {
        pool.seen = wrong::reply_lost;
    }
    task.given = given;
}

class claims_model {
public:
    using State = pool_model;
    using Steps = std::vector<test::model_step<State>>;

    explicit claims_model(broken_rule broken) : broken_(broken) {}

    State initial() const { return {}; }

    void steps(const State& state, Steps& out) const {
        if (state.staging != nobody) {
            out.push_back(stage(state));
        } else {
            parent_steps(state, out);
        }
        for (int i = 0; i < worker_count; ++i) {
            if (state.workers[i].alive != 0) {
                worker_steps(state, i, out);
            }
        }
    }

    std::string fault(const State& state, const Steps& next) const {
        switch (state.seen) {
        case wrong::nothing:
            break;
        case wrong::ran_twice:
            return "a task ran twice";
        case wrong::recalled_ran:
            return "a task ran that was taken back";
        case wrong::answered_twice:
            return "a task was answered twice";
        case wrong::certainty:
            return "the certainty of an answer is wrong";
        case wrong::reply_lost:
            return "a reply was lost that had been sent";
        }
        const bool complete = std::ranges::all_of(
            state.tasks, [](const task_model& task) { return task.given != answer::none; });
        const bool goes_on =
            std::ranges::any_of(next, [](const auto& step) { return step.who >= 0; });
        return complete || goes_on ? "" : "a task is never answered";
    }

private:
    /// Steps that need not happen have a negative `who`, so that a history may not wait for them.
    static int may(int worker) { return -1 - worker; }

    bool breaks(broken_rule rule) const { return broken_ == rule; }

    void parent_steps(const State& state, Steps& out) const {
        for (int i = 0; i < worker_count; ++i) {
            offer_step(state, i, out);
            const worker_model& worker = state.workers[i];
            if (worker.replies.count != 0) {
                out.push_back(receive(state, i));
            }
            for (small sequence = 0; sequence < worker.next_sequence; ++sequence) {
                if (worker.owner[sequence] == nobody) {
                    continue;
                }
                if (state.cancellations != 0) {
                    out.push_back(take_back(state, i, sequence, true));
                }
                if (state.recalls != 0) {
                    out.push_back(take_back(state, i, sequence, false));
                }
            }
            judge_step(state, i, out);
        }
    }

    /// Tasks are alike, so the first that is queued stands for all of them.
    void offer_step(const State& state, int i, Steps& out) const {
        const auto* first = std::ranges::find(state.tasks, 1, &task_model::queued);
        const worker_model& worker = state.workers[i];
        if (first == std::end(state.tasks) || worker.next_sequence == sequence_count) {
            return;
        }
        const small sequence = worker.next_sequence;
        const bool settled = sequence < slot_count || worker.owner[sequence - slot_count] == nobody;
        if (!settled && !breaks(broken_rule::reuse_after_settlement)) {
            return;
        }
        State to = state;
        const auto number = static_cast<small>(first - state.tasks);
        to.tasks[number].queued = 0;
        to.workers[i].next_sequence++;
        to.workers[i].owner[sequence] = number;
        to.staging = static_cast<small>(i);
        half_offer(to.workers[i], sequence, !breaks(broken_rule::offer_before_frame));
        out.push_back({"the parent begins to offer to worker", i, to});
    }

    /// The other half of an offer: nothing of the parent comes in between, the workers do.
    test::model_step<State> stage(const State& state) const {
        State to = state;
        worker_model& worker = to.workers[to.staging];
        half_offer(worker, static_cast<small>(worker.next_sequence - 1),
                   breaks(broken_rule::offer_before_frame));
        to.staging = nobody;
        return {"the parent ends the offer to worker", state.staging, to};
    }

    static void half_offer(worker_model& worker, small sequence, bool slot_half) {
        if (slot_half) {
            worker.with_claims([&](claims slots) { slots.offer(static_cast<unsigned>(sequence)); });
        } else if (worker.alive != 0) {
            worker.pipe.push(sequence);
        }
    }

    static test::model_step<State> receive(const State& state, int i) {
        State to = state;
        small& owner = to.workers[i].owner[to.workers[i].replies.pop()];
        if (owner != nobody) {
            complete(to, owner, answer::value);
        }
        owner = nobody;
        return {"the parent receives a reply of worker", i, to};
    }

    test::model_step<State> take_back(const State& state, int i, small sequence,
                                      bool cancel) const {
        State to = state;
        (cancel ? to.cancellations : to.recalls)--;
        worker_model& worker = to.workers[i];
        bool taken = worker.with_claims(
            [&](claims slots) { return slots.recall(static_cast<unsigned>(sequence)); });
        if (breaks(broken_rule::recall_by_exchange)) {
            worker.slots[sequence % slot_count] = static_cast<std::uint8_t>(sequence << 2);
            taken = true;
        }
        if (taken) {
            const small number = worker.owner[sequence];
            worker.owner[sequence] = nobody;
            if (cancel) {
                complete(to, number, answer::not_started);
            } else {
                to.tasks[number].queued = 1;
            }
        }
        return {cancel ? "the parent cancels a task of worker" : "the parent recalls from worker",
                may(i), to};
    }

    void judge_step(const State& state, int i, Steps& out) const {
        const worker_model& worker = state.workers[i];
        const bool dead = worker.alive == 0;
        const bool drained = worker.replies.count == 0;
        // Early is when the parent believes that the worker dies, and it does, but later.
        const bool early = breaks(broken_rule::death_before_judging) && !dead && state.deaths != 0;
        if (!(dead || early) || !(drained || breaks(broken_rule::drain_before_judging))) {
            return;
        }
        State to = state;
        for (small sequence = 0; sequence < worker.next_sequence; ++sequence) {
            if (worker.owner[sequence] != nobody) {
                judge(to, to.workers[i], sequence);
            }
        }
        if (dead) {
            to.workers[i] = worker_model();
        } else {
            to.deaths--;
        }
        out.push_back({"the parent judges the tasks of worker", early ? may(i) : i, to});
    }

    void judge(State& state, worker_model& worker, small sequence) const {
        const small number = worker.owner[sequence];
        worker.owner[sequence] = nobody;
        const task_fate fate = worker.with_claims(
            [&](claims slots) { return slots.fate(static_cast<unsigned>(sequence)); });
        if (fate == task_fate::never_began ||
            (fate == task_fate::may_have_run && breaks(broken_rule::begun_is_not_offered))) {
            state.tasks[number].queued = 1;
        } else {
            complete(state, number, fate == task_fate::ran ? answer::ran : answer::may_have_run);
        }
    }

    void worker_steps(const State& state, int i, Steps& out) const {
        State to = state;
        worker_model& worker = to.workers[i];
        switch (worker.at) {
        case place::reading:
            if (worker.pipe.count != 0) {
                worker.current = worker.pipe.pop();
                worker.at = place::claiming;
                out.push_back({"a frame is read by worker", i, to});
            }
            break;
        case place::claiming:
            claim(to, worker);
            out.push_back({"a task is claimed or skipped by worker", i, to});
            break;
        case place::running:
            return_from_function(to, worker);
            out.push_back({"a function returns in worker", i, to});
            break;
        case place::replying:
            reply(to, worker);
            out.push_back({"a reply is appended by worker", i, to});
            break;
        }
        if (state.deaths != 0) {
            State dead = state;
            dead.deaths--;
            dead.workers[i].alive = 0;
            out.push_back({"dead is worker", may(i), dead});
        }
    }

    void claim(State& state, worker_model& worker) const {
        bool claimed = worker.with_claims(
            [&](claims slots) { return slots.claim(static_cast<unsigned>(worker.current)); });
        if (breaks(broken_rule::claim_by_exchange)) {
            worker.slots[worker.current % slot_count] =
                static_cast<std::uint8_t>(worker.current << 2 | 2);
            claimed = true;
        }
        worker.at = claimed ? place::running : place::reading;
        if (!claimed) {
            return;
        }
        const small number = worker.owner[worker.current];
        if (number == nobody) {
            state.seen = wrong::recalled_ran;
        } else if (++state.tasks[number].runs == 2) {
            state.seen = wrong::ran_twice;
        }
        if (breaks(broken_rule::finish_after_return)) {
            finish(worker);
        }
    }

    static void return_from_function(State& state, worker_model& worker) {
        if (const small number = worker.owner[worker.current]; number != nobody) {
            state.tasks[number].returned = 1;
        }
        finish(worker);
        worker.at = place::replying;
    }

    static void finish(worker_model& worker) {
        worker.with_claims(
            [&](claims slots) { slots.finish(static_cast<unsigned>(worker.current)); });
    }

    static void reply(State& state, worker_model& worker) {
        if (const small number = worker.owner[worker.current]; number != nobody) {
            state.tasks[number].replied = 1;
        }
        worker.replies.push(worker.current);
        worker.at = place::reading;
    }

    broken_rule broken_;
};

std::string fault_without(broken_rule rule) { return test::search(claims_model(rule)).fault; }

} // namespace

TEST_CASE("claims model: no history breaks the protocol") {
    const test::search_result result = test::search(claims_model(broken_rule::none));
    INFO(result.text());
    CHECK(result.fault.empty());
    CHECK(result.states > 500'000);
}

TEST_CASE("claims model: every rule is needed") {
    const std::string uncertain = "the certainty of an answer is wrong";
    CHECK(fault_without(broken_rule::offer_before_frame) == "a task is never answered");
    CHECK(fault_without(broken_rule::recall_by_exchange) == uncertain);
    CHECK(fault_without(broken_rule::claim_by_exchange) == "a task ran that was taken back");
    CHECK(fault_without(broken_rule::drain_before_judging) ==
          "a reply was lost that had been sent");
    CHECK(fault_without(broken_rule::death_before_judging) == "a task ran that was taken back");
    CHECK(fault_without(broken_rule::reuse_after_settlement) == uncertain);
    CHECK(fault_without(broken_rule::begun_is_not_offered) == uncertain);
    CHECK(fault_without(broken_rule::finish_after_return) == uncertain);
}
