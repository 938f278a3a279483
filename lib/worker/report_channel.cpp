#include "worker/report_channel.hpp"

#include "coproc/codec.hpp"
#include "worker/current_task.hpp"

#include <algorithm>
#include <limits>
#include <system_error>
#include <utility>

namespace coproc::worker {

/// What a progress_sink of the task holds.
class report_channel::line final : public detail::sink_side {
public:
    line(std::shared_ptr<report_channel> channel, const sink_terms& given)
        : terms(given), channel_(std::move(channel)) {}

    void pack(encoder&) const override {
        throw encode_error("a progress_sink does not travel on from a task");
    }
    void report(writer write, const void* value) override { channel_->report(*this, write, value); }

    const sink_terms terms;

private:
    const std::shared_ptr<report_channel> channel_;
};

detail::sink_ptr report_channel::open(const sink_terms& terms) {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(sinks_[terms.number].begun, true)) {
        page_->acceptances().begin(terms.number, sequence_);
    }
    return std::make_shared<line>(shared_from_this(), terms);
}

bool report_channel::wanted(const line& l) const noexcept {
    return !closed_.load(std::memory_order_acquire) &&
           !page_->acceptances().look(l.terms.number).unwanted;
}

void report_channel::report(line& l, detail::sink_side::writer write, const void* value) {
    if (!wanted(l)) {
        return;
    }
    encoder memory(max_payload_bytes_);
    {
        const std::lock_guard lock(mutex_);
        memory = std::move(spare_);
    }
    memory.clear(max_payload_bytes_);
    write(memory, value); // the value's codec: without the mutex
    if (l.terms.waits) {
        send_and_wait(l, memory.bytes());
    } else {
        send_or_hold(l, memory);
    }
    constexpr std::size_t kept = 64 * 1024;
    if (memory.size() <= kept) {
        const std::lock_guard lock(mutex_);
        spare_ = std::move(memory);
    }
}

void report_channel::send_and_wait(line& l, std::span<const std::byte> bytes) {
    const std::uint16_t sink = l.terms.number;
    const std::lock_guard turn(sinks_[sink].turn);
    {
        const std::lock_guard lock(mutex_);
        if (closed_.load(std::memory_order_relaxed)) {
            return;
        }
        send(sink, bytes, true);
    }
    std::uint32_t& sent = sinks_[sink].sent;
    sent = (sent + 1) & memory::acceptances::settled_mask;
    for (;;) {
        const memory::acceptance now = page_->acceptances().look(sink);
        if (!must_wait(sink, now)) {
            return;
        }
        // The limit is for what does not change the word: the request to stop, and the parent's
        // end.
        page_->wait_for_acceptance(sink, now, std::chrono::milliseconds(5));
    }
}

bool report_channel::must_wait(std::uint16_t sink, memory::acceptance now) {
    if (now.settled == sinks_[sink].sent || now.unwanted || page_->stop_requested(sequence_)) {
        return false;
    }
    const std::lock_guard lock(mutex_); // while the connection is there
    return !closed_.load(std::memory_order_relaxed) && out_.is_open();
}

void report_channel::send_or_hold(line& l, encoder& value) {
    const std::lock_guard lock(mutex_);
    if (closed_.load(std::memory_order_relaxed)) {
        return;
    }
    send_held(false);
    if (!held_.empty() || !send(l.terms.number, value.bytes(), false)) {
        hold(l, value.release());
        send_held_later();
    }
}

bool report_channel::send(std::uint16_t sink, std::span<const std::byte> bytes, bool block) {
    const wire::progress_header header{
        .sequence = sequence_, .sink = sink, .skipped = sinks_[sink].skipped};
    if (block) {
        static_cast<void>(out_.reply(header, bytes)); // a parent that is gone wants nothing
    } else if (!out_.try_reply(header, bytes)) {
        return false;
    }
    sinks_[sink].skipped = 0;
    return true;
}

void report_channel::hold(const line& l, detail::payload bytes) {
    state& s = sinks_[l.terms.number];
    if (s.held == l.terms.capacity) {
        held_.erase(std::find_if(held_.begin(), held_.end(),
                                 [&l](const held_value& v) { return v.sink == l.terms.number; }));
        --s.held;
        s.skipped += s.skipped != std::numeric_limits<std::uint32_t>::max();
    }
    held_.push_back({l.terms.number, std::move(bytes)});
    ++s.held;
}

void report_channel::send_held(bool block) {
    while (!held_.empty()) {
        held_value& first = held_.front();
        if (!send(first.sink, first.bytes.bytes(), block)) {
            return;
        }
        --sinks_[first.sink].held;
        held_.pop_front();
    }
}

// So that the newest value arrives though the task reports no other for long.
void report_channel::send_held_later() {
    changed_.notify_all();
    if (sender_.joinable()) {
        return;
    }
    try {
        sender_ = std::thread([this] {
            std::unique_lock lock(mutex_);
            while (!closed_.load(std::memory_order_relaxed)) {
                if (held_.empty()) {
                    changed_.wait(lock);
                } else {
                    changed_.wait_for(lock, std::chrono::milliseconds(1));
                    if (!closed_.load(std::memory_order_relaxed)) {
                        send_held(false);
                    }
                }
            }
        });
    } catch (const std::system_error&) {
        // The next report or the reply takes it along.
    }
}

void report_channel::close() noexcept {
    {
        const std::lock_guard lock(mutex_);
        closed_.store(true, std::memory_order_release);
    }
    changed_.notify_all();
    if (sender_.joinable()) {
        sender_.join();
    }
}

bool report_channel::send_part(const wire::reply_header& part, std::span<const std::byte> payload) {
    const std::lock_guard lock(mutex_);
    send_held(false);
    return out_.reply(part, payload);
}

void report_channel::send_retirement(const wire::retire_request& request) {
    const std::lock_guard lock(mutex_);
    static_cast<void>(out_.reply(request, {}));
}

bool report_channel::finish(const wire::reply_header& reply, std::span<const std::byte> payload) {
    close();
    send_held(true);
    return out_.reply(reply, payload);
}

} // namespace coproc::worker

namespace coproc::detail {

sink_ptr unpack_sink(decoder& in) {
    worker::sink_terms terms;
    terms.number = in.read<std::uint16_t>();
    terms.waits = in.read<bool>();
    terms.capacity = in.read<std::uint64_t>();
    if (terms.number >= memory::max_sinks || terms.capacity == 0) {
        in.fail("a progress_sink has no such number");
    }
    if (worker::this_thread_task == nullptr || worker::this_thread_task->reports == nullptr) {
        in.fail("a progress_sink is of use to a task only");
    }
    worker::report_source& source = *worker::this_thread_task->reports;
    if (source.channel == nullptr) {
        source.channel = std::make_shared<worker::report_channel>(
            *source.out, *source.page, source.sequence, source.max_payload_bytes);
    }
    return source.channel->open(terms);
}

} // namespace coproc::detail
