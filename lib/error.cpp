#include <coproc/error.hpp>

#include <cstddef>
#include <new>
#include <string>
#include <string_view>

namespace coproc {
namespace {

const char* text(errc code) noexcept {
    switch (code) {
    case errc::no_result:
        return "no result was stored";
    case errc::task_threw:
        return "the task threw an exception";
    case errc::worker_terminated:
        return "the worker process ended";
    case errc::out_of_memory:
        return "out of memory";
    case errc::timed_out:
        return "the task timed out";
    case errc::cancelled:
        return "the task was cancelled";
    case errc::encode_failed:
        return "encoding failed";
    case errc::decode_failed:
        return "decoding failed";
    case errc::unknown_function:
        return "the worker does not know the function";
    case errc::initializer_failed:
        return "an initializer of the worker failed";
    case errc::spawn_failed:
        return "no worker process could be started";
    case errc::handshake_failed:
        return "the started process is no worker of this program";
    case errc::executor_broken:
        return "the executor gave up: its workers die before they are ready";
    case errc::executor_shutdown:
        return "the executor was shut down";
    case errc::queue_full:
        return "the executor's queue is full";
    case errc::too_large:
        return "the message is too large";
    case errc::would_deadlock:
        return "the blocking call would have waited for itself";
    case errc::nesting_too_deep:
        return "executors are nested too deep";
    case errc::forked:
        return "this process is a fork of the executor's";
    }
    return "unknown coproc error";
}

class category final : public std::error_category {
public:
    const char* name() const noexcept override { return "coproc"; }

    std::string message(int value) const override { return text(static_cast<errc>(value)); }

    std::error_condition default_error_condition(int value) const noexcept override {
        switch (static_cast<errc>(value)) {
        case errc::timed_out:
            return std::errc::timed_out;
        case errc::cancelled:
            return std::errc::operation_canceled;
        case errc::out_of_memory:
            return std::errc::not_enough_memory;
        case errc::queue_full:
            return std::errc::resource_unavailable_try_again;
        case errc::would_deadlock:
            return std::errc::resource_deadlock_would_occur;
        default:
            return {value, *this};
        }
    }
};

/// Asio's codes are those of the system, but its category does not always say so: where Asio leaves
/// out its default_error_condition(), as 1.30 does, they would mean nothing.
std::error_condition meaning_of(const std::error_code& code) noexcept {
    return code.category().name() == std::string_view("asio.system")
               ? std::system_category().default_error_condition(code.value())
               : code.default_error_condition();
}

} // namespace

const std::error_category& error_category() noexcept {
    // Never destroyed: a failure may be looked at in the destructor of a static object.
    alignas(category) static std::byte storage[sizeof(category)];
    static const category* const instance = new (storage) category;
    return *instance;
}

bool operator==(const std::error_code& code, errc expected) noexcept {
    const std::error_code ours = make_error_code(expected);
    if (code.category() == ours.category()) {
        return code.value() == ours.value();
    }
    const std::error_condition meaning = ours.default_error_condition();
    return meaning.category() == std::generic_category() && meaning_of(code) == meaning;
}

} // namespace coproc
