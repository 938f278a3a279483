#include "error_categories.hpp"

#include <cstddef>
#include <functional>
#include <future>
#include <ios>
#include <map>
#include <mutex>
#include <string>

#include <coproc/error.hpp>

namespace coproc::exceptions {
namespace {

constexpr std::size_t max_name = 128;
constexpr std::size_t max_categories = 256;

class remote_category final : public std::error_category {
public:
    explicit remote_category(std::string_view name)
        : name_(name), codes_of_system_(name == "asio.system") {}

    const char* name() const noexcept override { return name_.c_str(); }

    std::string message(int value) const override {
        return codes_of_system_ ? std::system_category().message(value)
                                : "error " + std::to_string(value) + " of category " + name_;
    }

    std::error_condition default_error_condition(int value) const noexcept override {
        return codes_of_system_ ? std::system_category().default_error_condition(value)
                                : std::error_condition(value, *this);
    }

private:
    std::string name_;
    bool codes_of_system_;
};

/// The categories that were met so far. A worker can invent names, so there is a limit.
class remote_categories {
public:
    const std::error_category& operator[](std::string_view name) {
        std::lock_guard lock(mutex_);
        if (auto found = by_name_.find(name); found != by_name_.end()) {
            return found->second;
        }
        if (by_name_.size() == max_categories) {
            return other_;
        }
        return by_name_.try_emplace(std::string(name), name).first->second;
    }

private:
    std::mutex mutex_;
    std::map<std::string, remote_category, std::less<>> by_name_;
    remote_category other_{"remote"};
};

} // namespace

const std::error_category& category_named(std::string_view name) {
    for (const std::error_category* known :
         {&std::generic_category(), &std::system_category(), &std::iostream_category(),
          &std::future_category(), &coproc::error_category()}) {
        if (name == known->name()) {
            return *known;
        }
    }
    static remote_categories& categories = *new remote_categories;
    return categories[name.substr(0, max_name)];
}

} // namespace coproc::exceptions
