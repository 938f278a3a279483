#include "process/descriptors.hpp"

#include "process/spawn.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coproc::process {
namespace {

void close_from(int first) noexcept {
    if (::syscall(SYS_close_range, first, ~0U, 0) != 0) {
        ::closefrom(first); // for kernels before 5.9
    }
}

} // namespace

const char* keep_only(const kept_descriptors& kept) noexcept {
    constexpr const char* duplicating = "duplicating a descriptor";
    const int end = first_given_descriptor + static_cast<int>(kept.given.size());
    // Where one of them has a number that another is to get, that one is overwritten: so copies of
    // all lie above.
    const auto lift = [end](int descriptor) { return ::fcntl(descriptor, F_DUPFD, end); };
    const int null_device = ::open("/dev/null", O_RDWR);
    const int input = null_device < 0 ? -1 : lift(null_device);
    if (input < 0) {
        return "open of /dev/null";
    }
    const auto output_of = [&](int captured, int standard) {
        return captured >= 0 ? lift(captured) : ::fcntl(standard, F_GETFD) < 0 ? input : -1;
    };
    const int output = output_of(kept.output, STDOUT_FILENO);
    const int error = output_of(kept.error, STDERR_FILENO);
    int lifted[8];
    std::size_t count = 0;
    for (const int each : kept.given) {
        lifted[count++] = lift(each);
    }
    for (std::size_t i = 0; i < count; ++i) {
        if (lifted[i] < 0 ||
            ::dup3(lifted[i], first_given_descriptor + static_cast<int>(i), O_CLOEXEC) < 0) {
            return duplicating;
        }
    }
    if (::dup2(input, STDIN_FILENO) < 0 || (output >= 0 && ::dup2(output, STDOUT_FILENO) < 0) ||
        (error >= 0 && ::dup2(error, STDERR_FILENO) < 0)) {
        return duplicating;
    }
    close_from(end);
    return nullptr;
}

} // namespace coproc::process
