#include "child_role.hpp"

#include "process/executable.hpp"
#include "process/modules.hpp"
#include "support/catch.hpp"

#include <map>
#include <poll.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace coproc::test {
namespace {

std::map<std::string, int (*)(const arguments&)>& roles() {
    static std::map<std::string, int (*)(const arguments&)> all;
    return all;
}

void wait_until_readable(int descriptor) {
    pollfd entry{descriptor, POLLIN, 0};
    if (::poll(&entry, 1, patience_ms) != 1) {
        throw std::runtime_error("nothing happened in time");
    }
}

} // namespace

child_role::child_role(const char* name, int (*run)(const arguments&)) { roles()[name] = run; }

int run_role_if_asked(int argc, char** argv) {
    if (argc < 3 || std::string_view(argv[1]) != "--role") {
        return -1;
    }
    // A role that is forgotten by its test ends some day.
    ::alarm(2 * patience_ms / 1000);
    return roles().at(argv[2])(arguments(argv + 3, argv + argc));
}

process::spawn_request role_request(std::string role, arguments given) {
    process::spawn_request request;
    request.executable = process::worker_executable();
    request.arguments = {"component_process", "--role", std::move(role)};
    request.arguments.insert(request.arguments.end(), given.begin(), given.end());
    return request;
}

process::child start(const process::spawn_request& request) {
    auto started = process::spawn(request);
    if (!started) {
        throw std::runtime_error(started.error().message());
    }
    return std::move(started).value();
}

process::exit_status wait_for_end(process::child& process) {
    for (;;) {
        wait_until_readable(process.pidfd());
        if (const auto status = process.reap()) {
            return *status;
        }
    }
}

std::pair<process::unique_fd, process::unique_fd> make_socket_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        throw std::runtime_error("socketpair");
    }
    return {process::unique_fd(ends[0]), process::unique_fd(ends[1])};
}

std::string read_bytes(int descriptor, std::size_t count) {
    std::string text;
    while (text.size() < count) {
        wait_until_readable(descriptor);
        char buffer[4096];
        const ssize_t size =
            ::read(descriptor, buffer, std::min(sizeof buffer, count - text.size()));
        if (size <= 0) {
            break;
        }
        text.append(buffer, static_cast<std::size_t>(size));
    }
    return text;
}

std::string read_to_end(int descriptor) { return read_bytes(descriptor, 1U << 20); }

void write_text(int descriptor, std::string_view text) {
    if (::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(text.size())) {
        throw std::runtime_error("send");
    }
}

std::string program_directory() {
    const std::string& path = process::executable_path();
    return path.substr(0, path.rfind('/'));
}

process::unique_fd make_memory_file(std::size_t size_bytes) {
    process::unique_fd file(::memfd_create("test", MFD_CLOEXEC));
    if (!file || ::ftruncate(file.get(), static_cast<off_t>(size_bytes)) != 0) {
        throw std::runtime_error("memfd_create");
    }
    return file;
}

} // namespace coproc::test
