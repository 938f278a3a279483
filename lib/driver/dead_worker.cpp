#include "driver/dead_worker.hpp"

#include "symbols/symbols.hpp"

#include <chrono>
#include <thread>

namespace coproc::detail {

dead_worker::dead_worker(int worker_pid, std::size_t worker_slot,
                         std::shared_ptr<const memory::shared_page> page,
                         std::shared_ptr<const output_tails> tails)
    : page_(std::move(page)), tails_(std::move(tails)) {
    pid = worker_pid;
    slot = worker_slot;
}

void dead_worker::settle() {
    const std::lock_guard lock(mutex_);
    if (page_ != nullptr) {
        settled_ = process::crash_copy::of(page_->layout().crash);
        page_.reset();
    }
}

std::optional<process::crash_copy> dead_worker::look() const {
    const std::lock_guard lock(mutex_);
    return page_ == nullptr ? settled_ : process::crash_copy::of(page_->layout().crash);
}

bool dead_worker::is_settled() const {
    const std::lock_guard lock(mutex_);
    return page_ == nullptr;
}

std::vector<stack_frame> dead_worker::backtrace() const {
    // The handler unwinds in about a millisecond; its own alarm ends it after a second.
    constexpr auto patience = std::chrono::milliseconds(200);
    const auto end = std::chrono::steady_clock::now() + patience;
    std::optional<process::crash_copy> record = look();
    while (record && !record->unwound() && !is_settled() &&
           std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        record = look();
    }
    record = look(); // it may have been settled meanwhile
    std::vector<process::crash_frame> frames;
    if (record) {
        if (auto report = record->read()) {
            frames = std::move(report->frames);
        }
    }
    std::vector<stack_frame> lines;
    lines.reserve(frames.size());
    for (const process::crash_frame& frame : frames) {
        symbols::location place = symbols::describe(frame);
        lines.push_back({.function = std::move(place.function),
                         .file = std::move(place.file),
                         .line = place.line,
                         .module = frame.module,
                         .offset = frame.offset});
    }
    return lines;
}

std::string dead_worker::stdout_tail() const {
    return tails_ == nullptr ? std::string() : tails_->text(output::out);
}

std::string dead_worker::stderr_tail() const {
    return tails_ == nullptr ? std::string() : tails_->text(output::error);
}

} // namespace coproc::detail
