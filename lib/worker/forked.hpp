#pragma once

#include "process/descriptors.hpp"
#include "process/fork_settings.hpp"
#include "worker/identity.hpp"

#include <sys/types.h>

#include <cstdint>

namespace coproc::worker {

/// What a worker is given that fork() has made of a program in the midst of its work.
struct forked_worker {
    int socket = -1;
    int page = -1;
    int output = -1; ///< -1: the program's
    int error = -1;
    int answer = -1; ///< takes half a sentence if it cannot be a worker; else it is closed
    pid_t parent = -1;
    std::uint32_t slot = 0;
    std::uint64_t nonce = 0;
    const process::fork_settings* settings = nullptr;
};

/// The life of that worker. Nothing of the program's runs any more: neither the stack that led here
/// is unwound, nor are static objects destroyed or functions of std::atexit called.
[[noreturn]] void work_as_fork(const forked_worker&) noexcept;

} // namespace coproc::worker
