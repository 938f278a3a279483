#include <coproc/failure.hpp>

#include <cstdio>
#include <new>
#include <ostream>
#include <utility>

#include "exception/describe.hpp"
#include "exception/exception_codec.hpp"
#include "failure_record.hpp"

namespace coproc {
namespace detail {

worker_fate::~worker_fate() = default;

std::vector<stack_frame> worker_fate::backtrace() const { return {}; }

std::string worker_fate::stdout_tail() const { return {}; }

std::string worker_fate::stderr_tail() const { return {}; }

bool is_shortage(std::exception_ptr thrown) noexcept {
    for (int depth = 0; thrown && depth < exceptions::max_depth; ++depth) {
        std::exception_ptr nested;
        try {
            std::rethrow_exception(thrown);
        } catch (const std::bad_array_new_length&) {
            return false; // that was a wrong number
        } catch (const std::bad_alloc&) {
            return true;
        } catch (const std::nested_exception& outer) {
            nested = outer.nested_ptr();
        } catch (...) {
        }
        thrown = std::move(nested);
    }
    return false;
}

failure make_failure(failure_record record) noexcept {
    failure made;
    made.code_ = record.code;
    made.certainty_ = record.how_certain;
    try {
        made.details_ = std::make_shared<const failure_details>(std::move(record));
    } catch (const std::bad_alloc&) {
        // What the caller decides by is in the handle; only the details are lost.
    }
    return made;
}

const std::string& failure_details::message() const {
    {
        const std::lock_guard lock(mutex_);
        if (!message_.empty()) {
            return message_;
        }
    }
    std::string text = compose_message(record_, exception()); // calls what() of a user's exception
    const std::lock_guard lock(mutex_);
    if (message_.empty()) {
        message_ = std::move(text);
    }
    return message_;
}

const std::exception_ptr& failure_details::exception() const noexcept {
    if (!record_.thrown) {
        return record_.exception;
    }
    {
        const std::lock_guard lock(mutex_);
        if (exception_) {
            return exception_;
        }
    }
    std::exception_ptr made = exceptions::decode_exception(
        record_.thrown->encoded, record_.thrown->worker_pid); // by a user's codec
    const std::lock_guard lock(mutex_);
    if (!exception_) {
        exception_ = std::move(made);
    }
    return exception_;
}

} // namespace detail

failure::failure() noexcept = default;
failure::failure(const failure&) noexcept = default;
failure::failure(failure&&) noexcept = default;
failure& failure::operator=(const failure&) noexcept = default;
failure& failure::operator=(failure&&) noexcept = default;
failure::~failure() = default;

std::exception_ptr failure::exception() const noexcept {
    return details_ ? details_->exception() : nullptr;
}

memory_shortage failure::out_of_memory() const noexcept {
    if (details_ && details_->record().fate) {
        return details_->record().fate->shortage;
    }
    const bool refused = code_ == errc::out_of_memory || detail::is_shortage(exception());
    return refused ? memory_shortage::certain : memory_shortage::no;
}

std::optional<worker_exit> failure::worker() const {
    if (!details_ || !details_->record().fate) {
        return std::nullopt;
    }
    const detail::worker_fate& fate = *details_->record().fate;
    return worker_exit{.pid = fate.pid,
                       .slot = fate.slot,
                       .signal = fate.signal,
                       .status = fate.status,
                       .out_of_memory = fate.shortage,
                       .stderr_tail = fate.stderr_tail(),
                       .stdout_tail = fate.stdout_tail(),
                       .backtrace = fate.backtrace()};
}

std::string failure::message() const {
    if (details_) {
        return details_->message();
    }
    detail::failure_record bare;
    bare.code = code_;
    bare.how_certain = certainty_;
    return detail::compose_message(bare, nullptr);
}

void failure::raise() const {
    if (std::exception_ptr thrown = exception()) {
        std::rethrow_exception(std::move(thrown));
    }
    throw failed(*this);
}

std::ostream& operator<<(std::ostream& out, const failure& value) { return out << value.message(); }

failed::failed(failure reason) : std::system_error(reason.code()), reason_(std::move(reason)) {}

failed::~failed() = default;

const char* failed::what() const noexcept {
    try {
        if (reason_.details_) {
            return reason_.details_->message().c_str();
        }
    } catch (...) {
        // No memory for the sentence: the text of the code was made with this object.
    }
    return std::system_error::what();
}

std::string to_string(const stack_frame& frame) {
    std::string text = frame.function;
    if (!frame.file.empty()) {
        text += (text.empty() ? "" : " at ") + frame.file;
        if (frame.line > 0) {
            text += ":" + std::to_string(frame.line);
        }
        return text;
    }
    if (frame.module.empty()) {
        return text.empty() ? "?" : text;
    }
    char offset[24];
    std::snprintf(offset, sizeof offset, "+0x%llx", static_cast<unsigned long long>(frame.offset));
    return text + (text.empty() ? "" : " in ") + frame.module + offset;
}

std::ostream& operator<<(std::ostream& out, const stack_frame& frame) {
    return out << to_string(frame);
}

} // namespace coproc
