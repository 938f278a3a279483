#include "worker/crash_handler.hpp"

#include "process/modules.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

// Everything from `handle` down to it runs in a process that is broken: its heap and its locks may
// be in any state, so there is no allocation, no lock and no call that is not async-signal-safe.
namespace coproc::worker {
namespace {

using memory::crash_record;
using memory::crash_state;

constexpr int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
constexpr std::size_t alternate_stack_bytes = 64 * 1024;

// A frame without envelope and payload: "look at the shared page" (lib/wire/protocol.capnp).
constexpr char doorbell_frame[16] = {};

struct handler_state {
    crash_record* record = nullptr;
    int socket = -1;
    pid_t worker = -1;
    std::atomic<pid_t> crashing_thread{0};
    struct sigaction previous[std::size(fatal_signals)] = {};
};
handler_state handler;

pid_t thread_number() noexcept { return static_cast<pid_t>(::syscall(SYS_gettid)); }

// ---- The interrupted context
// -------------------------------------------------------------------------

std::uintptr_t program_counter(const ucontext_t& context) noexcept {
#if defined(__x86_64__)
    return static_cast<std::uintptr_t>(context.uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
    return context.uc_mcontext.pc;
#else
#error "coproc: this processor is not supported yet"
#endif
}

// After a call through a bad function pointer there is no code to unwind from. This undoes the call
// in the saved context, from which the unwinder starts; put the context back before returning to
// it.
void undo_call(ucontext_t& context) noexcept {
#if defined(__x86_64__)
    const auto* stack = reinterpret_cast<const greg_t*>(context.uc_mcontext.gregs[REG_RSP]);
    context.uc_mcontext.gregs[REG_RIP] = *stack;
    context.uc_mcontext.gregs[REG_RSP] += static_cast<greg_t>(sizeof *stack);
#elif defined(__aarch64__)
    context.uc_mcontext.pc = context.uc_mcontext.regs[30];
#endif
}

// ---- The record
// --------------------------------------------------------------------------------------

void record_and_ring(int number, const siginfo_t& info) noexcept {
    crash_record& record = *handler.record;
    record.signal = number;
    record.code = info.si_code;
    // Positive codes are the kernel's: a fault with an address. Others were sent by somebody.
    record.address = info.si_code > 0 ? reinterpret_cast<std::uintptr_t>(info.si_addr) : 0;
    record.state.store(crash_state::recorded, std::memory_order_release);
    if (handler.socket >= 0) {
        ::send(handler.socket, doorbell_frame, sizeof doorbell_frame, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

struct walk {
    std::uintptr_t start;         // where the interrupted function was
    bool start_is_return_address; // because the call at the top was undone
    bool started = false;
};

// The handler's own frames come first and are skipped. Return addresses are recorded minus one, so
// that each frame lies inside its call.
_Unwind_Reason_Code visit_frame(_Unwind_Context* context, void* argument) noexcept {
    auto& current = *static_cast<walk*>(argument);
    crash_record& record = *handler.record;
    int interrupted = 0;
    const std::uintptr_t address = _Unwind_GetIPInfo(context, &interrupted);
    if (!current.started) {
        if (address != current.start) {
            return _URC_NO_REASON;
        }
        current.started = true;
        interrupted = current.start_is_return_address ? 0 : 1;
    }
    if (address == 0 || record.frame_count == crash_record::max_frames) {
        return _URC_END_OF_STACK;
    }
    record.frames[record.frame_count++] = interrupted != 0 ? address : address - 1;
    return _URC_NO_REASON;
}

// The unwinder reads tables of every module and may meet a broken one: it has a second.
void limit_the_time() noexcept {
    struct sigaction deadly {};
    deadly.sa_handler = SIG_DFL;
    ::sigaction(SIGALRM, &deadly, nullptr);
    sigset_t alarm_only;
    ::sigemptyset(&alarm_only);
    ::sigaddset(&alarm_only, SIGALRM);
    ::pthread_sigmask(SIG_UNBLOCK, &alarm_only, nullptr);
    ::alarm(1);
}

void record_frames(int number, const siginfo_t& info, ucontext_t& context) noexcept {
    crash_record& record = *handler.record;
    const std::uintptr_t counter = program_counter(context);
    const bool called_nowhere = (number == SIGSEGV || number == SIGBUS) && info.si_code > 0 &&
                                reinterpret_cast<std::uintptr_t>(info.si_addr) == counter;
    record.frame_count = 0;
    if (called_nowhere) {
        const mcontext_t saved = context.uc_mcontext;
        record.frames[record.frame_count++] = counter;
        undo_call(context);
        walk current{program_counter(context), true};
        _Unwind_Backtrace(&visit_frame, &current);
        context.uc_mcontext = saved;
    } else {
        walk current{counter, false};
        _Unwind_Backtrace(&visit_frame, &current);
        if (record.frame_count == 0) {
            record.frames[record.frame_count++] = counter;
        }
    }
    record.state.store(crash_state::unwound, std::memory_order_release);
}

// ---- The end
// -----------------------------------------------------------------------------------------

// Gives the signal back to whom it would have gone without us. It becomes pending, with all it
// carries, and arrives when the handler returns: also where returning alone would not fault again
// (abort, a trap, a signal that was sent).
void hand_on(int number, siginfo_t& info) noexcept {
    const auto* place = std::find(std::begin(fatal_signals), std::end(fatal_signals), number);
    struct sigaction action = handler.previous[place - std::begin(fatal_signals)];
    if ((action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN) {
        action.sa_handler = SIG_DFL;
    }
    ::sigaction(number, &action, nullptr);
    const pid_t thread = thread_number();
    if (::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), thread, number, &info) != 0) {
        ::syscall(SYS_tgkill, ::getpid(), thread, number);
    }
}

void handle(int number, siginfo_t* info, void* context) {
    const int saved_errno = errno;
    // A child that a task forked has the handler, but the record is its parent's.
    if (::getpid() == handler.worker) {
        const pid_t thread = thread_number();
        pid_t first = 0;
        if (handler.crashing_thread.compare_exchange_strong(first, thread)) {
            record_and_ring(number, *info);
            limit_the_time();
            record_frames(number, *info, *static_cast<ucontext_t*>(context));
            ::alarm(0);
        } else if (first != thread) {
            // Another thread has crashed before and the process is about to end. All signals are
            // blocked here, so this waits for that.
            for (;;) {
                ::pause();
            }
        }
    }
    hand_on(number, *info);
    errno = saved_errno;
}

// ---- Before any crash
// --------------------------------------------------------------------------------

void provide_alternate_stack() noexcept {
    constexpr std::size_t enough_bytes = alternate_stack_bytes / 2;
    stack_t stack{};
    ::sigaltstack(nullptr, &stack);
    if ((stack.ss_flags & SS_DISABLE) == 0 && stack.ss_size >= enough_bytes) {
        return; // A sanitizer's, or the host's.
    }
    const auto guard_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* memory = ::mmap(nullptr, guard_bytes + alternate_stack_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
        return;
    }
    ::mprotect(memory, guard_bytes, PROT_NONE);
    stack.ss_sp = static_cast<char*>(memory) + guard_bytes;
    stack.ss_size = alternate_stack_bytes;
    stack.ss_flags = 0;
    ::sigaltstack(&stack, nullptr);
}

void limit_core_dumps(bool wanted) noexcept {
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_CORE, &limit) != 0) {
        return;
    }
    // One byte, not zero: it prevents a dump also where the kernel pipes dumps to a program, which
    // it does whatever the limit is otherwise.
    limit.rlim_cur = wanted ? limit.rlim_max : std::min<rlim_t>(1, limit.rlim_max);
    ::setrlimit(RLIMIT_CORE, &limit);
}

// The unwinder prepares itself at its first use, which must not be in the handler.
void prepare_unwinder() noexcept {
    walk nowhere{0, false};
    _Unwind_Backtrace(&visit_frame, &nowhere);
}

} // namespace

void record_modules(crash_record& record) {
    std::uint32_t count = 0;
    for (const process::loaded_module& module : process::loaded_modules()) {
        if (count == crash_record::max_modules) {
            break;
        }
        memory::module_range& range = record.modules[count++];
        // The end of a path tells more than its beginning.
        std::string_view path = module.identity().path;
        path.remove_prefix(path.size() - std::min(path.size(), sizeof range.path - 1));
        range.base = module.base();
        range.size = module.end() - module.base();
        std::memset(range.path, 0, sizeof range.path);
        std::memcpy(range.path, path.data(), path.size());
    }
    record.module_count = count;
}

void install_crash_handler(const crash_handler_options& options) {
    handler.record = options.record;
    handler.socket = options.socket;
    handler.worker = ::getpid();
    handler.crashing_thread.store(0);
    limit_core_dumps(options.core_dumps);
    record_modules(*options.record);
    provide_alternate_stack();
    prepare_unwinder();

    struct sigaction action {};
    action.sa_sigaction = &handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigfillset(&action.sa_mask);
    for (std::size_t i = 0; i < std::size(fatal_signals); ++i) {
        struct sigaction before {};
        ::sigaction(fatal_signals[i], &action, &before);
        if (before.sa_sigaction != &handle) { // else this is a fork of what had it
            handler.previous[i] = before;
        }
    }
}

} // namespace coproc::worker
