#pragma once

#include <coproc/call.hpp>
#include <coproc/detail/config.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

// What can be said about executors and tasks. Aggregates: use designated initializers, in this
// order.
namespace coproc {

struct event; // <coproc/event.hpp>

/// Lengths of time in all options; the clock is std::chrono::steady_clock.
using duration = std::chrono::steady_clock::duration;

/// The duration that never ends. Zero and less mean "already over", never "none".
inline constexpr duration no_limit = duration::max();

/// The number that is never reached.
inline constexpr std::size_t no_bound = static_cast<std::size_t>(-1);

/**
 * @brief What one task is given besides its function and its arguments.
 *
 * Trivially copyable, and must stay so: GCC 12 destroys aggregate temporaries in a co_await
 * expression twice (docs/compilers.md).
 */
struct task_options {
    /// From submit to answer, the time in the queue included; then errc::timed_out and the stop
    /// sequence (docs/lifecycle.md). The clock runs on the loop: a blocked loop delays it. Any
    /// value.
    duration timeout = no_limit;
    /// From the moment when an idle worker is given the task, so the function and its way there;
    /// then as for `timeout`. Any value.
    duration run_timeout = no_limit;
    /// Between the request to stop and SIGKILL for the worker of a task that was cancelled or timed
    /// out while it ran. Zero or less: at once. no_limit: never.
    duration grace = std::chrono::milliseconds(100);
    /// Greater goes first, the older within one priority. One unit is worth a second of waiting: a
    /// task that came more than a second earlier goes before one whose priority is one greater, so
    /// that none starves. What has begun is not interrupted, and of what lies in a worker's pipe
    /// only that is overtaken which has not begun. Any value.
    int priority = 0;
    /// How often it may be run again after its worker died while it ran it. The time-out counts for
    /// all runs together, the run time-out for each. Zero: never, which is right for what must not
    /// happen twice.
    unsigned retries = 0;
    /// For messages and this_task::name(), which gives at most its first 4096 bytes; copied by
    /// submit. Default: the function's name.
    std::string_view name = {};
};
static_assert(std::is_trivially_copyable_v<task_options>);

/// How executor::map goes. Trivially copyable, as task_options. Wrong values make map throw
/// std::invalid_argument with the name of the field.
struct map_options {
    /// Most tasks at a time that are submitted and whose elements are not all taken: however long
    /// the range is, no more memory is needed. With chunks it counts these, so that in_flight *
    /// chunk_size elements may be on their way. At most 2^24, and at most
    /// executor_options::max_queued. 0: twice executor_options::max_workers, but not more than
    /// that. Where others have filled the queue, an element fails with errc::queue_full.
    std::size_t in_flight = 0;
    /// Elements that travel in one task, fewer where the range ends, and where they would not fit
    /// into a message. For short functions: a task costs a few microseconds, an element of a large
    /// chunk a tenth of one. Each element is still called, and fails, for itself. `task` is about
    /// the whole chunk: its name, priority, time-outs, retries and stop request; when it is asked
    /// to stop, what has not begun does not begin (errc::cancelled, not_started). If the worker
    /// dies, the element that it was at may have run, those before it keep their results or, if
    /// these were not sent yet, have run (they are sent at least every millisecond, between two
    /// elements), and those after it go to another worker. Where a chunk is given up while it runs,
    /// by cancellation or a time-out, all its elements without a result may have run. At most 2^20.
    /// 0, automatic: one.
    std::size_t chunk_size = 1;
    /// Whether stream::async_next gives the elements in the order of the range, or as they are
    /// completed.
    bool ordered = true;
    /// For each task; copied by map.
    task_options task = {};
};
static_assert(std::is_trivially_copyable_v<map_options>);

/// How a shutdown treats tasks that are not completed.
enum class shutdown_mode {
    drain,         ///< all run to their end
    cancel_queued, ///< what has not started fails with errc::executor_shutdown; the rest runs to
                   ///< its end
    kill, ///< all fail with errc::executor_shutdown; what runs has its grace to end, then is killed
};

/// How executor::async_shutdown goes. Trivially copyable, as task_options.
struct shutdown_options {
    /// What becomes of tasks that are not completed.
    shutdown_mode mode = shutdown_mode::drain;
    /// After this, the mode is `kill`. no_limit: never.
    duration timeout = no_limit;
};
static_assert(std::is_trivially_copyable_v<shutdown_options>);

/// How workers come into being.
enum class start_method {
    exec,       ///< this program again, in a new process; `main` runs up to coproc::init at most
    exec_main,  ///< the same, and coproc_main leaves it to `main` to call coproc::init
    program,    ///< another program, executor_options::program, which loads the shared libraries
                ///< that functions lie in; `main` of this program need not know of coproc
    forkserver, ///< a copy of one such process, which has run executor_options::preload and then
                ///< forks on request: what preload built is there in all workers, and takes memory
                ///< once. No thread may be begun before the fork (docs/lifecycle.md)
    fork, ///< a copy of this program as it is, for programs with one thread; least of all, since
          ///< what it inherits may be in any state (docs/lifecycle.md)
    in_process, ///< a thread of this process: same codecs and completions, no isolation; for
                ///< debuggers and tests
};

/// The enumerator's name, as COPROC_START_METHOD takes it; empty if the value has none.
[[nodiscard]] COPROC_API std::string_view to_string(start_method method) noexcept;

/// What `executor_options::start` is when it is not given: what set_start_method() has said, else
/// the environment variable COPROC_START_METHOD, which has the name of an enumerator and is read
/// once, else start_method::exec. A name that no enumerator has makes the constructor of an
/// executor throw std::invalid_argument, which tells the known ones. Any thread.
COPROC_API start_method default_start_method() noexcept;

/// How a default of the whole program is set.
struct set_default_options {
    bool force = false; ///< also if it was set before
};

/**
 * @brief Sets what `executor_options::start` is when it is not given, for the whole program.
 *
 * For `main` alone, before it makes executors: those that there are keep what they have, and a
 * library that wants a method of its own says so in its options. Takes precedence over
 * COPROC_START_METHOD, and also holds for get_reusable_executor(). Workers, which do not run
 * `main`, know of the environment only.
 *
 * @throws std::logic_error        another method was set before, and `force` is false
 * @throws std::invalid_argument   the value is no enumerator
 *
 * @par Thread safety   Any thread.
 */
COPROC_API void set_start_method(start_method method, set_default_options how = {});

/// What the system lets a worker's process take; for its whole life, and no task can raise it. What
/// is not given stays as it is in this process. More than this process itself may have needs
/// privileges: without them, no worker can be started.
struct resource_limits {
    /// Private memory that can be written: heap, static data, stacks of further threads, touched or
    /// not (RLIMIT_DATA). A request beyond it is refused, std::bad_alloc as a rule. Shared memory
    /// and code do not count. At least 64 MiB; programs with a sanitizer need terabytes.
    std::size_t memory_bytes = no_bound;
    /// Time of computing, of all tasks together, in whole seconds, rounded up; then SIGXCPU ends
    /// the worker. Positive.
    duration cpu_time = no_limit;
    /// Descriptors at a time. At least 16; a worker has about 5 of its own.
    std::size_t open_files = no_bound;
    /// The length of files that are written; SIGXFSZ ends a worker that writes beyond it. Any
    /// value.
    std::size_t file_bytes = no_bound;
    /// The stack of the thread that tasks run in; a greater one than this process has works, too.
    /// At least 256 KiB.
    std::size_t stack_bytes = no_bound;

    friend bool operator==(const resource_limits&, const resource_limits&) = default;
};

/// What a worker's process has of its own where others have what this process has. Not with
/// start_method::in_process. What the system refuses fails tasks with errc::spawn_failed and the
/// name of the field.
struct process_options {
    /// Where it runs; "{slot}" is replaced by the worker's slot. Empty: where this process does.
    std::string working_directory = {};
    /// Added to the niceness of the thread that runs the loop: greater means that others go first.
    /// Between -20 and 19; less than zero needs privileges.
    int nice = 0;
    /// The CPUs that a worker may run on, by slot: each entry is a list of their numbers. With
    /// fewer entries than workers they are used again from the first. Empty: those of the thread
    /// that runs the loop. No entry is empty, and numbers are below 65536.
    std::vector<std::vector<unsigned>> affinity = {};
    /// What it may take.
    resource_limits limits = {};

    friend bool operator==(const process_options&, const process_options&) = default;
};

/**
 * @brief When a worker's memory is too much.
 *
 * What counts is the memory that a worker has to itself, in RAM or swapped out; shared memory
 * and files do not. It is looked at when a task has ended, once in `period` or sooner. A worker
 * beyond `max_growth` or `absolute` gives back what it can before its next task, calls the hooks of
 * its tasks if that is not enough (this_worker::on_cleanup), and measures itself: so one whose
 * tasks take much and give it back is never replaced. One that still has too much is: its successor
 * is started first, if tasks need one, and no task is lost. What it grew with in one of its first
 * tasks by design (a cache, a model) is not told from a leak: make it in
 * executor_options::initializers or in the first task, or allow it.
 *
 * With start_method::in_process workers have no memory of their own, and nothing is looked at.
 */
struct leak_options {
    /// From one look at a worker to the next, at most. One that is new, or grows so fast that it
    /// would have too much before, is looked at sooner, up to 64 times in a period. Positive.
    duration period = std::chrono::seconds(1);
    /// So many bytes more than after its first task. At least 1 MB. no_bound: any growth.
    std::size_t max_growth = 300'000'000;
    /// So many bytes, whatever it had after its first task. At least 1 MB. no_bound: none.
    std::size_t absolute = no_bound;
    /// A worker that is found to have more, in the midst of a task or not, is killed, and its task
    /// fails with errc::out_of_memory. While there is work a timer looks at the workers that have
    /// some, or initializers to run, once in `period`; between two looks a worker can take more
    /// than that, which resource_limits::memory_bytes does not allow. At least 1 MB. no_bound:
    /// none. Not with start_method::in_process.
    std::size_t hard = no_bound;

    friend bool operator==(const leak_options&, const leak_options&) = default;
};

/// What an executor is given once. Checked by its constructor, which throws std::invalid_argument
/// with the name of the wrong field.
struct executor_options {
    /// Most workers at a time, at least 1; they are started as tasks need them. Unset:
    /// cpu_count(), at the time of construction. executor::resize changes it. A worker that is to
    /// be replaced works on until its successor is ready: there may be as many processes more as
    /// there are workers on their way out.
    std::optional<std::size_t> max_workers = {};
    /// So many workers are started by the first submit and kept, with or without tasks. At most
    /// max_workers; after a resize to less, that is kept. If it is not 0, idle workers are watched
    /// (watch_idle).
    std::size_t min_workers = 0;
    /// Most tasks that wait for a worker; a submit beyond it fails with errc::queue_full. At
    /// least 1.
    std::size_t max_queued = no_bound;
    /// A worker beyond min_workers that has had no task for so long is asked to exit. Tasks go to
    /// the worker that had one last, so that those to spare stay idle. Zero and less: as soon as it
    /// has none. If it is given, idle workers are watched (watch_idle). Unset: no_limit; for
    /// get_reusable_executor 10 s.
    std::optional<duration> idle_timeout = {};
    /// Variables that workers have besides those of this process, or with another value; "{slot}"
    /// in a value is replaced by the worker's slot, as for CUDA_VISIBLE_DEVICES. They are there
    /// before static constructors run; with start_method::forkserver those that have a "{slot}" are
    /// there before initializers run. Names are not empty and have no '='. Not with
    /// start_method::in_process.
    std::map<std::string, std::string> environment = {};
    /// What each worker does, in this order, before its first task; their results are ignored. One
    /// that fails or crashes costs the worker, which was then of no use, as with max_failed_starts:
    /// tasks fail with errc::initializer_failed, and its cause, when no worker comes through.
    std::vector<call> initializers = {};
    /// How long they may take together; then the worker is killed, and they have failed. Positive.
    duration initializer_timeout = std::chrono::minutes(5);
    /// How workers come into being.
    start_method start = default_start_method();
    /// The file that workers execute with start_method::program, and only there: a path, which is
    /// not looked for in PATH. A program of yours that calls coproc::init, linked with the same
    /// coproc; it runs functions of shared libraries, which it loads, and those that it has
    /// exported (coproc::named). Functions of this program's own executable only if it is this very
    /// build. Empty: the program coproc-worker that is installed with the library, which runs
    /// functions of shared libraries.
    std::string program = {};
    /// What is done once, in this order, in the process that forks the workers, before it forks the
    /// first: load a model, fill a cache. The workers find its this_worker::local objects, hooks
    /// and static objects as it has left them, and share their memory until they write to it. A
    /// failure is that of an initializer (errc::initializer_failed), and initializer_timeout counts
    /// for all of it, too. A thread that it leaves behind would not be in the workers, and is a
    /// failure. Only with start_method::forkserver.
    std::vector<call> preload = {};
    /// The file that workers execute, a build of this very program. Not with start_method::program
    /// and start_method::in_process. Empty: the environment variable
    /// COPROC_EXECUTABLE, else the file that this process runs, even if it was replaced on disk
    /// since.
    std::string executable = {};
    /// When a worker's memory is too much.
    leak_options leak = {};
    /// A worker that was given so many tasks is replaced when it has ended them; in the meantime
    /// its successor starts. 0: no limit. At most 2^32 - 1.
    std::size_t max_tasks_per_worker = 0;
    /// A worker that has been ready for so long is replaced: its successor is started first, if one
    /// is needed, and it ends the task that it has begun. The clock is that of idle_timeout.
    /// Positive.
    duration max_worker_age = no_limit;
    /// So many times in a row that workers end before they are ready, without one that ever was,
    /// break the executor: errc::executor_broken. Those that were started together count once.
    /// After half of them, rounded up, but two at least, a task is given up that was the next one
    /// of each worker that died. Crashes of tasks do not count. At least 1.
    unsigned max_failed_starts = 5;
    /// From the start of a process until it is ready for its initializers; then it is killed and
    /// counts as a failed start. Positive.
    duration start_timeout = std::chrono::seconds(30);
    /// From the request to leave, at its end, until the worker has gone: time for its exit hooks,
    /// its destructors and those of static objects. Then it is killed. Likewise for the hooks of
    /// this_worker::on_cleanup. Positive.
    duration exit_timeout = std::chrono::seconds(5);
    /// The longest message, either way, with what coproc adds to the values, for which 6 KiB are
    /// set aside in each result: a task beyond it fails with errc::too_large. At least 64
    /// KiB.
    std::size_t max_message_bytes = std::size_t{4} << 30;
    /// Watch idle workers: their deaths are noticed at once, and not only at the next submit, and
    /// max_worker_age ends workers also while the executor has no tasks. The executor then is
    /// outstanding work for its loop until it is stopped, shut down or destroyed. With an own
    /// thread, with min_workers and with idle_timeout it is always so.
    bool watch_idle = false;
    /// Read what workers write to stdout and stderr, and keep the last 4 KiB of each for the
    /// failures of their tasks (worker_exit::stderr_tail, and its last lines in
    /// failure::message()); the rest is thrown away. False: workers write to where this process
    /// does. A worker is read while it has tasks; what an idle one writes waits in the pipe. Not
    /// with start_method::in_process.
    bool capture_output = false;
    /// Whether crashing workers may write core dumps (which delays the news of their death). They
    /// have five minutes for it; without it, and for whatever else a program's own handlers of
    /// fatal signals do after ours, two seconds. Then they are killed.
    bool core_dumps = false;
    /// Directory, niceness, CPUs and limits of workers.
    process_options process = {};
    /**
     * @brief Is told what happens, event by event. Include <coproc/event.hpp> for them.
     *
     * Called on the executor's I/O executor, in the order in which things happened, one call at a
     * time, without a lock, and never from inside a call of the executor or of a job. What it
     * throws leaves through run(), and the next event is told all the same. It may do anything,
     * also destroy the executor. It holds up the thread that would call handlers of jobs: let it be
     * short.
     *
     * Events that have not been told yet keep the loop at work. After the executor was destroyed it
     * is not called any more: such events are dropped, and those that the destruction itself brings
     * about are never told; only a call that another thread of the loop is in goes on, and that one
     * is waited for if the thread is the executor's own. The same holds for the destruction of the
     * loop. While the loop is stopped, events wait. Those of executor::stop and async_shutdown are
     * told as all others. On a loop that one thread runs, what happens is told before the handlers
     * that it makes ready are called, that of async_shutdown, too; where several threads run it, a
     * handler may be called at the same time. A reusable executor tells until its last task is
     * done, but nothing once the program ends.
     *
     * Functions cannot be compared: to get_reusable_executor, options with an observer are equal to
     * no others, not even to themselves. Empty: nobody watches, and it costs nothing.
     */
    std::function<void(const event&)> observer = {};
};

/// What a shutdown has used force for, since it began; all zero after a drain in which each worker
/// left when it was asked to.
struct shutdown_report {
    std::size_t cancelled = 0; ///< tasks that failed with errc::executor_shutdown
    std::size_t lost = 0;      ///< of these, those that had begun: they may have run, to their end
                               ///< perhaps, and their results are lost
    std::size_t killed_workers = 0; ///< workers that did not leave by themselves; those that were
                                    ///< not ready yet, perhaps in their initializers, are killed by
                                    ///< every shutdown and are not counted
};

/// What an executor is doing, and has done since it was made.
struct executor_stats {
    std::size_t queued = 0; ///< tasks that no worker has got
    std::size_t staged =
        0; ///< tasks that a worker has got: it runs one, the others wait in its pipe
    std::size_t starting_workers = 0;  ///< processes that are not ready yet
    std::size_t idle_workers = 0;      ///< ready, without a task
    std::size_t busy_workers = 0;      ///< ready, with a task
    std::size_t leaving_workers = 0;   ///< they end their task, if they have one, and exit
    std::uint64_t submitted = 0;       ///< tasks accepted
    std::uint64_t completed = 0;       ///< of these, completed in any way
    std::uint64_t started_workers = 0; ///< processes asked for
    std::uint64_t crashed_workers = 0; ///< ended without having been told to
};

} // namespace coproc
