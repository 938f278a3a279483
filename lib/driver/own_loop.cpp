#include "driver/own_loop.hpp"

#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>

namespace coproc::detail {
namespace {

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

std::shared_ptr<own_loop> own_loop::make() {
    std::shared_ptr<own_loop> loop(new own_loop);
    // The thread shares the loop: what its handlers still hold when it ends needs it.
    loop->thread_ = std::thread([loop] { loop->context_.run(); });
    return loop;
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

bool runs_on_this_thread(const asio::any_io_executor& io) {
    if (const auto* strand = io.target<asio::strand<asio::any_io_executor>>()) {
        return runs_on_this_thread(strand->get_inner_executor());
    }
    return runs_as<asio::io_context::executor_type>(io) ||
           runs_as<asio::thread_pool::executor_type>(io);
}

} // namespace coproc::detail
