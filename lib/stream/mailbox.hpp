#pragma once

#include "wire/payload_buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

// What tasks report, until it is read: a bounded number of values, from any number of tasks. Full,
// it forgets the oldest value, or lets the task wait whose value has no place. Not thread-safe.
namespace coproc::streams {

/// One sink of one task that is not done.
struct reporter {
    /// Reported, and without a place. The task waits for it.
    std::optional<wire::payload_buffer> waiting = {};
    /// Values of the task's current run that are taken care of, so that it need not wait for them.
    std::uint32_t settled = 0;
};

/// A value that is given to the reader.
struct letter {
    std::uint64_t index; ///< values reported before it, those included that were dropped
    wire::payload_buffer bytes;
    reporter* settled; ///< whose waiting value has got the place; null: there was none
};

class mailbox {
public:
    /// `capacity` is at least 1. `waits`: tasks wait for a place; else the oldest value gives way.
    mailbox(std::size_t capacity, bool waits) : capacity_(capacity), waits_(waits) {}

    // ---- what sinks and tasks do

    /// A sink that may still be given to tasks.
    void add_sink() { ++sinks_; }
    void remove_sink() { --sinks_; }

    /// A task was given a sink. `r` stays where it is until it is removed.
    void add(reporter&) { ++reporters_; }
    /// The task is done. What it waits for has no place and is dropped.
    void remove(reporter& r);
    /// The task runs, and has reported nothing in this run: it may have been run before, by a
    /// worker that has died.
    void begin_run(reporter& r);
    /// A value of the task, before which its worker had to drop `skipped`. False: it has no place
    /// yet, and the task waits. Throws std::bad_alloc, and then the value was not there.
    bool arrive(reporter& r, wire::payload_buffer bytes, std::uint32_t skipped);
    /// There was no memory for a value.
    void lose(reporter& r);

    // ---- what the reader does

    /// The oldest value, if there is one.
    std::optional<letter> take();
    /// Nobody reads any more.
    void close();

    bool has_value() const { return !values_.empty(); }
    bool closed() const { return closed_; }
    /// No value is there and none will come: no sink is left, and no task that has one.
    bool ended() const { return closed_ || (values_.empty() && sinks_ == 0 && reporters_ == 0); }
    /// Whether some task has a sink.
    bool expects_values() const { return !closed_ && reporters_ > 0; }
    bool waits() const { return waits_; }
    std::size_t capacity() const { return capacity_; }
    /// Values that nobody will read.
    std::uint64_t dropped() const { return dropped_; }

private:
    struct value {
        std::uint64_t index;
        wire::payload_buffer bytes;
    };

    void drop_waiting(reporter&);

    const std::size_t capacity_;
    const bool waits_;
    std::deque<value> values_;
    std::deque<reporter*> queue_; // those with a waiting value, first come first served
    std::size_t sinks_ = 0;
    std::size_t reporters_ = 0;
    std::uint64_t reported_ = 0;
    std::uint64_t dropped_ = 0;
    bool closed_ = false;
};

} // namespace coproc::streams
