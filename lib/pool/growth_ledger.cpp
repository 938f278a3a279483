#include "pool/growth_ledger.hpp"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

namespace coproc::pool {

// Called for each task, so the common case is one comparison.
void growth_ledger::ended(const function_key& key) noexcept {
    if (last_ >= entries_.size() || !entries_[last_].is(key)) {
        const entry* const found = find(key);
        if (found == nullptr) {
            return;
        }
        last_ = static_cast<std::size_t>(found - entries_.data());
    }
    ++entries_[last_].recent;
    ++recent_;
}

// Null: there is no memory for it.
growth_ledger::entry* growth_ledger::find(const function_key& key) {
    for (entry& known : entries_) {
        if (known.is(key)) {
            return &known;
        }
    }
    if (entries_.size() > most) {
        return &entries_.back();
    }
    try {
        entries_.push_back(
            {.address = key.address, .name = key.name, .exported = std::string(key.exported)});
        if (entries_.size() > most) {
            entries_.back() = {}; // from now on that of all others
        }
        return &entries_.back();
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

void growth_ledger::share(std::int64_t grown) {
    for (entry& one : entries_) {
        if (one.recent > 0) {
            const double part = static_cast<double>(one.recent) / static_cast<double>(recent_);
            one.bytes += static_cast<std::int64_t>(static_cast<double>(grown) * part);
            one.tasks += std::exchange(one.recent, 0);
        }
    }
    recent_ = 0;
}

std::vector<growth_ledger::entry> growth_ledger::growing() const {
    std::vector<entry> found;
    std::copy_if(entries_.begin(), entries_.end(), std::back_inserter(found),
                 [](const entry& one) { return one.bytes > 0; });
    std::stable_sort(found.begin(), found.end(),
                     [](const entry& a, const entry& b) { return a.bytes > b.bytes; });
    return found;
}

} // namespace coproc::pool
