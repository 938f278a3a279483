#include "driver/own_loop.hpp"

#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>

namespace coproc::detail {
namespace {

/// Without the properties that are a part of its type.
asio::any_io_executor plain(const asio::any_io_executor& io) {
    return asio::prefer(io, asio::execution::blocking.possibly,
                        asio::execution::outstanding_work.untracked,
                        asio::execution::relationship.fork);
}

template <class Executor>
bool runs_as(const asio::any_io_executor& io) {
    if (const auto* plain = io.target<Executor>()) {
        return plain->running_in_this_thread();
    }
    if (const auto* strand = io.target<asio::strand<Executor>>()) {
        return strand->get_inner_executor().running_in_this_thread();
    }
    return false;
}

} // namespace

thread_local constinit own_loop* own_loop::here = nullptr;

// With one thread for ever the loop keeps what handlers start in that thread's own list, without a
// lock: nobody else would find it there.
own_loop::own_loop(bool lendable) : context_(lendable ? 2 : 1), work_(context_.get_executor()) {}

std::shared_ptr<own_loop> own_loop::make(bool lendable) {
    std::shared_ptr<own_loop> loop(new own_loop(lendable));
    // The thread shares the loop: what its handlers still hold when it ends needs it.
    loop->thread_ = std::thread([loop] { loop->run(); });
    return loop;
}

void own_loop::run() {
    here = this; // to the end of the thread: the loop's destructor may ask
    context_.run();
}

own_loop::~own_loop() {
    if (thread_.joinable()) {
        thread_.detach(); // it is this thread, at its end
    }
}

void own_loop::finish() noexcept {
    work_.reset();
    if (thread_.joinable() && !on_this_thread()) {
        thread_.join();
    }
}

std::thread own_loop::lend() {
    return std::thread([this] { run(); });
}

void own_loop::halt() noexcept {
    context_.stop();
    if (thread_.joinable() && !on_this_thread()) {
        thread_.join();
    }
}

bool runs_on_this_thread(const asio::any_io_executor& given) {
    const asio::any_io_executor io = plain(given);
    if (const auto* strand = io.target<asio::strand<asio::any_io_executor>>()) {
        return runs_on_this_thread(strand->get_inner_executor());
    }
    return runs_as<asio::io_context::executor_type>(io) ||
           runs_as<asio::thread_pool::executor_type>(io);
}

} // namespace coproc::detail
