#include "driver/reusable_registry.hpp"

#include "coproc/event.hpp"
#include "coproc/reusable.hpp"
#include "driver/check_options.hpp"
#include "driver/executor_impl.hpp"
#include "driver/own_loop.hpp"
#include "process/fork_guard.hpp"
#include "reuse/settings.hpp"
#include "worker/nesting.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

namespace coproc::detail {

/// Makes handles that drain their executor where others stop it.
struct executor_access {
    static std::shared_ptr<executor> empty_handle() {
        return {new executor, [](executor* last) noexcept {
                    if (const auto left = std::move(last->impl_)) {
                        left->end_when_done();
                    }
                    delete last;
                }};
    }
    static void fill(executor& handle, std::shared_ptr<executor_impl> impl) noexcept {
        handle.impl_ = std::move(impl);
    }
};

namespace {

constinit std::atomic<reusable_registry*> registry = nullptr;
constinit std::atomic<bool> at_exit = false;

// At the first use, so that static objects which are older are there still when the last tasks end.
void finish_at_exit() {
    if (!at_exit.exchange(true)) {
        static_cast<void>(std::atexit([] {
            reusable_registry* const ends = registry.load(std::memory_order_acquire);
            if (ends != nullptr) {
                ends->finish_tasks();
            }
        }));
    }
}

/// Copies of the options then copy nothing of a user's.
void share_observer(executor_options& options) {
    if (options.observer) {
        const auto shared =
            std::make_shared<const std::function<void(const event&)>>(std::move(options.observer));
        options.observer = [shared](const event& e) { (*shared)(e); };
    }
}

} // namespace

reusable_registry& reusable_registry::instance() {
    const std::uint32_t generation = process::fork_generation();
    reusable_registry* there = registry.load(std::memory_order_acquire);
    while (there == nullptr || there->fork_generation_ != generation) {
        std::unique_ptr<reusable_registry> made(new reusable_registry(generation, there));
        if (registry.compare_exchange_weak(there, made.get(), std::memory_order_acq_rel)) {
            there = made.release();
        }
    }
    return *there;
}

// ---- giving one

std::shared_ptr<executor> reusable_registry::get(executor_options wanted,
                                                 const reuse_options& how) {
    check_options(how);
    wanted = reuse::with_defaults(std::move(wanted));
    share_observer(wanted);
    const unsigned depth = worker::nesting_depth();
    entry replaced; // goes last, without the mutex
    const std::lock_guard lock(mutex_);
    if (depth < closed_below_) {
        // Nobody looks for it: else a thread that goes on asking would hold the end up.
        const entry late = make_unlisted(std::move(wanted));
        late.impl->stop();
        return late.handle;
    }
    entry& here = entries_[{depth, how.name}];
    reuse::present there;
    if (here.impl) {
        const auto [is, max_workers] = here.impl->look_for_reuse();
        there = {.is = is, .options = &here.options, .max_workers = max_workers};
    }
    const reuse::decision next = reuse::decide(there, wanted, how);
    switch (next.next) {
    case reuse::step::keep:
        break;
    case reuse::step::resize:
        if (how.reuse == reuse_policy::automatic) {
            static_cast<void>(complete(wanted)); // throws if min_workers is more
        }
        check_size(*next.max_workers);
        here.impl->resize(*next.max_workers);
        break;
    case reuse::step::replace:
        replaced = std::exchange(here, next.options == reuse::source::present
                                           ? make(depth, here.options, next.max_workers)
                                           : make(depth, std::move(wanted)));
        if (next.kill) {
            replaced.impl->begin_shutdown({.mode = shutdown_mode::kill});
        }
        break;
    }
    return here.handle;
}

reusable_registry::entry reusable_registry::make(unsigned depth, executor_options options) {
    finish_at_exit();
    std::erase_if(made_, [](const made& m) { return m.impl.expired() && m.loop.expired(); });
    made& listed = made_.emplace_back();
    entry fresh = make_unlisted(std::move(options));
    listed = {depth, fresh.impl, fresh.impl->loop()};
    return fresh;
}

reusable_registry::entry reusable_registry::make_unlisted(executor_options options) {
    auto handle = executor_access::empty_handle();
    auto impl = make_on_own_loop(own_loop::make(true), options);
    executor_access::fill(*handle, impl);
    return {std::move(handle), std::move(impl), std::move(options)};
}

// The options of the one that is replaced, which may have been resized below its min_workers.
reusable_registry::entry reusable_registry::make(unsigned depth, executor_options options,
                                                 std::optional<std::size_t> max_workers) {
    const std::size_t size = max_workers.value_or(options.min_workers);
    check_size(size);
    const std::size_t least = options.min_workers;
    options.max_workers = std::max(size, least);
    entry fresh = make(depth, std::move(options));
    if (size < least) {
        fresh.impl->resize(size);
    }
    return fresh;
}

// ---- the end of the program

void reusable_registry::finish_tasks() {
    if (fork_generation_ != process::fork_generation()) {
        return;
    }
    for (;;) {
        const std::vector<kept> next = take_outermost();
        if (next.empty()) {
            return;
        }
        if (worker::is_worker_thread()) {
            stop_all(next); // a task ends the program: it would wait for itself
        } else {
            finish_tasks_of(next);
        }
    }
}

// Tasks may still need executors of their own, so those go after theirs.
std::vector<reusable_registry::kept> reusable_registry::take_outermost() {
    const std::lock_guard lock(mutex_);
    closed_below_ = std::numeric_limits<unsigned>::max();
    for (const made& m : made_) {
        closed_below_ = std::min(closed_below_, m.depth + 1);
    }
    std::vector<kept> outermost;
    std::erase_if(made_, [&](const made& m) {
        if (m.depth >= closed_below_) {
            return false;
        }
        outermost.push_back({m.impl.lock(), m.loop.lock()});
        return true;
    });
    kept_.insert(kept_.end(), outermost.begin(), outermost.end());
    return outermost;
}

void reusable_registry::finish_tasks_of(const std::vector<kept>& all) {
    std::vector<job_ptr> shutdowns;
    std::thread lent;
    for (const auto& [impl, loop] : all) {
        if (loop) {
            loop->silence();
        }
        if (impl) {
            shutdowns.push_back(impl->begin_shutdown({}));
        }
        if (loop && loop->on_this_thread()) {
            lent = loop->lend();
        }
    }
    for (const job_ptr& shutdown : shutdowns) {
        (*shutdown).wait();
    }
    for (const auto& [impl, loop] : all) {
        if (loop) {
            loop->halt();
        }
        if (impl) {
            impl->stop();
        }
    }
    if (lent.joinable()) {
        lent.join();
    }
}

void reusable_registry::stop_all(const std::vector<kept>& all) {
    for (const auto& [impl, loop] : all) {
        if (loop) {
            loop->silence();
        }
        if (impl) {
            impl->stop();
        }
    }
}

} // namespace coproc::detail

namespace coproc {

// NOLINTNEXTLINE(performance-unnecessary-value-param): options are given by value everywhere
std::shared_ptr<executor> get_reusable_executor(executor_options options, reuse_options reuse) {
    return detail::reusable_registry::instance().get(std::move(options), reuse);
}

std::shared_ptr<executor> get_reusable_executor(executor_options options) {
    return get_reusable_executor(std::move(options), reuse_options());
}

std::shared_ptr<executor> get_reusable_executor() {
    return get_reusable_executor(executor_options());
}

} // namespace coproc
