#pragma once

#include <mutex>

#include <pthread.h>

namespace coproc::detail {

/**
 * @brief Makes fork() wait until a mutex is free, so that the child finds it free and what it
 * guards whole.
 *
 * For mutexes of the whole program, since a child has use for them. Called once for each, before
 * main. Whoever holds it calls nothing that may wait for another lock: two that wait for each other
 * would be this thread and the one that forks.
 */
template <std::mutex& mutex>
int free_in_forked_children() noexcept {
    const auto lock = [] { mutex.lock(); };
    const auto unlock = [] { mutex.unlock(); };
    return ::pthread_atfork(lock, unlock, unlock);
}

} // namespace coproc::detail
