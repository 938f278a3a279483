#include "process/exec_plan.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// System calls by number, since functions of the C library take locks, and those of a sanitizer
// remember in the parent's memory what happened to another process.
namespace coproc::process {
namespace {

bool done(long outcome) noexcept { return outcome == 0; }

// What is caught would run in the parent's memory, what is ignored would stay ignored.
void reset_signals() noexcept {
    const std::array<unsigned long, 8> by_default{}; // the kernel's struct sigaction, all zero
    for (int number = 1; number < NSIG; ++number) {
        ::syscall(SYS_rt_sigaction, number, by_default.data(), nullptr, NSIG / 8);
    }
}

bool move_descriptors(const exec_plan& plan) noexcept {
    for (const exec_plan::move& each : plan.moves) {
        if (::syscall(SYS_dup3, each.source, each.target, 0) < 0) {
            return false;
        }
    }
    if (done(::syscall(SYS_close_range, plan.end_of_descriptors, ~0U, 0))) {
        return true;
    }
    ::closefrom(plan.end_of_descriptors); // for kernels before 5.9
    return true;
}

bool set_niceness(const int* niceness) noexcept {
    return niceness == nullptr || done(::syscall(SYS_setpriority, PRIO_PROCESS, 0, *niceness));
}

bool set_affinity(std::span<const unsigned long> mask) noexcept {
    return mask.empty() ||
           done(::syscall(SYS_sched_setaffinity, 0, mask.size_bytes(), mask.data()));
}

bool set_limits(exec_plan& plan) noexcept {
    for (const resource_limit& each : plan.limits) {
        const std::array<std::uint64_t, 2> both{each.soft, each.hard};
        if (!done(::syscall(SYS_prlimit64, 0, each.resource, both.data(), nullptr))) {
            return false;
        }
        ++plan.failed_limit;
    }
    return true;
}

bool enter(const char* directory) noexcept {
    return directory == nullptr || done(::syscall(SYS_chdir, directory));
}

bool prepare(exec_plan& plan) noexcept {
    const auto failed_at = [&](exec_step step, bool fine) {
        plan.failed_step = step;
        return !fine;
    };
    reset_signals();
    if (failed_at(exec_step::group, done(::syscall(SYS_setpgid, 0, 0))) ||
        failed_at(exec_step::working_directory, enter(plan.working_directory)) ||
        failed_at(exec_step::descriptors, move_descriptors(plan)) ||
        failed_at(exec_step::nice, set_niceness(plan.niceness)) ||
        failed_at(exec_step::affinity, set_affinity(plan.cpu_mask)) ||
        failed_at(exec_step::limit, set_limits(plan))) {
        return false;
    }
    plan.failed_step = exec_step::execute;
    const std::uint64_t none = 0;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
    return true;
}

} // namespace

// Not instrumented: it never returns, and what a sanitizer notes at a function's beginning would
// stay in the parent.
[[gnu::no_sanitize("address", "thread", "undefined")]] int follow_exec_plan(void* raw) noexcept {
    auto& plan = *static_cast<exec_plan*>(raw);
    if (prepare(plan)) {
        ::syscall(SYS_execve, plan.file, plan.arguments, plan.environment);
    }
    plan.error = errno;
    ::syscall(SYS_exit_group, 127);
    return 127;
}

} // namespace coproc::process
