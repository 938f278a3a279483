#include "reuse/decision.hpp"

#include "reuse/settings.hpp"

namespace coproc::reuse {

decision decide(const present& there, const executor_options& wanted, const reuse_options& how) {
    const bool suits = there.is != state::none && how.reuse != reuse_policy::never &&
                       (how.reuse == reuse_policy::always || same_settings(*there.options, wanted));
    if (!suits) {
        return {.next = step::replace,
                .options = source::wanted,
                .max_workers = wanted.max_workers,
                .kill = there.is != state::none && how.kill_workers};
    }
    // Unset means no opinion: what there is keeps its size, and hands it on.
    const std::size_t size = wanted.max_workers.value_or(there.max_workers);
    if (there.is != state::serving) {
        return {.next = step::replace,
                .options = source::present,
                .max_workers = size,
                .kill = how.kill_workers};
    }
    if (size != there.max_workers) {
        return {.next = step::resize, .max_workers = size};
    }
    return {};
}

} // namespace coproc::reuse
