#include "driver/executor_list.hpp"

#include "driver/executor_impl.hpp"

namespace coproc::detail {

void executor_list::add(const std::shared_ptr<executor_impl>& impl) {
    const std::lock_guard lock(mutex_);
    known_.push_back({impl.get(), impl, nullptr});
}

void executor_list::remove(executor_impl& impl) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase_if(known_, [&impl](const entry& e) { return e.impl == &impl; });
    impl.leave_loop();
}

void executor_list::loop_ends() noexcept {
    std::vector<entry> ending;
    {
        const std::lock_guard lock(mutex_);
        ending.swap(known_);
        for (entry& e : ending) {
            e.kept = e.owner.lock();
            if (!e.kept) {
                e.impl->leave_loop(); // its destructor comes to remove(), and waits there
            }
        }
    }
    for (const entry& e : ending) {
        if (e.kept) {
            e.kept->loop_ends();
        }
    }
}

} // namespace coproc::detail
