#include "worker/identity.hpp"

#include <array>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace coproc::worker {
namespace {

constexpr std::array<std::string_view, 3> mode_names = {"exec", "exec_main", "zygote"};
constexpr std::size_t nonce_digits = 16;

// Cuts the text up to the next colon, or all of it, off the front.
std::string_view take_field(std::string_view& text) noexcept {
    const std::size_t end = std::min(text.find(':'), text.size());
    const std::string_view field = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return field;
}

template <class Number>
bool parse_number(std::string_view field, Number& number, int radix = 10) noexcept {
    const char* end = field.data() + field.size();
    const auto [stop, error] = std::from_chars(field.data(), end, number, radix);
    return error == std::errc() && stop == end;
}

bool parse_mode(std::string_view field, entry& mode) noexcept {
    for (std::size_t i = 0; i < mode_names.size(); ++i) {
        if (mode_names[i] == field) {
            mode = static_cast<entry>(i);
            return true;
        }
    }
    return false;
}

bool is_true_here(const identity& worker) noexcept {
    return ::getppid() == worker.parent && socket_was_made_by(worker.socket, worker.parent) &&
           ::fcntl(worker.page, F_GETFD) >= 0;
}

struct claim {
    std::optional<identity> believed;
    std::optional<identity> refused; ///< also if the text was none
};

claim find_claim() {
    const char* text = std::getenv(identity_variable);
    if (text == nullptr) {
        return {};
    }
    std::optional<identity> worker = parse_identity(text);
    ::unsetenv(identity_variable);
    if (!worker || !is_true_here(*worker)) {
        return {.believed = std::nullopt, .refused = worker ? *worker : identity()};
    }
    ::fcntl(worker->socket, F_SETFD, FD_CLOEXEC);
    ::fcntl(worker->page, F_SETFD, FD_CLOEXEC);
    return {.believed = worker, .refused = std::nullopt};
}

claim& this_process() {
    static claim found = find_claim();
    return found;
}

// Before main, so that no thread reads the environment while the variable is removed.
[[maybe_unused]] const identity* const known_before_main = current_identity();

} // namespace

std::string format_identity(const identity& worker) {
    char digits[nonce_digits];
    const auto end = std::to_chars(digits, digits + nonce_digits, worker.nonce, 16).ptr;
    const std::string_view nonce(digits, static_cast<std::size_t>(end - digits));
    std::string text;
    for (const std::int64_t number : {std::int64_t{worker.socket}, std::int64_t{worker.page},
                                      std::int64_t{worker.parent}, std::int64_t{worker.slot}}) {
        text += std::to_string(number) + ":";
    }
    text.append(nonce_digits - nonce.size(), '0').append(nonce).append(":");
    return text.append(mode_names[static_cast<std::size_t>(worker.mode)]);
}

std::optional<identity> parse_identity(std::string_view text) {
    identity worker;
    // A text with fewer fields yields empty ones, which are no numbers.
    const bool numbers = parse_number(take_field(text), worker.socket) &&
                         parse_number(take_field(text), worker.page) &&
                         parse_number(take_field(text), worker.parent) &&
                         parse_number(take_field(text), worker.slot);
    const std::string_view nonce = take_field(text);
    if (!numbers || nonce.size() != nonce_digits || !parse_number(nonce, worker.nonce, 16) ||
        !parse_mode(text, worker.mode)) {
        return std::nullopt;
    }
    if (worker.socket < 0 || worker.page < 0 || worker.socket == worker.page ||
        worker.parent <= 0) {
        return std::nullopt;
    }
    return worker;
}

const identity* current_identity() {
    const std::optional<identity>& believed = this_process().believed;
    return believed ? &*believed : nullptr;
}

bool become(const identity& forked) {
    if (!is_true_here(forked)) {
        return false;
    }
    this_process().believed = forked;
    return true;
}

const identity* false_identity() {
    const std::optional<identity>& refused = this_process().refused;
    return refused ? &*refused : nullptr;
}

// A socketpair remembers who made it.
bool socket_was_made_by(int socket, pid_t parent) noexcept {
    ucred creator{};
    socklen_t size = sizeof creator;
    return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &creator, &size) == 0 &&
           creator.pid == parent;
}

} // namespace coproc::worker
