#include "registered_types.hpp"

#include <mutex>
#include <string>
#include <vector>

#include "describe.hpp"
#include "fork_mutex.hpp"

namespace coproc {
namespace {

// Both need no destructor to run, so static objects may register and throw as long as they live.
constinit std::mutex list_mutex;
[[maybe_unused]] const int at_fork = detail::free_in_forked_children<list_mutex>();
constinit detail::exception_type* list = nullptr;

/// All of this name. A copy: users' code is called without the mutex.
std::vector<detail::exception_type> registered_as(std::string_view name) {
    std::vector<detail::exception_type> found;
    const std::lock_guard lock(list_mutex);
    for (const detail::exception_type* each = list; each != nullptr; each = each->next) {
        if (exceptions::type_name(*each->type) == name) {
            found.push_back(*each);
        }
    }
    return found;
}

} // namespace

void detail::add_exception_type(exception_type& added) noexcept {
    const std::lock_guard lock(list_mutex);
    added.next = list;
    list = &added;
}

void detail::remove_exception_type(exception_type& removed) noexcept {
    const std::lock_guard lock(list_mutex);
    for (exception_type** each = &list; *each != nullptr; each = &(*each)->next) {
        if (*each == &removed) {
            *each = removed.next;
            return;
        }
    }
}

std::optional<detail::payload> exceptions::encode_registered(const std::exception_ptr& thrown,
                                                             std::string_view type) noexcept {
    try {
        for (const detail::exception_type& known : registered_as(type)) {
            encoder state(max_state);
            if (known.encode(thrown, state)) {
                return state.release();
            }
        }
    } catch (...) {
        // Its type and its text are worth sending.
    }
    return std::nullopt;
}

std::exception_ptr
exceptions::decode_registered(std::span<const std::byte> state,
                              const std::shared_ptr<const detail::remote_origin>& origin,
                              const std::exception_ptr& nested) noexcept {
    try {
        const std::vector<detail::exception_type> known = registered_as(origin->type);
        for (const detail::exception_type& other : known) {
            if (*other.type != *known.front().type) {
                return nullptr; // two types of one name: nobody knows which it was
            }
        }
        if (known.empty() || state.size() > max_state) {
            return nullptr;
        }
        encoder aligned;
        aligned.write_block(state.data(), state.size());
        decoder in(aligned.bytes());
        return known.front().decode(in, origin, nested);
    } catch (...) {
        return nullptr;
    }
}

} // namespace coproc
