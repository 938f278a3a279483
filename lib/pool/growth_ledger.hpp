#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace coproc::pool {

/// What names a function: its address, else a name.
struct function_key {
    const void* address = nullptr;
    const char* name = nullptr;     ///< if its type carries one; lives for ever
    std::string_view exported = {}; ///< in place of both

    friend bool operator==(const function_key&, const function_key&) = default;
};

/**
 * @brief Which functions a worker's memory grew with.
 *
 * An estimate: the worker is measured now and then, and what it has grown since the last time is
 * shared equally among the tasks that have ended meanwhile, whatever each of them took. Where tasks
 * of one function ended, it is exact.
 */
class growth_ledger {
public:
    struct entry {
        const void* address = nullptr;
        const char* name = nullptr;
        std::string exported = {};
        std::int64_t bytes = 0;   ///< grown; less than 0: more was given back than taken
        std::uint64_t tasks = 0;  ///< that have ended
        std::uint32_t recent = 0; ///< of these, since the last measure

        bool is(const function_key& key) const {
            return address == key.address && name == key.name && exported == key.exported;
        }
    };

    /// So many functions are told apart; what others do is one entry without any name.
    static constexpr std::size_t most = 32;

    /// A task of this function has ended.
    void ended(const function_key&) noexcept;
    /// Whether any has since the last measure.
    bool has_recent() const { return recent_ > 0; }
    /// So much was grown meanwhile.
    void share(std::int64_t grown);
    /// Those that it grew with, the greatest growth first.
    std::vector<entry> growing() const;

private:
    entry* find(const function_key&);

    std::vector<entry> entries_;
    std::size_t last_ = 0; // the entry of the task that ended last
    std::uint64_t recent_ = 0;
};

} // namespace coproc::pool
