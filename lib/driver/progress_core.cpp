#include "driver/progress_core.hpp"

#include "driver/executor_impl.hpp"
#include "driver/own_loop.hpp"
#include "driver/progress_service.hpp"
#include "failure_record.hpp"

#include <asio/execution/context.hpp>
#include <asio/query.hpp>

#include <algorithm>
#include <cstddef>
#include <new>
#include <stdexcept>
#include <utility>

namespace coproc::detail {

struct reported_value::memory {
    wire::payload_buffer bytes;
};

// ---- sinks

namespace {

/// A sink in the caller's process.
class counted_sink final : public sink_side {
public:
    explicit counted_sink(progress_ptr to) : to_(std::move(to)) { to_->add_sink(); }
    ~counted_sink() override { to_->remove_sink(); }

    void pack(encoder& out) const override {
        luggage_ptr* const place = luggage_access::of(out);
        if (place == nullptr) {
            throw encode_error("a progress_sink is an argument of submit and nothing else");
        }
        if (*place == nullptr) {
            place->reset(new luggage);
        }
        out.write((*place)->add(to_));
        out.write(to_->options().when_full == full_policy::wait);
        out.write(std::uint64_t{to_->options().capacity});
    }

    void report(writer, const void*) override {
        throw std::logic_error("coproc: a progress_sink reports from within a task only");
    }

private:
    const progress_ptr to_;
};

} // namespace

void drop_luggage::operator()(luggage* dropped) const noexcept { delete dropped; }

void begin_element(luggage& all, bool first) noexcept {
    all.arrays_before_ = all.arrays_ != nullptr ? all.arrays_->size() : 0;
    if (first) {
        all.common_arrays_ = all.arrays_before_;
    }
}

luggage_ptr carry(const luggage* original) {
    if (original == nullptr) {
        return nullptr;
    }
    luggage_ptr carried(new luggage);
    for (const auto& p : original->passengers_) {
        carried->add(p->to);
    }
    if (original->arrays_ != nullptr) {
        const auto from = original->arrays_->begin();
        const auto common = from + static_cast<std::ptrdiff_t>(original->common_arrays_);
        const auto last = from + static_cast<std::ptrdiff_t>(original->arrays_before_);
        carried->arrays_ = std::make_shared<borrowed_arrays>(from, common);
        carried->arrays_->insert(carried->arrays_->end(), last, original->arrays_->end());
        carried->common_arrays_ = original->common_arrays_;
        carried->arrays_before_ = original->common_arrays_;
    }
    return carried;
}

void luggage::add(const memory::arena_array_ptr& array) {
    if (arrays_ == nullptr) {
        arrays_ = std::make_shared<borrowed_arrays>();
    }
    // Many slices of one array are common. Each element of a chunk has its own.
    if (arrays_->size() == arrays_before_ || arrays_->back() != array) {
        arrays_->push_back(array);
    }
}

std::uint16_t luggage::add(progress_ptr to) {
    for (const auto& p : passengers_) {
        if (p->to == to) {
            return p->number;
        }
    }
    if (passengers_.size() == memory::max_sinks) {
        throw encode_error("a task, or a chunk of a map, has at most " +
                           std::to_string(memory::max_sinks) + " progress sinks");
    }
    auto added = std::make_unique<passenger>();
    added->number = static_cast<std::uint16_t>(passengers_.size());
    passengers_.reserve(passengers_.size() + 1);
    to->enter(*added);
    added->to = std::move(to);
    passengers_.push_back(std::move(added));
    return passengers_.back()->number;
}

luggage::~luggage() {
    for (const auto& p : passengers_) {
        p->to->leave(*p);
    }
}

void luggage::depart(const executor_impl& executor) {
    for (const auto& p : passengers_) {
        p->to->depart(*p, executor);
    }
}

void luggage::arrive(const std::shared_ptr<memory::shared_page>& page,
                     const wire::progress_header& header,
                     std::optional<wire::payload_buffer> bytes) {
    passenger& p = *passengers_.at(header.sink);
    p.to->arrive(p, page, header, std::move(bytes));
}

// ---- what sinks and tasks do

progress_core::progress_core(asio::any_io_executor io, const progress_options& options)
    : list_(asio::use_service<progress_service>(asio::query(io, asio::execution::context)).list()),
      options_(options),
      box_(options.capacity, options.when_full == full_policy::wait),
      reader_(std::move(io)) {}

void progress_core::enlist() { list_->add(*this); }

// Nobody waits: whoever does shares it.
progress_core::~progress_core() { list_->remove(*this); }

void progress_core::add_sink() {
    const std::lock_guard lock(mutex_);
    box_.add_sink();
}

void progress_core::remove_sink() noexcept {
    const std::lock_guard lock(mutex_);
    box_.remove_sink();
    changed();
}

void progress_core::enter(passenger& p) {
    const std::lock_guard lock(mutex_);
    box_.add(p);
    changed();
}

void progress_core::depart(passenger& p, const executor_impl& executor) {
    const std::lock_guard lock(mutex_);
    auto place = std::find_if(fed_by_.begin(), fed_by_.end(),
                              [&](const auto& each) { return each.first == &executor; });
    if (place == fed_by_.end()) {
        place = fed_by_.insert(place, {&executor, 0});
        changed_.notify_all(); // this may be more than block() can wait for
    }
    ++place->second;
    p.executor = &executor;
}

void progress_core::leave(passenger& p) noexcept {
    const std::lock_guard lock(mutex_);
    box_.remove(p);
    if (p.executor != nullptr) {
        std::erase_if(fed_by_,
                      [&](auto& each) { return each.first == p.executor && --each.second == 0; });
    }
    if (p.page != nullptr) {
        std::erase(running_, &p);
        tell_unwanted(p); // it may go on, given up
    }
    changed();
}

void progress_core::arrive(passenger& p, const std::shared_ptr<memory::shared_page>& page,
                           const wire::progress_header& header,
                           std::optional<wire::payload_buffer> bytes) {
    const std::lock_guard lock(mutex_);
    if (p.page == nullptr) {
        running_.push_back(&p);
    }
    if (p.page != page || p.sequence != header.sequence) {
        box_.begin_run(p);
        p.page = page;
        p.sequence = header.sequence;
    }
    try {
        if (bytes) {
            box_.arrive(p, *std::move(bytes), header.skipped);
        } else {
            box_.lose(p);
        }
    } catch (const std::bad_alloc&) {
        box_.lose(p);
    }
    if (box_.closed()) {
        tell_unwanted(p);
    } else {
        tell_settled(p);
    }
    changed();
}

void progress_core::tell_settled(const passenger& p) const noexcept {
    if (box_.waits()) {
        p.page->acceptances().settle(p.number, p.sequence, p.settled);
        p.page->wake_acceptance_waiters(p.number);
    }
}

void progress_core::tell_unwanted(const passenger& p) const noexcept {
    p.page->acceptances().refuse(p.number, p.sequence);
    if (box_.waits()) {
        p.page->wake_acceptance_waiters(p.number);
    }
}

// ---- what the reader does

reported_value progress_core::take() {
    reported_value given;
    given.memory_ = std::make_unique<reported_value::memory>();
    const std::lock_guard lock(mutex_);
    std::optional<streams::letter> next = box_.take();
    if (next) {
        given.there = true;
        given.index = next->index;
        given.memory_->bytes = std::move(next->bytes);
        if (next->settled != nullptr) {
            tell_settled(static_cast<const passenger&>(*next->settled));
        }
    }
    return given;
}

void progress_core::wait(waiter& w) {
    const std::lock_guard lock(mutex_);
    reader_.wait(w);
    changed();
}

void progress_core::stop_waiting(const waiter* given_up) noexcept {
    const std::lock_guard lock(mutex_);
    reader_.stop_waiting(given_up);
}

bool progress_core::block() {
    std::unique_lock lock(mutex_);
    while (!ready()) {
        if (is_fed_by_this_thread()) {
            return false;
        }
        changed_.wait(lock);
    }
    return true;
}

// Executors whose loops have ended have no tasks any more.
bool progress_core::is_fed_by_this_thread() const {
    return runs_on_this_thread(io_executor()) ||
           std::any_of(fed_by_.begin(), fed_by_.end(), [](const auto& each) {
               return runs_on_this_thread(each.first->io_executor());
           });
}

bool progress_core::ended() const noexcept {
    const std::lock_guard lock(mutex_);
    return box_.ended();
}

std::uint64_t progress_core::dropped() const noexcept {
    const std::lock_guard lock(mutex_);
    return box_.dropped();
}

void progress_core::close() noexcept {
    const std::lock_guard lock(mutex_);
    box_.close();
    for (const passenger* const p : running_) {
        tell_unwanted(*p);
    }
    changed();
}

waiter* progress_core::leave_loop() noexcept {
    const std::lock_guard lock(mutex_);
    return reader_.leave_loop();
}

// Whoever waits has its answer, or keeps the loop at work while a task may give it.
void progress_core::changed() {
    if (!ready()) {
        reader_.keep_at_work(reader_.waits() && box_.expects_values());
        return;
    }
    changed_.notify_all();
    if (reader_.waits()) {
        reader_.complete();
    }
}

// ---- what the public header calls

reported_value::reported_value() noexcept = default;
reported_value::reported_value(reported_value&&) noexcept = default;
reported_value::~reported_value() = default;

std::span<const std::byte> reported_value::bytes() const noexcept { return memory_->bytes.bytes(); }

progress_ptr make_progress(asio::any_io_executor io, const progress_options& options) {
    if (!io) {
        throw std::invalid_argument("coproc: the I/O executor is empty");
    }
    if (options.capacity == 0 || options.capacity > (std::size_t{1} << 24)) {
        throw std::invalid_argument(
            "coproc: progress_options::capacity must be between 1 and 2^24");
    }
    if (options.when_full != full_policy::drop_oldest && options.when_full != full_policy::wait) {
        throw std::invalid_argument(
            "coproc: progress_options::when_full must be one of drop_oldest and wait");
    }
    auto made = std::make_shared<progress_core>(std::move(io), options);
    made->enlist();
    return made;
}

const asio::any_io_executor& io_executor_of(const progress_core& core) noexcept {
    return core.io_executor();
}

sink_ptr make_sink(progress_core& core) {
    return std::make_shared<counted_sink>(core.shared_from_this());
}

reported_value take(progress_core& core) { return core.take(); }
void wait_for_value(progress_core& core, waiter& w) { core.wait(w); }
void stop_waiting(progress_core& core, const waiter* w) noexcept { core.stop_waiting(w); }
bool block_until_value(progress_core& core) { return core.block(); }
bool has_ended(const progress_core& core) noexcept { return core.ended(); }
std::uint64_t dropped_by(const progress_core& core) noexcept { return core.dropped(); }
void close(progress_core& core) noexcept { core.close(); }

failure undecodable_report(const char* what) {
    return make_failure({.code = errc::decode_failed,
                         .how_certain = certainty::may_have_run,
                         .cause = std::string("a value that it reported: ") + what});
}

failure no_memory_for_report() noexcept {
    return make_failure({.code = errc::out_of_memory, .how_certain = certainty::may_have_run});
}

} // namespace coproc::detail
