#include "coproc/detail/call.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <stdexcept>

// Coroutine tasks. Each has a loop of its own, so that nothing of one task can run in another's
// time or look at another's arguments.
namespace coproc::detail {
namespace {

/// How often a coroutine that waits is asked whether it should stop. Its thread sleeps in the loop
/// meanwhile, where the stop word in the shared page cannot wake it.
constexpr auto between_looks = std::chrono::milliseconds(5);

struct coroutine_end {
    bool reached = false;
    std::exception_ptr thrown;
};

/// Runs the loop until the end is reached.
void run_until(const coroutine_end& end, asio::io_context& loop, invocation& task, bool watched,
               asio::cancellation_signal& stop) {
    bool out_of_work = false;
    while (!end.reached) {
        const std::size_t ran = watched ? loop.run_one_for(between_looks) : loop.run_one();
        if (watched && task.stop_requested(task.context)) {
            watched = false;
            stop.emit(asio::cancellation_type::terminal);
        }
        if (ran > 0 || !loop.stopped()) {
            out_of_work = false;
        } else if (!out_of_work) { // or somebody has stopped the loop
            out_of_work = true;
            loop.restart();
        } else {
            throw std::logic_error("the coroutine was destroyed before it had ended: what it "
                                   "awaited was given up");
        }
    }
}

} // namespace

void run_coroutine(invocation& task, awaited_void coroutine, bool takes_token) {
    coroutine_end end; // these two outlive the loop, whose handlers refer to them
    asio::cancellation_signal stop;
    asio::io_context loop(1);
    asio::co_spawn(loop, std::move(coroutine),
                   asio::bind_cancellation_slot(stop.slot(), [&end](std::exception_ptr thrown) {
                       end.reached = true;
                       end.thrown = std::move(thrown);
                   }));
    run_until(end, loop, task, !takes_token && task.stop_requested != nullptr, stop);
    if (end.thrown) {
        std::rethrow_exception(end.thrown);
    }
}

} // namespace coproc::detail
