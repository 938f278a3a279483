#include "coproc/detail/call.hpp"
#include "coproc/detail/records.hpp"
#include "memory/chunk_step.hpp"
#include "wire/messages.hpp"
#include "worker/task_end.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>

// Chunks: several elements of a map in one task. Each is run as a task of its own, with a function
// and arguments of its own; it shares the message, the stop request and the clocks with the others.
namespace coproc::detail {
namespace {

element_outcome outcome_of(wire::reply_outcome outcome) {
    switch (outcome) {
    case wire::reply_outcome::threw:
        return element_outcome::threw;
    case wire::reply_outcome::decode_failed:
        return element_outcome::decode_failed;
    case wire::reply_outcome::encode_failed:
        return element_outcome::encode_failed;
    case wire::reply_outcome::too_large:
        return element_outcome::too_large;
    case wire::reply_outcome::value:
    case wire::reply_outcome::unknown_function:
    case wire::reply_outcome::part:
        break;
    }
    return element_outcome::value;
}

/// The element that runs, for what its invoker may ask for.
struct running_element {
    invocation& chunk;
    std::uint64_t number;

    static running_element& of(void* context) { return *static_cast<running_element*>(context); }
    static void returned(void* context) noexcept { of(context).has_returned(); }
    static std::stop_token stop_token(void* context) {
        return of(context).chunk.stop_token(of(context).chunk.context);
    }
    static bool stop_requested(void* context) noexcept {
        return of(context).chunk.stop_requested(of(context).chunk.context);
    }

    void has_begun() const noexcept { chunk.step(chunk.context, memory::begun_step(number)); }
    void has_returned() const noexcept { chunk.step(chunk.context, memory::returned_step(number)); }
};

class chunk_run {
public:
    chunk_run(invocation& chunk, element_invoker invoke)
        : chunk_(chunk),
          invoke_(invoke),
          message_(records::message(chunk.arguments)),
          head_(read_chunk_head(chunk.arguments)),
          max_part_(chunk.result.max_bytes()) {
        // Before it is cut in two, a part may hold one element too many.
        chunk.result.clear(max_part_ < SIZE_MAX / 2 ? 2 * max_part_ : SIZE_MAX);
    }

    void run() {
        for (std::uint64_t i = 0; i < head_.first; ++i) {
            records::next(chunk_.arguments);
        }
        chunk_.stage = call_stage::encoding; // what is thrown from here on is not an element's
        bool here = true;
        for (std::uint64_t i = head_.first; here && i < head_.elements; ++i) {
            if (chunk_.stop_requested(chunk_.context)) {
                const std::size_t before = out().size();
                here = end_record(before, records::open(out()), element_outcome::not_begun);
            } else {
                here = run_element(i) && (i + 1 == head_.elements || send_in_time());
            }
        }
        chunk_.returned(chunk_.context);
    }

private:
    static std::uint8_t mark(element_outcome outcome) { return static_cast<std::uint8_t>(outcome); }
    encoder& out() { return chunk_.result; }

    bool run_element(std::uint64_t number) {
        const records::place place = records::next(chunk_.arguments);
        decoder common = records::read(message_, sizeof head_, head_.common_end);
        decoder arguments = records::read(message_, place.begin, place.end);
        running_element context{chunk_, number};
        invocation element{.arguments = arguments,
                           .result = out(),
                           .function = chunk_.function,
                           .context = &context,
                           .returned = &running_element::returned,
                           .stop_token = &running_element::stop_token,
                           .stop_requested = &running_element::stop_requested};
        const std::size_t before = out().size();
        const std::size_t record = records::open(out());
        element_outcome outcome = element_outcome::value;
        context.has_begun();
        try {
            invoke_(element, common, head_.common_values);
        } catch (...) {
            if (element.stage == call_stage::running) {
                context.has_returned();
            }
            outcome = write_failure(element.stage, record);
        }
        return end_record(before, record, outcome);
    }

    // In a handler of an exception.
    element_outcome write_failure(call_stage stage, std::size_t record) {
        records::empty(out(), record);
        const worker::task_end end = worker::describe_end(stage, max_part_ - records::head_bytes);
        out().write_block(end.thrown.data(), end.thrown.size());
        const std::string_view text = std::string_view(end.text).substr(0, wire::max_text_bytes);
        out().write_block(text.data(), text.size());
        return outcome_of(end.outcome);
    }

    // `before`: where the one before it ended.
    bool end_record(std::size_t before, std::size_t record, element_outcome outcome) {
        if (out().size() - record > max_part_) {
            records::empty(out(), record);
            const std::string_view text = "it does not fit into one message";
            out().write_block(text.data(), text.size());
            outcome = element_outcome::too_large;
        }
        records::close(out(), record, mark(outcome));
        return out().size() <= max_part_ || send_without(before, record);
    }

    // What is not sent yet may be lost with the worker, so it is sent as often as that costs next
    // to nothing.
    bool send_in_time() {
        constexpr std::size_t many_bytes = 32 * 1024;
        constexpr auto interval = std::chrono::milliseconds(1);
        const auto now = std::chrono::steady_clock::now();
        if (out().size() < std::min(many_bytes, max_part_) && now - sent_ < interval) {
            return true;
        }
        sent_ = now;
        return send_without(out().size(), out().size());
    }

    // All but the last record, if there is one.
    bool send_without(std::size_t before, std::size_t record) {
        rest_.assign(out().bytes().begin() + static_cast<std::ptrdiff_t>(record),
                     out().bytes().end());
        records::cut(out(), before);
        const bool sent = chunk_.send_part(chunk_.context);
        out().clear();
        out().write_block(rest_.data(), rest_.size());
        return sent;
    }

    invocation& chunk_;
    const element_invoker invoke_;
    const std::span<const std::byte> message_;
    const chunk_head head_;
    const std::size_t max_part_;
    std::vector<std::byte> rest_;
    std::chrono::steady_clock::time_point sent_ = std::chrono::steady_clock::now();
};

} // namespace

void run_chunk(invocation& chunk, element_invoker invoke) { chunk_run(chunk, invoke).run(); }

} // namespace coproc::detail
