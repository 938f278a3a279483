#include "worker/serve.hpp"

#include "coproc/detail/call.hpp"
#include "exception/exception_codec.hpp"
#include "process/modules.hpp"
#include "wire/frame_reader.hpp"
#include "worker/connection.hpp"
#include "worker/current_task.hpp"
#include "worker/stop_watch.hpp"

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
    std::optional<stop_watch> stop;

    static void returned(void* context) noexcept {
        const auto& task = *static_cast<running_task*>(context);
        task.page->slots().finish(task.sequence);
    }

    static std::stop_token stop_token(void* context) {
        auto& task = *static_cast<running_task*>(context);
        return task.stop.emplace(*task.page, task.sequence).token();
    }
};

class session {
public:
    explicit session(service& s)
        : service_(s),
          connection_(s.socket.get(), s.page->layout(), s.page->ring_memory()),
          frames_(s.page->layout().settings.max_message_bytes),
          max_payload_bytes_(s.page->layout().settings.max_message_bytes - wire::max_head_bytes),
          result_(max_payload_bytes_) {
        modules_.push_back(process::loaded_module::executable());
    }

    void run() {
        const wire::hello hello{.pid = ::getpid(),
                                .nonce = service_.nonce,
                                .build_id = modules_.front()->identity().id};
        if (!connection_.say(hello)) {
            return;
        }
        for (;;) {
            const wire::frame_event event = frames_.next();
            switch (event.kind) {
            case wire::frame_kind::need_more: {
                const std::size_t got = connection_.read(frames_.prepare());
                if (got == 0) {
                    return;
                }
                frames_.commit(got);
                break;
            }
            case wire::frame_kind::complete:
                if (!obey(event.frame)) {
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
    // False: no further command counts.
    bool obey(const wire::frame& frame) {
        const wire::command command = wire::parse_command(frame.envelope);
        if (const auto* task = std::get_if<wire::task_header>(&command)) {
            return perform(*task, frame.payload);
        }
        if (const auto* module = std::get_if<wire::module_header>(&command)) {
            learn(*module);
            return true;
        }
        if (const auto* error = std::get_if<wire::message_error>(&command)) {
            connection_.say(wire::log_text{wire::describe(*error)});
        }
        return false;
    }

    void learn(const wire::module_header& module) {
        if (modules_.size() <= module.number) {
            modules_.resize(module.number + 1);
        }
        modules_[module.number] = process::loaded_module::find(
            {std::string(module.path),
             process::build_id(module.build_id.begin(), module.build_id.end())});
    }

    const void* code_at(std::uint32_t module, std::uint64_t offset) const {
        return module < modules_.size() && modules_[module] ? modules_[module]->code_at(offset)
                                                            : nullptr;
    }

    bool perform(const wire::task_header& task, std::span<const std::byte> arguments) {
        const std::uint64_t sequence = next_sequence_++;
        memory::claims slots = service_.page->slots();
        if (!slots.claim(sequence)) {
            return true; // it was taken back
        }
        wire::reply_header reply{.sequence = sequence};
        const void* const invoke = code_at(task.module, task.invoker);
        const void* const function =
            task.function == 0 ? nullptr : code_at(task.function_module, task.function);
        if (invoke == nullptr || (task.function != 0 && function == nullptr)) {
            reply.outcome = wire::reply_outcome::unknown_function;
            reply.text = "the worker has not loaded the module that holds it";
            return connection_.reply(reply, {});
        }
        return call(task, arguments, reinterpret_cast<detail::invoker>(const_cast<void*>(invoke)),
                    function, reply);
    }

    bool call(const wire::task_header& task, std::span<const std::byte> arguments,
              detail::invoker invoke, const void* function, wire::reply_header& reply) {
        running_task current{{service_.page.get(), reply.sequence, &task, {}}, {}};
        if (task.run_limit_ns != wire::never_ns) {
            current.started = std::chrono::steady_clock::now();
        }
        this_thread_task = &current;
        decoder in(arguments);
        result_.clear();
        detail::invocation invocation{.arguments = in,
                                      .result = result_,
                                      .function = function,
                                      .context = &current,
                                      .returned = &running_task::returned,
                                      .stop_token = &running_task::stop_token};
        std::vector<std::byte> thrown;
        try {
            invoke(invocation);
        } catch (...) {
            describe_end(invocation.stage, reply, thrown);
        }
        this_thread_task = nullptr;
        current.stop.reset();
        const bool sent = connection_.reply(reply, reply.outcome == wire::reply_outcome::value
                                                       ? result_.bytes()
                                                       : std::span<const std::byte>(thrown));
        forget_large_result();
        return sent;
    }

    // Called while the exception is handled. The text of the reply lives in text_.
    void describe_end(detail::call_stage stage, wire::reply_header& reply,
                      std::vector<std::byte>& thrown) {
        if (stage == detail::call_stage::running) {
            service_.page->slots().finish(reply.sequence);
            reply.outcome = wire::reply_outcome::threw;
            thrown = exceptions::encode_exception(std::current_exception());
            if (thrown.size() > max_payload_bytes_) {
                thrown.clear(); // it costs its detail, not the worker
            }
            return;
        }
        reply.outcome = stage == detail::call_stage::decoding ? wire::reply_outcome::decode_failed
                                                              : wire::reply_outcome::encode_failed;
        try {
            throw;
        } catch (const encode_error& error) {
            if (error.too_large()) {
                reply.outcome = wire::reply_outcome::too_large;
            }
            text_ = error.what();
        } catch (const std::exception& error) {
            text_ = error.what();
        } catch (...) {
            text_ = "its codec threw something that is no std::exception";
        }
        reply.text = text_;
    }

    void forget_large_result() {
        constexpr std::size_t kept = 1024 * 1024;
        if (result_.size() > kept) {
            result_ = encoder(max_payload_bytes_);
        }
    }

    service& service_;
    connection connection_;
    wire::frame_reader frames_;
    const std::size_t max_payload_bytes_; // what the parent takes, less the greatest head
    encoder result_;
    std::string text_;
    std::vector<std::optional<process::loaded_module>> modules_; // by number
    std::uint64_t next_sequence_ = 0;
};

} // namespace

void serve(service& s) {
    this_thread_slot = s.slot;
    session(s).run();
}

void say_why_not(int socket, const char* text) noexcept {
    alignas(16) std::array<std::byte, wire::max_head_bytes> head;
    const std::size_t size = wire::encode(wire::log_text{text}, 0, head);
    static_cast<void>(::send(socket, head.data(), size, MSG_NOSIGNAL));
}

} // namespace coproc::worker
