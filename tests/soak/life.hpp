#pragma once

#include <coproc/coproc.hpp>

#include <asio/awaitable.hpp>

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>

namespace soak {

/// What came of all tasks.
struct tally {
    std::uint64_t submitted = 0;
    std::uint64_t values = 0;
    std::uint64_t unseen = 0; ///< jobs that were dropped or detached
    std::map<coproc::errc, std::uint64_t> failures;
    std::uint64_t wrong = 0; ///< values and failures that should not have been
    std::string first_wrong;
    std::uint64_t executors = 0;
    std::uint64_t workers = 0;
};

/// One executor from its construction to its end: tasks of all kinds, and everything that can
/// happen to it and to its workers, at random.
asio::awaitable<void> live(std::uint64_t seed, tally& all);

} // namespace soak
