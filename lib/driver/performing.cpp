#include "driver/executor_impl.hpp"
#include "driver/own_loop.hpp"
#include "driver/progress_core.hpp"

#include <algorithm>
#include <new>

// The pool's actions, performed one by one under the mutex; what they find out is the pool's next
// event.
namespace coproc::detail {

void executor_impl::perform() noexcept {
    for (std::size_t i = 0; i < actions_.size(); ++i) {
        perform(pool::action(actions_[i])); // a copy: performing may append
    }
    actions_.clear();
    if (!pool_.news().empty()) {
        collect_events();
    }
    forget_buried();
}

void executor_impl::forget_buried() {
    for (const std::uint32_t worker : buried_) {
        const link_ptr gone = std::exchange(links_[worker], nullptr);
        gone->lent.give_all_back([this](auto arrays) { let_go_later(std::move(arrays)); });
        asio::error_code ignored;
        gone->socket.close(ignored);
        if (gone->output) {
            gone->output->close();
        }
        if (gone->death.is_open()) {
            static_cast<void>(gone->death.release());
        }
    }
    buried_.clear();
}

void executor_impl::perform(const pool::action& a) {
    switch (a.kind) {
    case pool::action_kind::start_worker:
        to_start_.push_back(a.worker);
        spawn_later();
        return;
    case pool::action_kind::stage:
        stage(a);
        return;
    case pool::action_kind::recall:
        recall(a);
        return;
    case pool::action_kind::request_stop:
        if (worker_link* const l = link(a.worker)) {
            l->page->request_stop(a.sequence);
        }
        return;
    case pool::action_kind::request_exit:
        if (worker_link* const l = link(a.worker)) {
            l->writer.append(wire::request_exit{});
            write(a.worker);
        }
        return;
    case pool::action_kind::kill:
        kill(a.worker);
        return;
    case pool::action_kind::lose:
        lose(a);
        return;
    case pool::action_kind::complete:
        complete(a);
        return;
    case pool::action_kind::warmed:
        warmed(a);
        return;
    case pool::action_kind::shutdown_complete:
        shutdown_limit_ = clock::time_point::max();
        if (shutdown_ && !ask_zygote_to_end()) {
            finish_shutdown(*shutdown_);
        }
        return;
    }
}

void executor_impl::stage(const pool::action& a) {
    worker_link& l = *link(a.worker);
    // Nobody has watched it while there was nothing to do.
    if (!l.watching && l.child && l.child->ended()) {
        pool_.found_dead(a.worker, clock::now(), actions_);
    }
    try {
        l.stage(static_cast<job_core&>(*a.subject), a.sequence);
    } catch (const std::bad_alloc&) {
        misbehaved(l, a.worker, "there was no memory for what it should be sent");
        return;
    }
    if (!l.dirty) {
        l.dirty = true;
        dirty_.push_back(a.worker);
    }
}

void executor_impl::recall(const pool::action& a) {
    pool::slot_state found = pool::slot_state::begun;
    if (worker_link* const l = link(a.worker)) {
        memory::claims slots = l->page->slots();
        if (slots.recall(a.sequence)) {
            found = pool::slot_state::recalled;
            let_go_later(l->lent.give_back(a.sequence));
        } else if (slots.fate(a.sequence) == memory::task_fate::ran) {
            found = pool::slot_state::finished;
        } else if (const auto* job = static_cast<job_core*>(pool_.owner(a.worker, a.sequence));
                   job != nullptr && job->chunk() != nullptr && l->child) {
            found = pool::slot_state::begun_in_part;
        }
    }
    pool_.recalled(a.worker, a.sequence, found, clock::now(), actions_);
}

void executor_impl::kill(std::uint32_t worker) {
    if (worker_link* const l = link(worker)) {
        l->kill();
        if (!l->child) {
            take_all(*l, worker);
            bury(*l, worker); // a thread: nobody will tell us of its end
        }
        return;
    }
    const auto waiting = std::find(to_start_.begin(), to_start_.end(), worker);
    if (waiting != to_start_.end()) {
        to_start_.erase(waiting);
        never_started(worker);
    } else if (forget_order(worker)) {
        never_started(worker);
    }
    // Else it is being started at this moment, and install() will see that it is not wanted any
    // more.
}

void executor_impl::complete(const pool::action& a) {
    job_core& job = static_cast<job_core&>(*a.subject);
    if (a.code != pool::by_reply) {
        worker_link* const l = who_ended(a);
        if (l != nullptr && job.chunk() != nullptr && l->gone &&
            a.how_certain != certainty::not_started) {
            lose(a); // also what ran is lost with its worker; then nothing may be left
        }
        job.store_failure(why_ended(a, job, l));
    }
    finish(job);
}

// The worker, if its end is what the action is about.
worker_link* executor_impl::who_ended(const pool::action& a) noexcept {
    return a.code == errc::worker_terminated || a.code == errc::out_of_memory ? link(a.worker)
                                                                              : nullptr;
}

failure executor_impl::why_ended(const pool::action& a, const job_core& job, worker_link* l) {
    if (l != nullptr) {
        l->take_output(); // while its crash handler runs, more may come, and is not waited for
    }
    // A result that was too much for this process: the worker is not to blame.
    const bool no_room_here = l != nullptr && l->too_much && a.how_certain == certainty::ran;
    return make_failure({.code = no_room_here ? errc::out_of_memory : a.code,
                         .how_certain = a.how_certain,
                         .task_name = job.task_name(),
                         .function = job.function,
                         .cause = no_room_here ? std::string() : cause_of(a, l),
                         .overran = job.overran,
                         .earlier_deaths = job.deaths,
                         .fate = l != nullptr && !no_room_here ? l->fate() : nullptr});
}

// The worker is dead: what it had of the chunk and has not answered is lost. How far it had come,
// its page tells.
void executor_impl::lose(const pool::action& a) {
    const job_core& job = static_cast<job_core&>(*a.subject);
    worker_link& l = *link(a.worker);
    const memory::chunk_loss loss = loss_of(job, l, a.sequence);
    for (const auto& [elements, how] : {std::pair(loss.ran, certainty::ran),
                                        std::pair(loss.may_have_run, certainty::may_have_run)}) {
        if (elements > 0) {
            pool::action of_these = a;
            of_these.how_certain = how;
            job.chunk()->lose(elements, why_ended(of_these, job, &l));
        }
    }
}

memory::chunk_loss executor_impl::loss_of(const job_core& job, const worker_link& l,
                                          std::uint64_t sequence) noexcept {
    const streams::chunk_results& chunk = job.chunk()->results;
    return memory::judge_chunk(l.last_step, sequence, chunk.first_of_run(), chunk.settled(),
                               chunk.elements());
}

void executor_impl::warmed(const pool::action& a) {
    job_core& job = static_cast<job_core&>(*a.subject);
    if (a.code == pool::by_reply) {
        job.store_value(std::span<const std::byte>());
    } else {
        job.store_failure(make_failure({.code = a.code,
                                        .how_certain = certainty::not_started,
                                        .task_name = job.task_name(),
                                        .cause = cause_of(a, nullptr)}));
    }
    finish(job);
}

std::string executor_impl::cause_of(const pool::action& a, const worker_link* l) const {
    if (l != nullptr && a.subject->accused) {
        return "it is the last of " + std::to_string(a.subject->deaths_before) +
               " that ended when they were about to begin the task";
    }
    if (l != nullptr) {
        return l->end_cause;
    }
    const bool of_start = a.code == errc::spawn_failed || a.code == errc::handshake_failed ||
                          a.code == errc::initializer_failed || a.code == errc::worker_terminated ||
                          a.code == errc::out_of_memory;
    return of_start ? start_cause_ : std::string();
}

// The job's end is stored. Takes over the reference that was counted for the pool.
void executor_impl::finish(job_core& job) {
    job.set_done();
    if (job.luggage != nullptr) {
        let_go_later(job.luggage->take_arrays());
        job.luggage.reset(); // so a progress ends when the task is seen to be done
    }
    job_ptr counted(&job);
    waiter* w = std::exchange(job.waiters, nullptr);
    if (w == nullptr) {
        ready_.add(nullptr, std::move(counted));
        return;
    }
    while (w != nullptr) {
        waiter* const next = w->next;
        ready_.add(w, counted);
        w = next;
    }
}

void executor_impl::let_go_later(std::shared_ptr<const borrowed_arrays> arrays) noexcept {
    if (arrays == nullptr) {
        return;
    }
    try {
        unused_.push_back(std::move(arrays));
    } catch (const std::bad_alloc&) {
        // Then now.
    }
}

// The last thing under the mutex, whatever happened before.
void executor_impl::after_events() noexcept {
    tell_of_closed_extents();
    flush();
    listen();
    if (!actions_.empty()) { // there was no memory to listen
        perform();
        flush();
    }
    arm_timer();
}

// Whether something is still to come without which the loop must not end.
bool executor_impl::needs_attention() const { return pool_.needs_attention() || zygote_ends(); }

// Listens to the workers that have something to tell. What is not needed any more is given up in
// rest() only, when handlers have run, because they often need it again.
void executor_impl::listen() {
    if (stopped_) {
        return;
    }
    const bool attention = needs_attention();
    if (!attention && !options_.watch_idle) {
        return;
    }
    if (zygote_) {
        listen_to_zygote();
    }
    for (std::uint32_t w = 0; w < links_.size(); ++w) {
        const link_ptr& l = links_[w];
        if (l == nullptr) {
            continue;
        }
        const pool::worker_state state = pool_.worker_at(w).state;
        if (state == pool::worker_state::idle && !options_.watch_idle && !l->is_cleaning()) {
            continue;
        }
        if (!l->reading && !l->ended && !l->distrusted) {
            read(w);
        }
        if (l->child && !l->watching) {
            watch(w);
        }
        if (l->output) {
            listen_to_output(l);
        }
        const bool answers = state == pool::worker_state::busy || l->initializers > 0;
        if (answers && !l->bell_armed && !l->look_posted) {
            l->bell_armed = l->ring.arm();
            if (!l->bell_armed) {
                look_again_later(w);
            }
        }
    }
}

// Gives up what nothing waits for, so that the loop may end.
void executor_impl::rest() {
    if (stopped_ || options_.watch_idle) {
        return;
    }
    const bool attention = needs_attention();
    for (std::uint32_t w = 0; w < links_.size(); ++w) {
        worker_link* const l = link(w);
        if (l == nullptr || (!l->reading && !l->watching && !l->output)) {
            continue;
        }
        const pool::worker_state state = pool_.worker_at(w).state;
        if ((state == pool::worker_state::idle && !(attention && l->is_cleaning())) ||
            (state == pool::worker_state::starting && !attention)) {
            // Both stay marked until their handlers have come: a read may have bytes already.
            if (l->reading) {
                l->socket.cancel();
            }
            if (l->watching) {
                l->death.cancel();
            }
            if (l->output) {
                l->output->stop_waiting();
            }
        }
    }
    if (!attention && zygote_) {
        stop_listening_to_zygote();
    }
    if (!attention) {
        disarm_timer();
    }
}

} // namespace coproc::detail
