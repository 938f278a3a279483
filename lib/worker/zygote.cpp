#include "worker/zygote.hpp"

#include "process/fork_copy.hpp"
#include "process/fork_settings.hpp"
#include "process/threads.hpp"
#include "worker/flush_output.hpp"
#include "worker/worker_signals.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include <unistd.h>

namespace coproc::worker {
namespace {

constexpr std::size_t descriptors_of_worker = 2; // socket and page
constexpr std::size_t with_outputs = 4;

} // namespace

std::string zygote::why_not() {
    if (process::count_threads() <= 1) {
        return {};
    }
    return "it has more than one thread, begun by a static constructor or a library, and only "
           "the one that forks would be in a worker; start_method::forkserver cannot be used with "
           "it";
}

task_end zygote::judge_preload() {
    const std::size_t threads = process::count_threads();
    if (threads <= 1) {
        return {.outcome = wire::reply_outcome::value};
    }
    return {.outcome = wire::reply_outcome::threw,
            .text = "it has left " + std::to_string(threads - 1) +
                    (threads == 2 ? " thread" : " threads") +
                    " behind, which the forked workers would not have; what begins threads "
                    "belongs into executor_options::initializers"};
}

// The next one may have come with the bytes of this frame, but not the next frame.
void zygote::keep_descriptor(connection& parent) {
    std::vector<process::unique_fd>& arrived = parent.arrived();
    if (arrived.empty()) {
        descriptors_.emplace_back();
        return;
    }
    descriptors_.push_back(std::move(arrived.front()));
    arrived.erase(arrived.begin());
}

bool zygote::fork(const wire::fork_order& order, std::span<const std::byte> settings,
                  connection& parent) {
    flush_outputs();
    std::fflush(nullptr); // what preload has written to files, too
    const process::os_result<pid_t> made = process::copy_beside();
    if (made && made.value() == 0) {
        return be_born(order, settings, parent);
    }
    descriptors_.clear();
    if (made) {
        return true; // it answers
    }
    const std::string why = made.error().message();
    return parent.say(wire::forked{.number = order.number, .pid = 0, .text = why});
}

// In the new process. What it cannot have, it says, and is no worker.
bool zygote::be_born(const wire::fork_order& order, std::span<const std::byte> settings,
                     connection& parent) {
    install_worker_signals(parent_);
    const auto answer = [&](std::string_view text) {
        return parent.say(wire::forked{
            .number = order.number, .pid = static_cast<std::int32_t>(::getpid()), .text = text});
    };
    const auto refuse = [&](std::string_view why) {
        static_cast<void>(answer(why));
        std::_Exit(EXIT_FAILURE);
    };
    parent.arrived().clear(); // of other workers
    std::vector<process::unique_fd> descriptors = std::move(descriptors_);
    const bool all_there = std::all_of(descriptors.begin(), descriptors.end(),
                                       [](const process::unique_fd& each) { return bool(each); });
    if (!all_there ||
        (descriptors.size() != descriptors_of_worker && descriptors.size() != with_outputs)) {
        refuse("the zygote has not received the descriptors of the worker: too many are open");
    }
    identity forked{.socket = descriptors[0].get(),
                    .page = descriptors[1].get(),
                    .parent = parent_,
                    .slot = order.slot,
                    .nonce = order.nonce};
    if (!become(forked)) {
        refuse("it was not ordered by its executor");
    }
    if (descriptors.size() == with_outputs) {
        ::dup2(descriptors[2].get(), STDOUT_FILENO);
        ::dup2(descriptors[3].get(), STDERR_FILENO);
    }
    try {
        const std::string refused = process::take_settings(process::decode_settings(settings));
        if (!refused.empty()) {
            refuse(refused);
        }
    } catch (const std::exception& error) {
        refuse(error.what());
    }
    if (!answer({})) {
        std::_Exit(EXIT_FAILURE);
    }
    ::setpgid(0, 0); // not before the answer: see the protocol
    static_cast<void>(descriptors[0].release());
    static_cast<void>(descriptors[1].release());
    born_ = forked;
    return false;
}

} // namespace coproc::worker
