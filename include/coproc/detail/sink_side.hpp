#pragma once

#include <coproc/detail/config.hpp>
#include <coproc/detail/decoder.hpp>
#include <coproc/detail/encoder.hpp>

#include <memory>

namespace coproc::detail {

/// What a progress_sink is behind its type: in the caller's process the claim that something may
/// still be reported, in a task the way to the reader.
class sink_side {
public:
    using writer = void (*)(encoder&, const void* value);

    sink_side() = default;
    sink_side(const sink_side&) = delete;
    sink_side& operator=(const sink_side&) = delete;
    virtual ~sink_side() = default;

    /// As an argument. Throws encode_error where it is none.
    virtual void pack(encoder&) const = 0;
    /// Throws what the writer throws, and std::logic_error outside of tasks.
    virtual void report(writer, const void* value) = 0;
};

using sink_ptr = std::shared_ptr<sink_side>;

/// For the task that this thread is about to run.
COPROC_API sink_ptr unpack_sink(decoder&);

} // namespace coproc::detail
