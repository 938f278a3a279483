#pragma once

#include <coproc/codec.hpp>

#include <chrono>

namespace coproc {

/// Durations and time points travel as their number of ticks, and many of them as one block. A
/// steady_clock's time points mean the same in all processes of a machine.
template <class Rep, class Period>
inline constexpr bool is_plain<std::chrono::duration<Rep, Period>> = is_plain<Rep>;
template <class Clock, class Duration>
inline constexpr bool is_plain<std::chrono::time_point<Clock, Duration>> = is_plain<Duration>;

template <class Rep, class Period>
requires(!is_plain<Rep>) struct codec<std::chrono::duration<Rep, Period>> {
    using parts = detail::types<Rep>;

    static void encode(encoder& out, const std::chrono::duration<Rep, Period>& value) {
        out.write(value.count());
    }
    static std::chrono::duration<Rep, Period> decode(decoder& in) {
        return std::chrono::duration<Rep, Period>(in.read<Rep>());
    }
};

template <class Clock, class Duration>
requires(!is_plain<Duration>) struct codec<std::chrono::time_point<Clock, Duration>> {
    using parts = detail::types<Duration>;

    static void encode(encoder& out, const std::chrono::time_point<Clock, Duration>& value) {
        out.write(value.time_since_epoch());
    }
    static std::chrono::time_point<Clock, Duration> decode(decoder& in) {
        return std::chrono::time_point<Clock, Duration>(in.read<Duration>());
    }
};

} // namespace coproc
