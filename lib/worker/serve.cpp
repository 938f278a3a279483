#include "worker/serve.hpp"

#include "coproc/detail/call.hpp"
#include "memory/chunk_step.hpp"
#include "process/modules.hpp"
#include "wire/frame_reader.hpp"
#include "worker/clean_up.hpp"
#include "worker/connection.hpp"
#include "worker/crash_handler.hpp"
#include "worker/current_task.hpp"
#include "worker/exports.hpp"
#include "worker/extent_views.hpp"
#include "worker/flush_output.hpp"
#include "worker/nesting.hpp"
#include "worker/report_channel.hpp"
#include "worker/stop_watch.hpp"
#include "worker/task_end.hpp"
#include "worker/worker_scope.hpp"
#include "worker/zygote.hpp"

#include <new>
#include <optional>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

// The worker's loop: read a command, claim the task, run it, answer it.
namespace coproc::worker {
namespace {

/// The task that runs, with what its invoker may ask for.
struct running_task : current_task {
    connection& answers;
    encoder& result;

    static void returned(void* context) noexcept {
        static_cast<const running_task*>(context)->has_returned();
    }

    void has_returned() const noexcept {
        if (!header->initializer) {
            page->slots().finish(sequence);
        }
    }

    static std::stop_token stop_token(void* context) {
        return static_cast<running_task*>(context)->token();
    }

    static bool stop_requested(void* context) noexcept {
        const auto& task = *static_cast<running_task*>(context);
        return task.page->stop_requested(task.sequence);
    }

    static void step(void* context, std::uint64_t step) noexcept {
        const auto& task = *static_cast<running_task*>(context);
        task.page->layout().chunk_step.store(memory::step_word(task.sequence, step),
                                             std::memory_order_release);
    }

    static bool send_part(void* context) {
        auto& task = *static_cast<running_task*>(context);
        const wire::reply_header part{.sequence = task.sequence,
                                      .outcome = wire::reply_outcome::part};
        const std::span<const std::byte> results = task.result.bytes();
        return task.reports->channel ? task.reports->channel->send_part(part, results)
                                     : task.answers.reply(part, results);
    }
};

/// A module that tasks may name. It is loaded when the first does, so that this task is to blame if
/// the worker dies of it.
struct named_module {
    process::module_identity identity;
    process::module_search search;
    bool searched = false;
};

/// Where a task's function is.
struct entry_point {
    detail::invoker invoke = nullptr; ///< null: there is none
    const void* function = nullptr;
    std::string why_not = {};
};

class session {
public:
    session(service& s, worker_scope& scope)
        : service_(s),
          scope_(scope),
          connection_(s.socket.get(), s.page->layout(), s.page->ring_memory()),
          frames_(s.page->layout().settings.max_message_bytes),
          max_payload_bytes_(s.page->layout().settings.max_message_bytes - wire::max_head_bytes),
          result_(max_payload_bytes_) {
        auto executable = process::loaded_module::executable();
        modules_.push_back({executable.identity(), {std::move(executable), {}}, true});
        detail::this_threads_arrays = s.arrays != nullptr ? s.arrays : &extents_;
    }
    session(const session&) = delete;
    session& operator=(const session&) = delete;
    ~session() { detail::this_threads_arrays = nullptr; }

    void run() {
        const wire::hello hello{
            .pid = ::getpid(), .nonce = service_.nonce, .build_id = modules_.front().identity.id};
        if (!connection_.say(hello)) {
            return;
        }
        for (;;) {
            const wire::frame_event event = frames_.next();
            switch (event.kind) {
            case wire::frame_kind::need_more: {
                const std::span<std::byte> into = prepare();
                const std::size_t got = into.empty() ? 0 : connection_.read(into);
                if (got == 0) {
                    return;
                }
                frames_.commit(got);
                break;
            }
            case wire::frame_kind::complete:
                if (!obey(event.frame, event.frame.payload)) {
                    return;
                }
                break;
            case wire::frame_kind::doorbell:
                break;
            case wire::frame_kind::malformed:
                connection_.say(wire::log_text{wire::describe(event.error)});
                return;
            }
        }
    }

private:
    // Empty: it cannot go on.
    std::span<std::byte> prepare() {
        try {
            return frames_.prepare();
        } catch (const std::bad_alloc&) {
            return refuse(frames_.skip()) ? frames_.prepare() : std::span<std::byte>();
        }
    }

    // A message that there is no memory for. Without a task there is nobody to tell.
    bool refuse(std::span<const std::byte> envelope) {
        const wire::command command = wire::parse_command(envelope);
        const auto* const task = std::get_if<wire::task_header>(&command);
        if (task == nullptr) {
            connection_.say(wire::log_text{"there was no memory for what it was sent"});
            return false;
        }
        const std::optional<std::uint64_t> sequence = claim(*task);
        return !sequence || answer({.sequence = *sequence,
                                    .outcome = wire::reply_outcome::decode_failed,
                                    .text = "there is no memory for them in the worker"},
                                   {});
    }

    // Nothing: it was taken back, or will be.
    std::optional<std::uint64_t> claim(const wire::task_header& task) {
        const std::uint64_t sequence = task.initializer ? next_initializer_++ : next_sequence_++;
        if (!task.initializer && (scope_.retiring || !service_.page->slots().claim(sequence))) {
            return std::nullopt;
        }
        return sequence;
    }

    // False: no further command counts.
    bool obey(const wire::frame& frame, std::span<const std::byte> payload) {
        const wire::command command = wire::parse_command(frame.envelope);
        if (const auto* task = std::get_if<wire::task_header>(&command)) {
            return perform(*task, payload);
        }
        if (const auto* module = std::get_if<wire::module_header>(&command)) {
            learn(*module);
            return true;
        }
        if (const auto* request = std::get_if<wire::clean_up>(&command)) {
            return connection_.say(wire::cleaned{kibibytes(clean_up(scope_, request->limit))});
        }
        if (const auto* extent = std::get_if<wire::extent_header>(&command)) {
            extents_.learn(*extent, connection_.arrived());
            return true;
        }
        if (const auto* extent = std::get_if<wire::forget_extent>(&command)) {
            extents_.forget(extent->number);
            return true;
        }
        if (service_.forks != nullptr && std::holds_alternative<wire::fork_descriptor>(command)) {
            service_.forks->keep_descriptor(connection_);
            return true;
        }
        if (const auto* order = std::get_if<wire::fork_order>(&command);
            order != nullptr && service_.forks != nullptr) {
            return service_.forks->fork(*order, payload, connection_);
        }
        if (const auto* error = std::get_if<wire::message_error>(&command)) {
            connection_.say(wire::log_text{wire::describe(*error)});
        }
        return false;
    }

    // Number 0 is named by a parent that another program runs in: its executable cannot be loaded
    // here, and is not tried.
    void learn(const wire::module_header& module) {
        if (modules_.size() <= module.number) {
            modules_.resize(module.number + 1);
        }
        modules_[module.number] = {
            {std::string(module.path),
             process::build_id(module.build_id.begin(), module.build_id.end())},
            {},
            false};
        if (module.number == 0) {
            modules_[0].searched = true;
            modules_[0].search.why_not =
                "its code, or that of the submit which calls it, lies in the executable " +
                std::string(module.path) + " itself, which another program cannot load";
        }
    }

    const void* code_at(std::uint32_t number, std::uint64_t offset, std::string& why_not) {
        if (number >= modules_.size()) {
            why_not = "it was not told which library holds it";
            return nullptr;
        }
        named_module& module = modules_[number];
        if (!module.searched) {
            module.searched = true;
            module.search = process::load_module(module.identity);
            record_modules(service_.page->layout().crash);
        }
        const void* const code =
            module.search.module ? module.search.module->code_at(offset) : nullptr;
        if (code == nullptr) {
            why_not = module.search.module ? "there is no code where it should be"
                                           : module.search.why_not;
        }
        return code;
    }

    entry_point find(const wire::task_header& task) {
        if (!task.exported.empty()) {
            found_export found = find_export(task.exported, task.invoker);
            return {found.invoke, nullptr, std::move(found.why_not)};
        }
        entry_point entry;
        const void* const invoke = code_at(task.module, task.invoker, entry.why_not);
        if (invoke != nullptr && task.function != 0) {
            entry.function = code_at(task.function_module, task.function, entry.why_not);
        }
        if (entry.why_not.empty()) {
            entry.invoke = reinterpret_cast<detail::invoker>(const_cast<void*>(invoke));
        }
        return entry;
    }

    bool perform(const wire::task_header& task, std::span<const std::byte> arguments) {
        const std::optional<std::uint64_t> sequence = claim(task);
        if (!sequence) {
            return true;
        }
        wire::reply_header reply{.sequence = *sequence};
        const entry_point entry = find(task);
        if (entry.invoke == nullptr) {
            reply.outcome = wire::reply_outcome::unknown_function;
            reply.text = entry.why_not;
            return answer(reply, {});
        }
        return call(task, arguments, entry, reply);
    }

    bool call(const wire::task_header& task, std::span<const std::byte> arguments,
              const entry_point& entry, wire::reply_header& reply) {
        report_source reports{&connection_, &service_.page, reply.sequence, max_payload_bytes_};
        running_task current{
            {service_.page.get(), reply.sequence, &task, {}, &reports}, connection_, result_};
        connection_.begin_task();
        if (task.run_limit_ns != wire::never_ns) {
            current.started = std::chrono::steady_clock::now();
        }
        this_thread_task = &current;
        decoder in(arguments);
        result_.clear(max_payload_bytes_);
        detail::invocation invocation{.arguments = in,
                                      .result = result_,
                                      .function = entry.function,
                                      .context = &current,
                                      .returned = &running_task::returned,
                                      .stop_token = &running_task::stop_token,
                                      .stop_requested = &running_task::stop_requested,
                                      .step = &running_task::step,
                                      .send_part = &running_task::send_part};
        task_end end{.outcome = wire::reply_outcome::value};
        try {
            entry.invoke(invocation);
        } catch (...) {
            if (invocation.stage == detail::call_stage::running) {
                current.has_returned(); // before its codec runs
            }
            end = describe_end(invocation.stage, max_payload_bytes_);
            if (task.initializer && end.text.empty()) {
                end.text = text_of_exception();
            }
        }
        this_thread_task = nullptr;
        current.stop.reset();
        if (service_.arrays == nullptr) { // a process of its own
            flush_output();
        }
        if (service_.forks != nullptr && end.outcome == wire::reply_outcome::value) {
            end = zygote::judge_preload();
        }
        if (scope_.retiring && !task.initializer) {
            announce_retirement(reports);
        }
        reply.outcome = end.outcome;
        reply.text = end.text;
        const std::span<const std::byte> payload = reply.outcome == wire::reply_outcome::value
                                                       ? result_.bytes()
                                                       : std::span<const std::byte>(end.thrown);
        const bool sent =
            reports.channel ? reports.channel->finish(reply, payload) : answer(reply, payload);
        forget_large_result();
        return sent;
    }

    // Nobody looks into the ring of a zygote.
    bool answer(const wire::reply_header& reply, std::span<const std::byte> payload) {
        return service_.forks != nullptr ? connection_.say(reply, payload)
                                         : connection_.reply(reply, payload);
    }

    void forget_large_result() {
        constexpr std::size_t kept = 1024 * 1024;
        if (result_.size() > kept) {
            result_ = encoder(max_payload_bytes_);
        }
    }

    void announce_retirement(report_source& reports) {
        const wire::retire_request request;
        if (reports.channel) {
            reports.channel->send_retirement(request);
        } else {
            connection_.reply(request, {});
        }
    }

    service& service_;
    worker_scope& scope_;
    connection connection_;
    wire::frame_reader frames_;
    const std::size_t max_payload_bytes_; // what the parent takes, less the greatest head
    encoder result_;
    std::vector<named_module> modules_; // by number
    extent_views extents_;
    std::uint64_t next_sequence_ = 0;
    std::uint64_t next_initializer_ = 0;
};

} // namespace

void serve(service& s, worker_scope& scope) {
    serve_forks(s, scope);
    scope.leave();
    this_thread_scope = nullptr;
}

void serve_forks(service& s, worker_scope& scope) {
    this_thread_slot = s.slot;
    set_thread_depth(s.page->layout().settings.depth);
    this_thread_scope = &scope;
    session(s, scope).run();
}

void say_why_not(int socket, const char* text) noexcept {
    alignas(16) std::array<std::byte, wire::max_head_bytes> head;
    const std::size_t size = wire::encode(wire::log_text{text}, 0, head);
    static_cast<void>(::send(socket, head.data(), size, MSG_NOSIGNAL));
}

} // namespace coproc::worker
